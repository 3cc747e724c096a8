"""Parts of a grid, trained into stores of their own and joined, are the grid; what stores disagree on is reported."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import torch
from builders import ABOUT, EFFECTS, failed, fill, record, study
from conftest import TINY
from safetensors.torch import load_file

from benchmark import report
from benchmark.data.load import load
from benchmark.data.splits import DataSet
from benchmark.engine.training import train
from benchmark.errors import UsageError
from benchmark.evidence.comparison import taken
from benchmark.planning.discovery import Ablation, unadapted
from benchmark.planning.grid import Grid
from benchmark.planning.identity import Run
from benchmark.planning.requests import Request
from benchmark.planning.rounds import origins, plan
from benchmark.planning.shards import shard
from benchmark.planning.studies import study as planned_study
from benchmark.planning.study_record import as_record
from benchmark.recipe import Recipe
from benchmark.running.executor import Outcome
from benchmark.running.session import Session
from benchmark.store.files import arrays_file, weights_file
from benchmark.store.merging import joined, joined_interims, write
from benchmark.store.records import CostRecord, RunRecord
from benchmark.store.store import Store

DATES = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d")


class Timed:
    """Trains in this process; every run takes three seconds, and begins a minute after the one before."""

    clock = datetime(2026, 11, 25, 8, tzinfo=UTC)

    def __init__(self, folder: Path, store: Path) -> None:
        self.folder, self.store = folder, store

    def outcomes(self, runs: Iterator[Run]) -> Iterator[Outcome]:
        for run in runs:
            Timed.clock += timedelta(minutes=1)
            data = load(run.recipe.data, self.folder)
            begun = {"start": load_file(weights_file(self.store, run.start))} if run.start else {}
            result = train(run.recipe, run.seed, data, torch.device("cpu"), **begun)
            measured = replace(result, train_seconds=3.0, step_ms=5.0, peak_memory_mb=7.0)
            measured = measured if run.keeps_weights else replace(measured, weights=None)
            times = [moment.isoformat() for moment in (Timed.clock, Timed.clock + timedelta(seconds=3))]
            yield Outcome(run, measured, "", {"device": "cpu"}, *times)


def grid(toy: DataSet, toy6: DataSet, store: Path) -> Grid:
    """A table of two arms, one of which is pre-trained on other data."""
    first = replace(TINY, data="toy6", epochs=1)
    arms: dict[str, Recipe] = {
        "half": replace(TINY, learning_rate=TINY.learning_rate / 2),
        "pre-trained": replace(TINY, start_from=first),
    }
    ablation = Ablation("rate", "Which?", (), {"": unadapted}, lambda _, __: dict(arms), ())
    table = planned_study(ablation, "", TINY, TINY)
    asked = Request("toy", "", Path(), "quick", ("cpu",), store, 2)
    old = {"toy6": toy6.fingerprint}
    rounds = plan([table], 2, toy.fingerprint, old)
    return Grid([table], origins(rounds, old), rounds, [as_record(table, asked, toy)], {}, [])


def filled(place: Path, data: Path, whole: Grid, part: str) -> Store:
    store = Store(place, 1)
    with store.writing():
        store.save_tables(whole.studies)
        ended = Session(store, Timed(data, place), ABOUT, float("inf")).complete(shard(part).part_of(whole))
        assert not ended.failed
        assert not ended.left
    return store


def test_parts_joined_report_as_one_store(toy: DataSet, toy6: DataSet, folder: Path, tmp_path: Path) -> None:
    whole = grid(toy, toy6, tmp_path)
    one = filled(tmp_path / "one", folder, whole, "1/1")
    parts = [filled(tmp_path / f"part{n}", folder, whole, f"{n}/3") for n in (1, 2, 3)]
    assert sum(len(part.records) for part in parts) == len(one.records) == 9  # each run, pre-trained ones too, once
    assert all(len(part.records) < 9 for part in parts)
    into = Store(tmp_path / "all", 1)
    found = joined([into, *parts])
    assert not found.conflicts
    with into.writing():
        assert write(found, into, parts) == []
    texts = {}
    for store in (one, into):
        report.write(Store(store.folder, 1), store.folder / "report")
        paths = sorted(path for path in (store.folder / "report").rglob("*") if path.is_file())
        texts[store] = {str(p.relative_to(store.folder)): DATES.sub("DATE", p.read_text()) for p in paths}
    assert len(texts[one]) > 5
    assert texts[one] == texts[into]
    for run in one.finished:
        assert isinstance(run, RunRecord)
        assert arrays_file(one.folder, run.key).read_bytes() == arrays_file(into.folder, run.key).read_bytes()
        assert one.weights_digest(run.key) == into.weights_digest(run.key)


def test_a_part_does_not_change_when_more_is_planned(toy: DataSet) -> None:
    few, many = (plan_of(toy, seeds) for seeds in (3, 9))
    part = shard("2/3")
    assert {run for run in few if part.has(run)} == {run for run in many if part.has(run)} & set(few)
    assert {run for n in (1, 2, 3) for run in many if shard(f"{n}/3").has(run)} == set(many)


def plan_of(toy: DataSet, seeds: int) -> list[Run]:
    return [Run(TINY, seed, toy.fingerprint) for seed in range(seeds)]


@pytest.mark.parametrize("text", ["", "3", "0/3", "4/3", "1/0", "a/b", "-1/3", "1/3/5"])
def test_a_wrong_part_is_a_sentence(text: str) -> None:
    with pytest.raises(UsageError, match="such as 3/8"):
        shard(text)


def test_other_numbers_are_reported_and_not_written(tmp_path: Path, tricks: Any) -> None:
    def other(run: RunRecord) -> RunRecord:
        same = run.recipe != "-tanh" or run.seed
        return run if same else replace(run, test_accuracy=0.9, train_seconds=1.0)

    one, two, into = fill(tmp_path / "one"), fill(tmp_path / "two", other), tmp_path / "all"
    code, said = tricks("merge", one.folder, two.folder, "--into", into)
    assert code == 1
    assert not (into / "runs.jsonl").exists()
    (line,) = [line for line in said.splitlines() if line.startswith("run ")]
    assert "-tanh" in line
    assert f"{tmp_path / 'one'} and {tmp_path / 'two'} have other numbers for it: test accuracy" in line
    assert tricks("merge", one.folder, two.folder, "--into", into, "--keep-first")[0] == 0
    assert Store(into, 1).records == one.records


def test_other_machines_and_times_are_no_disagreement(tmp_path: Path) -> None:
    one = fill(tmp_path / "one")
    two = fill(tmp_path / "two", lambda run: replace(run, train_seconds=1.0, environment={"cpu": "another"}))
    found = joined([one, two])
    assert not found.conflicts
    assert found.records == tuple(one.records.values())
    assert found.shared == len(found.records)


def test_a_run_that_failed_in_one_store_is_taken_from_the_other(tmp_path: Path) -> None:
    one, two = Store(tmp_path / "one", 1), Store(tmp_path / "two", 1)
    good, bad = record("r", 0, 0.5), failed("r", 0, "no memory")
    for store, each in ((one, bad), (two, good)):
        with store.writing():
            store.add(each)
    assert joined([one, two]).records == joined([two, one]).records == (good,)


def test_tables_are_joined_arm_by_arm(tmp_path: Path) -> None:
    (name, context), *_ = EFFECTS
    one, two = Store(tmp_path / "one", 1), Store(tmp_path / "two", 1)
    for store, arms, seeds in ((one, ["tanh"], 3), (two, ["leaky", "tanh"], 7)):
        table = study(name, context, arms)
        table = replace(table, arms=tuple(replace(arm, seeds=seeds) for arm in table.arms))
        with store.writing():
            store.save_tables([table])
    (table,) = joined([one, two]).tables
    assert {arm.variant: arm.seeds for arm in table.arms} == {"tanh": 7, "leaky": 7}
    with two.writing():
        two.save_tables([study(name, context, ["tanh"], control=replace(table.control, recipe="another"))])
    (conflict,) = joined([one, two]).conflicts
    assert "other baselines" in str(conflict)


def test_costs_of_the_first_store_count(tmp_path: Path) -> None:
    one, two = fill(tmp_path / "one"), fill(tmp_path / "two")
    for store, ratio in ((one, 1.5), (two, 2.0)):
        for recipe in ("shared", store.folder.name):
            cost = CostRecord(
                recipe=recipe,
                control="c",
                ratio=ratio,
                low=1.0,
                high=3.0,
                step_ms=1,
                control_step_ms=1,
                environment={},
            )
            store.save_cost(cost)
    ratios = {each.recipe: each.ratio for each in joined([one, two]).costs}
    assert ratios == {"shared": 1.5, "one": 1.5, "two": 2.0}


def test_interim_tests_of_both_stores_count() -> None:
    """Arms a and b of one table were resolved in two stores: no test is lost, and none is counted twice."""
    one = ({"a": 3, "baseline": 4}, {"a": 6, "baseline": 8})
    two = ({"b": 3, "baseline": 4}, {"b": 6, "baseline": 8})
    both = joined_interims(one, two)
    for arm in ("a", "b"):
        tests = taken([[(test.get(arm, 0), test["baseline"])] for test in both], 0)
        assert [test.runs[0] for test in tests] == [3, 6]
    assert both[-1] == {"a": 6, "b": 6, "baseline": 8}
    assert joined_interims(one, one) == one
