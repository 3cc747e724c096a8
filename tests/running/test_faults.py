"""What tricks do to the processes that train them: none of it stops another run, or changes its numbers.

The functions that train are called in worker processes, so that what they do there stays there.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from builders import Inline
from conftest import TINY
from deeds import (
    BAD,
    Faulty,
    complain_at_length,
    die_amid_the_answer,
    fail_in_double,
    fork_and_go_on,
    leave_a_child_and_die,
    loop,
    lower_a_limit,
    mkldnn_off,
    patch_a_class,
    raise_what_has_no_text,
    stop,
    stop_amid_the_answer,
    trained,
)

from benchmark.data.splits import DataSet
from benchmark.planning.identity import Run
from benchmark.running.ended import Ended
from benchmark.running.execution import complete
from benchmark.running.executor import Outcome
from benchmark.running.limits import FACTOR, LEAST, OVERTIME, SHORT, UNKNOWN, Limits
from benchmark.running.preload import short_names
from benchmark.running.state import state
from benchmark.running.worker import LONGEST
from benchmark.running.workers import Processes
from benchmark.store.records import About, FailedRecord
from benchmark.store.store import Store

ROOT = Path(__file__).resolve().parents[2]
ABOUT = About("toy", "asked for by name", "quick")


def provoked(
    deed: Callable[[], object], data: DataSet, folder: Path, notes: Path, limits: Limits | None = None, seeds: int = 4
) -> tuple[dict[int, Outcome], Faulty]:
    """The outcomes of some runs by seed, one of which goes wrong; two workers."""
    faulty = Faulty(deed, notes)
    runs = (Run(TINY, seed, data.fingerprint) for seed in range(seeds))
    limits = limits or Limits(fixed=60)
    with Processes(["cpu", "cpu"], "toy", folder, training=faulty, limits=limits) as processes:
        found = list(processes.outcomes(runs))
    assert len({each.run.seed for each in found}) == len(found)
    return {each.run.seed: each for each in found}, faulty


@pytest.mark.parametrize(
    ("deed", "seconds", "error"),
    [
        (loop, 0.4, "it took longer than its limit of 0.4 s"),
        (stop, 0.4, "it took longer than its limit of 0.4 s"),
        (stop_amid_the_answer, 0.4, "it took longer than its limit of 0.4 s"),
        (die_amid_the_answer, 60, "its worker died with exit code -9"),
        (leave_a_child_and_die, 60, "its worker died with exit code 7"),
    ],
)
def test_a_worker_that_never_answers_costs_only_its_run(
    deed: Callable[[], None], seconds: float, error: str, toy: DataSet, folder: Path, tmp_path: Path
) -> None:
    start = time.monotonic()
    found, faulty = provoked(deed, toy, folder, tmp_path, Limits(fixed=seconds))
    assert found[BAD].error == f"{error}, 2 of 2 times"
    assert faulty.attempts == 2
    assert [seed for seed, each in found.items() if each.result] == [0, 2, 3]
    assert time.monotonic() - start < 30


@pytest.mark.parametrize("deed", [loop, leave_a_child_and_die])
def test_after_the_deadline_nothing_is_tried_again(
    deed: Callable[[], None], toy: DataSet, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run is neither done nor failed whose time is over: it is left."""
    if deed is loop:
        monkeypatch.setattr("benchmark.running.limits.SHORT", 3.0)
    limits = Limits(deadline=time.monotonic())
    found, faulty = provoked(deed, toy, folder, tmp_path, limits)
    assert sorted(found) == [0, 2, 3]
    assert faulty.attempts == 1


def test_limits_follow_the_runs_that_ended(toy: DataSet) -> None:
    run, longer = Run(TINY, 0, "f"), Run(replace(TINY, epochs=4), 0, "f")
    images = 2 * 45_000  # epochs times images, as many as a set has at most
    limits = Limits(deadline=100.0, began=40.0)
    assert (limits.expected(run), limits.limit(run), limits.overtime(run)) == (None, UNKNOWN * images, 60.0)
    limits.note(Outcome(run, trained(), "", {}, "", ""), 100.0)
    assert limits.expected(longer) == 200.0
    assert limits.limit(longer) == FACTOR * 200.0
    assert limits.overtime(longer) == OVERTIME * 200.0
    limits.note(Outcome(longer, trained(), "", {}, "", ""), 0.5)
    assert limits.expected(longer) == 0.5
    assert (limits.limit(longer), limits.overtime(longer)) == (LEAST, SHORT)
    assert Limits(fixed=5.0).limit(run) == 5.0


@pytest.mark.parametrize(
    ("deed", "said"),
    [
        (patch_a_class, "torch.nn.modules.activation.ReLU.forward was replaced"),
        (fail_in_double, "default dtype: torch.float32 became torch.float64"),
        (lower_a_limit, "RLIMIT_NOFILE ("),
        (mkldnn_off, "oneDNN: True became False"),
    ],
)
def test_a_run_that_changes_its_process_has_no_successor_there(
    deed: Callable[[], None], said: str, toy: DataSet, folder: Path, tmp_path: Path
) -> None:
    with pytest.warns(UserWarning, match=re.escape(said)):
        found, faulty = provoked(deed, toy, folder, tmp_path)
    assert faulty.attempts == 1
    assert sorted(found) == [0, 1, 2, 3]
    assert said in found[BAD].changed
    processes = {seed: each.result.parameters for seed, each in found.items() if each.result}
    (changed,) = map(int, os.listdir(tmp_path))
    assert not [seed for seed, process in processes.items() if process == changed and seed > BAD]


def f_with_other_defaults() -> AbstractContextManager[object]:
    return patch.object(F.dropout, "__defaults__", (0.9, True, False))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (torch.no_grad, "gradients: True became False"),
        (torch.inference_mode, "gradients: True became False; inference mode: False became True"),
        (lambda: torch.autocast("cpu"), "autocast: [False, False] became [True, False]"),
        (lambda: torch.device("meta"), "default device: cpu became meta; modes of torch: (0, 0) became (0, 1)"),
        (lambda: np.errstate(under="raise"), "errors of numpy: under ignore became raise"),
        (lambda: patch.dict(os.environ, {"OMP": "9"}), "environment: OMP None became 9"),
        (lambda: patch.object(torch.Tensor, "sum", max), "Tensor.sum is new"),
        (f_with_other_defaults, "torch.nn.functional.dropout was replaced"),
        (lambda: patch("benchmark.baseline.flip"), "benchmark.baseline.flip was replaced"),
        (nullcontext, ""),
    ],
)
def test_changes_of_a_process_are_seen(change: Callable[[], AbstractContextManager[object]], said: str) -> None:
    before = state()
    with change():
        assert before.changes() == said
    assert before.changes() == ""


def test_a_trick_that_forks_and_goes_on_in_both_is_one_run(toy: DataSet, folder: Path, tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="child processes: 0 became 1"):
        found, faulty = provoked(fork_and_go_on, toy, folder, tmp_path)
    assert sorted(found) == [0, 1, 2, 3]
    assert faulty.attempts == 1


class Twice(Inline):
    def outcomes(self, runs: Iterator[Run]) -> Iterator[Outcome]:
        for outcome in super().outcomes(runs):
            yield from (outcome, outcome)


def test_a_second_outcome_of_a_run_counts_for_nothing(toy: DataSet, tmp_path: Path) -> None:
    store = Store(tmp_path, 1)
    with store.writing():
        assert complete([[Run(TINY, 0, toy.fingerprint)]], store, Twice(toy), ABOUT) == Ended(1, [], 0, False)
    assert len(store.lines.read_bytes().splitlines()) == 1


def test_errors_are_recorded_whatever_their_text_is(toy: DataSet, folder: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "store", 1)
    for deed, begins in (
        (complain_at_length, "RuntimeError: long \\udcffxx"),
        (raise_what_has_no_text, "Unspeakable: (its"),
    ):
        (notes := tmp_path / deed.__name__).mkdir()
        faulty = Faulty(deed, notes)
        with store.writing(), Processes(["cpu"], "toy", folder, training=faulty, limits=Limits(fixed=60)) as processes:
            (failed,) = complete([[Run(TINY, BAD, toy.fingerprint)]], store, processes, ABOUT).failed
        assert isinstance(failed, FailedRecord)
        assert failed.reason.startswith(begins)
        assert len(failed.reason) < LONGEST + 200


PARENT = """
import os, sys
from pathlib import Path
from benchmark.baseline import baseline
from benchmark.planning.identity import Run
from benchmark.running.workers import Processes

def stopped(recipe, seed, data, device):
    print(os.getpid(), os.getppid(), flush=True)
    os.kill(os.getpid(), 19)

if __name__ == "__main__":
    with Processes(["cpu"], "toy", Path(sys.argv[1]), training=stopped) as processes:
        list(processes.outcomes(iter([Run(baseline("toy", "quick", "fp32"), 0, "f")])))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a stopped process with its parent")
def test_nothing_stays_of_a_parent_that_is_killed_while_its_worker_is_stopped(folder: Path, tmp_path: Path) -> None:
    (script := tmp_path / "parent.py").write_text(PARENT)
    paths = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, script, folder], stdout=subprocess.PIPE, env=paths, cwd=ROOT) as parent:
        assert parent.stdout is not None
        processes = [int(each) for each in parent.stdout.readline().split()]
        parent.kill()
    assert len(processes) == 2  # the worker, and what it was forked from
    end = time.monotonic() + 20
    while (there := [each for each in processes if lives(each)]) and time.monotonic() < end:
        time.sleep(0.05)
    assert not there


def lives(process: int) -> bool:
    """Whether a process is there and no zombie, which waits for nothing but its parent."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_workers_start_where_the_name_of_the_temporary_folder_is_too_long_for_a_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / ("x" * 122)))
    with short_names():
        assert tempfile.gettempdir() == "/tmp"
    assert tempfile.gettempdir().endswith("x" * 122)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with short_names():
        assert tempfile.gettempdir() == str(tmp_path)
