"""A run that is stopped amid its training goes on with the next attempt or command, to the same bits."""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from builders import ABOUT
from conftest import TINY, call
from torch import nn
from torch.optim import SGD, Optimizer

from benchmark.data.splits import DataSet
from benchmark.engine.progress import Progress, UnkeptError, module_state, optimiser_state
from benchmark.engine.training import Result, train
from benchmark.planning.identity import Run
from benchmark.recipe import Recipe
from benchmark.running import executors, interrupted
from benchmark.running.execution import complete
from benchmark.running.interrupted import StateFile
from benchmark.running.workers import Processes
from benchmark.store.files import interrupted_file
from benchmark.store.records import RunRecord
from benchmark.store.store import Store

CPU = torch.device("cpu")
LONG = replace(TINY, epochs=4)
HERE: dict[str, str | int] = {"torch": "1", "git_commit": "a"}


class Stopped(Exception):
    """The end of a process, as far as a training can tell."""


@dataclass
class Stopping:
    """Has another keeper keep the states; stops the training after so many epochs."""

    keeper: StateFile
    after: int
    resumed_at: int = -1

    def resume(self, progress: Progress) -> None:
        self.keeper.resume(progress)
        self.resumed_at = len(progress.history)

    def offer(self, progress: Progress) -> None:
        self.keeper.offer(progress)
        if len(progress.history) == self.after:
            raise Stopped


def dropout(channels: int) -> nn.Module:
    return nn.Dropout(0.5)


def stopped(path: Path, after: int, toy: DataSet, recipe: Recipe = LONG, device: torch.device = CPU) -> int:
    """Trains until after an epoch; returns the epochs that an earlier training had left."""
    keeper = Stopping(StateFile(path, HERE, every=0), after)
    with pytest.raises(Stopped):
        train(recipe, 0, toy, device, keeper=keeper)
    return keeper.resumed_at


def finished(path: Path, toy: DataSet, environment: dict[str, str | int] = HERE) -> tuple[Result, int]:
    """Trains to the end; returns the epochs that an earlier training had left, too."""
    keeper = Stopping(StateFile(path, environment, every=0), after=-1)
    return train(LONG, 0, toy, CPU, keeper=keeper), keeper.resumed_at


def assert_equal(one: Result, other: Result) -> None:
    assert one.validation_accuracy == other.validation_accuracy
    assert one.epoch_train_loss == other.epoch_train_loss
    assert one.logits is not None
    assert other.logits is not None
    assert np.array_equal(one.logits, other.logits)
    assert np.array_equal(one.losses, other.losses)


def test_what_is_stopped_again_and_again_ends_as_what_was_never_stopped(toy: DataSet, tmp_path: Path) -> None:
    path = tmp_path / "interrupted" / "a.state"
    assert [stopped(path, after, toy) for after in (1, 3)] == [0, 1]
    result, resumed_at = finished(path, toy)
    assert resumed_at == 3
    assert_equal(result, train(LONG, 0, toy, CPU))


@pytest.mark.gpu
def test_a_gpu_goes_on_to_the_same_bits(toy: DataSet, tmp_path: Path) -> None:
    """Its own random stream too: layers draw from it."""
    gpu, path = torch.device("cuda:0"), tmp_path / "a.state"
    recipe = replace(LONG, precision="bf16", before_head=dropout)
    assert [stopped(path, after, toy, recipe, gpu) for after in (1, 3)] == [0, 1]
    keeper = Stopping(StateFile(path, HERE, every=0), after=-1)
    result = train(recipe, 0, toy, gpu, keeper=keeper)
    assert keeper.resumed_at == 3
    assert_equal(result, train(recipe, 0, toy, gpu))


@pytest.mark.parametrize("harm", [lambda content: content[:-1], lambda content: content[:100] + b"x" + content[101:]])
def test_a_damaged_state_counts_for_nothing(harm, toy: DataSet, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]  # a lambda
    path = tmp_path / "a.state"
    stopped(path, 1, toy)
    path.write_bytes(harm(path.read_bytes()))
    result, resumed_at = finished(path, toy)
    assert resumed_at == 0
    assert_equal(result, train(LONG, 0, toy, CPU))


@pytest.mark.parametrize(("there", "epochs"), [({"torch": "2"}, 0), ({"torch": "1", "git_commit": "b"}, 1)])
def test_a_state_counts_on_the_same_libraries_only(there, epochs: int, toy: DataSet, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]  # as HERE
    path = tmp_path / "a.state"
    stopped(path, 1, toy)
    assert finished(path, toy, there)[1] == epochs


def test_a_state_of_another_run_is_refused_by_name(toy: DataSet, tmp_path: Path) -> None:
    path = tmp_path / "a.state"
    stopped(path, 1, toy, replace(LONG, norm=nn.InstanceNorm2d))
    with pytest.raises(ValueError, match=r"a\.state is not a state of this run .*; delete it"):
        finished(path, toy)


@pytest.mark.parametrize(("ago", "epochs"), [(0, 0), (2000, 1)])
def test_a_state_is_written_once_the_last_is_long_ago(ago: float, epochs: int, toy: DataSet, tmp_path: Path) -> None:
    """Three epochs within a second: the state after the first one, or none."""
    path = tmp_path / "a.state"
    keeper = StateFile(path, HERE, every=1000, written=time.monotonic() - ago)
    with pytest.raises(Stopped):
        train(LONG, 0, toy, CPU, keeper=Stopping(keeper, after=3))
    assert finished(path, toy)[1] == epochs


class Counting(Optimizer):
    """Has a dictionary of its own."""

    def __init__(self, groups) -> None:  # type: ignore[no-untyped-def]  # as torch has them
        super().__init__(groups, {})
        self.seen = {"object": object()}

    def step(self, closure=None):  # type: ignore[no-untyped-def]  # as torch has it
        return closure()


class Remembering(nn.Linear):
    """Has a list that it may add to."""

    def __init__(self) -> None:
        super().__init__(2, 2)
        self.means: list[float] = []


def test_what_cannot_be_kept_is_named_and_trained_without(toy: DataSet, tmp_path: Path) -> None:
    with pytest.raises(UnkeptError, match="layer 1 has means, a list"):
        module_state(nn.Sequential(nn.ReLU(), Remembering()))
    with pytest.raises(UnkeptError, match=r"seen\['object'\], a object"):
        optimiser_state(Counting([{"params": [nn.Parameter(torch.zeros(2))]}]))
    by_name = SGD([nn.Parameter(torch.zeros(2))])
    by_name.state["all"] = {"done": 3}  # type: ignore[index]  # not a tensor, which is what is tried
    with pytest.raises(UnkeptError, match="under another key"):
        optimiser_state(by_name)
    path = tmp_path / "a.state"
    keeper = StateFile(path, HERE, every=0)
    with pytest.warns(UserWarning, match=r"will start from its beginning.* seen\[") as told:
        result = train(replace(LONG, optimiser=Counting), 0, toy, CPU, keeper=keeper)
    assert (len(told), result.status, path.exists()) == (1, "done", False)


def test_a_full_disk_does_not_stop_a_run(toy: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(interrupted, "replace_file", full)
    with pytest.warns(UserWarning, match="No space left on device") as told:
        assert train(LONG, 0, toy, CPU, keeper=StateFile(tmp_path / "a.state", HERE, every=0)).status == "done"
    assert len(told) == 1


def dying(recipe: Recipe, seed: int, data: DataSet, device: torch.device, keeper: StateFile) -> Result:
    """The first attempt is killed after its second epoch; the second one says where it went on."""
    fresh = not keeper.path.exists()
    watched = Stopping(keeper, after=2 if fresh else -1)
    try:
        result = train(recipe, seed, data, device, keeper=watched)
    except Stopped:
        os.kill(os.getpid(), signal.SIGKILL)
    return replace(result, parameters=watched.resumed_at)


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_a_worker_that_is_killed_costs_what_it_trained_since_the_last_state(
    toy: DataSet, folder: Path, tmp_path: Path
) -> None:
    store, run = Store(tmp_path, 1), Run(LONG, 0, toy.fingerprint)
    with (
        store.writing(),
        Processes(["cpu"], "toy", folder, training=dying, interrupted=tmp_path, every=0) as workers,
    ):
        complete([[run]], store, workers, ABOUT)
    record = store[run.key]
    assert isinstance(record, RunRecord)
    assert record.parameters == 2, "the epochs that the first attempt left"
    expected = train(LONG, 0, toy, CPU).logits
    assert expected is not None
    assert np.array_equal(store.arrays(record)["logits"], expected)
    assert not interrupted_file(tmp_path, run.key).exists()


def test_the_next_command_says_which_runs_go_on(
    toy: DataSet, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of a plain command: a state is there from the first epoch on, as all of them are written here."""
    monkeypatch.setattr(executors, "Processes", partial(Processes, every=0))
    base = tmp_path / "base.py"
    base.write_text(
        "from dataclasses import replace\nfrom benchmark.baseline import baseline\n"
        "from benchmark.networks import VGG\n"
        "def base(data, precision):\n    return replace(baseline(data, 'quick', precision), images=None, "
        "validation_images=None, network=VGG(((4, 1),)), epochs=2, batch_size=32)\n"
    )
    asked: list[object] = [
        "run",
        "--data",
        "toy",
        "--data-dir",
        folder,
        "--base",
        base,
        "--only",
        "muon",
        "--seeds",
        "1",
    ]
    store = tmp_path / "store"
    monkeypatch.setattr("benchmark.store.store.interrupted_file", lambda store, key: tmp_path / "nothing")
    code, out = call(*asked, "--jobs", "1", "--store", store, capsys=capsys, monkeypatch=monkeypatch)
    assert code == 0
    left = sorted((store / "interrupted").iterdir())
    assert len(left) == 2, out
    (store / "runs.jsonl").unlink()
    asked += ["--jobs", "1", "--store", store]
    _, out = call(*asked, "--minutes", "0", capsys=capsys, monkeypatch=monkeypatch)
    assert "2 runs left, 2 of them kept amid training: run the same command again to resume" in out
    code, out = call(*asked, capsys=capsys, monkeypatch=monkeypatch)
    assert code == 0
    assert "2 of them go on after the epoch at which an earlier command stopped" in out
