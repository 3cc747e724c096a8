"""CUDA graphs: what is replayed is what would have run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import TINY
from torch import Tensor, nn

from benchmark.data import DataSet
from benchmark.recipe import Moment
from benchmark.training import Network, ready, train

pytestmark = pytest.mark.gpu
GPU = torch.device("cuda:0")


def smaller_at_first(images: Tensor, moment: Moment) -> Tensor:
    return F.interpolate(images, size=24) if moment.epoch == 0 else images


@pytest.mark.parametrize("recipe", [TINY, replace(TINY, timed=smaller_at_first)], ids=["plain", "two shapes"])
def test_a_captured_run_is_the_run_without_capture(
    recipe: object, toy: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    captured = train(recipe, 0, toy, GPU)  # type: ignore[arg-type]
    other_seed = train(recipe, 1, toy, GPU)  # type: ignore[arg-type]  # on the kept graph
    monkeypatch.setattr(Network, "step", Network._step)
    monkeypatch.setattr(Network, "scores", lambda self, images: self._scores(images)[0])
    for seed, run in enumerate([captured, other_seed]):
        plain = train(recipe, seed, toy, GPU)  # type: ignore[arg-type]
        assert run.losses == pytest.approx(plain.losses, abs=1e-4)
        assert run.validation_loss == pytest.approx(plain.validation_loss, abs=1e-3)


def dropout(channels: int) -> nn.Module:
    return nn.Dropout(0.5)


def test_layers_draw_anew_at_each_replay(toy: DataSet) -> None:
    network = ready(replace(TINY, before_head=dropout), 0, toy, GPU)
    images, targets = torch.rand(32, 3, 32, 32, device=GPU), torch.eye(4, device=GPU)[torch.arange(32) % 4]
    losses = {network.step(images, targets)[0].item() for _ in range(5)}
    assert len(losses) == 5


def test_capture_leaves_buffers_and_the_random_stream_as_they_were(toy: DataSet) -> None:
    images, targets = torch.rand(32, 3, 32, 32, device=GPU), torch.eye(4, device=GPU)[torch.arange(32) % 4]
    captured = ready(TINY, 0, toy, GPU)
    plain = captured.copy()
    torch.cuda.manual_seed(0)
    captured.step(images, targets)
    after = torch.rand(3, device=GPU)
    torch.cuda.manual_seed(0)
    plain.step(images, targets)
    assert torch.equal(after, torch.rand(3, device=GPU))
    for mine, theirs in zip(captured.module.buffers(), plain.module.buffers(), strict=True):
        assert torch.allclose(mine, theirs)


def test_runs_that_differ_outside_the_network_share_its_graphs(toy: DataSet) -> None:
    first = ready(TINY, 0, toy, GPU)
    assert ready(replace(TINY, learning_rate=0.1, epochs=5, weight_decay=0.0), 1, toy, GPU) is first
    assert ready(replace(TINY, batch_size=16), 0, toy, GPU) is not first


class Asking(nn.Module):
    """A layer that waits for the device, which no graph can."""

    def forward(self, x: Tensor) -> Tensor:
        return x * float(x.mean().item() < 1e9)


def asking(channels: int) -> nn.Module:
    return Asking()


def test_what_cannot_be_captured_runs_without_after_a_warning(toy: DataSet) -> None:
    with pytest.warns(UserWarning, match="not captured"):
        asked = train(replace(TINY, before_head=asking), 0, toy, GPU)
    assert asked.losses == pytest.approx(np.asarray(train(TINY, 0, toy, GPU).losses), abs=1e-4)
