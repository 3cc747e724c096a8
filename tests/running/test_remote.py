"""Runs trained by executors that other libraries bring: the same numbers, and what is lost is trained again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import TINY
from deeds import explode

from benchmark.data.splits import DataSet
from benchmark.errors import UsageError
from benchmark.planning.identity import Run, describe
from benchmark.planning.requests import Request
from benchmark.running import remote
from benchmark.running.ended import Ended
from benchmark.running.execution import complete
from benchmark.running.executors import made_by, trainer_on
from benchmark.running.limits import Limits
from benchmark.running.remote import Place, RemoteTrainer
from benchmark.running.workers import Processes
from benchmark.store.records import About, RunRecord
from benchmark.store.store import Store

ABOUT = About("toy", "asked for by name", "quick")


def processes() -> Executor:
    return ProcessPoolExecutor(2, mp_context=get_context("forkserver"))


def grid(toy: DataSet, toy6: DataSet, seeds: int) -> list[list[Run]]:
    """A pre-training, runs that start from it, plain runs and one that fails."""
    task = replace(TINY, data="toy6")
    old = Run(task, 0, toy6.fingerprint, keeps_weights=True)
    tuned = Run(replace(TINY, start_from=task), 0, toy.fingerprint, old.key)
    plain = [Run(TINY, seed, toy.fingerprint) for seed in range(seeds)]
    return [[old], [tuned, *plain, Run(replace(TINY, initialise=explode), 0, toy.fingerprint)]]


def stored(planned: list[list[Run]], folder: Path, trainer: Processes | RemoteTrainer) -> tuple[Store, Ended]:
    store = Store(folder, 1)
    with store.writing(), trainer:
        ends = [complete([each], store, trainer, ABOUT) for each in planned]
    return store, ends[-1]


def compare(one: Store, other: Store) -> None:
    """Asserts that two stores have the same runs, bit by bit."""
    assert one.records.keys() == other.records.keys()
    for key, record in one.records.items():
        assert record.status == other.records[key].status
        if isinstance(record, RunRecord):
            theirs = other.records[key]
            assert isinstance(theirs, RunRecord)
            for name in ("test_accuracy", "test_loss", "validation_loss", "epoch_train_loss", "levels", "start"):
                assert getattr(record, name) == getattr(theirs, name)
            mine, others = one.arrays(record), other.arrays(theirs)
            assert {n: a.tobytes() for n, a in mine.items()} == {n: a.tobytes() for n, a in others.items()}


@pytest.mark.parametrize(
    "pool",
    [lambda: ThreadPoolExecutor(2), pytest.param(processes, marks=pytest.mark.slow)],
    ids=["threads", "processes"],
)
def test_an_executor_of_the_users_own_gives_the_numbers_of_workers_here(
    pool: Callable[[], Executor], toy: DataSet, toy6: DataSet, folder: Path, tmp_path: Path
) -> None:
    planned = grid(toy, toy6, 2)
    here, _ = stored(planned, tmp_path / "here", Processes(["cpu"], "toy", folder, tmp_path / "here"))
    made = RemoteTrainer(pool(), Place("cpu", folder), lambda: 2, tmp_path / "there", Limits(fixed=60))
    there, ended = stored(planned, tmp_path / "there", made)
    assert (ended.trained, len(ended.failed), ended.left) == (4, 1, 0)
    assert ended.failed[0].reason.startswith("RuntimeError: no such trick (deeds.py, line ")
    compare(here, there)


class Losing(Executor):
    """Loses calls, as a library does whose nodes go: the first of some runs, and every one of another."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    def submit(self, function: Callable[..., Any], /, *given: Any, **more: Any) -> Future[Any]:  # type: ignore[override]
        seed = given[1].seed
        self.calls.append(seed)
        self.waiting = future = Future[Any]()
        if seed == 2 or (seed == 1 and self.calls.count(1) == 1):
            future.set_exception(ConnectionError("the node is gone\nand more"))
        elif seed != 3:
            future.set_result(UsageError("no GPU") if seed == 4 else outcome_of(given[1]))
        return future


def outcome_of(run: Run) -> Any:
    from deeds import trained

    from benchmark.running.executor import Outcome

    return Outcome(run, trained(), "", {}, "", "")


def made(executor: Executor, limits: Limits, tmp_path: Path) -> RemoteTrainer:
    return RemoteTrainer(executor, Place("cpu", tmp_path), lambda: 2, tmp_path, limits)


def runs(*seeds: int) -> Iterator[Run]:
    return iter([Run(TINY, seed, "f") for seed in seeds])


def test_a_lost_call_is_tried_once_more_then_failed(tmp_path: Path) -> None:
    executor = Losing()
    found = {each.run.seed: each for each in made(executor, Limits(), tmp_path).outcomes(runs(0, 1, 2))}
    assert {seed: executor.calls.count(seed) for seed in found} == {0: 1, 1: 2, 2: 2}
    assert found[2].error == "its worker was lost: ConnectionError: the node is gone, 2 of 2 times"
    assert found[1].result is not None


def test_a_call_that_never_ends_is_left_once_there_is_no_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmark.running.limits.SHORT", 0.0)
    limits = Limits(deadline=time.monotonic())
    assert [each.run.seed for each in made(Losing(), limits, tmp_path).outcomes(runs(0, 3, 2))] == [0]


def test_what_keeps_a_worker_there_from_starting_ends_the_command(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no GPU"):
        list(made(Losing(), Limits(), tmp_path).outcomes(runs(4)))


def test_calls_that_have_not_ended_are_cancelled_when_the_command_ends(tmp_path: Path) -> None:
    with made(executor := Losing(), Limits(), tmp_path) as trainer:
        assert next(trainer.outcomes(runs(0, 3))).run.seed == 0
    assert executor.waiting.cancelled()


def test_daemons_are_told_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "current_process", lambda: SimpleNamespace(daemon=True))
    answer = remote.train_here(Place("cpu", tmp_path), *runs(0), describe(TINY), 60.0, None, None)
    assert isinstance(answer, UsageError)
    assert "DASK_DISTRIBUTED__WORKER__DAEMON=False" in str(answer)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("slurm", "unknown executor 'slurm'; there are: local, ray, dask, and MODULE:FACTORY"),
        ("nowhere:pool", "--executor nowhere:pool cannot be made: ModuleNotFoundError: No module named 'nowhere'"),
        ("os:getcwd", "--executor os:getcwd must make a concurrent.futures.Executor, got str"),
    ],
)
def test_an_executor_that_is_none_is_told(name: str, said: str) -> None:
    with pytest.raises(UsageError) as reason:
        made_by(name)
    assert str(reason.value).startswith(said)


def test_an_address_is_of_a_cluster(tmp_path: Path) -> None:
    request = Request("toy", "", tmp_path, "quick", ("cpu",), tmp_path, 1)
    with pytest.raises(UsageError, match="--address goes with --executor ray or dask, got --executor local"):
        trainer_on("local", "auto", request, Store(tmp_path, 1), Limits())
