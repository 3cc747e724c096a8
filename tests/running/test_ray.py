"""A grid on a Ray cluster of two nodes, one of which is killed: complete, with the numbers of workers here.

It also prints the throughput on runs of 5 seconds that only sleep, beside that of workers here.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from conftest import TINY
from deeds import trained
from test_remote import compare, grid, stored

from benchmark.data.splits import DataSet
from benchmark.engine.training import Result
from benchmark.planning.identity import Run
from benchmark.running.executor import Outcome
from benchmark.running.limits import Limits
from benchmark.running.ray_cluster import RayExecutor
from benchmark.running.remote import Place, RemoteTrainer
from benchmark.running.workers import Processes

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # Ray warns of much that is not ours
ROOT = Path(__file__).resolve().parents[2]
SECONDS = 5.0
ray = pytest.importorskip("ray")


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A head that trains nothing and two nodes of a core each."""
    from ray.cluster_utils import Cluster

    paths = [str(ROOT), str(ROOT / "tests"), str(Path(__file__).parent)]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    yield made
    ray.shutdown()
    made.shutdown()


def nap() -> None:
    time.sleep(5)


@dataclass
class Killing(RemoteTrainer):
    """Loses a node after the second outcome."""

    cluster: Any = None
    node: Any = None

    def outcomes(self, runs: Iterator[Run]) -> Iterator[Outcome]:
        for outcome in super().outcomes(runs):
            yield outcome
            if self.node is not None and outcome.run.seed:
                self.cluster.remove_node(self.node, allow_graceful=False)
                self.node = None


def test_a_grid_survives_a_node_that_is_killed(
    cluster: Any, toy: DataSet, toy6: DataSet, folder: Path, tmp_path: Path
) -> None:
    lost, _ = cluster.add_node(num_cpus=1), cluster.add_node(num_cpus=1)
    executor = RayExecutor(cluster.address, 0.0)
    assert executor.places() == 2
    for each in [executor.submit(nap) for _ in range(2)]:
        each.result()  # both nodes have a process now
    planned = grid(toy, toy6, 4)
    there, ended = stored(
        planned,
        tmp_path / "there",
        Killing(
            executor,
            Place("cpu", folder),
            executor.places,
            tmp_path / "there",
            Limits(fixed=300),
            executor.put,
            cluster=cluster,
            node=lost,
        ),
    )
    assert (ended.trained, len(ended.failed), ended.left) == (6, 1, 0)
    here, _ = stored(planned, tmp_path / "here", Processes(["cpu"], "toy", folder, tmp_path / "here"))
    compare(here, there)


def sleep(recipe: Any, seed: int, data: DataSet, device: Any) -> Result:
    time.sleep(SECONDS)
    return trained()


def rate(trainer: Processes | RemoteTrainer, toy: DataSet, runs: int) -> float:
    """Runs a second, once both workers have done one."""
    with trainer:
        outcomes = trainer.outcomes(iter([Run(TINY, seed, toy.fingerprint) for seed in range(runs + 2)]))
        for _ in range(2):
            assert not next(outcomes).error
        start = time.monotonic()
        assert len(list(outcomes)) == runs
        return runs / (time.monotonic() - start)


def test_short_runs_are_trained_as_fast_as_here(cluster: Any, toy: DataSet, folder: Path, tmp_path: Path) -> None:
    for _ in range(2):
        cluster.add_node(num_cpus=1)
    executor = RayExecutor(cluster.address, 0.0)
    place = Place("cpu", folder, training=sleep)
    there = rate(RemoteTrainer(executor, place, executor.places, tmp_path, Limits(), executor.put), toy, 12)
    here = rate(Processes(["cpu", "cpu"], "toy", folder, training=sleep), toy, 12)
    print(f"runs of {SECONDS:g} s: {there:.3f} a second on Ray, {here:.3f} here, {there / here:.1%}")
