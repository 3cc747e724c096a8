"""What became of stored runs that were trained again."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

VerifiedWord = Literal["bit-equal", "within tolerance", "different", "no longer planned", "not checked"]


@dataclass(frozen=True)
class Verified:
    """What became of one stored run."""

    key: str
    name: str  # of the row that it stands in
    seed: int
    word: VerifiedWord
    detail: str  # what differs, or what was not compared; empty if all is the same
    accuracy: float | None  # stored, 0 to 1: on the test images, of a fold on those left out
    again: float | None  # the same now


@dataclass(frozen=True)
class Verification:
    """What `verify` found."""

    store: str
    stored: int  # runs with measurements, of the rows that were asked for
    tolerance: float  # points
    runs: tuple[Verified, ...]  # that were trained again
    unplanned: tuple[Verified, ...]  # that no table plans any more
    unchecked: tuple[Verified, ...]  # that take a data set which is not available
    missing: dict[str, str]  # data sets that those take, with the reason and the remedy in a sentence
    left: int  # runs that were to be trained again and were not: interrupted, or what they start from failed

    @property
    def counts(self) -> dict[VerifiedWord, int]:
        """Returns the runs by word."""
        return dict(Counter(run.word for run in (*self.runs, *self.unplanned, *self.unchecked)))
