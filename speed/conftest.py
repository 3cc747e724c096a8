"""What the benchmarks share: data and baseline, and what is said of the machine in their JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmark.baseline import baseline
from benchmark.data.load import choose, load
from benchmark.data.splits import DataSet
from benchmark.engine.machine import cores, environment, has_fast_bf16, settle
from benchmark.recipe import Recipe

FOLDER = Path("data")
settle("cpu")  # one thread, as in a worker


def base_recipe() -> Recipe:
    """What every trick is measured against at `quick`: on CIFAR-10 if there is one, else on the embedded set."""
    return baseline(choose("auto", FOLDER)[0], "quick", "bf16" if has_fast_bf16("cpu") else "fp32")


@pytest.fixture(scope="session")
def base() -> Recipe:
    """The baseline at `quick`."""
    return base_recipe()


@pytest.fixture(scope="session")
def data(base: Recipe) -> DataSet:
    """Its data set."""
    return load(base.data, FOLDER)


def pytest_benchmark_update_machine_info(machine_info: dict[str, Any]) -> None:
    """What a time depends on, and no name of a host; the commit has its own place in the JSON."""
    machine_info.clear()
    machine_info |= {name: value for name, value in environment("cpu").items() if name != "git_commit"}
    machine_info["cores"] = cores()
