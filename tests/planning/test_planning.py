"""What is to be trained of a request, by what a store has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import inf
from pathlib import Path

from builders import record
from conftest import TINY

from benchmark.planning.grid import Grid, planned, runs_to_train
from benchmark.planning.identity import Run, describe
from benchmark.planning.requests import Request
from benchmark.running.executor import Outcome
from benchmark.running.session import Session, parts
from benchmark.store.records import About
from benchmark.store.store import Store

TASK = replace(TINY, data="toy6")
OLD = Run(TASK, 0, "f6", keeps_weights=True)
TUNED = [Run(replace(TINY, start_from=TASK, learning_rate=rate), 0, "f", OLD.key) for rate in (0.1, 0.2)]
NOW = "2026-11-24T00:00:00.000+00:00"
GRID = Grid([], [OLD], [TUNED], [], {}, [])


class Failing:
    """A trainer whose runs all fail."""

    def __init__(self) -> None:
        self.asked: list[Run] = []

    def outcomes(self, runs: Iterator[Run]) -> Iterator[Outcome]:
        for run in runs:
            self.asked.append(run)
            yield Outcome(run, None, "no such luck", {}, NOW, NOW)


def with_runs(folder: Path, *runs: Run) -> Store:
    """A store that has `runs`, and no weights, as one that came with git."""
    store = Store(folder, 1)
    with store.writing():
        for run in runs:
            store.add(record(describe(run.recipe), run.seed, 0.5, fingerprint=run.fingerprint, start=run.start))
            assert run.key in store
    return store


def test_weights_are_made_again_only_where_something_is_still_to_start_from_them(tmp_path: Path) -> None:
    assert runs_to_train(GRID, with_runs(tmp_path / "nothing")) == [OLD, *TUNED]
    assert runs_to_train(GRID, with_runs(tmp_path / "all but the start", *TUNED)) == [OLD]
    assert runs_to_train(GRID, with_runs(tmp_path / "one is missing", OLD, TUNED[0])) == [OLD, TUNED[1]]
    assert runs_to_train(GRID, with_runs(tmp_path / "all", OLD, *TUNED)) == []


def test_what_starts_from_a_failed_run_is_left(tmp_path: Path) -> None:
    store, trainer = with_runs(tmp_path, OLD, TUNED[0]), Failing()
    with store.writing():
        ended = Session(store, trainer, About("toy", "asked for by name", "quick"), inf).complete(GRID)
    assert trainer.asked == [OLD]
    assert (ended.trained, len(ended.failed), ended.left) == (1, 1, 1)


def test_what_others_start_from_is_trained_when_they_are_due(tmp_path: Path) -> None:
    plain = [Run(replace(TINY, learning_rate=rate), 0, "f") for rate in (0.3, 0.4)]
    later = Run(TASK, 1, "f6", keeps_weights=True)
    second = Run(replace(TINY, start_from=TASK), 1, "f", later.key)
    grid = replace(GRID, before=[OLD, later], rounds=[[plain[0], TUNED[0]], [plain[1]], [second]])
    assert list(parts(grid, Store(tmp_path, 1))) == [
        [[OLD, plain[0]]],
        [[TUNED[0]], [plain[1]], [later]],
        [[second]],
    ]
    assert list(parts(grid, with_runs(tmp_path / "all", OLD, TUNED[0], later, second))) == [grid.rounds]


def test_a_start_that_is_a_row_too_is_trained_once_and_keeps_its_weights(tmp_path: Path) -> None:
    """As of the catalogue's fine-tuning and distillation, whose starts other tables have as rows."""
    without = replace(OLD, keeps_weights=False)
    plain = Run(replace(TINY, learning_rate=0.3), 0, "f")
    same_round = replace(GRID, rounds=[[without, plain, TUNED[0]]])
    assert list(parts(same_round, Store(tmp_path, 1))) == [[[OLD, plain]], [[TUNED[0]]]]
    round_before = replace(GRID, rounds=[[without, plain], [TUNED[0]]])
    assert list(parts(round_before, Store(tmp_path, 1))) == [[[plain], [OLD]], [[TUNED[0]]]]
    round_after = replace(GRID, rounds=[[TUNED[0]], [plain, without]])
    assert list(parts(round_after, Store(tmp_path, 1))) == [[[OLD]], [[TUNED[0]], [plain]]]
    assert runs_to_train(same_round, Store(tmp_path, 1)) == [OLD, plain, TUNED[0]]  # counted once, too


def test_every_run_of_the_whole_catalogue_is_trained_once_and_behind_what_it_starts_from(tmp_path: Path) -> None:
    """What is drawn needs no file; the other set, from whose weights fine-tuning starts, is not planned here."""
    asked = Request("fractal10", "asked for by name", tmp_path, "quick", ("cpu",), tmp_path / "store", 3)
    grid = planned(asked)
    to_train = [run.key for run in runs_to_train(grid, Store(tmp_path / "store", 1))]
    there = set[str]()
    for part in parts(grid, Store(tmp_path / "store", 1)):
        runs = [run for each in part for run in each]
        assert len({run.key for run in runs}) == len(runs)
        assert not {run.key for run in runs} & there
        assert {run.start for run in runs if run.start} <= there
        there |= {run.key for run in runs}
    assert sorted(to_train) == sorted(there) == sorted(run.key for each in [grid.before, *grid.rounds] for run in each)
    assert len(there) > 1000
