"""What a plan says of its computing and its time."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from math import nan
from pathlib import Path

import pytest
import torch
from builders import CPU as ENVIRONMENT
from builders import took
from conftest import TINY

from benchmark.commands.forecast import QUICK, SMALL, STANDARD, expected, forecast, sentences
from benchmark.data.splits import DataSet
from benchmark.engine.evaluation import step_flops
from benchmark.engine.machine import hardware
from benchmark.engine.network import build, first, resident
from benchmark.networks import Chain, Filter, Flat, Halve, Units
from benchmark.planning.identity import Run, describe
from benchmark.planning.requests import Request
from benchmark.planning.times import timed
from benchmark.recipe import absent
from benchmark.running.pace import image_flops, image_seconds, mean_image_flops
from benchmark.store.store import Store

CPU = torch.device("cpu")
ROOT = Path(__file__).resolve().parents[2]


def test_operations_are_those_that_a_run_counts(toy: DataSet) -> None:
    batch = first(resident(toy, CPU)[0], 32)
    assert image_flops(TINY, toy) == step_flops(build(TINY, 0, toy, CPU), batch) / 32


def test_operations_of_several_networks_are_averaged_over_images(toy: DataSet) -> None:
    """A LeNet by hand: 352,800 and 240,000 products of the convolutions, 58,080 and 4 * 84 behind them; each thrice,
    and the first only twice, as pixels have no gradient."""
    chain = Chain((Filter(6, 5), Halve(), Filter(16, 5), Halve(), Flat(), Units(120), Units(84)))
    lenet = replace(TINY, network=chain, norm=absent, images=100, epochs=1)
    flops = 2 * (2 * 352_800 + 3 * (240_000 + 58_080 + 336))
    assert image_flops(lenet, toy) == flops
    longer = replace(TINY, images=100, epochs=3)
    found = mean_image_flops([Run(lenet, 0, "f"), Run(longer, 0, "f"), Run(longer, 1, "f")], toy)
    assert found == pytest.approx((flops + 6 * image_flops(TINY, toy)) / 7)


def test_a_step_is_timed_in_a_process_of_its_own(toy: DataSet, folder: Path) -> None:
    threads = torch.get_num_threads()
    assert 0 < image_seconds(TINY, "toy", folder, "cpu") < 1
    assert torch.get_num_threads() == threads


def asking(store: Path, *devices: str) -> Request:
    return Request("toy", "asked for by name", store, "standard", devices, store, 3)


@pytest.fixture
def h200(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: {"cuda:0": "NVIDIA H200"}[device])


RUNS = [Run(replace(TINY, images=None, epochs=10), seed, "f") for seed in range(4)]  # of 45,000 images


def test_without_runs_a_measured_step_tells_and_a_gpu_that_was_measured(tmp_path: Path) -> None:
    """1.8 million images of 0.8 GFLOP are 1.44 PFLOP: on two workers of 0.4 TFLOP/s half an hour."""
    found = forecast(asking(tmp_path, "cpu", "cpu"), RUNS, Store(tmp_path, 1), 0.8e9, lambda: 0.002)
    assert sentences(found) == [
        "about 1.4 PFLOP: 1,800,000 images at 0.8 GFLOP each",
        "expected: 30 min 0 s (from one step of the baseline: 0.4 TFLOP/s a worker, without evaluation)",
        "on one NVIDIA H200: 0 min 9 s, at the 160 TFLOP/s measured there with `standard`, without evaluation",
    ]


def test_the_time_on_a_gpu_is_that_of_the_budget_and_else_a_lower_bound(tmp_path: Path) -> None:
    """1.44 PFLOP, as above: 9 s at 160 TFLOP/s, 76 s at 19, 200 s at 7.2."""

    def said(budget: str, base: Path | None = None) -> str:
        asked = replace(asking(tmp_path, "cpu"), budget=budget, base=base)
        return sentences(forecast(asked, RUNS, Store(tmp_path, 1), 0.8e9, lambda: 0.002))[2]

    assert said("long") == said("standard")
    assert said("small") == (
        "on one NVIDIA H200: 1 min 16 s, at the 19 TFLOP/s measured there with `small`, twelve workers and MPS"
    )
    assert said("quick") == (
        "on one NVIDIA H200: 3 min 20 s, at the 7.2 TFLOP/s measured there with `quick`, fifteen workers and MPS"
    )
    assert said("reduced") == said("full") == said("small", base=Path("my_base.py"))
    assert said("full") == (
        "on one NVIDIA H200: 0 min 9 s, at the 160 TFLOP/s measured there with `standard`, without evaluation; a lower"
        " bound, since smaller networks do less: 19 TFLOP/s with `small`"
    )


def test_the_measured_rates_are_those_of_the_committed_records() -> None:
    """`standard`: the training of results/gpu-check.json. `small`: all runs of the first session. `quick`: the whole
    catalogue on CIFAR-100."""
    check = json.loads((ROOT / "results" / "gpu-check.json").read_text())["throughput"]
    assert pytest.approx(1e12 * check["tflop_per_second"], rel=0.01) == STANDARD.flops
    assert pytest.approx(rate_of("cifar10-small-h200", until="2026-11-26T01:50"), rel=0.02) == SMALL.flops
    assert pytest.approx(rate_of("cifar100-catalogue", until="2026-11-27"), rel=0.02) == QUICK.flops


def rate_of(store: str, until: str) -> float:
    """Returns the operations a second on an H200 of the runs begun by a time, from the beginning of the first to the
    end of the last, an image counted as one of the baseline."""
    records = Store(ROOT / "results" / "reference" / store, 1).records.values()
    gpu = [each for each in records if each.hardware == "NVIDIA H200" and each.started < until]
    runs = [each for each in map(timed, gpu) if each]
    ((operations, _),) = Counter(run.operations / run.images for run in runs).most_common(1)
    began, ended = min(each.started for each in gpu), max(each.finished for each in gpu)
    seconds = (datetime.fromisoformat(ended) - datetime.fromisoformat(began)).total_seconds()
    return operations * sum(run.images for run in runs) / seconds


@pytest.mark.usefixtures("h200")
def test_much_computing_is_said_in_whole_numbers(tmp_path: Path) -> None:
    runs = [Run(replace(TINY, images=None, epochs=10), seed, "f") for seed in range(1700)]
    (size, *_) = sentences(forecast(asking(tmp_path, "cuda:0"), runs, Store(tmp_path, 1), 0.8e9, lambda: 1e-5))
    assert size == "about 612 PFLOP: 765,000,000 images at 0.8 GFLOP each"


@pytest.mark.usefixtures("h200")
def test_on_a_gpu_nothing_is_assumed_of_another(tmp_path: Path) -> None:
    said = sentences(forecast(asking(tmp_path, "cuda:0"), RUNS, Store(tmp_path, 1), 0.8e9, lambda: 1e-5))
    assert len(said) == 2
    assert said[1].startswith("expected: 0 min 18 s (from one step of the baseline: 80 TFLOP/s a worker")


@pytest.fixture
def stored(tmp_path: Path) -> Callable[..., Store]:
    """Returns a function that stores runs of TINY with other learning rates, as (rate, seed, seconds, environment)."""

    def keep(*runs: tuple[float, int, float, dict[str, str | int]]) -> Store:
        results = Store(tmp_path, 1)
        with results.writing():
            for rate, seed, seconds, environment in runs:
                text = describe(replace(RUNS[0].recipe, learning_rate=rate))
                results.add(
                    took(text, seed, seconds, data="toy", budget="standard", environment=ENVIRONMENT | environment)
                )
        return results

    return keep


(PROCESSOR,) = hardware(["cpu"])
HERE = {"device": "cpu", "cpu": PROCESSOR}
H200 = {"device": "NVIDIA H200", "cpu": PROCESSOR}  # in the same machine
RATE = RUNS[0].recipe.learning_rate


def test_runs_of_other_hardware_say_nothing_of_the_time(tmp_path: Path, stored: Callable[..., Store]) -> None:
    asked = asking(tmp_path, "cpu")
    results = stored((RATE, 7, 2.0, H200), (RATE, 8, 2.0, {"device": "cpu", "cpu": "another processor"}))
    assert "once one has run" in expected(asked, RUNS, results)
    found = forecast(asked, RUNS, results, 0.8e9, lambda: 0.002)
    assert found is not None
    assert found.seconds == 4 * 450_000 * 0.002
    assert found.source.startswith("from one step of the baseline")
    results = stored((RATE, 9, 50.0, HERE))
    assert expected(asked, RUNS, results) == "3 min 20 s (from runs of 1 of these recipes)"
    found = forecast(asked, RUNS, results, 0.8e9, lambda: nan)
    assert found is not None
    assert found.seconds == 200


@pytest.mark.usefixtures("h200")
def test_a_gpu_has_the_time_of_its_model(tmp_path: Path, stored: Callable[..., Store]) -> None:
    results = stored((RATE, 7, 2.0, H200 | {"cpu": "another processor"}), (RATE, 8, 50.0, HERE))
    assert expected(asking(tmp_path, "cuda:0"), RUNS, results) == "0 min 8 s (from runs of 1 of these recipes)"


def test_one_run_that_took_far_longer_than_its_like_is_not_believed(
    tmp_path: Path, stored: Callable[..., Store]
) -> None:
    """The recipe that is left has one run, of 1,309 s; fifty runs of others took 50 s."""
    others = [(1.0 + n, seed, 50.0, HERE) for n in range(10) for seed in range(5)]
    results = stored((RATE, 7, 1309.0, HERE), *others)
    assert expected(asking(tmp_path, "cpu"), RUNS, results) == "3 min 20 s (from runs of 1 of these recipes)"


def test_run_measures_nothing_ahead(tmp_path: Path) -> None:
    assert "once one has run" in expected(asking(tmp_path, "cpu"), RUNS, Store(tmp_path, 1))
    assert expected(asking(tmp_path, "cpu"), [], Store(tmp_path, 1)) == "all of them are stored"
