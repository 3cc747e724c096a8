"""One training: a recipe and a seed in; accuracies, logits, curves and costs out.

`fit` is the loop. The data set lies on the device; batches are cut, augmented and preprocessed there; nothing waits
for the device within an epoch. One random stream per purpose, so that a trick that draws for one purpose shifts no
other: switching augmentation on leaves the order of the images and the first weights as they were.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from statistics import median
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from benchmark.capture import Captured, captures
from benchmark.data import DataSet, Split, folded
from benchmark.diagnosis import band, last_epoch, levels
from benchmark.machine import now, peak_memory_mb, reset_peak_memory
from benchmark.recipe import (
    Augment,
    Batch,
    Loss,
    Maker,
    Moment,
    Parts,
    Predict,
    Rates,
    Recipe,
    Transform,
    Validation,
    constant,
    unchanged,
    untimed,
    untouched,
)

ENGINE = 1  # raised by hand when a change of the engine changes numbers: tests/test_training.py says when
NEAR_ZERO = 1e-3  # weights within this of zero could as well be zero
LEAST = -65504.0  # of float16; a log-probability below it would be stored as minus infinity
TRAIN_SAMPLE = 5000  # images on which the final training accuracy is measured: the first ones, stratified


Weights = dict[str, Tensor]  # a network's parameters and buffers by name, on the CPU


@dataclass(frozen=True)
class Result:
    """What a run leaves behind: plain numbers and arrays, cheap to send between processes."""

    status: str  # "done", or "diverged": the loss left the finite numbers
    reason: str  # empty if done
    test_accuracy: float | None  # 0 to 1, after the last epoch; None if diverged, or validated on a fold
    train_accuracy: float | None  # the same, on up to TRAIN_SAMPLE training images without augmentation
    validation_accuracy: list[float]  # after each epoch
    validation_loss: list[float]
    epoch_train_accuracy: list[float]  # of each epoch's batches, as they were trained on
    epoch_train_loss: list[float]
    levels: list[float]  # mean loss of each of diagnosis.PARTS equal parts of the training
    band: float | None  # relative width of the band of the last epoch's losses; None if diverged, or of a single step
    train_seconds: float  # of training alone, without evaluation
    step_ms: float  # median over the epochs
    peak_memory_mb: float  # of the process on a CPU, of the tensors on a GPU
    parameters: int
    step_flops: int  # forward and backward of one batch
    dead_units: float | None  # share of units that give one and the same number for all of the training sample
    test_loss: float | None  # mean cross-entropy after the last epoch
    first_deviation: float  # of the logits of one training batch, before the first step
    near_zero: float  # share of the weights (tensors of two and more dimensions) that end within 1e-3 of zero
    largest_norm: float  # of the incoming weights of a unit, at the end; the head's units are among them
    losses: np.ndarray  # (steps,) float32
    weights: dict[str, np.ndarray] | None  # parameters and buffers by name; None if diverged
    logits: np.ndarray | None  # (test images, classes) float16 log-probabilities; None where test_accuracy is
    validation_logits: np.ndarray | None  # the same of the validation images
    snapshots: dict[str, np.ndarray]  # the same, after an epoch that the recipe names: see snapshot_names


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


@dataclass(frozen=True)
class Curves:
    """What the loop saw, and what came out of it."""

    trained: Network  # with averaged weights, where the recipe averages
    losses: Tensor  # (steps,) float32, on the CPU
    seconds: list[float]  # of each epoch's training
    accuracies: list[float]  # of each epoch's batches
    history: list[Validation]  # one shorter where the last epoch diverged
    answers: Tensor  # the last epoch's logits of the validation images
    kept: dict[int, Network]  # by epoch, from 1 on; those whose answers the recipe wants too


def train(
    recipe: Recipe,
    seed: int,
    data: DataSet,
    device: torch.device,
    start: Weights | None = None,
    capture: bool = True,
) -> Result:
    """Train `recipe` from `seed` on `data`; same seed, machine and threads: same bits.

    `start` are the weights that `recipe.start_from` stands for. `capture` says whether a GPU may run steps as graphs.

    Whatever a part of the recipe raises goes through. A loss that is not finite ends the run as `diverged`.
    """
    data = folded(data, *recipe.fold) if recipe.fold else data
    train_split, validation, test = resident(data, device)
    train_split, validation = first(train_split, recipe.images), first(validation, recipe.validation_images)
    reset_peak_memory(device)
    network = ready(recipe, seed, data, device, start, capture)
    first_batch = first(train_split, recipe.batch_size)
    flops = step_flops(network, first_batch)
    first_deviation = evaluate(network, first_batch.images).std().item()
    curves = fit(recipe, seed, network, train_split, validation, len(data.classes))
    finite = curves.losses.isfinite()
    diverged = not bool(finite.all())
    trained = curves.trained
    train_accuracy, dead_units = (None, None) if diverged else fitness(trained, first(train_split, TRAIN_SAMPLE))
    logits = None if diverged or recipe.fold else evaluate(trained, test.images)
    kept = {} if diverged else curves.kept
    weights = [p.detach() for p in trained.module.parameters() if p.ndim > 1]
    return Result(
        status="diverged" if diverged else "done",
        reason=f"the loss left the finite numbers at step {int((~finite).nonzero()[0])}" if diverged else "",
        test_accuracy=None if logits is None else accuracy(logits, test.labels),
        train_accuracy=train_accuracy,
        validation_accuracy=[each.accuracy for each in curves.history],
        validation_loss=[each.loss for each in curves.history],
        epoch_train_accuracy=curves.accuracies,
        epoch_train_loss=[float(each.mean()) for each in curves.losses.chunk(len(curves.seconds))],
        levels=levels(curves.losses.tolist()),
        band=band(last_epoch(curves.losses.tolist(), len(curves.seconds))),
        train_seconds=sum(curves.seconds),
        step_ms=1000 * median(curves.seconds) * len(curves.seconds) / len(curves.losses),
        peak_memory_mb=peak_memory_mb(device),
        parameters=sum(p.numel() for p in network.module.parameters()),
        step_flops=flops,
        dead_units=dead_units,
        test_loss=None if logits is None else F.cross_entropy(logits, test.labels).item(),
        first_deviation=first_deviation,
        near_zero=torch.cat([w.abs().flatten() < NEAR_ZERO for w in weights]).double().mean().item(),
        largest_norm=max(w.flatten(1).norm(dim=1).max().item() for w in weights),
        losses=curves.losses.numpy(),
        weights=None if diverged else {k: v.cpu().numpy() for k, v in trained.module.state_dict().items()},
        logits=None if logits is None else shifted(logits),
        validation_logits=None if diverged else shifted(curves.answers),
        snapshots={
            name: shifted(evaluate(network, split.images))
            for epoch, network in kept.items()
            for name, split in zip(snapshot_names(epoch), (test, validation), strict=True)
            if len(split.labels)
        },
    )


def snapshot_names(epoch: int) -> tuple[str, str]:
    """What the answers after an epoch are called in a store: those on test and on validation images."""
    return f"snapshot_{epoch}", f"validation_snapshot_{epoch}"


def shifted(logits: Tensor) -> np.ndarray:
    """Log-probabilities float16: logits shifted by their log-sum-exp, so that half precision holds them."""
    return logits.log_softmax(1).clamp_min(LEAST).half().cpu().numpy()


class Look:
    """One batch, as an optimiser sees it: called, it puts the gradients in place and gives the loss.

    Most optimisers call it once, sharpness-aware ones twice; `loss` and `logits` are those of the first call.
    """

    def __init__(
        self, recipe: Recipe, network: Network, parameters: list[nn.Parameter], images: Tensor, targets: Tensor
    ) -> None:
        self.recipe, self.network, self.parameters = recipe, network, parameters
        self.batch = images, targets
        self.loss = self.logits = torch.empty(0)

    def __call__(self) -> float:
        loss, logits = self.network.step(*self.batch)
        if not len(self.logits):
            self.loss, self.logits = loss.clone(), logits.clone()  # the next step may write over them
        self.recipe.penalise(self.parameters)
        self.recipe.clip(self.parameters)
        return cast(float, loss)  # as torch's own optimisers take it: a tensor, that nobody waits for


def fit(recipe: Recipe, seed: int, network: Network, train_split: Split, validation: Split, classes: int) -> Curves:
    """The loop: `recipe.epochs` passes over `train_split`, a look at `validation` after each."""
    device = train_split.images.device
    size = min(recipe.batch_size, len(train_split.labels))
    steps = len(train_split.labels) // size  # what fills no batch is left out
    optimiser = recipe.optimiser(parameter_groups(network.module, recipe.weight_decay, recipe.rates))
    order = torch.Generator().manual_seed(number(seed, "order"))  # on the CPU: one order for every device
    augmentation = torch.Generator(device).manual_seed(number(seed, "augmentation"))
    torch.manual_seed(number(seed, "layers"))  # layers that draw, such as dropout, use torch's own stream

    all_targets = F.one_hot(train_split.labels, classes).float()
    parameters = list(network.module.parameters())
    frozen = [layer for layer in network.module.modules() if is_frozen(layer)]
    trained = network.copy() if recipe.average else network
    history: list[Validation] = []
    losses: list[Tensor] = []
    seconds: list[float] = []
    accuracies: list[float] = []
    kept: dict[int, Network] = {}
    scores = torch.empty(0)
    for epoch in range(recipe.epochs):
        network.module.train()
        for layer in frozen:
            layer.eval()
        start = now(device)
        looks: list[tuple[Tensor, Tensor, Tensor]] = []  # loss, logits, labels: read once, when the epoch is over
        for step, (images, labels, rows) in enumerate(batches(train_split, size, order)):
            progress = (epoch + step / steps) / recipe.epochs
            rate = recipe.learning_rate * recipe.schedule(progress, history)
            for group in optimiser.param_groups:
                group["lr"] = rate * group["factor"]
            images, targets = augmented(recipe.augment, images, all_targets.index_select(0, rows), augmentation)
            images = recipe.timed(images, Moment(rows, epoch, progress))
            look = Look(recipe, network, parameters, images, targets)
            optimiser.step(look)
            recipe.constrain(parameters)
            if recipe.average:
                blend(trained.module, network.module, recipe.average(epoch * steps + step, recipe.epochs * steps))
            looks.append((look.loss, look.logits, labels))
        step_losses, logits, answers = zip(*looks, strict=True)
        hits = (torch.cat(logits).argmax(1) == torch.cat(answers)).sum()
        losses.append(torch.stack(step_losses).cpu())
        accuracies.append(int(hits) / (steps * size))
        seconds.append(now(device) - start)
        if not losses[-1].isfinite().all():
            break
        scores = evaluate(trained, validation.images)
        history.append(
            Validation(F.cross_entropy(scores, validation.labels).item(), accuracy(scores, validation.labels))
        )
        if epoch + 1 in map(recipe.epoch, recipe.snapshots):
            kept[epoch + 1] = trained.copy()
    return Curves(trained, torch.cat(losses), seconds, accuracies, history, scores, kept)


def is_frozen(layer: nn.Module) -> bool:
    """Whether it has parameters of its own and none learns; its statistics then stay as they are, too."""
    own = list(layer.parameters(recurse=False))
    return bool(own) and not any(parameter.requires_grad for parameter in own)


@torch.no_grad()
def blend(average: nn.Module, newest: nn.Module, share: float) -> None:
    """Move `average` towards `newest` by `share` of the way; counters are copied."""
    for mine, theirs in zip(tensors(average), tensors(newest), strict=True):
        if mine.is_floating_point():
            mine.lerp_(theirs, share)
        else:
            mine.copy_(theirs)


def batches(split: Split, size: int, order: torch.Generator) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """One epoch in a new order: images (size, 3, h, w) uint8, labels (size,), rows (size,) of the split."""
    rows = torch.randperm(len(split.labels), generator=order).to(split.labels.device)
    by_pixel = split.images.permute(0, 2, 3, 1)  # as it lies in memory: rows of it are copied whole
    for chosen in rows.split(size):
        if len(chosen) == size:
            images = by_pixel.index_select(0, chosen).permute(0, 3, 1, 2)
            yield images, split.labels.index_select(0, chosen), chosen


def augmented(augment: Augment, images: Tensor, targets: Tensor, rng: torch.Generator) -> Batch:
    """A batch of uint8 images, augmented, as float32 0 to 1."""
    if getattr(augment, "takes_bytes", False):
        images, targets = augment(images, targets, rng)
        return pixels(images), targets
    return augment(pixels(images), targets, rng)


def pixels(images: Tensor) -> Tensor:
    """uint8 0 to 255 -> float32 0 to 1."""
    return images.float().mul_(1 / 255)


def parameter_groups(network: nn.Module, weight_decay: float, rates: Rates) -> list[dict[str, Any]]:
    """Parameters by their factor on the rate and by whether they decay; those of factor 0 are frozen, and left out.

    L2 is for tensors of two and more dimensions: not for norms, biases and learned slopes.
    """
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for factor in dict.fromkeys(factor for factor, _ in by_factor(network, rates)):
        groups |= {(factor, True): [], (factor, False): []}
    for factor, parameter in by_factor(network, rates):
        groups[factor, parameter.ndim > 1].append(parameter)
        parameter.requires_grad_(parameter.requires_grad and factor > 0)
    return [
        {"params": parameters, "weight_decay": weight_decay if decays else 0.0, "factor": factor}
        for (factor, decays), parameters in groups.items()
        if factor > 0
    ]


def by_factor(network: nn.Module, rates: Rates) -> list[tuple[float, nn.Parameter]]:
    """Each parameter with its layer's factor; what has no weights of its own, as a norm, goes with the layer below."""
    owners = [module for module in network.modules() if next(module.parameters(recurse=False), None) is not None]
    weighty = [any(p.ndim > 1 for p in module.parameters(recurse=False)) for module in owners]
    above = [max(0, sum(weighty[i + 1 :])) for i in range(len(owners))]
    return [(rates(n), p) for module, n in zip(owners, above, strict=True) for p in module.parameters(recurse=False)]


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
    key = replace(recipe, **OUTSIDE), data.fingerprint, device
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


@torch.inference_mode()
def evaluate(network: Network, images: Tensor) -> Tensor:
    """Logits (n, classes) float32 of uint8 images (n, 3, h, w), without augmentation."""
    network.module.eval()
    return torch.cat([network.scores(batch) for batch in images.split(evaluation_batch(images.device))])


def evaluation_batch(device: torch.device) -> int:
    """Images evaluated at once: on a CPU their activations fit the second-level cache at `quick`."""
    return 250 if device.type == "cpu" else 2000


def fitness(network: Network, split: Split) -> tuple[float, float]:
    """Accuracy on `split` and the share of its activations' units that are dead on it.

    A unit is one channel. It is dead if it gives one and the same number at every place of every image, as a
    rectifier does that never fires; no gradient gets through it then.
    """
    extremes: dict[nn.Module, tuple[Tensor, Tensor]] = {}

    def note(layer: nn.Module, inputs: object, output: Tensor) -> None:
        by_unit = output.movedim(1, -1).flatten(0, -2).float()  # torch's amax of bfloat16 takes twenty times as long
        low, high = by_unit.amin(0), by_unit.amax(0)
        if layer in extremes:
            low, high = torch.minimum(low, extremes[layer][0]), torch.maximum(high, extremes[layer][1])
        extremes[layer] = low, high

    hooks = [layer.register_forward_hook(note) for layer in network.activations]
    try:
        scores = evaluate(replace(network, graphs=None), split.images)  # a graph calls no hooks
    finally:
        for hook in hooks:
            hook.remove()
    dead = torch.cat([low == high for low, high in extremes.values()]) if extremes else torch.zeros(1)
    return accuracy(scores, split.labels), dead.double().mean().item()


def accuracy(scores: Tensor, labels: Tensor) -> float:
    """Share of rows whose highest score is at the label."""
    return (scores.argmax(1) == labels).double().mean().item()


def step_flops(network: Network, batch: Split) -> int:
    """Floating point operations of forward and backward of one batch, by torch's counter, on a copy."""
    twin = network.copy()
    twin.module.train()
    with FlopCounterMode(display=False) as counter:
        F.cross_entropy(twin(pixels(batch.images)), batch.labels).backward()
    return int(counter.get_total_flops())


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
