"""What can be varied: a recipe is one training, as a frozen value, and a trick is one replaced field of it.

An ensemble is several finished trainings that decide together; it trains nothing itself.

Each part of a recipe is a number, a text, a named function or a frozen dataclass with `__call__`, and remembers
nothing between runs: equal values are equal trainings. No lambdas (they have no name to be stored under), no
module instances (two layers that share one PReLU would share its slope): `activation(channels)` makes a layer.

Shapes: a batch is images (n, 3, h, w) float32 in [0, 1] and targets (n, classes) float32, one-hot unless an
augmentation mixes them. Augmentation sees pixels, then `timed`, then `preprocess` what these give.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from benchmark.claim import CONTROL as CONTROL
from benchmark.claim import GUESSING as GUESSING
from benchmark.claim import Additive as Additive
from benchmark.claim import Alike as Alike
from benchmark.claim import Better as Better
from benchmark.claim import Claim as Claim
from benchmark.claim import Diminishing as Diminishing
from benchmark.claim import Fails as Fails
from benchmark.claim import Measure as Measure
from benchmark.claim import More as More
from benchmark.claim import NotBetter as NotBetter
from benchmark.claim import Published as Published

Batch = tuple[Tensor, Tensor]
Maker = Callable[[int], nn.Module]  # channels -> a fresh layer
Transform = Callable[[Tensor], Tensor]  # images (n, 3, h, w) -> images
Augment = Callable[[Tensor, Tensor, Generator], Batch]
Initialise = Callable[[nn.Module, Tensor], None]  # given one batch of preprocessed images
Convolution = Callable[[int, int, bool], nn.Module]  # channels in, channels out, with a bias -> a fresh layer
Loss = Callable[[Tensor, Tensor], Tensor]  # logits, targets (n, classes) -> their mean loss
Change = Callable[[Sequence[nn.Parameter]], None]  # of gradients or of weights, in place
Average = Callable[[int, int], float]  # steps done, steps in all -> the newest weights' share in the average
Rates = Callable[[int], float]  # layers with weights above this one -> factor on its rate; 0 leaves it as it begins
Predict = Callable[[Transform, Tensor], Tensor]  # network, images (n, 3, h, w) in [0, 1] -> logits (n, classes)
Teach = Callable[[Tensor, Tensor, Tensor], Tensor]  # logits, targets, the teacher's logits (n, classes) -> mean loss
RateOf = Callable[[nn.Module, nn.Parameter], float]  # layer, one of its tensors -> factor on the rate of the tensor
Decays = Callable[[nn.Module, nn.Parameter], bool]  # layer, one of its tensors -> whether the tensor decays
Unfreeze = Callable[
    [int, float], float
]  # layers with weights above this one, progress in [0, 1) -> factor on its rate
Growth = Callable[[float], int]  # progress at the beginning of an epoch -> factor on the batch size

ParameterGroup = dict[str, Any]  # parameters with their options, as torch's optimisers take them


class Validation(NamedTuple):
    """What one epoch ended with on the validation images; schedules look at these and at nothing else."""

    loss: float
    accuracy: float  # 0 to 1


Schedule = Callable[[float, Sequence[Validation]], float]  # progress in [0, 1), history -> factor on the rate
Keep = Callable[[Sequence[Validation]], int]  # history -> place in it of the epoch whose weights are tested so far
Draw = Callable[[Tensor, int, Generator], Tensor]  # labels (n,) on the CPU, batch size -> rows of an epoch (m,)


class Moment(NamedTuple):
    """Where in the training a batch comes."""

    rows: Tensor  # (n,) place of each image among the training images
    epoch: int
    progress: float  # in [0, 1)


Timed = Callable[[Tensor, Moment], Tensor]  # images (n, 3, h, w) in [0, 1] -> images, perhaps of another size


@dataclass(frozen=True)
class Parts:
    """What a recipe hands to its network builder."""

    activation: Maker
    norm: Maker
    classes: int
    convolution: Convolution
    pool: Maker  # halves height and width
    after_stage: Maker
    before_head: Maker


def takes_bytes(augment: Augment) -> Augment:
    """Declares that an augmentation only moves whole pixels: given uint8 images instead of floats in [0, 1], a
    quarter of the memory to move, it gives the same ones as uint8. A class says `takes_bytes = True`."""
    vars(augment)["takes_bytes"] = True
    return augment


def unchanged(images: Tensor, targets: Tensor, rng: Generator) -> Batch:
    """Returns the images as they are."""
    return images, targets


def absent(channels: int) -> nn.Module:
    """Returns the identity: no layer at all."""
    return nn.Identity()


def constant(progress: float, history: Sequence[Validation]) -> float:
    """Returns the peak rate from the first step to the last."""
    return 1.0


def convolution(inputs: int, outputs: int, bias: bool) -> nn.Module:
    """Returns a convolution of 3x3, stride 1, zero padding 1: the map keeps its size."""
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=bias)


class MaxPool(nn.Module):
    """2x2 max pooling, (n, c, h, w) -> (n, c, h // 2, w // 2)."""

    def forward(self, x: Tensor) -> Tensor:
        if torch.is_grad_enabled() or x.device.type != "cpu" or x.shape[2] % 2 or x.shape[3] % 2:
            return F.max_pool2d(x, 2)
        # The same numbers in two fifths of the time: torch's own also notes where each maximum was.
        by_pixel = x.permute(0, 2, 3, 1)
        rows = torch.maximum(by_pixel[:, ::2], by_pixel[:, 1::2])
        return torch.maximum(rows[:, :, ::2], rows[:, :, 1::2]).permute(0, 3, 1, 2)


def max_pool(channels: int) -> nn.Module:
    """Returns the greatest value of each 2x2."""
    return MaxPool()


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Returns -sum of target * log softmax(logits), averaged over the batch."""
    return F.cross_entropy(logits, targets)


def untouched(parameters: Sequence[nn.Parameter]) -> None:
    """Changes nothing."""


def untimed(images: Tensor, moment: Moment) -> Tensor:
    """Returns the same augmentation at any time."""
    return images


def once(network: Transform, images: Tensor) -> Tensor:
    """Returns one view of each image, as it is."""
    return network(images)


def alike(above: int) -> float:
    """Returns one rate for all layers."""
    return 1.0


def last_epoch(history: Sequence[Validation]) -> int:
    """Returns the place of the last epoch."""
    return len(history) - 1


def shuffled(labels: Tensor, size: int, rng: Generator) -> Tensor:
    """Returns every row once, in an order drawn for the epoch."""
    return torch.randperm(len(labels), generator=rng)


def equally(layer: nn.Module, parameter: nn.Parameter) -> float:
    """Returns 1: one rate for all tensors of a layer."""
    return 1.0


def matrices(layer: nn.Module, parameter: nn.Parameter) -> bool:
    """Returns whether the tensor has two and more dimensions: norms, biases and learned slopes have one."""
    return parameter.ndim > 1


def all_along(above: int, progress: float) -> float:
    """Returns 1: a layer learns from the first step to the last."""
    return 1.0


def steady(progress: float) -> int:
    """Returns 1: one batch size from the first epoch to the last."""
    return 1


@dataclass(frozen=True)
class Checkpoint:
    """Weights from a file of the user's: the same weights under another name are the same start."""

    digest: str  # first 16 hexadecimal digits of the file's SHA-256
    file: str = field(compare=False)  # a path to .safetensors


@dataclass(frozen=True)
class Teacher:
    """A network, trained before, whose answers to each batch the loss sees too."""

    recipe: Recipe  # of the run of the same seed
    loss: Teach  # in place of the recipe's loss


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
    timed: Timed = untimed  # what depends on the epoch, the progress or the image's place: after `augment`
    preprocess: Callable[[Tensor], Transform]  # fitted on training images (n, 3, h, w) in [0, 1]
    network: Callable[[Parts], nn.Module]  # images -> logits; its classifier is the submodule `head`
    activation: Maker
    norm: Maker = absent
    convolution: Convolution = convolution
    pool: Maker = max_pool
    after_stage: Maker = absent
    before_head: Maker = absent
    initialise: Initialise
    start_from: Recipe | Checkpoint | None = None  # begin with its trained weights, all but the classifier's
    rates: Rates = alike
    epochs: int
    batch_size: int  # images
    learning_rate: float  # peak, for the mean loss of a batch
    schedule: Schedule = constant
    optimiser: Callable[[Iterable[ParameterGroup]], Optimizer]
    loss: Loss = cross_entropy
    penalise: Change = untouched  # adds a penalty's gradient to each gradient, after the backward pass
    clip: Change = untouched  # bounds the gradients, penalty included
    constrain: Change = untouched  # bounds the weights, after each step
    average: Average | None = None  # what is evaluated is a running average of the weights; the weights if None
    predict: Predict = once  # at evaluation
    weight_decay: float = 0.0  # L2
    precision: Literal["fp32", "bf16"] = "fp32"  # of convolutions and matrix products; weights stay float32
    rate_of: RateOf = equally  # on top of `rates`; 0 leaves a tensor as it begins
    decays: Decays = matrices  # which tensors `weight_decay` is for
    unfreeze: Unfreeze = all_along  # on top of `rates` and of the schedule
    growth: Growth = steady  # of the batch size
    draw: Draw = shuffled  # which images an epoch goes through, in which order; what fills no batch is left out
    imbalance: float = 1.0  # images of the most frequent class over those of the rarest, a geometric series between
    views: int = 1  # images that `augment` makes of each that it is given; the loss sees the answers to all
    teacher: Teacher | None = None
    keep: Keep = last_epoch  # called after each epoch; never an earlier epoch than before
    remeasure: bool = False  # batch norm's statistics, on training images, ahead of each evaluation
    snapshots: tuple[float, ...] = ()  # shares of the training after which its answers are kept too, at an epoch's end
    fold: tuple[int, int] | None = None  # (k, K): validate on the k-th of K parts of all training images, never test

    def __post_init__(self) -> None:
        """Makes whole numbers of the fields that are counts, and floats of rates: 1 and 1.0 are one learning rate.

        Raises ValueError, naming the field, its value and its range.
        """
        for name in ("learning_rate", "weight_decay"):
            object.__setattr__(self, name, float(getattr(self, name)))
        object.__setattr__(self, "snapshots", tuple(map(float, self.snapshots)))
        for name in ("epochs", "batch_size", "images", "validation_images"):
            value = getattr(self, name)
            if value is not None and value != int(value):
                raise ValueError(f"{name} must be a whole number, got {value!r}")
            object.__setattr__(self, name, value if value is None else int(value))
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, got {value!r}")
        if not self.learning_rate >= 0:
            raise ValueError(f"learning_rate must be 0 or more, got {self.learning_rate!r}")
        if self.weight_decay < 0:
            raise ValueError(f"weight_decay must be 0 or more, got {self.weight_decay!r}")
        if self.precision not in ("fp32", "bf16"):
            raise ValueError(f"precision must be 'fp32' or 'bf16', got {self.precision!r}")
        if not all(0 < share <= 1 for share in self.snapshots):
            raise ValueError(f"snapshots must be shares in (0, 1], got {self.snapshots!r}")
        if not self.imbalance >= 1:
            raise ValueError(f"imbalance must be 1 or more, got {self.imbalance!r}")
        if self.views < 1:
            raise ValueError(f"views must be at least 1, got {self.views!r}")
        if self.start_from and self.teacher:
            raise ValueError("start_from and teacher cannot go together: a run gets the weights of one earlier run")
        if self.fold and not 0 <= self.fold[0] < self.fold[1] >= 2:
            raise ValueError(f"fold must be (k, K) with K at least 2 and k from 0 to K - 1, got {self.fold!r}")

    @property
    def before(self) -> Recipe | Checkpoint | None:
        """Returns what must have been trained before: whose weights it starts from, or its teacher."""
        return self.teacher.recipe if self.teacher else self.start_from

    def epoch(self, share: float) -> int:
        """Returns the epoch, from 1 on, at whose end a share of the training is over: the nearest one."""
        return max(1, round(share * self.epochs))


Scores = npt.NDArray[np.float64]  # log-probabilities (..., images, classes)
Labels = npt.NDArray[np.int64]  # (images,)
Combine = Callable[[Scores, Scores, Labels], Scores]
"""Log-probabilities of members on test images (members, images, classes), the same on validation images (none where
they were not kept), labels of the latter -> log-probabilities of the whole on test images (images, classes)"""
Choose = Callable[[Sequence[float]], Sequence[int]]  # validation accuracies of the members -> places of those who vote


def everyone(accuracies: Sequence[float]) -> Sequence[int]:
    """Returns that all members vote."""
    return range(len(accuracies))


@dataclass(frozen=True)
class Member:
    """One finished training, or what its network answered earlier."""

    recipe: Recipe
    seed_offset: int = 0  # two members of the same recipe and offset are one run at two times
    at: float = 1.0  # share of the training; below 1, one of the recipe's snapshots

    def __post_init__(self) -> None:
        """Raises ValueError, naming the field, its value and its range."""
        if self.seed_offset != int(self.seed_offset):
            raise ValueError(f"Member.seed_offset must be a whole number, got {self.seed_offset!r}")
        object.__setattr__(self, "seed_offset", int(self.seed_offset))
        if self.seed_offset < 0:
            raise ValueError(f"Member.seed_offset must be 0 or more, got {self.seed_offset!r}")
        if isinstance(self.recipe.before, Recipe):
            raise ValueError("Member.recipe must start from scratch or a file, not from another run's weights")
        if self.at not in (*self.recipe.snapshots, 1.0):
            raise ValueError(
                f"Member.at must be 1 or one of its recipe's snapshots {self.recipe.snapshots}, got {self.at!r}"
            )


@dataclass(frozen=True)
class Ensemble:
    """Finished trainings that decide together.

    No two replicates of an ensemble share a run, see `seed`; ensembles of 2, 3, 5 and 10 runs of a recipe share the
    stored ones.
    """

    members: tuple[Member, ...]
    combine: Combine
    choose: Choose = everyone

    def __post_init__(self) -> None:
        """Raises ValueError if there is no member, or one and the same twice."""
        if not self.members or len(set(self.members)) < len(self.members):
            raise ValueError(f"an ensemble needs members, each another seed_offset or at, got {len(self.members)}")

    def seed(self, member: Member, replicate: int) -> int:
        """Returns the seed of a member in replicate r: offset + r * span, where span is the range of that recipe's
        offsets.

        M runs of a recipe, offsets 0 to M - 1, have the seeds r * M to r * M + M - 1; a single one has r + its offset.
        """
        offsets = [each.seed_offset for each in self.members if each.recipe == member.recipe]
        return replicate * (max(offsets) - min(offsets) + 1) + member.seed_offset

    def seeds(self, replicates: int) -> dict[Recipe, set[int]]:
        """Returns the runs of each recipe that so many replicates take."""
        taken: dict[Recipe, set[int]] = {}
        for member in self.members:
            taken.setdefault(member.recipe, set()).update(self.seed(member, each) for each in range(replicates))
        return taken

    def contents(self) -> dict[str, object]:
        """Returns a summary for readers: how many members of how many recipes, and how they decide."""
        chosen = {} if self.choose is everyone else {"choose": self.choose}
        recipes = {member.recipe for member in self.members}
        return {"members": len(self.members), "recipes": len(recipes), "combine": self.combine, **chosen}


Arm = Recipe | Ensemble


@dataclass(frozen=True)
class Scaled:
    """A context in which one number of the base is `times` as large, so that effects can be drawn against it.

    Whole numbers are rounded, and 1 at least.
    """

    number: Literal["epochs", "batch_size", "learning_rate"]
    times: float

    def __post_init__(self) -> None:
        """Raises ValueError, naming the field, its value and its range."""
        if not 0 < self.times < inf:
            raise ValueError(f"Scaled.times must be above 0 and finite, got {self.times!r}")

    def __call__(self, base: Recipe) -> Recipe:
        """Returns the base with the number changed."""
        now = getattr(base, self.number)
        scaled = self.times * now
        return replace(base, **{self.number: max(1, round(scaled)) if isinstance(now, int) else scaled})
