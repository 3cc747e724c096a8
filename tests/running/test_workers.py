"""What workers do when a GPU fails: stand-ins for its errors, on any machine.

The functions that train are called in worker processes, so that what they change there stays there.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import TINY
from deeds import trained

from benchmark.data.splits import DataSet
from benchmark.engine.capture import CaptureError
from benchmark.engine.training import Result
from benchmark.errors import UsageError
from benchmark.planning.identity import Run
from benchmark.recipe import Recipe
from benchmark.running import worker
from benchmark.running.executor import Outcome
from benchmark.running.workers import FUTILE, Processes

ILLEGAL = "CUDA error: an illegal memory access was encountered"


def outcomes(
    training: Any, toy: DataSet, folder: Path, seeds: int, jobs: int = 1, device: str = "cpu"
) -> list[Outcome]:
    runs = iter([Run(TINY, seed, toy.fingerprint) for seed in range(seeds)])
    with Processes([device] * jobs, "toy", folder, training=training) as processes:
        return list(processes.outcomes(runs))


def poisoning(recipe: Recipe, seed: int, data: DataSet, device: torch.device) -> Result:
    """Run 3 does what CUDA never forgives: every later call of its process fails, too."""
    if seed == 3:
        worker.is_broken = lambda device: True  # in this worker's process
    if seed == 3 or worker.is_broken("cpu"):
        raise torch.AcceleratorError(ILLEGAL)
    return trained()


def test_a_broken_gpu_costs_the_run_that_broke_it_and_no_other(toy: DataSet, folder: Path) -> None:
    found = outcomes(poisoning, toy, folder, seeds=12, jobs=2)
    assert Counter(bool(each.result) for each in found) == {True: 11, False: 1}
    (failed,) = (each for each in found if not each.result)
    assert failed.run.seed == 3
    assert failed.error.startswith(f"AcceleratorError: {ILLEGAL} (test_workers.py, line ")
    assert failed.error.endswith("left the GPU unusable for its process, 2 of 2 times")


def uncapturable(recipe: Recipe, seed: int, data: DataSet, device: torch.device, capture: bool = True) -> Result:
    if capture:
        raise CaptureError("operation not permitted when stream is capturing (my_trick.py, line 12)")
    return trained()


def test_a_failed_capture_is_told_once_and_goes_on_in_a_new_process_without(toy: DataSet, folder: Path) -> None:
    with pytest.warns(UserWarning, match="a new worker goes on without CUDA graphs, so slower") as told:
        found = outcomes(uncapturable, toy, folder, seeds=3)
    assert len(told) == 1
    assert "cannot be captured: operation not permitted" in str(told[0].message)
    assert "(my_trick.py, line 12)" in str(told[0].message)
    assert len({each.result.parameters for each in found if each.result}) == 1  # the same process for all three
    assert len(found) == 3


@dataclass(frozen=True)
class Starving:
    """Run 1 finds memory the second time; run 2 never does."""

    tried: Path

    def __call__(self, recipe: Recipe, seed: int, data: DataSet, device: torch.device) -> Result:
        marker = self.tried / str(seed)
        if seed == 2 or (seed == 1 and not marker.exists()):
            marker.touch()
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return trained()


def test_a_run_without_memory_is_tried_again_alone(toy: DataSet, folder: Path, tmp_path: Path) -> None:
    found = outcomes(Starving(tmp_path), toy, folder, seeds=5, jobs=2)
    assert sorted(each.run.seed for each in found[:3]) == [0, 3, 4]
    again = {each.run.seed: each for each in found[3:]}
    assert again[2].error.startswith("OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB (")
    assert again[2].error.endswith("also alone on its GPU")
    others = {each.result.parameters for each in found[:3] if each.result}
    assert again[1].result is not None
    assert again[1].result.parameters not in others  # a process of its own, once the others had ended


def test_a_worker_that_cannot_start_ends_the_command(toy: DataSet, folder: Path) -> None:
    with pytest.raises(UsageError, match=r"a worker on cuda:99 cannot start: \w+: .*"):
        outcomes(trained, toy, folder, seeds=3, device="cuda:99")


def dying(recipe: Recipe, seed: int, data: DataSet, device: torch.device) -> Result:
    os._exit(7)


def test_workers_that_only_die_end_the_command(toy: DataSet, folder: Path) -> None:
    with pytest.raises(UsageError) as reason:
        outcomes(dying, toy, folder, seeds=FUTILE)
    said = str(reason.value)
    assert said.startswith(f"{FUTILE} workers were lost before one of them finished a run; the last: its worker died")
    assert "exit code 7" in said
