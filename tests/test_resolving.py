"""The second stage: which rows get more seeds, how many, and in which order."""

from __future__ import annotations

import csv
import json
import shutil
from math import ceil, sqrt
from pathlib import Path
from random import Random
from typing import Any

import pytest

from benchmark.comparison import compare
from benchmark.resolving import cheapest_first, needs, targets
from benchmark.store import Store
from benchmark.tables import Table, tables

WORTH = {"large": 8.0, "small": 0.9, "noisy": 0.0, "alike": 0.0}
SPREAD = {"noisy": 3.0, "alike": 0.05}


def made(folder: Path, looks: int = 2) -> Table:
    """A table of four variants of three runs each, and an ensemble of none."""
    arms = [{"variant": name, "recipe": name, "seeds": 3, "changes": {}} for name in WORTH]
    arms.append({"variant": "two of them", "recipe": "two", "seeds": 1, "changes": {}, "kind": "ensemble"})
    study = {
        "ablation": "tricks",
        "context": "",
        "data": "cifar10",
        "budget": "quick",
        "fingerprint": "f",
        "classes": 10,
        "margin": 1.0,
        "looks": looks,
        "control": {"recipe": "baseline", "seeds": 6, "same": []},
        "arms": arms,
        "claims": [],
    }
    store = Store(folder, 1)
    with store.writing():
        store.save_studies([study])
        for name in ("baseline", *WORTH):
            for seed in range(6 if name == "baseline" else 3):
                noise = Random(f"{name} {seed}").gauss(0, SPREAD.get(name, 0.4 if name == "small" else 0.1))
                accuracy = (65 + WORTH.get(name, 0.0) + noise) / 100
                record = {"key": f"{name}-{seed}", "status": "done", "fingerprint": "f", "seed": seed, "recipe": name}
                store.add(record | {"test_accuracy": accuracy, "step_ms": 10.0})
    return tables(store)[0]


def test_only_rows_that_the_first_stage_left_open_get_more(tmp_path: Path) -> None:
    table = made(tmp_path)
    words = {row.variant: row.verdict for row in table.rows}
    assert words == {
        "large": "helps",
        "small": "unresolved",
        "noisy": "unresolved",
        "alike": "equivalent",
        "two of them": "not run",
    }
    found = {need.variant: need for need in needs(table, 1000)}
    assert set(found) == {"small", "noisy"}
    asked = {row.variant: row.seeds_needed for row in table.rows}
    assert found["small"].seeds == 3 + (asked["small"] or 0)
    assert found["noisy"].seeds > found["small"].seeds > 3
    assert not found["noisy"].capped


def test_no_row_gets_more_than_the_most(tmp_path: Path) -> None:
    found = {need.variant: (need.seeds, need.capped) for need in needs(made(tmp_path), 5)}
    assert found["noisy"] == (5, True)


def test_seeds_are_set_by_the_spreads_and_not_by_the_means() -> None:
    """Or the second look would be at numbers chosen by the first."""
    control, arm = [65.0, 65.4, 64.8, 65.1], [65.0, 66.2, 64.9]
    moved = [score + 0.3 for score in arm]
    first, second = (compare([(each, control)], 1.0, looks=2)[0] for each in (arm, moved))
    assert first.word == second.word == "unresolved"
    assert first.seeds_needed == second.seeds_needed


def test_the_control_grows_with_the_rows_that_are_open(tmp_path: Path) -> None:
    table = made(tmp_path)
    open_ = needs(table, 40)
    wanted = targets(table, open_)
    assert wanted["baseline"] == ceil(sum(need.seeds for need in open_) / 2 * sqrt(2))
    assert (wanted["large"], wanted["alike"]) == (3, 3)
    assert targets(table, []) == {"large": 3, "small": 3, "noisy": 3, "alike": 3, "two of them": 0, "baseline": 6}


def test_rows_that_take_the_least_training_come_first(tmp_path: Path) -> None:
    open_ = needs(made(tmp_path), 1000)
    assert [need.variant for need in cheapest_first(open_, {"small": 1.0, "noisy": 1.0})] == ["small", "noisy"]
    assert [need.variant for need in cheapest_first(open_, {"small": 1e6, "noisy": 1.0})] == ["noisy", "small"]


# --- by the command line, on a store that tests/test_command_line.py's fixtures fill


def test_resolve_adds_seeds_where_they_matter_and_once(
    filled: Path, folder: Path, tmp_path: Path, tricks: Any
) -> None:
    store = shutil.copytree(filled, tmp_path / "store")
    given = ["--data", "toy", "--data-dir", folder, "--budget", "quick", "--store", store, "--device", "cpu"]
    given += ["--only", "warm_up", "--seeds", 2]
    code, said = tricks("run", *given, "--jobs", 1, "--resolve", "--max-seeds", 3)
    assert code == 0, said
    (study,) = json.loads((store / "studies.json").read_text())["studies"]
    assert (study["looks"], study["stage"]) == (2, 2)
    with (store / "report" / "effects.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert "second stage: " in said
    assert "rows stay unresolved" in said
    assert {arm["variant"]: str(arm["seeds"]) for arm in study["arms"]} == {row["variant"]: row["n"] for row in rows}
    assert {row["n"] for row in rows} <= {"2", "3"}
    assert "3" in {row["n"] for row in rows}

    code, said = tricks("run", *given, "--jobs", 1, "--resolve", "--max-seeds", 9)
    assert code == 0
    assert "0 to train" in said  # two looks were planned and paid for, and a third was not
    assert "second stage" not in said
    code, said = tricks("plan", *given)
    assert "0 to train" in said


def test_fewer_seeds_at_most_than_at_first(tricks: Any) -> None:
    code, said = tricks("run", "--resolve", "--seeds", 5, "--max-seeds", 3)
    assert code == 2
    assert "--max-seeds must be at least --seeds (5), got 3" in said


@pytest.fixture(scope="module")
def filled(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a first stage."""
    import subprocess
    import sys

    store = tmp_path_factory.mktemp("filled") / "store"
    given = ["--data", "toy", "--data-dir", folder, "--budget", "quick", "--store", store, "--device", "cpu"]
    command = [sys.executable, "-m", "benchmark", "run", *given, "--only", "warm_up", "--seeds", 2]
    subprocess.run([*map(str, command)], check=True, capture_output=True)
    return store
