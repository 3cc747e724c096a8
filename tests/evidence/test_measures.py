"""Measures beside accuracy: by hand, and from a store to tables."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from builders import record, study

from benchmark import report
from benchmark.commands.measures import remember, with_labels
from benchmark.data.load import load
from benchmark.errors import UsageError
from benchmark.evidence.measures import (
    MEASURES,
    in_words,
    majority_answers,
    measure_run,
    measured,
    measured_tables,
    parse_measures,
)
from benchmark.evidence.tables import tables
from benchmark.report.freshness import stale
from benchmark.store.merging import joined, write
from benchmark.store.records import TableName
from benchmark.store.store import Store

LABELS = np.array([0, 0, 0, 0, 0, 0, 1, 1, 3, 3])  # of class 2 there is no image
ANSWERS = np.array([0, 0, 0, 0, 0, 1, 1, 2, 0, 0])


def test_the_measures_of_a_run_by_hand() -> None:
    found = measure_run(ANSWERS, LABELS, ["a", "b", "c", "d"], MEASURES)
    assert found["accuracy"] == pytest.approx(60)
    assert found["recall of a"] == pytest.approx(100 * 5 / 6)
    assert (found["recall of b"], found["recall of d"]) == (50, 0)
    assert "recall of c" not in found
    assert found["balanced-accuracy"] == pytest.approx(100 * (5 / 6 + 1 / 2 + 0) / 3)
    # precision of a 5/7, so F1 = 2 * 5 / (7 + 6); of b 1/2, F1 1/2; of d 0
    assert found["macro-f1"] == pytest.approx(100 * (10 / 13 + 1 / 2 + 0) / 3)
    assert list(measure_run(ANSWERS, LABELS, ["a", "b", "c", "d"], ["macro-f1"])) == ["macro-f1"]


def test_a_run_that_diverged_answers_with_the_largest_class() -> None:
    assert majority_answers(LABELS).tolist() == [0] * 10


def test_lines_are_compared_as_accuracies_are() -> None:
    runs = {
        name: [{"accuracy": value} for value in values]
        for name, values in {
            "baseline": (70.0, 70.4, 69.9, 70.2),
            "worse|<b>": (60.0, 60.3, 60.1, 60.2),
            "none": (),
        }.items()
    }
    control, worse = measured(TableName("activation", "", "cifar10", "quick"), runs, 1.0)
    assert (control.variant, control.value, control.effect, control.verdict) == ("baseline", 70.125, None, "")
    assert worse.effect == pytest.approx(60.15 - 70.125)
    assert worse.verdict == "hurts"
    assert worse.ci_low is not None
    assert worse.ci_low < worse.effect < 0
    text = in_words([control, worse])
    assert "### activation: accuracy, %" in text
    assert "| worse\\|&lt;b> | 4 | 60.1 | -10.0 |" in text


def test_measures_that_there_are() -> None:
    assert parse_measures(" Balanced_Accuracy,per-class,") == ["balanced-accuracy", "per-class"]
    assert parse_measures("") == []
    assert parse_measures("none") == []
    with pytest.raises(UsageError, match=r"unknown measure 'f1'.*macro-f1"):
        parse_measures("f1")


def test_who_only_guesses_by_a_measure_gets_no_verdict() -> None:
    runs = {"baseline": [{"macro-f1": 25.0}] * 3, "tanh": [{"macro-f1": value} for value in (70.0, 70.5, 71.0)]}
    name = TableName("activation", "", "cifar10", "quick")
    assert measured(name, runs, 1.0)[1].verdict == "helps"
    line = measured(name, runs, 1.0, {"macro-f1": 25.0})[1]
    assert line.reason == "the baseline is not significantly better than guessing"
    assert "no verdict (the baseline is not" in in_words([line])


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Store]:
    """A data folder with a set of two classes, 15 and 5 test images, and a store in which tanh knows no class 1."""
    folder = tmp_path_factory.mktemp("measures")
    rng = np.random.default_rng(0)
    labels = np.array([0] * 10 + [1] * 10 + [0] * 15 + [1] * 5)
    images = rng.integers(0, 256, (40, 32, 32, 3), np.uint8)
    parts = {"train_images": images[:20], "train_labels": labels[:20], "test_images": images[20:]}
    np.savez(folder / "mine.npz", **parts, test_labels=labels[20:], classes=np.array(["big", "small"]))  # type: ignore[arg-type]
    data = load("mine", folder)
    truth = data.test.labels.numpy()
    store = Store(folder / "store", 1)
    about = {"data": "mine", "fingerprint": data.fingerprint, "classes": 2, "test_images": 20, "largest_class": 15}
    with store.writing():
        store.save_tables([study("activation", "", ["tanh"], **about, margin=6.0)])
        for name in ("-baseline", "-tanh"):
            for seed in range(3):
                answers = np.where(truth == 0, 0, 1 if name == "-baseline" else 0)
                answers[: seed + 1] ^= 1
                logits = np.log(np.where(np.eye(2)[answers] == 1, 0.9, 0.1)).astype(np.float16)
                right = float((answers == truth).mean())
                store.add(record(name, seed, right, fingerprint=data.fingerprint, data="mine"), {"logits": logits})
    return folder, store


def test_from_a_store_to_a_page(filled: tuple[Path, Store], tmp_path: Path) -> None:
    folder, store = filled
    page = report.write(store, tmp_path / "first").read_text()
    assert "15 of the 20 test images of mine are of one class" in page
    assert "right in 75 % of them" in page
    assert "<code>python -m benchmark report --measure balanced-accuracy</code>" in page
    assert "guessing gets 75 %" in page
    assert not (tmp_path / "first" / "measures.csv").exists()
    remember(store, ["balanced-accuracy", "per-class"], store.tables(), folder)
    out = tmp_path / "second"
    page = report.write(Store(store.folder, 1), out).read_text()
    assert '<a href="#measures">balanced accuracy, recall of big, recall of small</a>' in page
    assert "By balanced accuracy, recall of big, recall of small" in page
    assert "### By balanced accuracy" in (out / "index.md").read_text()
    assert "activation: recall of small, %" in (out / "measures.md").read_text()
    with (out / "measures.csv").open() as file:
        lines = {(line["variant"], line["measure"]): line for line in csv.DictReader(file)}
    assert float(lines["baseline", "balanced-accuracy"]["value"]) > 90
    assert 40 < float(lines["tanh", "balanced-accuracy"]["value"]) < 60
    assert lines["tanh", "balanced-accuracy"]["verdict"] == "hurts"
    assert stale(store, out) == []


def test_what_was_asked_for_is_remembered(filled: tuple[Path, Store], tmp_path: Path) -> None:
    folder, store = filled
    remember(store, ["macro-f1"], store.tables(), folder)
    remember(store, None, store.tables(), tmp_path)  # the labels are in the store: no data set is needed
    kept = store.measures()
    assert kept is not None
    assert kept.names == ("macro-f1",)
    assert sorted(kept.truths[0].labels) == [0] * 15 + [1] * 5
    other = Store(tmp_path / "other", 1)
    with other.writing():
        write(joined([other, store]), other, [store])
    assert other.measures() == kept
    assert {line.measure for line in measured_tables(tables(other), other, kept)} == {"macro-f1"}
    remember(store, [], store.tables(), folder)
    assert measured_tables(tables(store), store, store.measures()) == []


def test_another_data_set_of_that_name_is_refused(filled: tuple[Path, Store], tmp_path: Path) -> None:
    folder, store = filled
    with np.load(folder / "mine.npz") as file:
        changed = dict(file) | {"test_labels": 1 - file["test_labels"]}
    np.savez(tmp_path / "mine.npz", **changed)
    new = Store(tmp_path / "store", 1)
    with pytest.raises(UsageError, match=r"mine in .* is not what .* was tested on"):
        with_labels(new, ["accuracy"], store.tables(), tmp_path)
