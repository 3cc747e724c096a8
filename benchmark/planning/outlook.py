"""What can be known before training: where no verdict is possible."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.evidence.power import LEAST
from benchmark.store.records import TableRecord


def no_verdicts(studies: Sequence[TableRecord], seeds: int) -> list[str]:
    """Returns a sentence for each reason why tables, as the store keeps them, can have no verdict with `seeds`."""
    said = []
    if seeds < LEAST:
        said.append(
            f"with {seeds} seed{'' if seeds == 1 else 's'} no row can have a verdict, which takes {LEAST} runs of the "
            f"variant and of the baseline; ask for --seeds {LEAST} or more"
        )
    few = {
        (study.data, study.test_images or 0, study.margin) for study in studies if image_worth(study) > study.margin
    }
    for data, images, margin in sorted(few):
        said.append(
            f"{data} has {images} test images, each worth {100 / images:.3g} points: no difference of the margin of "
            f"{margin:g} points can be shown; a verdict takes {100 / margin:.0f} test images or more"
        )
    return said


def image_worth(study: TableRecord) -> float:
    """Returns what one test image of a table is worth, in points; 0 where their number is not known."""
    images = study.test_images
    return 100 / images if images else 0.0
