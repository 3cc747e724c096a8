"""Plausible mistakes at the command line: each ends in one sentence with a remedy, and in exit code 2."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from shlex import split
from typing import Any

import pytest
from builders import fill

ROOT = Path(__file__).resolve().parents[2]
MISTAKES = [
    ("run --only activatoin", "unknown ablation 'activatoin'; did you mean activation"),
    ("run --only", "'--only' requires an argument"),
    ("run --only ''", "--only is empty; name ablations or variants"),
    ("run --only ,", "--only is empty"),
    ("run --only GELU", "'GELU' is a variant; did you mean activation: GELU?"),
    ("run --only activation:gelo", "unknown variant 'gelo' of activation; did you mean GELU"),
    ("run --only activation(no-norm):GELU", "did you mean activation (no norm)"),
    ("run --only whitening:ZCA", "unknown variant 'ZCA' of whitening; did you mean ZCA"),
    ("run --only augmentation:crop+flip", "unknown variant 'crop+flip' of augmentation; did you mean crop + flip"),
    ("run --only 'augmentation: crop + flip'", "selects only the baseline"),
    ("run --only 'pairs (a: b, c: d): a: b'", "train it with --design pairs and a --trick for each"),
    ("run --only activation --trick activation:GELU", "--trick goes with --design"),
    ("run --trick activation:GELU", "--trick goes with --design"),
    ("run --design pairs", "--trick goes with --design"),
    ("run --design pair --trick activation:GELU --trick muon:Muon", "unknown design 'pair'; did you mean pairs"),
    ("run --design pairs --trick activation:GELU", "needs two or more different tricks"),
    ("run --design pairs --trick activation --trick muon:Muon", "must be ABLATION:VARIANT"),
    ("run --design pairs --trick activation:gelo --trick muon:Muon", "did you mean GELU"),
    ("run --design pairs --trick actvation:GELU --trick muon:Muon", "unknown ablation 'actvation'; did you mean"),
    ("run --data cifar11", "unknown data set 'cifar11'; did you mean cifar10"),
    ("run --budget fast", "unknown budget 'fast'; there are: auto, full, long, quick, reduced, small, standard"),
    ("run --budget quik", "unknown budget 'quik'; did you mean quick"),
    ("run --device gpu", "unknown device 'gpu'; there are: auto, cpu, cuda"),
    ("run --seeds 0", "--seeds"),
    ("run --seeds three", "--seeds"),
    ("run --jobs 0", "--jobs"),
    ("run --jobs-per-gpu all", "--jobs-per-gpu must be auto, or a whole number from 1 on, got 'all'"),
    ("run --minutes -1", "--minutes"),
    ("run --resolve --max-seeds 2", "--max-seeds must be at least --seeds (3), got 2"),
    ("run --weights nowhere.safetensors --only fine_tuning", "--weights nowhere.safetensors cannot be read"),
    ("run activation", "unexpected extra argument"),
    ("run --onyl activation", "No such option: --onyl"),
    ("ablate", "No such command 'ablate'"),
    ("plan --only acitvation", "unknown ablation 'acitvation'; did you mean activation"),
    ("cost --only nosuch", "unknown ablation 'nosuch'; there are: activation"),
    ("folds --folds 1", "--folds"),
    ("report --store nowhere", "no results in nowhere"),
    ("check nowhere", "no results in nowhere"),
    ("combine --only ensembel", "unknown ablation 'ensembel'; did you mean ensemble"),
    (
        "regress results/reference/cifar10-quik",
        "no results to compare with in results/reference/cifar10-quik; did you mean results/reference/cifar10-",
    ),
    ("regress STORE --only trick --store STORE", "unknown ablation 'trick'"),
    ("regress STORE --only activation --accept --store STORE", "--accept takes the whole store; leave out --only"),
    ("regress", "Missing argument"),
    ("calibrate --store nowhere", "nowhere has no recipe with"),
    ("diagnose", "diagnose takes either a LOG.csv, or --run KEY"),
]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fill(tmp_path_factory.mktemp("mistakes") / "store").folder


@pytest.mark.parametrize(("words", "sentence"), MISTAKES, ids=[words for words, _ in MISTAKES])
def test_a_mistake_is_one_sentence_and_exit_2(
    words: str, sentence: str, store: Path, folder: Path, tricks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = split(words.replace("STORE", str(store)))
    if given[0] in ("run", "plan", "folds", "cost", "combine") and "--data" not in given:
        given[1:1] = ["--data", "toy", "--data-dir", str(folder)]
    code, said = tricks(*given)
    plain = " ".join("".join(letter for letter in said if letter not in "╭╮╰╯│─").split())
    assert (code, sentence in plain) == (2, True), said
    assert "Traceback" not in said
    assert len(MISTAKES) >= 40


def test_names_are_checked_before_data_are_looked_for(tricks: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def looked(*_: object) -> None:
        raise AssertionError("looked for data")

    monkeypatch.setattr("benchmark.data.load.choose", looked)
    for command in ("run", "plan", "folds", "cost", "combine"):
        code, said = tricks(command, "--only", "nosuch")
        assert (code, "unknown ablation 'nosuch'" in said) == (2, True)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_an_output_that_is_full_or_closed_is_no_traceback() -> None:
    full = ["sh", "-c", '"$0" -m benchmark --help > /dev/full', sys.executable]
    done = subprocess.run(full, cwd=ROOT, capture_output=True, text=True)
    said = "error: cannot write to the standard output: No space left on device; finished runs are kept\n"
    assert (done.returncode, done.stderr) == (2, said)
    closed = ["sh", "-c", '"$0" -m benchmark --help >&-', sys.executable]
    done = subprocess.run(closed, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
