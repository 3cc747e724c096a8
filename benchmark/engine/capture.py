"""CUDA graphs: the kernels of a training step or of an evaluation, launched all at once.

A small network's kernels take less time than Python takes to launch them. A graph is captured once for each shape of
batch and replayed from then on: https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs.
"""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor, nn

Outputs = tuple[Tensor, ...]
WARM_UP = 3  # calls before capture, in which libraries choose and allocate, as torch's documentation has it
PROTOTYPE = "Synchronization debug mode is a prototype feature"  # torch/csrc/cuda/Module.cpp, once a process
WAITED = "called a synchronizing CUDA operation"  # c10/cuda/CUDAFunctions.cpp, warn_or_error_on_sync
TORCH = str(Path(torch.__file__).parent)


class CaptureError(RuntimeError):
    """A capture that began and failed. What runs in this process after it cannot be trusted.

    torch leaves the capture's stream current, and up to 2.12 its allocator and its random stream as if it still
    captured: https://github.com/pytorch/pytorch/pull/180395.
    """


def captures(device: torch.device) -> bool:
    """Returns whether what runs on `device` can be captured as a graph."""
    return device.type == "cuda"


@dataclass(frozen=True)
class Graph:
    """One captured call, with the memory that it reads and writes."""

    graph: torch.cuda.CUDAGraph
    inputs: Sequence[Tensor]
    outputs: Outputs
    gradients: Sequence[Tensor | None]  # of the module's parameters


Kinds = tuple[tuple[torch.Size, torch.dtype], ...]


class Captured:
    """`function`, which runs `module` on tensors of the GPU and may leave gradients in its parameters.

    What a call returns is overwritten by the next call on the same shapes. Buffers and the random stream advance as
    they would have without a graph. A function that makes the host wait for the device runs as it is, after a warning
    that names the line.
    """

    def __init__(self, function: Callable[..., Outputs], module: nn.Module) -> None:
        self.function, self.module = function, module
        self._graphs: dict[Kinds, Graph | None] = {}

    def __call__(self, *inputs: Tensor) -> Outputs:
        """Does what `function` does, and raises what it raises. Raises CaptureError if a capture fails."""
        kinds = tuple((each.shape, each.dtype) for each in inputs)
        if kinds not in self._graphs:
            self._graphs[kinds] = self._capture(inputs)
        kept = self._graphs[kinds]
        if kept is None:
            return self.function(*inputs)
        for mine, given in zip(kept.inputs, inputs, strict=True):
            mine.copy_(given)
        kept.graph.replay()
        for parameter, gradient in zip(self.module.parameters(), kept.gradients, strict=True):
            parameter.grad = gradient
        return kept.outputs

    def _capture(self, inputs: Sequence[Tensor]) -> Graph | None:
        device = inputs[0].device
        mine = [each.clone() for each in inputs]
        buffers = [each.clone() for each in self.module.buffers()]
        stream_of_numbers = torch.cuda.get_rng_state(device)

        def as_before() -> None:
            self._drop_gradients()
            for buffer, before in zip(self.module.buffers(), buffers, strict=True):
                buffer.copy_(before)
            torch.cuda.set_rng_state(stream_of_numbers, device)

        wait = self._warm_up(mine, device)
        as_before()
        if wait:
            warnings.warn(f"not captured as a CUDA graph, so slower: waits for the GPU at {wait}", stacklevel=3)
            return None
        graph = self._captured(mine, device)
        as_before()
        return graph

    def _warm_up(self, inputs: Sequence[Tensor], device: torch.device) -> str:
        """Calls the function as often as capture asks for; returns where it waits for the device, empty if nowhere.

        To find that out ahead costs nothing. Within a capture a wait would fail it, and leave the process broken.
        """
        stream = side_stream(device)
        stream.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP - 1):
                self._drop_gradients()
                self.function(*inputs)
            self._drop_gradients()
            wait = first_wait(self.function, inputs)
        torch.cuda.current_stream(device).wait_stream(stream)
        return wait

    def _captured(self, inputs: Sequence[Tensor], device: torch.device) -> Graph:
        graph = torch.cuda.CUDAGraph()
        try:  # without gradients, so that the captured backward pass allocates them in the graph's own memory
            with torch.cuda.graph(graph, stream=side_stream(device)):
                outputs = self.function(*inputs)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as reason:
            cause = reason.__context__ or reason  # torch's own, on leaving, hides what went wrong within
            raise CaptureError(f"{first_line(cause)} ({line_of(cause)})") from reason
        return Graph(graph, inputs, outputs, [parameter.grad for parameter in self.module.parameters()])

    def _drop_gradients(self) -> None:
        for parameter in self.module.parameters():
            parameter.grad = None


@lru_cache
def side_stream(device: torch.device) -> torch.cuda.Stream:
    """Returns the stream on which this process warms up and captures: every further one would keep a
    cuBLAS workspace."""
    return torch.cuda.Stream(device)


def first_wait(function: Callable[..., Outputs], inputs: Sequence[Tensor]) -> str:
    """Calls `function`; returns the line where it first makes the host wait for the device, empty if it does not."""
    try:
        with waiting_raises():
            function(*inputs)
    except RuntimeError as reason:
        if WAITED not in str(reason):
            raise
        return line_of(reason)
    return ""


@contextmanager
def waiting_raises() -> Iterator[None]:
    """Makes an operation within this block raise RuntimeError if the host would wait for the device."""
    before = torch.cuda.get_sync_debug_mode()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", PROTOTYPE)
            torch.cuda.set_sync_debug_mode("error")
        yield
    finally:
        torch.cuda.set_sync_debug_mode(before)


def line_of(reason: BaseException) -> str:
    """Returns the innermost line outside torch in which an error was raised, as `file.py, line 12`."""
    frames = traceback.extract_tb(reason.__traceback__)
    frame = next((frame for frame in reversed(frames) if not frame.filename.startswith(TORCH)), None)
    return f"{Path(frame.filename).name}, line {frame.lineno}" if frame else "a line that is not known"


def first_line(reason: BaseException) -> str:
    """Returns the first line of an error's text: CUDA's errors go on with advice on debugging."""
    return (str(reason).splitlines() or [type(reason).__name__])[0]
