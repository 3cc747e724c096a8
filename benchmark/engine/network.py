"""A recipe's network, ready to be trained."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from benchmark.data.splits import DataSet, Split
from benchmark.engine.capture import Captured, captures
from benchmark.recipe import (
    Initialise,
    Loss,
    Maker,
    Parts,
    Predict,
    Recipe,
    Teach,
    Teacher,
    Transform,
    all_along,
    constant,
    last_epoch,
    matrices,
    shuffled,
    steady,
    unchanged,
    untimed,
    untouched,
)

Weights = dict[str, Tensor]  # a network's parameters and buffers by name, on the CPU


@dataclass(frozen=True)
class Network:
    """A network under training, with what its recipe made of it."""

    module: nn.Module  # preprocessed images -> logits
    activations: tuple[nn.Module, ...]  # the layers that recipe.activation made
    preprocess: Transform
    loss: Loss
    predict: Predict
    precision: str
    graphs: tuple[Captured, Captured] | None = None  # of `_step` and of `_scores`, on a GPU
    teacher: tuple[Network, Teach] | None = None  # evaluated on each batch, for the loss that takes its answers

    def __call__(self, images: Tensor) -> Tensor:
        """Returns logits (n, classes) float32 of images (n, 3, h, w) in [0, 1]."""
        with torch.autocast(images.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            logits: Tensor = self.module(self.preprocess(images))
        return logits.float()

    def step(self, images: Tensor, targets: Tensor) -> tuple[Tensor, ...]:
        """Loss and logits of a batch, detached; its gradients are in the parameters then."""
        return self.graphs[0](images, targets) if self.graphs else self._step(images, targets)

    def scores(self, images: Tensor) -> Tensor:
        """Returns logits (n, classes) float32 of uint8 images (n, 3, h, w), as the recipe predicts."""
        captured = self.graphs and len(images) == evaluation_batch(images.device)
        return self.graphs[1](images)[0].clone() if self.graphs and captured else self._scores(images)[0]

    def copy(self) -> Network:
        """Returns a network with weights of its own, equal to these."""
        module, activations = copy.deepcopy((self.module, self.activations))
        return replace(self, module=module, activations=activations, graphs=None)

    def captured(self) -> Network:
        """Returns the same network, its steps and evaluations as CUDA graphs."""
        return replace(self, graphs=(Captured(self._step, self.module), Captured(self._scores, self.module)))

    def _step(self, images: Tensor, targets: Tensor) -> tuple[Tensor, ...]:
        logits = self(images)
        loss = self.taught(images, logits, targets) if self.teacher else self.loss(logits, targets)
        for parameter in self.module.parameters():
            parameter.grad = None
        loss.backward()
        return loss.detach(), logits.detach()

    def taught(self, images: Tensor, logits: Tensor, targets: Tensor) -> Tensor:
        """Returns the loss of the answers to a batch, given the teacher's."""
        assert self.teacher
        teacher, teach = self.teacher
        with torch.no_grad():
            answers = teacher(images)
        return teach(logits, targets, answers)

    def _scores(self, images: Tensor) -> tuple[Tensor, ...]:
        return (self.predict(self, pixels(images)),)


def pixels(images: Tensor) -> Tensor:
    """Returns uint8 images, 0 to 255, as float32, 0 to 1."""
    return images.float().mul_(1 / 255)


OUTSIDE: dict[str, Any] = {  # fields, of many types, on which a captured network does not depend
    "augment": unchanged,
    "timed": untimed,
    "epochs": 1,
    "validation_images": None,
    "learning_rate": 0.0,
    "schedule": constant,
    "optimiser": torch.optim.SGD,
    "penalise": untouched,
    "clip": untouched,
    "constrain": untouched,
    "average": None,
    "weight_decay": 0.0,
    "snapshots": (),
    "decays": matrices,
    "unfreeze": all_along,
    "growth": steady,
    "draw": shuffled,
    "keep": last_epoch,
    "remeasure": False,
}
_kept: dict[object, Network] = {}  # the last network captured by this process: neighbours in a round share it


def captured_part(recipe: Recipe) -> Recipe:
    """Returns the recipe without what its captured network does not depend on: equal for runs that share graphs."""
    return replace(recipe, **OUTSIDE)


def forget_captured(device: torch.device) -> None:
    """Gives the memory of the last captured network back, and what torch keeps for the next one."""
    _kept.clear()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def ready(
    recipe: Recipe,
    seed: int,
    data: DataSet,
    device: torch.device,
    start: Weights | None = None,
    capture: bool = True,
) -> Network:
    """Returns the network before its first step. On a GPU, runs that differ only outside the network share
    its graphs."""
    network = build(recipe, seed, data, device, start)
    if not (capture and captures(device)):
        return network
    key = captured_part(recipe), data.fingerprint, device
    if key not in _kept:
        _kept.clear()
        _kept[key] = network.captured()
    with torch.no_grad():
        for mine, fresh in zip(all_tensors(_kept[key]), all_tensors(network), strict=True):
            mine.copy_(fresh)
    return _kept[key]


def tensors(module: nn.Module) -> list[Tensor]:
    """Parameters and buffers."""
    return [*module.parameters(), *module.buffers()]


def all_tensors(network: Network) -> list[Tensor]:
    """Returns the tensors of its module and of its teacher's."""
    return [*tensors(network.module), *(tensors(network.teacher[0].module) if network.teacher else ())]


def build(recipe: Recipe, seed: int, data: DataSet, device: torch.device, start: Weights | None = None) -> Network:
    """Returns the network before its first step, its weights drawn on the CPU: the same first weights on
    every device."""
    made: list[nn.Module] = []
    preprocess = fitted(recipe.preprocess, data, recipe.images, device, recipe.imbalance)
    torch.manual_seed(stream_seed(seed, "weights"))
    module = assembled(recipe, len(data.classes), made)
    sample = pixels(resident(data, device)[0].images[: recipe.batch_size])
    torch.manual_seed(stream_seed(seed, "initialisation"))
    initialised(module, recipe.initialise, preprocess(sample).cpu())
    if recipe.start_from:
        begin_with(module, start or {})
    module = module.to(device).to(memory_format=torch.channels_last)
    teacher = taught_by(recipe.teacher, seed, data, device, start) if recipe.teacher else None
    return Network(module, tuple(made), preprocess, recipe.loss, recipe.predict, recipe.precision, teacher=teacher)


def taught_by(
    teacher: Teacher, seed: int, data: DataSet, device: torch.device, start: Weights | None
) -> tuple[Network, Teach]:
    """Returns a teacher with the weights `start`, ready to be evaluated; with random ones if there are none."""
    network = build(teacher.recipe, seed, data, device)
    if start:
        network.module.load_state_dict(start)
    network.module.eval().requires_grad_(False)
    return network, teacher.loss


def initialised(module: nn.Module, initialise: Initialise, images: Tensor) -> None:
    """Draws first weights by `initialise`, also for layers that compute their weight from other tensors.

    Such a layer, of torch.nn.utils.parametrizations, shows a plain weight meanwhile, and takes over what it became.
    Raises ValueError for a layer whose weight is computed in another way: what `initialise` draws would be lost.
    """
    layers = [layer for layer in module.modules() if parametrize.is_parametrized(layer, "weight")]
    computed = [(layer, list(cast(Any, layer).parametrizations.weight)) for layer in layers]
    for layer, _ in computed:
        parametrize.remove_parametrizations(layer, "weight")
    for name, layer in module.named_modules():
        if isinstance(layer, nn.Conv2d | nn.Linear) and not isinstance(layer.weight, nn.Parameter):
            raise ValueError(
                f"{name}, a {type(layer).__name__}, computes its weight, so that first weights drawn for it would be "
                "lost; make it by torch.nn.utils.parametrizations, or compute the weight in its forward"
            )
    initialise(module, images)
    for layer, parts in computed:
        for part in parts:
            parametrize.register_parametrization(layer, "weight", part)


def assembled(recipe: Recipe, classes: int, made: list[nn.Module]) -> nn.Module:
    """Returns the recipe's network, its weights as torch draws them; layers that recipe.activation makes go into
    `made`."""
    parts = Parts(
        activation=remembering(recipe.activation, made),
        norm=recipe.norm,
        classes=classes,
        convolution=recipe.convolution,
        pool=recipe.pool,
        after_stage=recipe.after_stage,
        before_head=recipe.before_head,
    )
    return recipe.network(parts)


@torch.no_grad()
def begin_with(module: nn.Module, weights: Weights) -> None:
    """Copies `weights` into all layers but the classifier; layers that only `weights` has are left out.

    Raises ValueError naming the tensors that are lacking or of another shape.
    """
    mine = {name: tensor for name, tensor in module.state_dict().items() if not name.startswith("head.")}
    lacking = sorted(mine.keys() - weights.keys())
    other = [
        f"{name} is {tuple(weights[name].shape)} there and {tuple(tensor.shape)} here"
        for name, tensor in mine.items()
        if name in weights and weights[name].shape != tensor.shape
    ]
    if lacking or other:
        wrong = [*([f"it lacks {', '.join(lacking)}"] if lacking else []), *other]
        raise ValueError(f"the weights to start from do not fit this network: {'; '.join(wrong)}")
    for name, tensor in mine.items():
        tensor.copy_(weights[name])


def remembering(maker: Maker, made: list[nn.Module]) -> Maker:
    """Returns `maker`, with each layer it makes put into `made`."""

    def make(channels: int) -> nn.Module:
        made.append(maker(channels))
        return made[-1]

    return make


def evaluation_batch(device: torch.device) -> int:
    """Returns how many images are evaluated at once: on a CPU their activations fit the second-level cache
    at `quick`."""
    return 250 if device.type == "cpu" else 2000


@lru_cache(maxsize=2)  # a worker trains on one data set at a time
def resident(data: DataSet, device: torch.device) -> tuple[Split, Split, Split]:
    """Returns training, validation and test images (n, 3, h, w) uint8, in channels-last memory on the device."""
    splits = (data.train, data.validation, data.test)
    train_split, validation, test = (
        Split(s.images.to(device).permute(0, 3, 1, 2), s.labels.to(device)) for s in splits
    )
    return train_split, validation, test


@lru_cache(maxsize=8)
def fitted(
    preprocess: Callable[[Tensor], Transform],
    data: DataSet,
    images: int | None,
    device: torch.device,
    imbalance: float = 1.0,
) -> Transform:
    """Returns the transform that the training images decide, worked out once for all runs of a worker."""
    return preprocess(pixels(learned(data, images, device, imbalance).images))


def learned(data: DataSet, images: int | None, device: torch.device, imbalance: float = 1.0) -> Split:
    """Returns the training images (n, 3, h, w) uint8 that a recipe learns from, on the device."""
    split = first(resident(data, device)[0], images)
    return split if imbalance == 1 else long_tailed(split, imbalance, len(data.classes))


def long_tailed(split: Split, imbalance: float, classes: int) -> Split:
    """Returns the first images of each class, of the c-th of C classes a share of imbalance^(-c / (C - 1)), at least
    one.

    Cui et al. 2019, https://arxiv.org/abs/1901.05555, section 5.1: CIFAR-10 and CIFAR-100 with a long tail.
    """
    rows = []
    for label in range(classes):
        own = (split.labels == label).nonzero().flatten()
        rows.append(own[: max(1, int(len(own) * imbalance ** (-label / max(1, classes - 1))))])
    kept = torch.cat(rows).sort().values
    by_pixel = split.images.permute(0, 2, 3, 1)  # as it lies in memory
    return Split(by_pixel.index_select(0, kept).permute(0, 3, 1, 2), split.labels.index_select(0, kept))


def first(split: Split, count: int | None) -> Split:
    """Returns the first `count` rows: stratified, since the rows of a split are."""
    return Split(split.images[:count], split.labels[:count])


def stream_seed(seed: int, purpose: str) -> int:
    """Returns a seed for one purpose, independent of those for others."""
    return int.from_bytes(hashlib.sha256(f"{seed} {purpose}".encode()).digest()[:7], "big")
