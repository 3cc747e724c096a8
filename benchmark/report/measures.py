"""Measures besides accuracy on the page, and whether the classes of a data set make them worth asking for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchmark.claim import CONTROL
from benchmark.evidence.measures import Measured
from benchmark.evidence.tables import Table, guessing
from benchmark.report import titles
from benchmark.report.cells import NOTHING, Cell, ordered, p_value
from benchmark.report.counts import distinct
from benchmark.report.text import digits_of, in_numbers

UNEQUAL = 1.5  # times the test images of the average class
WORDS = {"balanced-accuracy": "balanced accuracy", "macro-f1": "macro F1"}  # of measures, where they differ


@dataclass(frozen=True)
class MeasureLine:
    """A variant by one measure."""

    name: str
    section: str  # of its table, on the page
    value: Cell  # mean over the runs, in percent
    control: Cell
    effect: Cell
    p: Cell
    verdict: str
    detail: str  # why there is none
    by_accuracy: str  # the verdict of the tables
    runs: int


@dataclass(frozen=True)
class MeasureView:
    """All variants by one measure."""

    name: str
    lines: list[MeasureLine]  # the best first


def unequal(found: Iterable[Table]) -> list[str]:
    """Returns a sentence for each data set whose largest class has far more test images than the average one."""
    sets = distinct(
        (study.data, study.largest_class, study.test_images, guessing(study))
        for study in (table.study for table in found)
        if study.largest_class and guessing(study) >= UNEQUAL * 100 / study.classes
    )
    return [
        f"{largest:,} of the {images:,} test images of {data} are of one class: a network that always answers with it "
        f"is right in {share:.0f} % of them, and accuracy is mostly that of this class."
        for data, largest, images, share in sets
    ]


def by_measure(named: Mapping[str, Table], measured: Mapping[str, Sequence[Measured]]) -> list[MeasureView]:
    """Returns the variants of all tables by each measure; `measured` has the lines of each table."""
    several = len({(table.study.data, table.study.budget) for table in named.values()}) > 1
    views: dict[str, list[MeasureLine]] = {}
    for section, table in named.items():
        verdicts = {row.variant: row.verdict for row in table.rows}
        title, digits = titles.title(table.study, several), digits_of(table.study.margin)
        for line in measured[section]:
            if line.variant != CONTROL:
                shown = measure_line(line, section, f"{title}: {line.variant}", verdicts[line.variant], digits)
                views.setdefault(line.measure, []).append(shown)
    return [MeasureView(WORDS.get(name, name), sorted(lines, key=merit)) for name, lines in views.items()]


def merit(line: MeasureLine) -> float:
    """Returns what the lines are sorted by: the greatest effect first."""
    return -float(line.effect.order or 0)


def measure_line(line: Measured, section: str, name: str, by_accuracy: str, digits: int) -> MeasureLine:
    """Returns a variant by one measure, ready to be shown."""
    effect = in_numbers(line.effect, line.ci_low, line.ci_high, digits) or NOTHING
    return MeasureLine(
        name=name,
        section=section,
        value=Cell(f"{line.value:.{digits}f}", line.value),
        control=Cell(f"{line.value_control:.{digits}f}", line.value_control),
        effect=Cell(effect, ordered(line.effect)),
        p=Cell(p_value(line.p_adjusted), ordered(line.p_adjusted)),
        verdict=line.verdict,
        detail=line.reason,
        by_accuracy=by_accuracy,
        runs=line.n,
    )
