"""One training: a recipe and a seed in; accuracies, logits, curves and costs out.

`fit` is the loop. The data set lies on the device; batches are cut, augmented and preprocessed there; nothing waits
for the device within an epoch. One random stream per purpose, so that a trick that draws for one purpose shifts no
other: switching augmentation on leaves the order of the images and the first weights as they were.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim import Optimizer

from benchmark.data.splits import DataSet, Split, folded
from benchmark.engine.evaluation import accuracy, evaluate, fitness, shifted, step_flops
from benchmark.engine.machine import now, peak_memory_mb, reset_peak_memory
from benchmark.engine.network import Network, Weights, first, learned, pixels, ready, resident, stream_seed
from benchmark.engine.optimiser import Closure, blend, is_frozen, parameter_groups, remeasure
from benchmark.engine.progress import Keeper, Progress
from benchmark.evidence.curves import band, levels
from benchmark.recipe import Batch, Moment, Recipe, Validation, all_along, last_epoch

NEAR_ZERO = 1e-3  # weights within this of zero could as well be zero
TRAIN_SAMPLE = 5000  # images on which the final training accuracy is measured: the first ones, stratified


@dataclass(frozen=True)
class Result:
    """What a run leaves behind: plain numbers and arrays, cheap to send between processes."""

    status: Literal["done", "diverged"]  # diverged: the loss left the finite numbers
    reason: str  # empty if done
    test_accuracy: float | None  # 0 to 1, after the last epoch; None if diverged, or validated on a fold
    train_accuracy: float | None  # the same, on up to TRAIN_SAMPLE training images without augmentation
    validation_accuracy: list[float]  # after each epoch
    validation_loss: list[float]
    epoch_train_accuracy: list[float]  # of each epoch's batches, as they were trained on
    epoch_train_loss: list[float]
    levels: list[float]  # mean loss of each of diagnosis.PARTS equal parts of the training
    band: float | None  # relative width of the band of the last epoch's losses; None if diverged, or of a single step
    train_seconds: float  # of training, without evaluation
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

    @property
    def train_flops(self) -> int:
        """Returns the floating point operations of all training steps."""
        return self.step_flops * len(self.losses)


def train(
    recipe: Recipe,
    seed: int,
    data: DataSet,
    device: torch.device,
    start: Weights | None = None,
    capture: bool = True,
    keeper: Keeper | None = None,
) -> Result:
    """Train `recipe` from `seed` on `data`; same seed, machine and threads: same bits.

    `start` are the weights that `recipe.before` stands for. `capture` says whether a GPU may run steps as graphs.
    `keeper` keeps states between epochs, and knows whether to go on from one.

    Whatever a part of the recipe raises goes through. A loss that is not finite ends the run as `diverged`. Raises
    ValueError if the recipe has a teacher and there are no weights for it.
    """
    if recipe.teacher and not start:
        raise ValueError("a recipe with a teacher needs the weights of the teacher's run, got none")
    data = folded(data, *recipe.fold) if recipe.fold else data
    _, validation, test = resident(data, device)
    train_split = learned(data, recipe.images, device, recipe.imbalance)
    validation = first(validation, recipe.validation_images)
    reset_peak_memory(device)
    network = ready(recipe, seed, data, device, start, capture)
    first_batch = first(train_split, recipe.batch_size)
    flops = step_flops(network, first_batch) * recipe.views
    first_deviation = evaluate(network, first_batch.images).std().item()
    progress = fit(recipe, seed, network, train_split, validation, len(data.classes), keeper)
    losses = progress.losses
    finite = losses.isfinite()
    diverged = not bool(finite.all())
    trained = progress.best
    train_accuracy, dead_units = (None, None) if diverged else fitness(trained, first(train_split, TRAIN_SAMPLE))
    logits = None if diverged or recipe.fold else evaluate(trained, test.images)
    kept = {} if diverged else progress.kept
    weights = [p.detach() for p in trained.module.parameters() if p.ndim > 1]
    images = sum(steps * size for steps, size in zip(progress.steps, progress.batches, strict=True))
    growth = images / (progress.batches[0] * len(losses))  # of the mean batch over the first one
    return Result(
        status="diverged" if diverged else "done",
        reason=f"the loss left the finite numbers at step {int((~finite).nonzero()[0])}" if diverged else "",
        test_accuracy=None if logits is None else accuracy(logits, test.labels),
        train_accuracy=train_accuracy,
        validation_accuracy=[each.accuracy for each in progress.history],
        validation_loss=[each.loss for each in progress.history],
        epoch_train_accuracy=progress.accuracies,
        epoch_train_loss=[float(each.mean()) for each in progress.epoch_losses],
        levels=levels(losses.tolist()),
        band=band(losses[-progress.steps[-1] :].tolist()),
        train_seconds=sum(progress.seconds),
        step_ms=1000 * median(taken / steps for taken, steps in zip(progress.seconds, progress.steps, strict=True)),
        peak_memory_mb=peak_memory_mb(device),
        parameters=sum(p.numel() for p in network.module.parameters()),
        step_flops=round(flops * growth),
        dead_units=dead_units,
        test_loss=None if logits is None else F.cross_entropy(logits, test.labels).item(),
        first_deviation=first_deviation,
        near_zero=torch.cat([w.abs().flatten() < NEAR_ZERO for w in weights]).double().mean().item(),
        largest_norm=max(w.flatten(1).norm(dim=1).max().item() for w in weights),
        losses=losses.numpy(),
        weights=None if diverged else {k: v.cpu().numpy() for k, v in trained.module.state_dict().items()},
        logits=None if logits is None else shifted(logits),
        validation_logits=None if diverged else shifted(progress.answers),
        snapshots={
            name: shifted(evaluate(network, split.images))
            for epoch, network in kept.items()
            for name, split in zip(snapshot_names(epoch), (test, validation), strict=True)
            if len(split.labels)
        },
    )


def snapshot_names(epoch: int) -> tuple[str, str]:
    """Returns what the answers after an epoch are called in a store: those on test and on validation images."""
    return f"snapshot_{epoch}", f"validation_snapshot_{epoch}"


def fit(
    recipe: Recipe,
    seed: int,
    network: Network,
    train_split: Split,
    validation: Split,
    classes: int,
    keeper: Keeper | None = None,
) -> Progress:
    """Trains the network: `recipe.epochs` passes over `train_split`, an evaluation of `validation` after each."""
    progress = begun(recipe, seed, network, train_split.images.device)
    if keeper:
        keeper.resume(progress)
    targets = F.one_hot(train_split.labels, classes).float()
    known = train_split.labels.cpu()  # what `draw` looks at
    while len(progress.history) < recipe.epochs:
        train_epoch(recipe, progress, train_split, targets, known)
        if not progress.epoch_losses[-1].isfinite().all():
            break
        validate(recipe, progress, train_split, validation)
        if keeper:
            keeper.offer(progress)
    return progress


def begun(recipe: Recipe, seed: int, network: Network, device: torch.device) -> Progress:
    """Returns a training before its first epoch, its random streams at their beginnings."""
    groups = parameter_groups(
        network.module,
        recipe.weight_decay,
        recipe.rates,
        recipe.rate_of,
        recipe.decays,
        by_layer=recipe.unfreeze is not all_along,
    )
    optimiser = recipe.optimiser(groups)
    order = torch.Generator().manual_seed(stream_seed(seed, "order"))  # on the CPU: one order for every device
    augmentation = torch.Generator(device).manual_seed(stream_seed(seed, "augmentation"))
    torch.manual_seed(stream_seed(seed, "layers"))  # layers that draw, such as dropout, use torch's own stream
    trained = network.copy() if recipe.average else network
    return Progress(network, optimiser, order, augmentation, trained, best=trained)


def train_epoch(recipe: Recipe, progress: Progress, split: Split, all_targets: Tensor, known: Tensor) -> None:
    """Trains one pass over the images; `known` are their labels on the CPU."""
    network, optimiser, trained = progress.network, progress.optimiser, progress.trained
    device, epoch, before = split.images.device, len(progress.history), sum(progress.steps)
    parameters = [parameter for parameter in network.module.parameters() if parameter.requires_grad]
    drawn = recipe.draw(known, recipe.batch_size, progress.order)
    size = min(recipe.batch_size * recipe.growth(epoch / recipe.epochs), len(drawn))
    steps = len(drawn) // size  # what fills no batch is left out
    network.module.train()
    for layer in network.module.modules():
        if is_frozen(layer):
            layer.eval()
    start = now(device)
    looks: list[tuple[Tensor, Tensor, Tensor]] = []  # loss, logits, labels: read once, when the epoch is over
    for step, (images, labels, rows) in enumerate(batches(split, size, drawn.to(device))):
        share = (epoch + step / steps) / recipe.epochs
        set_rates(recipe, optimiser, share, progress.history)
        images, targets = augmented(recipe, images, all_targets.index_select(0, rows), progress.augmentation)
        images = recipe.timed(images, Moment(rows, epoch, share))
        look = Closure(recipe, network, parameters, images, targets)
        optimiser.step(look)
        recipe.constrain(parameters)
        if recipe.average:
            total = round((before + step) / share) if share else recipe.epochs * steps
            blend(trained.module, network.module, recipe.average(before + step, total))
        looks.append((look.loss, look.logits[: len(labels)], labels))
    step_losses, logits, true = zip(*looks, strict=True)
    hits = (torch.cat(logits).argmax(1) == torch.cat(true)).sum()
    progress.steps.append(steps)
    progress.batches.append(size)
    progress.epoch_losses.append(torch.stack(step_losses).cpu())
    progress.accuracies.append(int(hits) / (steps * size))
    progress.seconds.append(now(device) - start)


def set_rates(recipe: Recipe, optimiser: Optimizer, share: float, history: Sequence[Validation]) -> None:
    """Sets the learning rate of each group of parameters for a step after this share of the training."""
    by_layer = recipe.unfreeze is not all_along
    rate = recipe.learning_rate * recipe.schedule(share, history)
    for group in optimiser.param_groups:
        group["lr"] = rate * group["factor"]
        if by_layer:
            group["lr"] *= recipe.unfreeze(group["above"], share)


def validate(recipe: Recipe, progress: Progress, train_split: Split, validation: Split) -> None:
    """Evaluates the validation images after an epoch, and keeps the networks that the recipe wants to keep."""
    trained, epoch = progress.trained, len(progress.history)
    if recipe.remeasure:
        remeasure(trained, first(train_split, TRAIN_SAMPLE).images, recipe.batch_size)
    scores = evaluate(trained, validation.images)
    loss = F.cross_entropy(scores, validation.labels).item()
    progress.history.append(Validation(loss, accuracy(scores, validation.labels)))
    if recipe.keep(progress.history) == epoch:
        progress.best = trained if recipe.keep is last_epoch else trained.copy()
        progress.answers = scores
    if epoch + 1 in map(recipe.epoch, recipe.snapshots):
        progress.kept[epoch + 1] = trained.copy()


def batches(split: Split, size: int, rows: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yields one epoch through `rows` in batches: images (size, 3, h, w) uint8, labels (size,), rows (size,) of the
    split."""
    by_pixel = split.images.permute(0, 2, 3, 1)  # as it lies in memory: rows of it are copied whole
    for chosen in rows.split(size):
        if len(chosen) == size:
            images = by_pixel.index_select(0, chosen).permute(0, 3, 1, 2)
            yield images, split.labels.index_select(0, chosen), chosen


def augmented(recipe: Recipe, images: Tensor, targets: Tensor, rng: torch.Generator) -> Batch:
    """Returns a batch of uint8 images, augmented, as float32 0 to 1.

    Raises ValueError if the augmentation makes another number of images of each than the recipe says.
    """
    n, augment = len(images), recipe.augment
    if getattr(augment, "takes_bytes", False):
        images, targets = augment(images, targets, rng)
        images = pixels(images)
    else:
        images, targets = augment(pixels(images), targets, rng)
    if not len(images) == len(targets) == recipe.views * n:
        raise ValueError(
            f"augment must make {recipe.views} images of each, as the recipe's views say, and as many targets; of {n} "
            f"it made {len(images)} and {len(targets)} targets"
        )
    return images, targets
