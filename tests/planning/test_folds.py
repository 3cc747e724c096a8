"""Cross-validation: folds are what they should be, the test images stay unseen, and the best is told from the rest."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from builders import Inline, record
from builders import toy as toy_options
from conftest import TINY, call

from benchmark.claim import CONTROL
from benchmark.commands import folds as folds_command
from benchmark.data.canonical import fingerprint_of
from benchmark.data.splits import DataSet, Split, folded
from benchmark.engine.training import train
from benchmark.planning import grid
from benchmark.planning.discovery import Ablation, with_original
from benchmark.planning.folds import Validated, fold_candidates, in_words, on_fold, rounds, validate_table
from benchmark.planning.identity import Run, describe
from benchmark.planning.studies import Study
from benchmark.recipe import Checkpoint, Ensemble, Member, Recipe
from benchmark.store.records import Record, RunRecord


def rows(split: Split) -> list[bytes]:
    return [image.numpy().tobytes() for image in split.images]


@pytest.mark.parametrize("folds", [2, 5, 7])
def test_folds_are_disjoint_cover_everything_and_are_stratified(toy: DataSet, folds: int) -> None:
    parts = [folded(toy, k, folds) for k in range(folds)]
    everything = sorted([*rows(toy.train), *rows(toy.validation)])
    assert sorted(image for part in parts for image in rows(part.validation)) == everything
    assert len(set(everything)) == len(everything) == 240
    for part in parts:
        assert sorted([*rows(part.train), *rows(part.validation)]) == everything
        counts = part.validation.labels.bincount(minlength=4)
        assert counts.max() - counts.min() <= 1
        reduced = part.train.labels[:40].bincount(minlength=4)
        assert (reduced - 10).abs().max() <= 1
        assert len(part.test.labels) == 0
    labelled = torch.cat([part.validation.images for part in parts]), torch.cat([p.validation.labels for p in parts])
    whole = torch.cat([toy.train.images, toy.validation.images]), torch.cat([toy.train.labels, toy.validation.labels])
    assert fingerprint_of(*(each.numpy() for each in labelled)) == fingerprint_of(*(each.numpy() for each in whole))


def test_the_first_of_ten_folds_is_the_usual_validation_split(toy: DataSet) -> None:
    part = folded(toy, 0, 10)
    assert torch.equal(part.validation.images, toy.validation.images)
    assert torch.equal(part.train.images, toy.train.images)


def test_a_run_on_a_fold_never_looks_at_the_test_images(toy: DataSet) -> None:
    unseen = replace(toy, test=Split(torch.empty(0), torch.empty(0)))  # to look at these would raise an error
    recipe = replace(TINY, fold=(1, 5), snapshots=(0.5,))
    result = train(recipe, 1, unseen, torch.device("cpu"))
    assert (result.status, result.test_accuracy, result.test_loss, result.logits) == ("done", None, None, None)
    assert list(result.snapshots) == ["validation_snapshot_1"]
    assert result.validation_logits is not None
    assert result.validation_logits.shape == (48, 4)
    assert len(result.losses) == 2 * (192 // 32)  # epochs, batches of four fifths
    part = folded(toy, 1, 5).validation.labels.numpy()
    hits = (result.validation_logits.argmax(1) == part).mean()
    assert result.validation_accuracy[-1] == pytest.approx(hits)


def test_a_fold_is_part_of_the_key_and_no_fold_is_no_part_of_the_text() -> None:
    keys = {Run(replace(TINY, fold=fold), 0, "f").key for fold in (None, (0, 5), (1, 5), (0, 4))}
    assert len(keys) == 4
    assert "fold" not in describe(TINY)


@pytest.mark.parametrize("fold", [(0, 1), (5, 5), (-1, 5)])
def test_a_fold_out_of_range_is_refused(fold: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="fold must be"):
        replace(TINY, fold=fold)


ARMS = {name: replace(TINY, learning_rate=rate) for name, rate in (("low", 0.01), ("high", 0.5), ("wild", 9.0))}
SCORES: dict[str, list[float | None]] = {  # percent on folds 0 to 2; None diverged
    CONTROL: [66, 73, 71],
    "low": [70, 72, 74],
    "high": [69, 71, 73],
    "wild": [None, None, 34],
}


def table(arms: Mapping[str, Any]) -> Study:
    ablation = Ablation("rate", "Is it?", ("https://example.org",), {}, with_original(lambda base: arms), ())
    return Study(ablation, "", TINY, dict(arms), ("middle",))


def stored(run: Run, score: float | None) -> RunRecord:
    """A run on a fold as a store has it; None diverged."""
    return record(
        describe(run.recipe),
        run.seed,
        None,
        status="diverged" if score is None else "done",
        fingerprint=run.fingerprint,
        fold=run.recipe.fold,
        validation_accuracy=(0.2, (score or 99) / 100),
    )


def records(toy: DataSet, scores: Mapping[str, list[float | None]]) -> dict[str, Record]:
    recipes = ARMS | {CONTROL: TINY}
    runs = {
        on_fold(recipes[name], k, 3, toy.fingerprint): score
        for name, each in scores.items()
        for k, score in enumerate(each)
    }
    return {run.key: stored(run, score) for run, score in runs.items()}


def lines(toy: DataSet, scores: Mapping[str, list[float | None]]) -> dict[str, Validated]:
    return {each.variant: each for each in validate_table(table(ARMS), 3, toy, "quick", records(toy, scores))}


def test_the_best_is_told_from_the_rest_fold_by_fold(toy: DataSet) -> None:
    """The control is behind by 4, -1 and 3: mean 2, error sqrt(7 / 3), t = 4.302653 with 2 degrees of freedom."""
    found = lines(toy, SCORES)
    assert list(found) == ["low", "high", "baseline = middle", "wild"]
    assert [each.verdict for each in found.values()] == ["best", "not resolved", "not resolved", "worse"]
    assert (found["low"].accuracy, found["low"].behind) == (pytest.approx(72), None)
    assert found["low"].standard_error == pytest.approx(2 / 3**0.5)
    control = found["baseline = middle"]
    half = 4.302653 * (7 / 3) ** 0.5
    assert [control.behind, control.ci_low, control.ci_high] == pytest.approx([-2, -2 - half, -2 + half])
    assert [found["high"].behind, found["high"].ci_low] == pytest.approx([-1, -1])  # alike on each fold: luck
    assert found["wild"].accuracy == pytest.approx((25 + 25 + 34) / 3)  # guessing among four classes
    said = in_words(list(found.values())).splitlines()
    assert said[0] == "rate: validation accuracy over 3 folds, % ± standard error"
    assert said[3] == "  baseline = middle  70.0 ± 2.1, -2.0 [-8.6, +4.6] from the best: not resolved"


def test_what_is_missing_is_not_the_best(toy: DataSet) -> None:
    found = lines(toy, {"low": [70, 72], "high": [99], CONTROL: []})
    assert [(name, each.n, each.verdict) for name, each in found.items()] == [
        ("low", 2, "best"),
        ("high", 1, "not resolved"),
        ("baseline = middle", 0, "not run"),
        ("wild", 0, "not run"),
    ]
    assert (found["high"].behind, found["high"].ci_low) == (pytest.approx(29), None)
    assert "2 of 3 folds" in in_words(list(found.values()))


def test_each_distinct_run_comes_once_the_first_fold_first(toy: DataSet) -> None:
    others: dict[str, Recipe | Ensemble] = {
        "tuned": replace(TINY, start_from=replace(TINY, data="toy6")),
        "mine": replace(TINY, start_from=Checkpoint("0" * 16, "mine.safetensors")),
        "two": Ensemble((Member(TINY), Member(TINY, 1)), combine=len),  # type: ignore[arg-type]  # never called
    }
    planned = table(ARMS | others)
    assert list(fold_candidates(planned)) == [CONTROL, "low", "high", "wild", "mine"]
    found = rounds([planned, planned], 3, "f")
    assert [{(run.recipe.fold, run.seed) for run in each} for each in found] == [{((k, 3), k)} for k in range(3)]
    assert [len(each) for each in found] == [5] * 3
    assert len({run.key for each in found for run in each}) == 15


def test_the_command_line(
    tmp_path: Path, folder: Path, toy: DataSet, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def tricks(*arguments: object) -> tuple[int, str]:
        return call(*arguments, capsys=capsys, monkeypatch=monkeypatch)

    monkeypatch.setattr(folds_command, "Processes", lambda *workers, **limits: nullcontext(Inline(toy)))
    asked = toy_options(folder, tmp_path, "--only", "label_smoothing", "--jobs", 1)
    code, said = tricks("folds", *asked, "--folds", 2)
    assert code == 0, said
    runs = [json.loads(line) for line in (tmp_path / "runs.jsonl").read_text().splitlines()]
    with (tmp_path / "folds.csv").open() as file:
        found = list(csv.DictReader(file))
    assert len(runs) == 2 * len(found) > 4
    assert {run["test_accuracy"] for run in runs} == {None}
    assert [row["verdict"] for row in found].count("best") == 1
    assert {row["n"] for row in found} == {"2"}
    assert "label_smoothing: validation accuracy over 2 folds" in said
    code, said = tricks("folds", *asked, "--folds", 2)
    assert (code, f"{len(runs)} runs, 0 to train" in said) == (0, True)
    code, said = tricks("folds", *asked, "--folds", 241)
    assert (code, "--folds must be at most 240, the training images of toy, got 241" in said) == (2, True)
    code, said = tricks("folds", *asked, "--folds", 1)
    assert (code, "--folds" in said) == (2, True)
    monkeypatch.setattr(grid, "old_fingerprints", lambda tables, asked: ({}, {"cifar10": "", "fractal10": ""}))
    code, said = tricks("folds", *toy_options(folder, tmp_path, "--only", "fine_tuning"))
    assert (code, "no variants that start from scratch" in said) == (2, True)
