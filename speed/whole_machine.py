"""Trainings one after another in one process, each on a GPU or on all cores: a worker of the suite has one core."""

from __future__ import annotations

import torch

from benchmark.baseline import baseline
from benchmark.engine.machine import cores, devices, has_fast_bf16, prepare_device
from benchmark.recipe import Recipe


def prepared(wanted: str, data: str, budget: str) -> tuple[str, Recipe]:
    """Prepares this process for the first of the devices wanted and returns it, with the budget's baseline in the
    precision that it is fast in. Raises UsageError if there is no such device."""
    device = devices(wanted)[0]
    prepare_device(device)
    torch.set_num_threads(cores())
    return device, baseline(data, budget, "bf16" if has_fast_bf16(device) else "fp32")
