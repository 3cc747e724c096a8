"""How many workers a GPU takes; and that their results are those of one alone."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TINY

from benchmark.commands import run
from benchmark.commands.run import packed
from benchmark.data.splits import DataSet
from benchmark.engine.training import Result, train
from benchmark.errors import UsageError
from benchmark.planning import grid
from benchmark.planning.identity import Run
from benchmark.planning.requests import Request
from benchmark.recipe import Recipe
from benchmark.running.packing import PROBE_EPOCHS, Probe, crew, packing
from benchmark.running.workers import Processes


def gpu(rates: list[float], memory: list[float]) -> Callable[[int], Probe]:
    """A GPU on which n workers together reach the n-th rate."""
    return lambda n: Probe(n, rates[n - 1], memory[n - 1])


SMALL = [0.1] * 9  # of the memory, whatever trains


@pytest.mark.parametrize(
    ("rates", "memory", "most", "workers"),
    [
        ([100, 190, 260, 270, 400], SMALL, 9, 3),  # a fourth brings 4 %: nobody looks at the fifth
        ([100, 190, 260, 273], SMALL, 9, 3),  # 5 % exactly is not more than 5 %
        ([100, 200, 300, 400], SMALL, 4, 4),  # no more cores
        ([100, 90], SMALL, 9, 1),
        ([100, 200, 0], SMALL, 9, 2),  # the third runs out of memory
        ([0, 0], SMALL, 9, 1),  # the baseline fails: the runs will say why
        ([100, 200, 300], [0.3, 0.6, 0.8], 9, 2),  # three would take 0.9 of the memory
        ([100, 200, 300], [0.2, 0.4, 0.9], 9, 2),  # three take more than two made expect
        ([100], [0.5], 1, 1),
    ],
)
def test_workers_are_added_until_they_gain_nothing(
    rates: list[float], memory: list[float], most: int, workers: int
) -> None:
    assert [probe.workers for probe in packing(gpu(rates, memory), most)] == list(range(1, workers + 1))


@dataclass(frozen=True)
class InWhatIsLeft:
    """Trains; on a GPU that is full, which a file says, only in processes that trained before."""

    notes: Path

    def __call__(self, recipe: Recipe, seed: int, data: DataSet, device: torch.device) -> Result:
        mine = self.notes / f"{os.getpid()}"
        if (self.notes / "full").exists() and not mine.exists():
            raise torch.OutOfMemoryError("as on a GPU that is full")
        mine.touch()
        return train(recipe, seed, data, device)


def test_a_worker_that_fails_counts_for_all(toy: DataSet, folder: Path, tmp_path: Path) -> None:
    processes = Processes(["cpu"], "toy", folder, training=InWhatIsLeft(tmp_path))
    with crew(processes, TINY, toy) as measure:
        assert measure(1).rate > PROBE_EPOCHS * len(toy.train.labels) / 60  # a run takes less than a minute
        (tmp_path / "full").touch()
        assert measure(2) == Probe(2, 0.0, 0.0)


def and_rest(recipe: Recipe, seed: int, data: DataSet, device: torch.device) -> Result:
    result = train(recipe, seed, data, device)
    time.sleep(REST)
    return result


REST = 0.4  # seconds


def test_what_a_run_does_besides_training_counts_too(toy: DataSet, folder: Path) -> None:
    """As two runs fill each other's pauses, which their seconds of training do not show."""
    with crew(Processes(["cpu"], "toy", folder, training=and_rest), TINY, toy) as measure:
        assert 0 < measure(1).rate < PROBE_EPOCHS * len(toy.train.labels) / REST


def test_a_data_set_that_is_gone_is_told(toy: DataSet, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="toy"), crew(Processes(["cpu"], "toy", tmp_path), TINY, toy) as measure:
        measure(1)


def test_every_gpu_gets_what_the_first_was_measured_to_take(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "crew", lambda *_: nullcontext(gpu([100, 190, 195], SMALL)))
    monkeypatch.setattr(run, "cores", lambda: 16)
    monkeypatch.setattr(grid, "has_fast_bf16", lambda device: True)
    asked = Request("toy", "asked for by name", folder, "quick", ("cuda:0", "cuda:1"), tmp_path, 1)
    assert Counter(packed(asked).devices) == {"cuda:0": 2, "cuda:1": 2}
    assert "2 at once on cuda:0: 190 images/s, 10% of its memory in use" in capsys.readouterr().out


@pytest.mark.gpu
def test_a_gpu_is_measured(toy: DataSet, folder: Path) -> None:
    with crew(Processes(["cuda:0"], "toy", folder), TINY, toy) as measure:
        probes = packing(measure, 2)
    assert all(probe.rate > 0 and 0 < probe.memory < 1 for probe in probes)


@pytest.mark.gpu
def test_packed_results_are_those_of_one_alone(toy: DataSet, folder: Path) -> None:
    runs = [Run(TINY, seed, toy.fingerprint) for seed in range(6)]

    def logits(workers: int) -> dict[int, np.ndarray]:
        with Processes(["cuda:0"] * workers, "toy", folder) as crew_:
            return {each.run.seed: each.result.logits for each in crew_.outcomes(iter(runs)) if each.result}

    alone, packed = logits(1), logits(3)
    assert sorted(alone) == sorted(packed) == list(range(6))
    assert all(np.array_equal(alone[seed], packed[seed]) for seed in alone)
