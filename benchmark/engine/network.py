"""A recipe's network, ready to be trained."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from benchmark.data.splits import DataSet, Split
from benchmark.engine.capture import Captured, captures
from benchmark.recipe import Loss, Maker, Parts, Predict, Recipe, Transform, constant, unchanged, untimed, untouched

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

    def __call__(self, images: Tensor) -> Tensor:
        """Logits (n, classes) float32 of images (n, 3, h, w) in [0, 1]."""
        with torch.autocast(images.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            logits: Tensor = self.module(self.preprocess(images))
        return logits.float()

    def step(self, images: Tensor, targets: Tensor) -> tuple[Tensor, ...]:
        """Loss and logits of a batch, detached; its gradients are in the parameters then."""
        return self.graphs[0](images, targets) if self.graphs else self._step(images, targets)

    def scores(self, images: Tensor) -> Tensor:
        """Logits (n, classes) float32 of uint8 images (n, 3, h, w), as the recipe predicts."""
        captured = self.graphs and len(images) == evaluation_batch(images.device)
        return self.graphs[1](images)[0].clone() if self.graphs and captured else self._scores(images)[0]

    def copy(self) -> Network:
        """One of its own weights, equal now."""
        module, activations = copy.deepcopy((self.module, self.activations))
        return replace(self, module=module, activations=activations, graphs=None)

    def captured(self) -> Network:
        """The same network, its steps and evaluations as CUDA graphs."""
        return replace(self, graphs=(Captured(self._step, self.module), Captured(self._scores, self.module)))

    def _step(self, images: Tensor, targets: Tensor) -> tuple[Tensor, ...]:
        logits = self(images)
        loss = self.loss(logits, targets)
        for parameter in self.module.parameters():
            parameter.grad = None
        loss.backward()
        return loss.detach(), logits.detach()

    def _scores(self, images: Tensor) -> tuple[Tensor, ...]:
        return (self.predict(self, pixels(images)),)


def pixels(images: Tensor) -> Tensor:
    """uint8 0 to 255 -> float32 0 to 1."""
    return images.float().mul_(1 / 255)


OUTSIDE: dict[str, Any] = {  # what a captured network does not depend on
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
}
_kept: dict[object, Network] = {}  # the last network captured by this process: neighbours in a round share it


def captured_part(recipe: Recipe) -> Recipe:
    """The recipe with what its captured network does not depend on put aside: equal where runs share graphs."""
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
    """The network before its first step. On a GPU, runs that differ only outside the network share its graphs."""
    network = build(recipe, seed, data, device, start)
    if not (capture and captures(device)):
        return network
    key = captured_part(recipe), data.fingerprint, device
    if key not in _kept:
        _kept.clear()
        _kept[key] = network.captured()
    with torch.no_grad():
        for mine, fresh in zip(tensors(_kept[key].module), tensors(network.module), strict=True):
            mine.copy_(fresh)
    return _kept[key]


def tensors(module: nn.Module) -> list[Tensor]:
    """Parameters and buffers."""
    return [*module.parameters(), *module.buffers()]


def build(recipe: Recipe, seed: int, data: DataSet, device: torch.device, start: Weights | None = None) -> Network:
    """The network before its first step, its weights drawn on the CPU: the same first weights on every device."""
    made: list[nn.Module] = []
    preprocess = fitted(recipe.preprocess, data, recipe.images, device)
    torch.manual_seed(number(seed, "weights"))
    module = assembled(recipe, len(data.classes), made)
    sample = pixels(resident(data, device)[0].images[: recipe.batch_size])
    torch.manual_seed(number(seed, "initialisation"))
    recipe.initialise(module, preprocess(sample).cpu())
    if recipe.start_from:
        begin_with(module, start or {})
    module = module.to(device).to(memory_format=torch.channels_last)
    return Network(module, tuple(made), preprocess, recipe.loss, recipe.predict, recipe.precision)


def assembled(recipe: Recipe, classes: int, made: list[nn.Module]) -> nn.Module:
    """The recipe's network, its weights as torch draws them; layers that recipe.activation makes go into `made`."""
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
    """Put `weights` into all layers but the classifier; layers that only `weights` has are left out.

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
    """`maker`, with each layer it makes put into `made`."""

    def make(channels: int) -> nn.Module:
        made.append(maker(channels))
        return made[-1]

    return make


def evaluation_batch(device: torch.device) -> int:
    """Images evaluated at once: on a CPU their activations fit the second-level cache at `quick`."""
    return 250 if device.type == "cpu" else 2000


@lru_cache(maxsize=2)  # a worker trains on one data set at a time
def resident(data: DataSet, device: torch.device) -> tuple[Split, Split, Split]:
    """Training, validation and test images (n, 3, h, w) uint8, in channels-last memory on the device."""
    splits = (data.train, data.validation, data.test)
    train_split, validation, test = (
        Split(s.images.to(device).permute(0, 3, 1, 2), s.labels.to(device)) for s in splits
    )
    return train_split, validation, test


@lru_cache(maxsize=8)
def fitted(
    preprocess: Callable[[Tensor], Transform], data: DataSet, images: int | None, device: torch.device
) -> Transform:
    """The transform that the training images decide, worked out once for all runs of a worker."""
    return preprocess(pixels(resident(data, device)[0].images[:images]))


def first(split: Split, count: int | None) -> Split:
    """The first `count` rows: stratified, since the rows of a split are."""
    return Split(split.images[:count], split.labels[:count])


def number(seed: int, purpose: str) -> int:
    """A seed for one purpose, independent of those for others."""
    return int.from_bytes(hashlib.sha256(f"{seed} {purpose}".encode()).digest()[:7], "big")
