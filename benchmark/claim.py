"""What a source states, as a comparison that stored results can be put to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

CONTROL = "baseline"  # the name of the arm that every other arm of a table is compared with
GUESSING = "guessing"  # stands in claims for a network that knows nothing: accuracy 1 / classes


# What a claim may be about beside the test accuracy; claims.py works them out from a run's record.
Measure = Literal[
    "train accuracy",  # after the last epoch, without augmentation
    "train loss",  # of the last epoch's batches, as they were trained on
    "test loss",
    "gap",  # train accuracy less test accuracy
    "band",  # width of the band of the last epoch's per-batch losses, against their mean
    "speed",  # validation accuracy, averaged over the epochs
    "dead units",  # share of units that give one and the same number for every training image
    "near-zero weights",  # share of weights within 1e-3 of zero
    "largest norm",  # of a unit's incoming weights
    "first deviation",  # of the logits, before the first step
    "parameters",
    "disagreement",  # of an ensemble: share of test images on which two members differ, over all pairs
    "error correlation",  # of an ensemble's members, over all pairs
    "gain",  # of an ensemble over the mean test accuracy of its members
    "calibration error",  # of an ensemble, on the test images
]


@dataclass(frozen=True)
class Better:
    """`arm` has the higher test accuracy."""

    arm: str
    than: str = CONTROL


@dataclass(frozen=True)
class NotBetter:
    """`arm` has a lower test accuracy, or one that differs by less than the margin."""

    arm: str
    than: str = CONTROL


@dataclass(frozen=True)
class More:
    """`arm` has more of a measure."""

    arm: str
    than: str
    of: Measure


@dataclass(frozen=True)
class Diminishing:
    """A member more brings more test accuracy between `few` and `some` than between `some` and `many`."""

    few: str
    some: str
    many: str
    sizes: tuple[int, int, int]  # members of each


@dataclass(frozen=True)
class Additive:
    """`arm`, which has two tricks, is worth the sum of the two arms that have one each, within the margin."""

    arm: str
    first: str
    second: str


@dataclass(frozen=True)
class Alike:
    """The two differ by less than the margin, and neither only guesses."""

    arm: str
    than: str = CONTROL


@dataclass(frozen=True)
class Fails:
    """Guessing would do as well."""

    arm: str


@dataclass(frozen=True)
class Claim:
    """A statement of a source, in plain words, and the comparison of arms that it stands or falls with."""

    name: str  # as the article numbers it, such as "S5.4"
    text: str
    holds: Better | NotBetter | More | Alike | Fails | Additive | Diminishing
    context: str | None = None  # judged in this context alone; in every context if None
