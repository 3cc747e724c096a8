"""The training loop against the bare forward, backward and step on one batch, measured alternately."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from benchmark.data.splits import DataSet
from benchmark.recipe import Recipe
from benchmark.running.cost import Turns, in_turns, step_seconds
from speed.conftest import FOLDER
from speed.peers import bare, bare_steps, ours, recipe_for
from speed.replay import replay, replayed

STEPS = 60


def keep(benchmark: Any, turns: Turns, images: int) -> None:
    """Stores images a second and the share of the bare step's, next to the times."""
    found = turns.cost()
    benchmark.extra_info["images_per_second"] = 1000 * images / found.step_ms
    benchmark.extra_info["bare_images_per_second"] = 1000 * images / found.control_step_ms
    benchmark.extra_info["share_of_bare"] = 1 / found.ratio
    benchmark.extra_info["share_of_bare_range"] = [1 / found.high, 1 / found.low]
    replay(benchmark, turns.variant)


@pytest.mark.benchmark(group="baseline, seconds a step", timer=replayed)
def test_one_worker(base: Recipe, data: DataSet, benchmark: Any) -> None:
    bare_seconds = bare_steps(base, data)
    turns = in_turns(
        lambda: step_seconds(base, data, torch.device("cpu"), STEPS), lambda: bare_seconds(STEPS), rounds=7
    )
    keep(benchmark, turns, base.batch_size)


@pytest.mark.benchmark(group="baseline on all cores, seconds an image", timer=replayed)
def test_all_cores(benchmark: Any) -> None:
    recipe = recipe_for("quick", 3200, FOLDER)
    keep(benchmark, in_turns(lambda: 1 / ours(recipe, FOLDER), lambda: 1 / bare(recipe, FOLDER), rounds=3), 1)
