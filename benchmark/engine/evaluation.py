"""Answers of a network and what is measured from them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from benchmark.data.splits import Split
from benchmark.engine.network import Network, evaluation_batch, pixels

LEAST_FLOAT16 = -65504.0  # of float16; a log-probability below it would be stored as minus infinity


def shifted(logits: Tensor) -> np.ndarray:
    """Log-probabilities float16: logits shifted by their log-sum-exp, so that half precision holds them."""
    return logits.log_softmax(1).clamp_min(LEAST_FLOAT16).half().cpu().numpy()


@torch.inference_mode()
def evaluate(network: Network, images: Tensor) -> Tensor:
    """Returns logits (n, classes) float32 of uint8 images (n, 3, h, w), without augmentation."""
    network.module.eval()
    return torch.cat([network.scores(batch) for batch in images.split(evaluation_batch(images.device))])


def fitness(network: Network, split: Split) -> tuple[float, float]:
    """Returns the accuracy on `split` and the share of units of its activations that are dead on it.

    A unit is one channel. It is dead if it gives one and the same number at every place of every image, as a
    rectifier does that never fires; no gradient gets through it then.
    """
    extremes: dict[nn.Module, tuple[Tensor, Tensor]] = {}

    def note(layer: nn.Module, inputs: object, output: Tensor) -> None:
        by_unit = output.movedim(1, -1).flatten(0, -2).float()  # torch's amax of bfloat16 takes twenty times as long
        low, high = by_unit.amin(0), by_unit.amax(0)
        if layer in extremes:
            low, high = torch.minimum(low, extremes[layer][0]), torch.maximum(high, extremes[layer][1])
        extremes[layer] = low, high

    hooks = [layer.register_forward_hook(note) for layer in network.activations]
    try:
        scores = evaluate(replace(network, graphs=None), split.images)  # a graph calls no hooks
    finally:
        for hook in hooks:
            hook.remove()
    dead = torch.cat([low == high for low, high in extremes.values()]) if extremes else torch.zeros(1)
    return accuracy(scores, split.labels), dead.double().mean().item()


def accuracy(scores: Tensor, labels: Tensor) -> float:
    """Returns the share of rows whose highest score is at the label."""
    return (scores.argmax(1) == labels).double().mean().item()


def step_flops(network: Network, batch: Split) -> int:
    """Returns the floating point operations of forward and backward of one batch, by torch's counter, on a copy."""
    twin = network.copy()
    twin.module.train()
    with FlopCounterMode(display=False) as counter:
        F.cross_entropy(twin(pixels(batch.images)), batch.labels).backward()
    return int(counter.get_total_flops())
