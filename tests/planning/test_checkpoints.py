"""A start from the user's own weights: what is in the file counts, and what does not fit is told ahead of training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from builders import toy as toy_options
from conftest import TINY, call
from safetensors.torch import save_file
from torch import Tensor

from benchmark.baseline import baseline
from benchmark.data.splits import DataSet
from benchmark.engine.network import assembled
from benchmark.engine.training import train
from benchmark.errors import UsageError
from benchmark.networks import VGG
from benchmark.planning import grid
from benchmark.planning.checkpoints import checkpoint, weights_of, with_weights
from benchmark.planning.discovery import choose_ablations, discover
from benchmark.planning.identity import Run
from benchmark.planning.studies import Study, studies
from benchmark.recipe import Recipe, absent
from benchmark.running.worker import beginning

WIDER = VGG(((5, 1), (6, 1)))
PLAIN = replace(TINY, norm=absent)


def state(recipe: Recipe, classes: int = 7) -> dict[str, Tensor]:
    """Weights as a user may have them, of another number of classes."""
    torch.manual_seed(0)
    return assembled(recipe, classes, []).state_dict()


def saved(folder: Path, name: str, recipe: Recipe = TINY) -> Path:
    save_file(state(recipe), folder / name)
    return folder / name


def tables(*names: str, base: Recipe = TINY) -> list[Study]:
    return studies(choose_ablations(discover()[0], (), names), base)[0]


def test_the_same_content_under_another_name_is_the_same_run(tmp_path: Path) -> None:
    one, other = checkpoint(saved(tmp_path, "one.safetensors")), checkpoint(saved(tmp_path, "two.safetensors"))
    wider = checkpoint(saved(tmp_path, "three.safetensors", replace(TINY, network=WIDER)))
    keys = [Run(replace(TINY, start_from=start), 0, "f").key for start in (one, other, wider)]
    assert keys[0] == keys[1] != keys[2]
    assert keys[0] != Run(TINY, 0, "f").key


def test_each_context_gets_a_third_kind_with_the_weights_in_place_of_pre_training(tmp_path: Path) -> None:
    start = checkpoint(saved(tmp_path, "mine.safetensors"))
    before, after = tables("fine_tuning"), with_weights(tables("fine_tuning"), start, 4)
    assert [table.context for table in after] == [table.context for table in before]
    for old, new in zip(before, after, strict=True):
        ways = [name.removeprefix("similar: ") for name in old.arms if name.startswith("similar: ")]
        assert list(new.arms) == [*old.arms, *(f"weights: {way}" for way in ways)]
        assert len(ways) > 3
        for way in ways:
            arm = old.arms[f"similar: {way}"]
            assert isinstance(arm, Recipe)
            assert new.arms[f"weights: {way}"] == replace(arm, start_from=start)


def test_a_run_starts_from_the_file(toy: DataSet, tmp_path: Path) -> None:
    """With a rate of nothing the weights end as they are in the file; the classifier is the run's own."""
    file = saved(tmp_path, "mine.safetensors", PLAIN)
    still = replace(PLAIN, start_from=checkpoint(file), learning_rate=0.0)
    start = beginning(Run(still, 0, toy.fingerprint), tmp_path)
    after = train(still, 0, toy, torch.device("cpu"), **start).weights
    assert after is not None
    given = state(PLAIN)
    learned = [name for name in after if not name.startswith("head.")]
    assert len(learned) == 4
    assert all(torch.equal(torch.from_numpy(after[name]), given[name]) for name in learned)
    assert after["head.weight"].shape[0] == 4


def test_a_file_that_changed_is_refused(tmp_path: Path) -> None:
    start = checkpoint(saved(tmp_path, "mine.safetensors"))
    saved(tmp_path, "mine.safetensors", replace(TINY, network=WIDER))
    with pytest.raises(ValueError, match=r"mine\.safetensors changed since the runs were planned"):
        weights_of(start)


def test_what_is_no_file_of_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none.safetensors cannot be read: No such file.*give a .safetensors file"):
        checkpoint(tmp_path / "none.safetensors")
    (tmp_path / "model.pt").write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(UsageError, match=r"model.pt is no .safetensors file.*save_file"):
        checkpoint(tmp_path / "model.pt")


def test_layers_that_do_not_fit_are_named(tmp_path: Path) -> None:
    wrong = checkpoint(saved(tmp_path, "mine.safetensors", replace(TINY, network=WIDER)))
    with pytest.raises(UsageError, match=r"features\.0\.weight is \(5, 3, 3, 3\) there and \(4, 3, 3, 3\) here"):
        with_weights(tables("fine_tuning"), wrong, 4)


def test_ablations_without_pre_training_have_no_place_for_weights(tmp_path: Path) -> None:
    start = checkpoint(saved(tmp_path, "mine.safetensors"))
    with pytest.raises(UsageError, match="--only fine_tuning"):
        with_weights(tables("schedule"), start, 4)


def test_the_command_line_plans_them_and_tells_what_is_amiss(
    tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the old tasks are not to be had, too."""
    away = {"cifar10": "it is away", "fractal10": "it is away"}
    monkeypatch.setattr(grid, "old_fingerprints", lambda tables, asked: ({}, away))

    def tricks(*arguments: object) -> tuple[int, str]:
        return call(*arguments, capsys=capsys, monkeypatch=monkeypatch)

    asked = toy_options(folder, tmp_path / "store", "--only", "fine_tuning", "--seeds", 1)
    file = saved(tmp_path, "mine.safetensors", baseline("toy", "quick"))
    code, said = tricks("plan", *asked, "--weights", file)
    assert code == 0
    assert said.count("weights: layer-wise x1") == 4
    assert "similar: layer-wise" not in said
    code, said = tricks("run", *asked, "--weights", tmp_path / "none.safetensors")
    assert (code, "cannot be read" in said) == (2, True)
    code, said = tricks("run", *asked, "--weights", saved(tmp_path, "tiny.safetensors"))
    assert (code, "features.0.weight is (4, 3, 3, 3) there and (16, 3, 3, 3) here" in said) == (2, True)
    assert "Traceback" not in said
    named = ["--trick", "activation:GELU", "--trick", "label_smoothing:0.1"]
    code, said = tricks("run", *asked[:-4], "--design", "pairs", *named, "--weights", file)
    assert (code, "--weights goes with --design add-one" in said) == (2, True)
    assert not (tmp_path / "store").exists()
