"""Stages: which rows get more seeds, how many, in which order, and when a table is looked at."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from math import ceil, sqrt
from pathlib import Path
from random import Random
from typing import Any

import pytest
from builders import arm, record, study

from benchmark.claim import CONTROL
from benchmark.evidence.comparison import Scale
from benchmark.evidence.interim import LONGEST
from benchmark.evidence.tables import Table, tables
from benchmark.planning.resolving import (
    Look,
    Need,
    counts_at_interim,
    needs,
    news,
    next_seeds,
    promising_first,
    targets,
)
from benchmark.running.session import resolved_alone
from benchmark.store.records import EnsembleOf
from benchmark.store.store import Store

WORTH = {"large": 8.0, "small": 0.9, "noisy": 0.0, "alike": 0.0}
SPREAD = {"noisy": 3.0, "alike": 0.05}


ROWS = "warm_up: 0 %,warm_up: 40 %"
FIRST = {"large": 3, "small": 3, "noisy": 3, "alike": 3, "baseline": 6}


def made(folder: Path, looks: Sequence[Look] = (FIRST,)) -> Table:
    """A table of four variants of three runs each, and an ensemble of none."""
    two = EnsembleOf(copies=2, combine="mean_probability")
    arms = [arm(name, name, seeds=3, changes={}) for name in WORTH]
    arms.append(arm("two of them", "two", seeds=1, changes={}, ensemble=two))
    planned = study(
        "tricks",
        "",
        list(WORTH),
        interims=tuple(looks),
        control=arm(CONTROL, "baseline", seeds=6, changes={}),
        arms=tuple(arms),
        claims=(),
    )
    store = Store(folder, 1)
    with store.writing():
        store.save_tables([planned])
        for name in ("baseline", *WORTH):
            for seed in range(6 if name == "baseline" else 3):
                noise = Random(f"{name} {seed}").gauss(0, SPREAD.get(name, 0.4 if name == "small" else 0.1))
                accuracy = (65 + WORTH.get(name, 0.0) + noise) / 100
                store.add(record(name, seed, accuracy))
    return tables(store)[0]


def test_only_rows_that_are_open_get_more(tmp_path: Path) -> None:
    table = made(tmp_path)
    words = {row.variant: row.verdict for row in table.rows}
    assert words == {
        "large": "helps",
        "small": "unresolved",
        "noisy": "unresolved",
        "alike": "equivalent",
        "two of them": "not run",
    }
    assert {need.variant: need.seeds for need in needs(table, 1000)} == {"small": 4, "noisy": 4}


def test_no_row_gets_more_than_the_most(tmp_path: Path) -> None:
    table = made(tmp_path)
    assert {need.seeds for need in needs(table, 4)} == {4}
    assert needs(table, 3) == []


def test_stages_grow_until_the_error_is_spent(tmp_path: Path) -> None:
    assert [next_seeds(n, 999) for n in (2, 3, 4, 6, 8, 11)] == [3, 4, 5, 8, 10, 14]
    assert [need.variant for need in needs(made(tmp_path), 999)] == ["small", "noisy"]
    whole = [FIRST, {**FIRST, "small": round(3 * LONGEST)}]
    assert [need.variant for need in needs(made(tmp_path, whole), 999)] == ["noisy"]


def test_the_control_grows_with_the_rows_that_are_open(tmp_path: Path) -> None:
    table = made(tmp_path)
    wanted = targets(table, needs(table, 40))
    assert wanted["baseline"] == ceil(4 * sqrt(2))
    assert (wanted["large"], wanted["alike"], wanted["small"]) == (3, 3, 4)
    assert targets(table, []) == {"large": 3, "small": 3, "noisy": 3, "alike": 3, "two of them": 0, "baseline": 6}


def test_a_look_sees_arms_that_have_the_runs_they_wait_for(tmp_path: Path) -> None:
    table = made(tmp_path, [])
    assert counts_at_interim(table) == FIRST | {"two of them": 0}
    assert news(table)
    assert not news(made(tmp_path / "seen"))
    waiting = replace(table.study, arms=tuple(replace(each, seeds=5) for each in table.study.arms))
    half = replace(table, study=waiting)
    assert counts_at_interim(half)["small"] == 0  # two of its five runs are still to come
    assert not news(replace(half, study=replace(waiting, interims=({**FIRST, "small": 2},))))


def test_the_most_promising_per_second_come_first(tmp_path: Path) -> None:
    open_ = needs(made(tmp_path), 1000)
    names = [
        [need.variant for need in promising_first(open_, {"small": a, "noisy": b})] for a, b in ((1, 1e6), (1e6, 1))
    ]
    assert names == [["small", "noisy"], ["noisy", "small"]]
    sharp = replace(open_[0].table, study=replace(open_[0].table.study, margin=0.01))
    rows = [Need(sharp, name, 5) for name in ("alike", "large")]
    assert [need.variant for need in promising_first(rows, {})] == ["large", "alike"]  # of equal price the plain one


def test_rows_that_one_test_resolved_are_counted_where_tests_begin_to_share_its_error(tmp_path: Path) -> None:
    table = made(tmp_path / "alone", [])
    assert resolved_alone([table]) == {(table.study.name, "large"), (table.study.name, "alike")}
    assert resolved_alone([made(tmp_path / "seen")]) == set()


# --- by the command line, on a store that tests/test_command_line.py's fixtures fill


def test_resolve_adds_seeds_where_they_matter(
    filled: Path, folder: Path, tmp_path: Path, tricks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmark.evidence.tables.scale", lambda study: Scale())  # its few test images show no margin
    store = shutil.copytree(filled, tmp_path / "store")
    given = ["--data", "toy", "--data-dir", folder, "--budget", "quick", "--store", store, "--device", "cpu"]
    given += ["--only", ROWS, "--seeds", 2]
    code, said = tricks("run", *given, "--jobs", 1, "--resolve", "--max-seeds", 5)
    assert code == 0, said
    (planned,) = json.loads((store / "studies.json").read_text())["tables"]
    with (store / "report" / "effects.csv").open() as file:
        rows = {row["variant"]: row for row in csv.DictReader(file)}
    open_ = {name for name, row in rows.items() if row["verdict"] == "unresolved"}
    assert open_  # the baseline of toy data is as good as its variants
    assert said.count("next stage: ") == 3  # 2 runs, then 3, 4, 5
    assert [each[min(open_)] for each in planned["interims"]] == [2, 3, 4, 5]
    assert {rows[name]["n"] for name in open_} == {"5"}
    assert f"{len(open_)} of {len(rows)} rows stay unresolved" in said

    code, said = tricks("run", *given, "--jobs", 1, "--resolve", "--max-seeds", 5)
    assert code == 0
    assert "0 to train" in said
    assert "next stage" not in said
    assert json.loads((store / "studies.json").read_text())["tables"] == [planned]  # nothing new, nothing looked at
    code, said = tricks("run", *given, "--jobs", 1, "--resolve", "--max-seeds", 6)
    assert "next stage" in said  # who allows more gets more: what each test spends is fixed ahead of it
    code, said = tricks("plan", *given)
    assert "0 to train" in said
    code, said = tricks("run", *given[:-1], 8, "--jobs", 1)  # whoever adds runs without --resolve gets a test too
    assert code == 0, said
    assert "tested again within the error that is left: 1 table" in said
    (planned,) = json.loads((store / "studies.json").read_text())["tables"]
    assert {arm["seeds"] for arm in planned["arms"]} == {8}
    assert set(planned["interims"][-1].values()) == {8, planned["control"]["seeds"]}
    with (store / "report" / "effects.csv").open() as file:
        assert {(row["n"], row["unseen"]) for row in csv.DictReader(file)} == {("8", "0")}
    code, said = tricks("run", *given, "--jobs", 1)
    assert "0 to train" in said  # fewer seeds are asked for than are there
    assert "tested again" not in said


def test_no_time_is_left_for_a_stage(filled: Path, folder: Path, tmp_path: Path, tricks: Any) -> None:
    store = shutil.copytree(filled, tmp_path / "store")
    given = ["--data", "toy", "--data-dir", folder, "--budget", "quick", "--store", store, "--device", "cpu"]
    given += ["--only", ROWS, "--seeds", 2, "--jobs", 1, "--resolve"]
    code, said = tricks("run", *given, "--minutes", 0)
    assert code == 0, said
    assert "next stage" in said
    assert "rows stay unresolved" in said
    (planned,) = json.loads((store / "studies.json").read_text())["tables"]
    assert len(planned["interims"]) == 1  # the runs of the stage that was not trained are no look


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
    command = [sys.executable, "-m", "benchmark", "run", *given, "--only", ROWS, "--seeds", 2]
    subprocess.run([*map(str, command)], check=True, capture_output=True)
    return store
