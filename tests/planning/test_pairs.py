"""The ten tricks worth most at `quick`, two at a time: each pair trains, or is refused with a sentence."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest
import torch

from benchmark.baseline import baseline
from benchmark.data.splits import DataSet
from benchmark.engine.training import train
from benchmark.planning.designs import find_trick, together
from benchmark.planning.discovery import discover
from benchmark.planning.identity import describe

# Of the main baseline in results/reference/cifar10-catalogue; ensembles and pre-training go with no other trick.
BEST = (
    "muon: Muon",
    "whitening: ZCA 1e-1",
    "first_layer: frozen",
    "training_length: twice",
    "capacity: width x2",
    "test_time: flip averaging",
    "activation: Mish",
    "batch_size: batch /2",
    "label_smoothing: 0.1",
    "warm_up: 40 %",
)
ABLATIONS, BROKEN = discover()
TRICKS = {name: find_trick(*name.split(": "), ABLATIONS) for name in BEST}
PAIRS = list(combinations(BEST, 2))
QUICK = baseline("toy", "quick", "fp32")
SHORT = replace(QUICK, epochs=1, images=2 * QUICK.batch_size, validation_images=None)  # two steps


@pytest.mark.slow
@pytest.mark.parametrize("pair", PAIRS, ids=" + ".join)
def test_two_of_the_best_tricks_train_together(pair: tuple[str, str], toy: DataSet) -> None:
    recipe = together(SHORT, [TRICKS[name] for name in pair])
    result = train(recipe, 0, toy, torch.device("cpu"))
    assert result.status == "done", (describe(recipe), result.reason)
    assert len(result.losses) >= 2
