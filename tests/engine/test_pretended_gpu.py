"""The pretended GPU sees what a real one would show; what each trick does on it is in test_ablations.py."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from conftest import TINY
from pretended_gpu import planted
from pretended_gpu.planted import Made
from pretended_gpu.trial import Trials

from ablations import auto_augment, auto_augment_policy
from benchmark.budgets import BUDGETS
from benchmark.recipe import Recipe


def layer(function: planted.Forward) -> Recipe:
    return replace(TINY, before_head=Made(function))


def augmenting(function: Any) -> Recipe:
    return replace(TINY, augment=function)


@pytest.mark.parametrize("recipe", [TINY, layer(planted.drops), augmenting(planted.scales)])
def test_what_is_in_order_has_no_faults(recipe: Recipe, trials: Trials) -> None:
    found = trials.examine(recipe)
    assert found.faults == ""
    assert found.captured
    assert found.launches > 0


FAULTS = {
    "reads a number": (
        layer(planted.reads_a_number),
        "planted.py:44 reads_a_number: a number is read from the device",
    ),
    "decides": (layer(planted.decides), "a number is read from the device"),
    "masks": (layer(planted.masks), "indexing by a mask"),
    "copies to the host": (layer(planted.copies_to_the_host), "a copy to the host"),
    "mixes": (layer(planted.mixes), "it raises RuntimeError: Expected all tensors to be on the same device"),
    "counts its calls": (layer(planted.counts_its_calls), "trains otherwise (losses by up to"),
    "draws on the host": (layer(planted.draws_on_the_host), "trains otherwise (losses by up to"),
    "torch's own stream": (augmenting(planted.draws_from_no_stream_of_its_own), "not from the generator it is given"),
    "a host generator": (augmenting(planted.draws_from_a_host_generator), "device type for generator"),
    "host numbers": (augmenting(planted.brings_numbers_from_the_host), "to be on the same device"),
    "reads the batch": (augmenting(planted.reads_the_batch), "each step waits for the GPU at planted.py"),
    "blanks by a mask": (augmenting(planted.blanks_by_a_mask), "indexing by a mask"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_seen(fault: str, trials: Trials) -> None:
    recipe, sentence = FAULTS[fault]
    found = trials.examine(recipe)
    assert sentence in found.faults


def test_a_trick_that_waits_is_named_with_its_line(trials: Trials) -> None:
    assert trials.examine(FAULTS["reads a number"][0]).faults == (
        "each step waits for the GPU at planted.py:44 reads_a_number: a number is read from the device, as .item(),"
        " float() and bool() do; so its network is not captured as a CUDA graph"
    )


@pytest.mark.parametrize("fault", ["reads a number", "decides", "masks", "copies to the host"])
def test_a_network_that_waits_is_not_captured_and_trains_as_it_would(fault: str, trials: Trials) -> None:
    found = trials.examine(FAULTS[fault][0])
    assert not found.captured
    assert not found.differs
    assert not found.error


POLICIES = auto_augment.variants(TINY) | auto_augment_policy.variants(TINY)


@pytest.mark.parametrize("policy", POLICIES)
def test_a_policy_launches_less_than_a_kernel_an_image(policy: str, trials: Trials) -> None:
    """At the batch of `standard`: the number of launches does not depend on it."""
    found = trials.examine(POLICIES[policy])
    assert found.faults == ""
    assert found.launches < BUDGETS["standard"].batch_size
