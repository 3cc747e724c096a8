"""What a source states, as a comparison that stored results can be put to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from msgspec import Struct

CONTROL = "baseline"  # the name of the arm that every other arm of a table is compared with
GUESSING = "guessing"  # stands in claims for a network that knows nothing: it answers with the largest class


# What a claim may be about besides the test accuracy; evidence/judgements.py takes them from a run's record.
Measure = Literal[
    "train accuracy",  # after the last epoch, without augmentation
    "train loss",  # of the last epoch's batches, as they were trained on
    "early loss",  # of the first quarter of the training's batches, as they were trained on
    "test loss",
    "gap",  # train accuracy less test accuracy
    "band",  # width of the band of the last epoch's per-batch losses, against their mean
    "speed",  # validation accuracy, averaged over the epochs
    "epochs to 75 %",  # of an epoch's training batches right; one more than were trained where it is never reached
    "spread",  # of single runs' test accuracies: each run's distance from the median of its arm
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


class Comparison(Struct, frozen=True, tag_field="kind"):
    """What a claim stands or falls with. The tag is how a store names the kind."""

    @property
    def arms(self) -> tuple[str, ...]:
        """Returns the names of the arms that are compared."""
        named = ("arm", "than", "few", "some", "many", "first", "second")
        return tuple(getattr(self, name) for name in named if hasattr(self, name))

    @property
    def of_measure(self) -> Measure | None:
        """Returns the measure that is compared; None for the test accuracy."""
        return None


class Better(Comparison, frozen=True, tag="better"):
    """`arm` has the higher test accuracy."""

    arm: str
    than: str = CONTROL


class NotBetter(Comparison, frozen=True, tag="notbetter"):
    """`arm` has a lower test accuracy, or one that differs by less than the margin."""

    arm: str
    than: str = CONTROL


class More(Comparison, frozen=True, tag="more"):
    """`arm` has more of a measure."""

    arm: str
    than: str
    of: Measure

    @property
    def of_measure(self) -> Measure | None:
        """Returns the measure that is compared."""
        return self.of


class Diminishing(Comparison, frozen=True, tag="diminishing"):
    """A member more brings more test accuracy between `few` and `some` than between `some` and `many`."""

    few: str
    some: str
    many: str
    sizes: tuple[int, int, int]  # members of each


class Additive(Comparison, frozen=True, tag="additive"):
    """`arm`, which has two tricks, is worth the sum of the two arms that have one each, within the margin."""

    arm: str
    first: str
    second: str


class Alike(Comparison, frozen=True, tag="alike"):
    """The two differ by less than the margin, and neither only guesses."""

    arm: str
    than: str = CONTROL


class Fails(Comparison, frozen=True, tag="fails"):
    """Guessing would do as well."""

    arm: str


Holds = Better | NotBetter | More | Diminishing | Additive | Alike | Fails


@dataclass(frozen=True)
class Published:
    """What a table of a paper says of an arm."""

    accuracy: float  # on test images, points; an error rate e is 100 - e
    trust: Literal["read", "quoted", "recalled"]  # at the source; by others; from memory, which decides nothing
    deviation: float | None = None  # over runs, points; None where the paper has none
    runs: int | None = None  # None where the paper does not say


PublishedTables = Mapping[tuple[str, str], Mapping[str, Published]]  # by data set and context, then by arm


@dataclass(frozen=True)
class Claim:
    """A statement of a source, in plain words, and the comparison of arms that it stands or falls with."""

    name: str  # as the article numbers it, such as "S5.4"
    text: str
    holds: Holds
    context: str | None = None  # judged only in this context; in every context if None

    @property
    def part(self) -> int | None:
        """Returns the part of the article that the statement is from: 5 of S5.2; None for one of another source."""
        number = self.name.removeprefix("S").partition(".")[0]
        return int(number) if number.isdigit() and "." in self.name else None
