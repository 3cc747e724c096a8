"""CUDA graphs: what is replayed is what would have run; what cannot be captured says why.

Tests marked gpu need one. On any machine, tests/pretended_gpu captures and replays every trick.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import TINY
from torch import Tensor, nn

from benchmark.data.splits import DataSet
from benchmark.engine import network
from benchmark.engine.capture import Captured, CaptureError, side_stream
from benchmark.engine.network import Network, ready
from benchmark.engine.training import train
from benchmark.recipe import Moment

GPU = torch.device("cuda:0")


@pytest.fixture(autouse=True)
def _nothing_captured_before() -> None:
    """A network that an earlier test captured may be in evaluation mode."""
    network._kept.clear()


def smaller_at_first(images: Tensor, moment: Moment) -> Tensor:
    return F.interpolate(images, size=24) if moment.epoch == 0 else images


@pytest.mark.gpu
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


@pytest.mark.gpu
def test_layers_draw_anew_at_each_replay(toy: DataSet) -> None:
    network = ready(replace(TINY, before_head=dropout), 0, toy, GPU)
    images, targets = torch.rand(32, 3, 32, 32, device=GPU), torch.eye(4, device=GPU)[torch.arange(32) % 4]
    losses = {network.step(images, targets)[0].item() for _ in range(5)}
    assert len(losses) == 5


@pytest.mark.gpu
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


@pytest.mark.gpu
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


@pytest.mark.gpu
def test_what_cannot_be_captured_runs_without_after_a_warning(toy: DataSet) -> None:
    with pytest.warns(UserWarning, match=r"not captured.*waits for the GPU at test_capture.py, line \d+"):
        asked = train(replace(TINY, before_head=asking), 0, toy, GPU)
    assert asked.losses == pytest.approx(np.asarray(train(TINY, 0, toy, GPU).losses), abs=1e-4)


class Stream:
    def wait_stream(self, other: object) -> None: ...


def failing(reason: Exception) -> type:
    """Stands for torch.cuda.graph, whose end raises after what is captured did: torch then shows the second error."""

    class Graph(nullcontext[None]):
        def __init__(self, graph: object, stream: object) -> None:
            super().__init__()

        def __enter__(self) -> None:
            raise reason

    return Graph


@pytest.fixture
def stubs(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Everything of torch.cuda that capture calls, on a machine without a GPU."""
    stands = {"CUDAGraph": object, "Stream": lambda device: Stream(), "current_stream": lambda device: Stream()}
    stands |= {"stream": nullcontext, "get_rng_state": lambda device: None, "set_rng_state": lambda *_: None}
    stands |= {"get_sync_debug_mode": lambda: 0, "set_sync_debug_mode": lambda mode: None}
    for name, stand in stands.items():
        monkeypatch.setattr(torch.cuda, name, stand)
    side_stream.cache_clear()
    yield
    side_stream.cache_clear()


def captured(monkeypatch: pytest.MonkeyPatch, end: Exception) -> None:
    monkeypatch.setattr(torch.cuda, "graph", failing(end))
    module = nn.Linear(3, 2)
    Captured(lambda images: (module(images),), module)(torch.ones(4, 3))


@pytest.mark.usefixtures("stubs")
def test_a_failed_capture_names_its_cause_and_not_what_hid_it(monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = RuntimeError("CUDA error: operation failed due to a previous error during capture")
    try:
        Asking()(torch.tensor(1.0).to("meta"))  # .item() of a tensor without numbers
    except RuntimeError as cause:
        hidden.__context__ = cause
    with pytest.raises(CaptureError, match=r"item.*meta.*\(test_capture.py, line \d+\)"):
        captured(monkeypatch, hidden)


@pytest.mark.usefixtures("stubs")
def test_all_captures_of_a_process_share_a_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """cuBLAS keeps a workspace for each stream for good: memory would grow with the networks of a worker."""
    made: list[Stream] = []

    def stream(device: torch.device) -> Stream:
        made.append(Stream())
        return made[-1]

    monkeypatch.setattr(torch.cuda, "Stream", stream)
    for _ in range(3):
        with pytest.raises(CaptureError):
            captured(monkeypatch, RuntimeError("as far as it goes without a GPU"))
    assert len(made) == 1


@pytest.mark.usefixtures("stubs")
def test_a_lack_of_memory_is_none_of_the_capture(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(torch.OutOfMemoryError, match="2 GiB"):
        captured(monkeypatch, torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"))


@pytest.mark.usefixtures("stubs")
def test_a_wait_is_found_before_the_capture_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch raises it at the line, in the last call of the warm-up; the function then runs as it is."""
    modes: list[object] = []

    def set_mode(mode: object) -> None:
        modes.append(mode)
        if mode == "error":  # as torch does, once in a process
            warnings.warn(
                "Synchronization debug mode is a prototype feature and does not yet detect all", stacklevel=2
            )

    monkeypatch.setattr(torch.cuda, "set_sync_debug_mode", set_mode)
    monkeypatch.setattr(torch.cuda, "graph", failing(AssertionError("no capture may begin")))

    def asks(images: Tensor) -> tuple[Tensor, ...]:
        if modes[-1:] == ["error"]:
            raise RuntimeError("called a synchronizing CUDA operation")
        return (images + 1,)

    function = Captured(asks, nn.Identity())
    with pytest.warns(UserWarning, match=r"not captured.*waits for the GPU at test_capture.py, line \d+"):
        assert function(torch.ones(2))[0].tolist() == [2, 2]
    assert function(torch.zeros(2))[0].tolist() == [1, 1]
    assert modes == ["error", 0]
