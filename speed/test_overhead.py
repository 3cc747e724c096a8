"""What plan, runner and store take by themselves: runs that train nothing."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from benchmark.data.splits import DataSet
from benchmark.planning.identity import Run
from benchmark.recipe import Recipe
from benchmark.running.execution import complete, keep
from benchmark.running.workers import Processes
from benchmark.store.store import Store
from speed.conftest import FOLDER
from speed.empty import ABOUT, CPU, Idle, nothing, rounds_of

RUNS = 500


def measure(benchmark: Any, fill: Callable[[], None]) -> None:
    """Times `fill`, which does RUNS runs."""
    benchmark.pedantic(fill, rounds=5, warmup_rounds=1)
    if benchmark.enabled:
        benchmark.extra_info["runs_per_second"] = RUNS / benchmark.stats.stats.median


@pytest.mark.benchmark(group=f"{RUNS} empty runs")
def test_plan_runner_and_store(base: Recipe, data: DataSet, tmp_path: Path, benchmark: Any) -> None:
    nothing(base, 0, data, CPU)
    folders = (tmp_path / str(n) for n in count())

    def fill() -> None:
        store = Store(next(folders), 1)
        with store.writing():
            ended = complete(rounds_of(RUNS, base, data.fingerprint), store, Idle(base, data), ABOUT)
        assert (ended.trained, ended.left) == (RUNS, 0)

    measure(benchmark, fill)


@pytest.mark.benchmark(group=f"{RUNS} empty runs")
def test_worker_processes_and_store(base: Recipe, data: DataSet, tmp_path: Path, benchmark: Any) -> None:
    store = Store(tmp_path, 1)
    runs = (Run(base, seed, data.fingerprint) for seed in count())

    def fill() -> None:
        for _ in range(RUNS):
            assert keep(next(outcomes), store, ABOUT).status == "done"

    with store.writing(), Processes(["cpu", "cpu"], data.name, FOLDER, training=nothing) as workers:
        outcomes = workers.outcomes(runs)
        measure(benchmark, fill)  # the warm-up starts the workers
