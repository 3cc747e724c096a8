"""Stored runs trained again: the same bits on the same machine; what differs is named, and by how much."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import pytest
from builders import Inline, record, validator
from conftest import TINY

from benchmark.commands import verify as verify_command
from benchmark.data.load import load
from benchmark.data.splits import DataSet
from benchmark.evidence.verified import Verified
from benchmark.planning.folds import on_fold
from benchmark.planning.grid import planned
from benchmark.planning.identity import Run, describe
from benchmark.planning.requests import Request
from benchmark.planning.stored import Today
from benchmark.recipe import Checkpoint
from benchmark.running.execution import complete
from benchmark.running.verification import compared, usual_difference, verify
from benchmark.running.workers import Processes
from benchmark.store.records import About, RunRecord
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
