"""Dask as an executor: by a stand-in for its library, and a grid on a real cluster, one worker of which is killed."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from test_remote import compare, grid, stored

from benchmark.data.splits import DataSet
from benchmark.errors import UsageError
from benchmark.planning.identity import Run
from benchmark.planning.requests import Request
from benchmark.running.dask_cluster import DaskExecutor
from benchmark.running.executor import Outcome
from benchmark.running.executors import trainer_on
from benchmark.running.limits import Limits
from benchmark.running.remote import Place, RemoteTrainer
from benchmark.running.workers import Processes
from benchmark.store.store import Store

ROOT = Path(__file__).resolve().parents[2]


class Calls(ThreadPoolExecutor):
    """As Dask's executor, whose `shutdown` takes no `cancel_futures`."""

    def shutdown(self, wait: bool = True) -> None:  # type: ignore[override]
        super().shutdown(wait)


class Client:
    """Stands in for Dask's client."""

    def __init__(self, address: str | None = None, **here: Any) -> None:
        if address == "tcp://nowhere:8786":
            raise OSError("Timed out trying to connect to tcp://nowhere:8786\nand more")
        self.here, self.closed = here, False

    def get_executor(self, **how: Any) -> Calls:
        assert how == {"pure": False, "retries": 0}
        return Calls(1)

    def nthreads(self) -> dict[str, int]:
        return {"tcp://a": 1, "tcp://b": 2}

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> None:
    config = ModuleType("dask.config")
    config.set = lambda options: None  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "dask.config", config)
    monkeypatch.setitem(sys.modules, "dask", SimpleNamespace(config=config))
    monkeypatch.setitem(sys.modules, "distributed", SimpleNamespace(Client=Client))


@pytest.mark.usefixtures("library")
def test_calls_go_to_dask_and_its_cluster_is_left(tmp_path: Path) -> None:
    request = Request("toy", "", tmp_path, "quick", ("cpu", "cpu"), tmp_path, 1)
    with trainer_on("dask", None, request, Store(tmp_path, 1), Limits()) as trainer:
        assert isinstance(trainer, RemoteTrainer)
        assert isinstance(executor := trainer.executor, DaskExecutor)
        assert trainer.places() == 3
        assert executor.submit(pow, 2, 3).result() == 8
        assert executor.client.here == {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    assert executor.client.closed


@pytest.mark.usefixtures("library")
def test_a_scheduler_that_cannot_be_reached_is_told() -> None:
    with pytest.raises(UsageError, match=r"no Dask scheduler can be reached at tcp://nowhere:8786: Timed out [^\n]*;"):
        DaskExecutor("tcp://nowhere:8786", 1)


def test_where_dask_is_missing_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError, match=r"needs dask.distributed, which is not installed; pip install"):
        DaskExecutor(None, 1)


@dataclass
class Killing(RemoteTrainer):
    """Kills a worker of the cluster after the second outcome."""

    process: int | None = None

    def outcomes(self, runs: Iterator[Run]) -> Iterator[Outcome]:
        for outcome in super().outcomes(runs):
            yield outcome
            if self.process is not None and outcome.run.seed:
                os.kill(self.process, signal.SIGKILL)
                self.process = None


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Dask warns of much that is not ours
def test_a_grid_survives_a_worker_that_is_killed(
    toy: DataSet, toy6: DataSet, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed", reason="needs dask.distributed, the extra `dask`")
    paths = [str(ROOT), str(ROOT / "tests"), str(Path(__file__).parent)]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    executor = DaskExecutor(None, 2)
    assert executor.places() == 2
    process = next(iter(executor.client.run(os.getpid).values()))
    planned = grid(toy, toy6, 4)
    place = Place("cpu", folder)
    there, ended = stored(
        planned,
        tmp_path / "there",
        Killing(executor, place, executor.places, tmp_path / "there", Limits(fixed=300), process=process),
    )
    assert (ended.trained, len(ended.failed), ended.left) == (6, 1, 0)
    here, _ = stored(planned, tmp_path / "here", Processes(["cpu"], "toy", folder, tmp_path / "here"))
    compare(here, there)
