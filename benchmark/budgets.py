"""How much one training may cost: the sizes of network, data and training that a grid is run at."""

from __future__ import annotations

from dataclasses import dataclass, replace


def bare_name(data: str) -> str:
    """Returns the name of a data set without the size that its images are resized to: `flowers` of `flowers@64`."""
    name, mark, side = data.rpartition("@")
    return name if mark and side.isdecimal() else data


def asked_side(data: str) -> int | None:
    """Returns the pixels that images are resized to, 64 for `flowers@64`; None if they stay as they are."""
    return int(data.rpartition("@")[2]) if bare_name(data) != data else None


ALL_IMAGES = 45_000  # that CIFAR's training set has, less the tenth held out for validation


@dataclass(frozen=True)
class Budget:
    """How much training a run gets."""

    purpose: str
    margin: float  # points of accuracy; differences shown to be below it are equivalent
    stages: tuple[tuple[int, int], ...]
    epochs: int
    batch_size: int
    learning_rate: float
    images: int | None = None
    validation_images: int | None = None
    package: str = "ablations"  # whose modules it trains

    @property
    def images_seen(self) -> int:
        """Returns how many images a training of the baseline goes through, each counted as often as it is seen."""
        return self.epochs * (self.images or ALL_IMAGES)


REDUCED, FULL = "reduced", "full"  # the budgets of papers' tables
BUDGETS = {
    "quick": Budget(
        purpose="a laptop's CPU: 4,500 images",
        margin=1.0,
        stages=((16, 1), (32, 2), (64, 2)),
        epochs=10,
        batch_size=64,
        learning_rate=0.2,
        images=4500,
        validation_images=1000,
    ),
    "small": Budget(
        purpose="all of CIFAR-10 on a CPU",
        margin=0.5,
        stages=((16, 1), (48, 2), (96, 2)),
        epochs=5,
        batch_size=128,
        learning_rate=0.3,
    ),
    "standard": Budget(
        purpose="a GPU: 0.4 PFLOP a run, so that a grid can have many seeds",
        margin=0.2,
        stages=((64, 2), (256, 2), (256, 2)),
        epochs=11,
        batch_size=512,
        learning_rate=0.8,
    ),
    "long": Budget(
        purpose="a GPU: 1.4 PFLOP a run, for what only long training shows",
        margin=0.2,
        stages=((64, 2), (256, 2), (256, 2)),
        epochs=40,
        batch_size=512,
        learning_rate=0.8,
    ),
}
BUDGETS |= {  # of papers/: a module with a base of its own takes no more of these than the margin
    REDUCED: replace(BUDGETS["quick"], purpose="tables of papers, made small", package="papers"),
    FULL: replace(BUDGETS["standard"], purpose="tables of papers, as they were", margin=0.5, package="papers"),
}
