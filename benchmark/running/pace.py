"""What an image costs a recipe: operations, counted, and seconds of this machine, from one step."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from benchmark.data.load import load
from benchmark.data.splits import DataSet
from benchmark.engine.machine import prepare_device
from benchmark.engine.network import assembled
from benchmark.planning.identity import Run, describe
from benchmark.planning.rounds import images_seen
from benchmark.recipe import Recipe
from benchmark.running.aside import aside
from benchmark.running.cost import step_seconds


def image_flops(recipe: Recipe, data: DataSet) -> float:
    """Returns the floating point operations of one image, forward and backward, by torch's counter.

    Counted on tensors without memory, so that nothing is computed.
    """
    side = data.train.images.shape[1]
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        scores = assembled(recipe, len(data.classes), [])(torch.empty(2, 3, side, side))
        F.cross_entropy(scores, torch.zeros(2, dtype=torch.long)).backward()
    return float(counter.get_total_flops()) / 2


def mean_image_flops(runs: Sequence[Run], data: DataSet) -> float:
    """Returns the operations of an image, averaged over the images of runs whose networks differ; needs a run."""
    recipes = {describe(run.recipe): run.recipe for run in runs}
    each = {text: image_flops(recipe, data) for text, recipe in recipes.items()}
    seen = [(images_seen(run.recipe), each[describe(run.recipe)]) for run in runs]
    return sum(images * flops for images, flops in seen) / sum(images for images, _ in seen)


def image_seconds(recipe: Recipe, data: str, folder: Path, device: str) -> float:
    """Returns the seconds that one worker on `device` trains on an image, from one step after one to warm up.

    The process that measures ends with it, and gives back what it held of a GPU.
    """
    return aside(f"timed a step on {device}", image_seconds_here, recipe, data, folder, device)


def image_seconds_here(recipe: Recipe, data: str, folder: Path, device: str) -> float:
    """As `image_seconds`, in this process, which it settles as a worker is."""
    prepare_device(device)
    images = load(data, folder)
    batch = min(recipe.batch_size, len(images.train.labels))
    return step_seconds(recipe, images, torch.device(device), steps=1) / batch
