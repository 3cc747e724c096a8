"""Files as people in the field have them, in tests/field/: what is read of each, and what is said.

Cases about pictures are in tests/data/test_pictures.py (31: files of macOS beside pictures; 47: names that are not
UTF-8), that of a cut download in tests/data/test_data.py (70).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from builders import fill
from PIL import Image

import benchmark
from benchmark import report
from benchmark.data.load import load
from benchmark.errors import UsageError
from benchmark.evidence.diagnosis import diagnose
from benchmark.evidence.log_files import read_log
from benchmark.evidence.tables import tables
from benchmark.store.records import RunRecord

FIELD = Path(__file__).resolve().parents[1] / "field"

LOGS = {  # file: losses of steps, train and validation accuracies of epochs; findings by what they are about
    "01-lightning-usual-names": (20, 5, 5, {"fit": "over-fitting"}),
    "02-lightning-readme-names": (200, 5, 5, {"fit": "over-fitting"}),
    "02-lightning-2.6.6": (32, 4, 4, {"fit": "under-fitting"}),  # written by Lightning 2.6.6
    "03-keras-csvlogger": (0, 5, 5, {"fit": "over-fitting"}),
    "06-timm-summary": (0, 0, 5, {"fit": "cannot tell"}),
    "08-wandb-export": (200, 0, 0, {"batch": "large enough"}),
    "09-tensorboard-csv": (200, 0, 0, {"batch": "large enough"}),
    "10-semicolon-decimal-comma": (200, 0, 0, {"batch": "large enough"}),
    "14-nan-spellings": (200, 0, 0, {"learning rate": "too high"}),  # pandas writes nan as an empty cell
    "16-last-line-cut": (200, 0, 0, {"batch": "large enough"}),
    "17-accuracy-1.0000001": (0, 5, 5, {"fit": "over-fitting"}),
    "18-log": (200, 0, 0, {"learning rate": "loss of zero"}),
    "18-zero-amid": (200, 0, 0, {"learning rate": "loss of zero"}),
    "18-zero-then-not": (200, 0, 0, {"learning rate": "loss of zero"}),
    "19-negative-loss": (200, 0, 0, {"learning rate": "cannot tell"}),
    "28-epoch-table-usual-names": (0, 5, 5, {"fit": "over-fitting"}),
}


@pytest.mark.parametrize("name", LOGS)
def test_logs_are_read(name: str) -> None:
    losses, train, validation, said = LOGS[name]
    log = read_log(FIELD / f"{name}.csv").log
    assert (len(log.losses), len(log.train_accuracy), len(log.validation_accuracy)) == (losses, train, validation)
    found = {about: finding.word for about, finding in diagnose(log).items()}
    assert found.items() >= said.items()


def test_every_log_is_tried() -> None:
    assert {path.stem for path in FIELD.glob("*.csv")} == {*LOGS, "90-own-ablation-csv"}


def test_a_cut_last_line_and_a_loss_below_zero_are_said() -> None:
    assert any("left out" in sentence for sentence in read_log(FIELD / "16-last-line-cut.csv").said)
    finding = diagnose(read_log(FIELD / "19-negative-loss.csv").log)["learning rate"]
    assert "the rules need losses above zero" in finding.numbers


def test_results_of_ones_own_are_judged(tmp_path: Path, tricks: Any) -> None:
    """Case 90: variant, seed and accuracy, and nothing else."""
    rows = benchmark.judge(FIELD / "90-own-ablation-csv.csv").set_index("variant")
    assert rows.loc["no cutout", "verdict"] == "hurts"
    assert rows.loc["no cutout", "effect"] == pytest.approx(-1.0, abs=0.02)
    assert rows.loc["mish", "verdict"] == "equivalent"
    assert rows.loc["mish", "effect"] == pytest.approx(0.0, abs=0.02)
    changed = pd.read_csv(FIELD / "90-own-ablation-csv.csv")
    changed.loc[changed["variant"] == "mish", "accuracy"] -= 1
    changed.to_csv(tmp_path / "new.csv", index=False)
    code, said = tricks("judge", tmp_path / "new.csv", "--against", FIELD / "90-own-ablation-csv.csv")
    assert code == 1
    assert "mish: worse" in said


def test_one_class_is_refused(tmp_path: Path) -> None:
    """Case 50."""
    for split in ("train", "test"):
        (tmp_path / "mine" / split / "only").mkdir(parents=True)
        for each in range(4):
            Image.new("RGB", (32, 32), (each, 0, 0)).save(tmp_path / "mine" / split / "only" / f"{each}.png")
    with pytest.raises(UsageError, match="a single class, 'only'"):
        load("mine", tmp_path)


def test_a_tiny_set_on_which_nothing_was_learned_gets_no_verdict(tmp_path: Path) -> None:
    """Case 98: eight test images of two classes, and every run guesses."""

    def guessing(run: RunRecord) -> RunRecord:
        return replace(run, test_accuracy=0.5, validation_accuracy=(0.5,) * 3)

    store = fill(tmp_path / "store", guessing, classes=2, test_images=8)
    rows = [row for table in tables(store) for row in table.rows]
    assert {row.verdict for row in rows} == {"no verdict"}
    report.write(store, tmp_path / "out")
    assert "guess" in (tmp_path / "out" / "index.md").read_text()
