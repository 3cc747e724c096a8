"""Runs that train nothing: what is left is the work of plan, runner and store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import count
from math import ceil, sqrt

import torch

from benchmark.data.splits import DataSet
from benchmark.engine.machine import environment
from benchmark.engine.training import Result, train
from benchmark.planning.discovery import Ablation, unadapted
from benchmark.planning.identity import Run
from benchmark.planning.rounds import plan
from benchmark.planning.studies import Study
from benchmark.recipe import Recipe
from benchmark.running.executor import Outcome
from benchmark.store.records import About, timestamp

CPU = torch.device("cpu")
ABOUT = About("any", "asked for by name", "quick")
LOGITS = 100  # rows kept: an empty run is to cost its bookkeeping, not the writing of 200 kB


def table(base: Recipe, arms: dict[str, Recipe]) -> Study:
    """Returns a table that no module of `ablations/` stands behind."""
    return Study(Ablation("any", "Does it matter?", (), {"": unadapted}, lambda *_: arms, ()), "", base, arms, ())


def rates(base: Recipe, number: int) -> dict[str, Recipe]:
    """Returns so many variants that differ from `base` in the learning rate only."""
    return {f"rate {i}": replace(base, learning_rate=base.learning_rate * (1 + i / 1e6)) for i in range(1, number + 1)}


def rounds_of(runs: int, base: Recipe, fingerprint: str, seeds: int = 5) -> list[list[Run]]:
    """Returns a planned grid of so many runs, in a table no greater than it takes; its last round is cut to fit."""
    arms = next(k for k in count(1) if k * seeds + ceil(seeds * sqrt(k)) >= runs)
    rounds = plan([table(base, rates(base, arms))], seeds, fingerprint)
    surplus = sum(map(len, rounds)) - runs
    return [*rounds[:-1], rounds[-1][: len(rounds[-1]) - surplus]]


@lru_cache(maxsize=1)
def example(recipe: Recipe, data: DataSet, device: torch.device) -> Result:
    """Returns what a real run leaves behind, from one of a step an epoch."""
    found = train(replace(recipe, images=recipe.batch_size, validation_images=10), 0, data, device)
    return replace(found, logits=None if found.logits is None else found.logits[:LOGITS])


def nothing(recipe: Recipe, seed: int, data: DataSet, device: torch.device) -> Result:
    """Stands in for `train` and returns a result at once."""
    return example(replace(recipe, learning_rate=0.0), data, device)


@dataclass(frozen=True)
class Idle:
    """A trainer in this process that trains nothing."""

    base: Recipe
    data: DataSet

    def outcomes(self, runs: Iterator[Run]) -> Iterator[Outcome]:
        """Yields one outcome for each run."""
        for run in runs:
            result = nothing(self.base, run.seed, self.data, CPU)
            yield Outcome(run, result, "", dict(environment("cpu")), timestamp(), timestamp())
