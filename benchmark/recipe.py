"""What can be varied: a recipe is one training, as a frozen value, and a trick is one replaced field of it.

Each part of a recipe is a number, a text, a named function or a frozen dataclass with `__call__`, and remembers
nothing between runs: equal values are equal trainings. No lambdas (they have no name to be stored under), no
module instances (two layers that share one PReLU would share its slope): `activation(channels)` makes a layer.

Shapes: a batch is images (n, 3, h, w) float32 in [0, 1] and targets (n, classes) float32, one-hot unless an
augmentation mixes them. Augmentation sees pixels, and `preprocess` what augmentation gives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, NamedTuple

from torch import Generator, Tensor, nn
from torch.optim import Optimizer

Batch = tuple[Tensor, Tensor]
Maker = Callable[[int], nn.Module]  # channels -> a fresh layer
Transform = Callable[[Tensor], Tensor]  # images (n, 3, h, w) -> images
Augment = Callable[[Tensor, Tensor, Generator], Batch]
Initialise = Callable[[nn.Module, Tensor], None]  # given one batch of preprocessed images


class Validation(NamedTuple):
    """What one epoch ended with on the validation images; schedules look at these and at nothing else."""

    loss: float
    accuracy: float  # 0 to 1


Schedule = Callable[[float, Sequence[Validation]], float]  # progress in [0, 1), history -> factor on the rate


@dataclass(frozen=True)
class Parts:
    """What a recipe hands to its network builder."""

    activation: Maker
    norm: Maker
    classes: int


def unchanged(images: Tensor, targets: Tensor, rng: Generator) -> Batch:
    """No augmentation."""
    return images, targets


def absent(channels: int) -> nn.Module:
    """No layer at all."""
    return nn.Identity()


def constant(progress: float, history: Sequence[Validation]) -> float:
    """The peak rate from the first step to the last."""
    return 1.0


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One training, as a value.

    A field has a default only where that default does nothing at all; it is then left out of the recipe's text,
    so that a field added later leaves old results their names.
    """

    data: str  # name of a data set
    images: int | None = None  # learn from so many training images, stratified; all of them if None
    validation_images: int | None = None  # look at so many validation images after each epoch; all if None
    augment: Augment = unchanged
    preprocess: Callable[[Tensor], Transform]  # fitted on training images (n, 3, h, w) in [0, 1]
    network: Callable[[Parts], nn.Module]  # images -> logits; its classifier is the submodule `head`
    activation: Maker
    norm: Maker = absent
    initialise: Initialise
    epochs: int
    batch_size: int  # images
    learning_rate: float  # peak, for the mean loss of a batch
    schedule: Schedule = constant
    optimiser: Callable[[Iterable[dict[str, Any]]], Optimizer]  # parameter groups -> optimiser
    weight_decay: float = 0.0  # L2 on tensors of two and more dimensions: not on norms, biases, slopes
    precision: Literal["fp32", "bf16"] = "fp32"  # of convolutions and matrix products; weights stay float32

    def __post_init__(self) -> None:
        """Raises ValueError, naming the field, its value and its range."""
        for name in ("epochs", "batch_size", "images", "validation_images"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, got {value!r}")
        if not self.learning_rate >= 0:
            raise ValueError(f"learning_rate must be 0 or more, got {self.learning_rate!r}")
        if self.weight_decay < 0:
            raise ValueError(f"weight_decay must be 0 or more, got {self.weight_decay!r}")
        if self.precision not in ("fp32", "bf16"):
            raise ValueError(f"precision must be 'fp32' or 'bf16', got {self.precision!r}")

    def changes(self, base: Recipe) -> dict[str, Any]:
        """The fields in which this recipe differs from `base`."""
        pairs = ((f.name, getattr(self, f.name), getattr(base, f.name)) for f in fields(self))
        return {name: mine for name, mine, theirs in pairs if mine != theirs}


CONTROL = "baseline"  # the name of the arm that every other arm of a table is compared with
GUESSING = "guessing"  # stands in claims for a network that knows nothing: accuracy 1 / classes


@dataclass(frozen=True)
class Better:
    """`arm` has the higher test accuracy."""

    arm: str
    than: str = CONTROL


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
    holds: Better | Alike | Fails
    context: str | None = None  # judged in this context alone; in every context if None
