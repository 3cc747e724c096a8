"""What is frozen stays as it begins, whatever else a recipe changes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from conftest import TINY
from torch import nn

from ablations.first_layer import variants as first_layers
from benchmark.data.splits import DataSet
from benchmark.engine.network import build, first, learned
from benchmark.engine.training import fit
from benchmark.planning.discovery import discover
from benchmark.planning.identity import changes, describe
from benchmark.planning.studies import studies
from benchmark.recipe import Recipe

CPU = torch.device("cpu")
MOVES = {"optimiser", "penalise", "clip", "constrain", "average", "weight_decay", "decays", "rate_of"}  # move weights


def moving() -> list[object]:
    """Each distinct arm of the catalogue that changes how weights move, and not how they begin."""
    found = {}
    for table in studies(discover()[0], TINY)[0]:
        for name, arm in table.arms.items():
            if isinstance(arm, Recipe) and changes(arm, TINY).keys() & MOVES and arm.initialise == TINY.initialise:
                kept = {field: getattr(arm, field) for field in MOVES}
                text = " ".join(describe(value) for value in kept.values())
                found[text] = pytest.param(kept, id=f"{table.ablation.name}: {name}")
    return list(found.values())


def head_alone(above: int) -> float:
    return float(above == 0)


@pytest.mark.parametrize("moves", moving())
@pytest.mark.parametrize("way", ["weights that need no gradient", "layers at a rate of zero"])
def test_what_is_frozen_stays(moves: dict[str, object], way: str, toy: DataSet) -> None:
    frozen = first_layers(TINY)["frozen"] if way.startswith("weights") else replace(TINY, rates=head_alone)
    recipe = replace(frozen, epochs=1, **moves)  # type: ignore[arg-type]  # fields of a recipe, by their names
    network = build(recipe, 0, toy, CPU)
    split = first(learned(toy, None, CPU), 64)
    before = {name: tensor.clone() for name, tensor in network.module.named_parameters()}
    trained = fit(recipe, 0, network, split, first(split, 20), 4).trained.module
    still = [name for name, layer in trained.named_modules() if isinstance(layer, nn.Conv2d)]
    after = dict(trained.named_parameters())
    for name in still[:1] if way.startswith("weights") else still:
        torch.testing.assert_close(after[f"{name}.weight"], before[f"{name}.weight"], atol=0, rtol=0)
    assert not torch.equal(after["head.weight"], before["head.weight"])
