"""Stored runs trained again: the same bits on the same machine; what differs is named, and by how much."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import pytest
from builders import Inline, record, validator
from conftest import TINY

from benchmark.commands import verify as verify_command
from benchmark.data.load import fingerprint_of, load
from benchmark.data.splits import DataSet
from benchmark.errors import UsageError
from benchmark.evidence.verified import Verified
from benchmark.planning import grid, stored
from benchmark.planning.folds import on_fold
from benchmark.planning.grid import choose_tables, planned
from benchmark.planning.identity import Run, describe
from benchmark.planning.requests import Request
from benchmark.planning.stored import Today
from benchmark.recipe import Checkpoint, Recipe
from benchmark.running.execution import complete
from benchmark.running.executor import Outcome
from benchmark.running.verification import compared, usual_difference, verify
from benchmark.running.workers import Processes
from benchmark.store.records import About, RunRecord, timestamp
from benchmark.store.store import Store

ABOUT = About("toy", "asked for by name", "quick")


@pytest.fixture
def results(toy: DataSet, tmp_path: Path) -> Store:
    """Two runs of a recipe, one of a fold, and one of a recipe that nothing plans."""
    store = Store(tmp_path / "stored", 1)
    runs = [Run(TINY, 0, toy.fingerprint), Run(TINY, 1, toy.fingerprint), on_fold(TINY, 1, 3, toy.fingerprint)]
    with store.writing():
        complete([[*runs, Run(replace(TINY, epochs=1), 0, toy.fingerprint)]], store, Inline(toy), ABOUT)
    return store


def again(store: Store, toy: DataSet, scratch: Path) -> dict[str, list[Verified]]:
    today = Today({describe(TINY): TINY}, {describe(TINY): "activation: ReLU"}, {"toy": toy.fingerprint})
    sample = [each for each in store.finished if isinstance(each, RunRecord)]
    found, _ = verify(store, sample, today, Store(scratch, 1), Inline(toy), 1.0, lambda _: None)
    words: dict[str, list[Verified]] = {}
    for each in (*found.runs, *found.unplanned):
        words.setdefault(each.word, []).append(each)
    return words


def test_the_same_code_gives_the_same_bits(results: Store, toy: DataSet, tmp_path: Path) -> None:
    found = again(results, toy, tmp_path / "again")
    assert {word: len(runs) for word, runs in found.items()} == {"bit-equal": 3, "no longer planned": 1}
    assert {run.name for run in found["bit-equal"]} == {"activation: ReLU"}
    assert not any(run.detail for run in found["bit-equal"])


def test_other_numbers_and_other_arrays_are_different(results: Store, toy: DataSet, tmp_path: Path) -> None:
    first, second = (each for each in results.records.values() if each.recipe == describe(TINY))
    assert isinstance(first, RunRecord)
    assert isinstance(second, RunRecord)
    with results.writing():
        results.replace(
            [
                replace(first, validation_accuracy=(0.0, *first.validation_accuracy[1:])),
                replace(second, digests={"arrays": "0" * 16}),
            ],
            [],
            [],
        )
    found = again(results, toy, tmp_path / "again")["different"]
    assert {run.detail for run in found} == {"other validation_accuracy", "other arrays"}


def test_other_hardware_may_differ_within_the_tolerance() -> None:
    stored = record("r", 0, 0.6)
    there = dict(stored.environment, cpu="another", cpu_capability="AVX512")
    for accuracy, environment, word in (
        (0.6, there, "bit-equal"),
        (0.605, there, "within tolerance"),
        (0.62, there, "different"),
        (0.605, stored.environment, "different"),
        (None, there, "different"),
    ):
        found = compared(stored, record("r", 0, accuracy, environment=environment), "", 1.0, False)
        assert found.word == word
        assert ("cpu (a CPU)" in found.detail) == (environment is there and word != "bit-equal")


def test_the_usual_difference_is_that_of_two_runs() -> None:
    runs = [record("r", seed, accuracy) for seed, accuracy in enumerate((0.60, 0.61, 0.62))]
    assert usual_difference(runs) == pytest.approx(3 * 2**0.5 * 1.0)
    assert usual_difference(runs[:1]) == 1.0


def test_runs_from_trained_weights_are_trained_behind_those_they_start_from(
    toy: DataSet, toy6: DataSet, folder: Path, tmp_path: Path
) -> None:
    task = replace(TINY, data="toy6")
    tuned = replace(TINY, start_from=task)
    old = Run(task, 0, toy6.fingerprint, keeps_weights=True)
    own = replace(TINY, start_from=Checkpoint("0" * 16, "own.safetensors"))
    results, scratch = Store(tmp_path / "stored", 1), Store(tmp_path / "again", 1)
    with results.writing(), Processes(["cpu"], "toy", folder, results.folder) as trainer:
        for runs in ([old], [Run(tuned, 0, toy.fingerprint, old.key)]):
            complete([runs], results, trainer, ABOUT)
    recipes = {describe(recipe): recipe for recipe in (task, tuned)}
    today = Today(recipes, {}, {"toy": toy.fingerprint, "toy6": toy6.fingerprint}, frozenset([describe(own)]))
    stored = [each for each in results.finished if isinstance(each, RunRecord)]
    sample = [*stored, record(describe(own), 0, 0.5, fingerprint=toy.fingerprint)]
    with Processes(["cpu"], "toy", folder, scratch.folder) as trainer:
        found, _ = verify(results, sample, today, scratch, trainer, 1.0, lambda _: None)
    assert {(each.key, each.word, each.detail) for each in found.runs} == {(r.key, "bit-equal", "") for r in stored}
    assert len(stored) == len(scratch.records) == 2
    assert [each.detail for each in found.unplanned] == ["it starts from a file of --weights, which no store keeps"]


class Crew(Inline):
    """Stands in for worker processes."""

    def __init__(self, devices: Sequence[str], data: str, folder: Path, store: Path) -> None:
        super().__init__(load(data, folder))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Has nothing to end."""


class Failing(Crew):
    """Stands in for worker processes that have no memory, and load no data."""

    def __init__(self, devices: Sequence[str], data: str, folder: Path, store: Path) -> None:
        self.trained = []

    def outcomes(self, runs: Iterator[Run]) -> Iterator[Outcome]:
        for run in runs:
            yield Outcome(run, None, "no memory", {}, timestamp(), timestamp())


def test_the_command(toy: DataSet, folder: Path, tmp_path: Path, tricks: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path / "store", 1)
    grid = planned(Request("toy", "", folder, "quick", ("cpu",), store.folder, 1), "label_smoothing: 0.1")
    with store.writing():
        store.save_tables(grid.studies)
        complete(grid.rounds, store, Inline(toy), ABOUT)
    monkeypatch.setattr(verify_command, "Processes", Crew)
    given = ("verify", "--store", store.folder, "--data-dir", folder, "--device", "cpu", "--jobs", 1)
    code, said = tricks(*given, "--json")
    assert code == 0
    found = json.loads(said)
    validator("commands/verify").validate(found)
    assert found["counts"] == {"bit-equal": 2}
    assert {run["name"] for run in found["runs"]} == {"label_smoothing: baseline", "label_smoothing: 0.1"}
    code, said = tricks(*given, "--sample", 1, "--only", "label_smoothing: 0.1")
    assert code == 0
    assert "1 bit-equal; tolerance" in said
    assert tricks(*given, "--only", "mish")[0] == 2


def test_a_table_whose_own_data_set_is_missing_is_not_checked_and_the_others_are(
    toy: DataSet, toy6: DataSet, folder: Path, tmp_path: Path, tricks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store has a table on toy6 and one on toy; the data folder has toy only, or nothing."""

    def own(name: str, folder: Path, replaceable: bool = True) -> str:
        if name.startswith(("cifar", "fractal")):  # to be neither looked for nor drawn
            raise UsageError(f"there is no {name}")
        return fingerprint_of(name, folder, replaceable)

    monkeypatch.setattr(grid, "fingerprint_of", own)
    store = Store(tmp_path / "store", 1)
    plans = [
        planned(Request(name, "", folder, "quick", ("cpu",), store.folder, 1), "label_smoothing: 0.1")
        for name in ("toy6", "toy")
    ]
    away, there = [[run for runs in plan.rounds for run in runs] for plan in plans]
    with store.writing():
        store.save_tables(each for plan in plans for each in plan.studies)
        for run in away:
            store.add(record(describe(run.recipe), run.seed, 0.5, data="toy6", fingerprint=toy6.fingerprint))
        for run in there:
            store.add(record(describe(run.recipe), run.seed, 0.5, data="toy", fingerprint=toy.fingerprint))
    monkeypatch.setattr(verify_command, "Processes", Failing)
    place, empty = tmp_path / "data", tmp_path / "empty"
    place.mkdir()
    empty.mkdir()
    (place / "toy.npz").symlink_to(folder / "toy.npz")
    given = ("verify", "--store", store.folder, "--device", "cpu", "--jobs", 1, "--data-dir")
    code, said = tricks(*given, place)
    assert code == 1  # as those on toy are different
    for run, name in zip(away, ("baseline", "0.1"), strict=True):
        assert f"not checked: {run.key}, label_smoothing: {name}, seed 0" in said
    assert said.count("it needs the data set toy6") == 2
    assert "not checked without toy6: unknown data set 'toy6'" in said
    assert "2 different, 2 not checked; tolerance" in said
    code, said = tricks(*given, empty)
    assert code == 0
    assert "\n4 not checked; tolerance" in said


def test_what_takes_a_missing_data_set_is_named_with_the_remedy_and_counted_apart(
    toy: DataSet, toy6: DataSet, folder: Path, tmp_path: Path, tricks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store was made where CIFAR-10 was; here only the set that the other kind of pre-training takes is."""
    away = "there is no cifar10 in data; put data/cifar10.npz there"

    def fingerprint(name: str, folder: Path, replaceable: bool = True) -> str:
        if name == "cifar10":
            raise UsageError(away + "; or use --data fractal10" * replaceable)
        return (toy6 if name == "fractal10" else load(name, folder)).fingerprint

    monkeypatch.setattr(grid, "fingerprint_of", fingerprint)
    asked = Request("toy", "", folder, "quick", ("cpu",), tmp_path, 1, "fp32")
    every = planned(asked, "fine_tuning (500 images)")
    arms = {arm.variant: arm for arm in every.studies[0].arms}
    assert not any(name.startswith("similar") for name in arms)
    whole = next(table for table in choose_tables(asked).tables if table.context == "500 images")
    linear, different = (whole.arms[f"{kind}: linear"] for kind in ("similar", "different"))
    assert isinstance(linear, Recipe)
    assert isinstance(linear.start_from, Recipe)
    start = Run(linear.start_from, 0, "of cifar10")
    runs = [
        record(describe(start.recipe), 0, 0.5, fingerprint="of cifar10"),
        record(describe(linear), 0, 0.6, fingerprint=toy.fingerprint, start=start.key),
        record("a recipe that is gone", 0, 0.6, fingerprint=toy.fingerprint),
        record(describe(whole.base), 0, 0.6, fingerprint="of other images"),
    ]
    store = Store(tmp_path / "store", 1)
    with store.writing():
        store.save_tables(every.studies)
        for each in runs:
            store.add(each)
    today = stored.today(every.studies, store.folder, folder)
    assert today.unavailable == {"cifar10": away}
    assert today.run(record(describe(different), 0, 0.5, fingerprint=toy.fingerprint)) is None  # another start
    monkeypatch.setattr(verify_command, "Processes", Crew)
    given = ("verify", "--store", store.folder, "--data-dir", folder, "--device", "cpu", "--jobs", 1)
    code, said = tricks(*given, "--json")
    found = json.loads(said)
    validator("commands/verify").validate(found)
    assert code == 0
    assert found["counts"] == {"not checked": 2, "no longer planned": 2}
    assert {each["key"] for each in found["unchecked"]} == {each.key for each in runs[:2]}
    assert {each["detail"] for each in found["unchecked"]} == {"it needs the data set cifar10"}
    assert {each["detail"] for each in found["unplanned"]} == {"", "the data set toy holds other images now"}
    assert found["missing"] == {"cifar10": away}
    said = tricks(*given)[1]
    assert f"not checked: {runs[1].key}, fine_tuning (500 images): similar: linear, seed 0" in said
    assert f"not checked without cifar10: {away}\n" in said
    assert "2 no longer planned, 2 not checked; tolerance" in said
