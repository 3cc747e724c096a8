"""What the benchmarks share: data and baseline, and what is said of the machine in their JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmark.baseline import baseline
from benchmark.data.load import choose, load
from benchmark.data.splits import DataSet
from benchmark.engine.machine import cores, environment, has_fast_bf16, prepare_device
from benchmark.evidence.regression import costs
from benchmark.evidence.regression_text import escaped
from benchmark.recipe import Recipe
from benchmark.store.store import Store
from benchmark.store.version import ENGINE

FOLDER = Path("data")
REFERENCE = costs(Store(Path(__file__).parents[1] / "results" / "reference" / "cifar10-catalogue", ENGINE))
prepare_device("cpu")  # one thread, as in a worker


def base_recipe() -> Recipe:
    """Returns the recipe that every trick is measured against at `quick`: on CIFAR-10 if it is there, else on the
    embedded set."""
    return baseline(choose("auto", FOLDER)[0], "quick", "bf16" if has_fast_bf16("cpu") else "fp32")


@pytest.fixture(scope="session")
def base() -> Recipe:
    """Returns the baseline at `quick`."""
    return base_recipe()


@pytest.fixture(scope="session")
def data(base: Recipe) -> DataSet:
    """Returns the data set of the baseline."""
    return load(base.data, FOLDER)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds --summary."""
    parser.addoption("--summary", type=Path, help="Append the ratios of step times as Markdown to this file.")


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Prints each variant's step time over its control's, and the reference's; the slowest first."""
    lines = ratios(getattr(config, "_benchmarksession", None))
    if lines:
        terminalreporter.section("step time over the control's")
        terminalreporter.write_line("\n".join(lines))
    if lines and (file := config.getoption("--summary")):
        with file.open("a", encoding="utf-8") as there:
            there.write("\n".join(["### Step time over the control's", "", *lines]) + "\n")


def ratios(session: Any) -> list[str]:
    """Returns a Markdown table of the measured ratios with the least and the greatest of the rounds."""
    measured = [each for each in getattr(session, "benchmarks", ()) if "ratio" in each.extra_info]
    if not measured:
        return []
    lines = ["| variant | ratio | [least, greatest] | reference |", "|---|--:|--:|--:|"]
    for each in sorted(measured, key=lambda each: -each.extra_info["ratio"]):
        found, then = each.extra_info, REFERENCE.get(each.extra_info["row"])
        committed = f"{then.ratio:.2f} [{then.low:.2f}, {then.high:.2f}]" if then else ""
        name = escaped(found["row"])
        lines.append(f"| {name} | {found['ratio']:.2f} | [{found['low']:.2f}, {found['high']:.2f}] | {committed} |")
    return lines


def pytest_benchmark_update_machine_info(machine_info: dict[str, Any]) -> None:
    """Notes what a time depends on, and no name of a host; the commit has its own place in the JSON."""
    machine_info.clear()
    machine_info |= {name: value for name, value in environment("cpu").items() if name != "git_commit"}
    machine_info["cores"] = cores()
