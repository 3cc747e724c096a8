"""Nothing is trained twice, nothing finished is lost, and a run that goes wrong stops no other."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from builders import Inline, record
from conftest import TINY
from safetensors.torch import load_file
from torch import Tensor, nn

from benchmark.data.splits import DataSet
from benchmark.engine.training import train
from benchmark.planning.identity import Run, describe
from benchmark.planning.times import stored_seconds
from benchmark.recipe import Recipe
from benchmark.running.ended import Ended
from benchmark.running.execution import complete, in_order
from benchmark.running.executor import Outcome
from benchmark.running.observer import Observer
from benchmark.running.preload import MODULES
from benchmark.running.workers import Processes
from benchmark.store.files import weights_file
from benchmark.store.records import About, FailedRecord, Record, RunRecord
from benchmark.store.store import Store

ROOT = Path(__file__).resolve().parents[2]
ABOUT = About("toy", "asked for by name", "quick")


def rounds(toy: DataSet, *recipes: Recipe, seeds: int = 2) -> list[list[Run]]:
    return [[Run(recipe, seed, toy.fingerprint) for recipe in recipes] for seed in range(seeds)]


def test_only_what_is_missing_is_trained(toy: DataSet, tmp_path: Path) -> None:
    store, trainer = Store(tmp_path, 1), Inline(toy)
    with store.writing():
        assert complete(rounds(toy, TINY), store, trainer, ABOUT) == Ended(2, [], 0, False)
        assert complete(rounds(toy, TINY, seeds=3), store, trainer, ABOUT).trained == 1
    assert [run.seed for run in trainer.trained] == [0, 1, 2]


def test_a_record_says_what_was_run_and_measured(toy: DataSet, tmp_path: Path) -> None:
    store = Store(tmp_path, 1)
    with store.writing():
        complete(rounds(toy, TINY, seeds=1), store, Inline(toy), ABOUT)
    (kept,) = Store(tmp_path, 1).records.values()
    promised = """key status data fingerprint seed recipe test_accuracy train_accuracy validation_accuracy
        train_seconds step_ms environment started finished engine data_choice budget reason dead_units parameters
        step_flops peak_memory_mb epoch_train_accuracy epoch_train_loss levels band validation_loss test_loss
        first_deviation near_zero largest_norm schema kind start facts fold digests sum"""
    assert set(json.loads((tmp_path / "runs.jsonl").read_text())) == set(promised.split())
    assert isinstance(kept, RunRecord)
    assert len(kept.validation_accuracy) == 2
    arrays = store.arrays(kept)
    assert (arrays["logits"].argmax(1) == toy.test.labels.numpy()).mean() == pytest.approx(kept.test_accuracy)


def test_rounds_are_told_once_they_are_whole(toy: DataSet, tmp_path: Path) -> None:
    store = Store(tmp_path, 1)
    told, begun, ended = list[int](), list[str](), list[str]()

    class Watching(Observer):
        def begin(self, run: Run) -> None:
            begun.append(run.key)

        def end(self, record: Record) -> None:
            ended.append(record.key)

        def end_round(self) -> None:
            told.append(len(store.records))

    planned = rounds(toy, TINY, replace(TINY, epochs=1))
    with store.writing():
        complete(planned, store, Inline(toy), ABOUT, observer=Watching())
    assert told == [2, 4]
    assert set(begun) == set(ended) == {run.key for each in planned for run in each}


def test_the_last_round_starts_with_what_took_longest(toy: DataSet, tmp_path: Path) -> None:
    """What the first round took decides, though it was not known when the order was asked for."""
    store = Store(tmp_path, 1)
    long, short = replace(TINY, learning_rate=0.1), replace(TINY, epochs=50)  # by its images alone `short` is longer
    planned = rounds(toy, short, TINY, long, seeds=2)
    with store.writing():
        order = in_order(
            [*planned, []],
            lambda: stored_seconds(store, ABOUT, {"a CPU"}),
        )  # the rounds of a grid may be done already
        first = [next(order) for _ in planned[0]]
        for run, seconds in zip(first, (1, 2, 3), strict=True):
            took = {"started": "2026-01-01T00:00:00+00:00", "finished": f"2026-01-01T00:00:0{seconds}+00:00"}
            lasted = took | {"train_seconds": float(seconds)}
            store.add(record(describe(run.recipe), run.seed, 0.5, data="toy", fingerprint=run.fingerprint, **lasted))
            assert run.key in store
    assert first == planned[0]
    assert [run.recipe for run in order] == [long, TINY, short]


def test_workers_that_take_the_longest_last_run_first_end_together(toy: DataSet) -> None:
    """Two workers on 4, 5, 6, 7 and 22 epochs: 22 in all, where the order as planned takes 32."""
    recipes = [replace(TINY, images=10, epochs=epochs) for epochs in (4, 5, 6, 7, 22)]
    (only,) = rounds(toy, *recipes, seeds=1)
    free = [0, 0]
    for run in in_order([only], dict):
        free[free.index(min(free))] += run.recipe.epochs
    assert free == [22, 22]


def test_no_run_starts_after_the_deadline(toy: DataSet, tmp_path: Path) -> None:
    store = Store(tmp_path, 1)
    with store.writing():
        assert complete(rounds(toy, TINY), store, Inline(toy), ABOUT, deadline=0) == Ended(0, [], 2, False)


class Interrupted(Inline):
    def outcomes(self, runs: Iterator[Run]) -> Iterator[Outcome]:
        for n, outcome in enumerate(super().outcomes(runs)):
            if n == 1:
                raise KeyboardInterrupt
            yield outcome


def test_ctrl_c_keeps_what_is_finished(toy: DataSet, tmp_path: Path) -> None:
    store = Store(tmp_path, 1)
    with store.writing():
        assert complete(rounds(toy, TINY, seeds=3), store, Interrupted(toy), ABOUT) == Ended(1, [], 2, True)
    assert len(Store(tmp_path, 1).records) == 1


def explode(network: nn.Module, images: Tensor) -> None:
    raise RuntimeError("no such trick")


def die(network: nn.Module, images: Tensor) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_worker_processes_give_what_training_here_gives_and_survive_what_goes_wrong(
    toy: DataSet, toy6: DataSet, folder: Path, tmp_path: Path
) -> None:
    """One start of workers for all of it, since each start takes seconds."""
    store = Store(tmp_path, 1)
    task = replace(TINY, data="toy6")
    old = Run(task, 0, toy6.fingerprint, keeps_weights=True)
    tuned = Run(replace(TINY, start_from=task), 0, toy.fingerprint, old.key)
    broken, deadly = replace(TINY, initialise=explode), replace(TINY, initialise=die)
    wild = replace(TINY, learning_rate=1e30)
    runs = rounds(toy, broken, TINY, deadly, wild, seeds=1)
    with store.writing():
        complete([[old]], store, Inline(toy6), ABOUT)
        with Processes(["cpu", "cpu"], "toy", folder, tmp_path) as workers:
            ended = complete([[*runs[0], tuned]], store, workers, ABOUT)
            before = {worker.process.pid for worker in workers._workers.values()}
            more = complete(rounds(toy, TINY, seeds=2), store, workers, ABOUT)
            assert {
                worker.process.pid for worker in workers._workers.values()
            } == before  # they stay from call to call
        assert not workers._workers
    assert (more.trained, more.failed) == (1, [])
    assert (ended.trained, ended.left) == (5, 0)
    start = load_file(weights_file(tmp_path, old.key))
    expected = train(tuned.recipe, 0, toy, torch.device("cpu"), start).logits
    again = store[tuned.key]
    assert isinstance(again, RunRecord)
    assert np.array_equal(store.arrays(again)["logits"], expected)
    assert not weights_file(tmp_path, tuned.key).exists()  # nothing starts from it
    good, bad, dead, away = (store[Run(r, 0, toy.fingerprint).key] for r in (TINY, broken, deadly, wild))
    assert isinstance(good, RunRecord)
    assert np.array_equal(store.arrays(good)["logits"], train(TINY, 0, toy, torch.device("cpu")).logits)
    assert good.environment["threads"] == 1
    assert isinstance(bad, FailedRecord)
    assert bad.status == "failed"
    assert bad.reason.startswith("RuntimeError: no such trick (test_runner.py, line ")
    assert dead.reason == "its worker died with exit code -9, 2 of 2 times"
    assert away.status == "diverged"
    assert {each.key for each in ended.failed} == {bad.key, dead.key}


def test_a_run_whose_weights_are_lost_is_trained_again(toy: DataSet, tmp_path: Path) -> None:
    store, trainer = Store(tmp_path, 1), Inline(toy)
    plain, kept = Run(TINY, 0, toy.fingerprint), Run(TINY, 0, toy.fingerprint, keeps_weights=True)
    assert plain.key == kept.key
    with store.writing():
        for run in (plain, kept, kept):
            complete([[run]], store, trainer, ABOUT)
        weights_file(tmp_path, kept.key).unlink()
        complete([[kept]], store, trainer, ABOUT)
    assert trainer.trained == [plain, kept, kept]


def test_what_a_run_starts_from_is_part_of_its_key(toy: DataSet) -> None:
    recipe = replace(TINY, start_from=replace(TINY, data="toy6"))
    keys = {Run(recipe, 0, toy.fingerprint, start).key for start in ("a", "b")}
    assert len(keys | {Run(TINY, 0, toy.fingerprint).key}) == 3


def sleepy(network: nn.Module, images: Tensor) -> None:
    time.sleep(600)


def test_workers_end_at_once_when_their_parent_stops(toy: DataSet, folder: Path) -> None:
    runs = [Run(TINY, 0, toy.fingerprint), Run(replace(TINY, initialise=sleepy), 0, toy.fingerprint)]
    with Processes(["cpu"], "toy", folder) as workers:
        outcomes = workers.outcomes(iter(runs))
        next(outcomes)
        process = workers._workers[0].process
        start = time.monotonic()
        outcomes.close()  # type: ignore[attr-defined]  # it is a generator
        assert time.monotonic() - start < 5
        assert not workers._workers
        assert not process.is_alive()


def test_what_workers_are_forked_from_asks_for_no_gpu() -> None:
    """CUDA cannot be used in the fork of a process that has so much as counted its devices."""
    code = f"""
import importlib, os, torch
torch._C._cuda_getDeviceCount = torch.cuda._lazy_init = lambda: os._exit(3)
for name in {MODULES}:
    importlib.import_module(name)
"""
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
