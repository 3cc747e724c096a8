"""Measures beside accuracy: by hand, and from a store to tables."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from builders import record, study

from benchmark.commands.measures import write_measures
from benchmark.data.load import load
from benchmark.errors import UsageError
from benchmark.evidence.measures import MEASURES, in_words, majority_answers, measure_run, measured, parse_measures
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
    control, worse = measured(("activation", ""), runs, 1.0)
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
    with pytest.raises(UsageError, match=r"unknown measure 'f1'.*macro-f1"):
        parse_measures("f1")


def test_from_a_store_to_tables(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (40, 32, 32, 3), np.uint8)
    labels = np.array([0] * 10 + [1] * 10 + [0] * 15 + [1] * 5)
    np.savez(
        tmp_path / "mine.npz",
        train_images=images[:20],
        train_labels=labels[:20],
        test_images=images[20:],
        test_labels=labels[20:],
        classes=np.array(["big", "small"]),
    )
    data = load("mine", tmp_path)
    truth = data.test.labels.numpy()
    store = Store(tmp_path / "store", 1)
    about = {"data": "mine", "fingerprint": data.fingerprint, "classes": 2}
    with store.writing():
        store.save_tables([study("activation", "", ["tanh"], **about)])
        for name in ("-baseline", "-tanh"):
            for seed in range(3):
                answers = np.where(truth == 0, 0, 1 if name == "-baseline" else 0)
                answers[: seed + 1] ^= 1
                logits = np.log(np.where(np.eye(2)[answers] == 1, 0.9, 0.1)).astype(np.float16)
                right = float((answers == truth).mean())
                store.add(record(name, seed, right, fingerprint=data.fingerprint, data="mine"), {"logits": logits})
    (tmp_path / "out").mkdir()
    found = write_measures(store, ["balanced-accuracy", "per-class"], tmp_path, tmp_path / "out")
    assert "activation: recall of small, %" in in_words(found)
    assert (tmp_path / "out" / "measures.md").read_text() == in_words(found)
    with (tmp_path / "out" / "measures.csv").open() as file:
        lines = {(line["variant"], line["measure"]): line for line in csv.DictReader(file)}
    assert float(lines["baseline", "balanced-accuracy"]["value"]) > 90
    assert 40 < float(lines["tanh", "balanced-accuracy"]["value"]) < 60
    assert lines["tanh", "balanced-accuracy"]["verdict"] == "hurts"
    with np.load(tmp_path / "mine.npz") as file:
        other = dict(file) | {"test_labels": 1 - labels[20:]}
    np.savez(tmp_path / "mine.npz", **other)
    with pytest.raises(UsageError, match=r"mine in .* is not what .* was tested on"):
        write_measures(store, ["accuracy"], tmp_path, tmp_path / "out")
