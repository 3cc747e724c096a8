"""CUDA graphs: the kernels of a training step or of an evaluation, launched all at once.

A small network's kernels take less time than Python takes to launch them. A graph is captured once for each shape of
batch and replayed from then on: https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

Outputs = tuple[Tensor, ...]
WARM_UP = 3  # calls before capture, in which libraries choose and allocate, as torch's documentation has it


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


class Captured:
    """`function`, which runs `module` on tensors of the GPU and may leave gradients in its parameters.

    What a call returns is overwritten by the next call on the same shapes. Buffers and the random stream advance as
    they would have without a graph. A function that cannot be captured runs as it is, after a warning.
    """

    def __init__(self, function: Callable[..., Outputs], module: nn.Module) -> None:
        self.function, self.module = function, module
        self._graphs: dict[tuple[torch.Size, ...], Graph | None] = {}

    def __call__(self, *inputs: Tensor) -> Outputs:
        """As `function`. Raises what it raises."""
        shapes = tuple(each.shape for each in inputs)
        if shapes not in self._graphs:
            self._graphs[shapes] = self._capture(inputs)
        kept = self._graphs[shapes]
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
        graph = torch.cuda.CUDAGraph()
        try:
            self._warm_up(mine)
            self._drop_gradients()  # so that the captured backward pass allocates them in the graph's own memory
            with torch.cuda.graph(graph):
                outputs = self.function(*mine)
            gradients = [parameter.grad for parameter in self.module.parameters()]
        except RuntimeError as reason:
            torch.cuda.synchronize(device)
            self._drop_gradients()
            warnings.warn(f"not captured as a CUDA graph, so slower: {str(reason).splitlines()[0]}", stacklevel=3)
            return None
        finally:
            for buffer, before in zip(self.module.buffers(), buffers, strict=True):
                buffer.copy_(before)
            torch.cuda.set_rng_state(stream_of_numbers, device)
        return Graph(graph, mine, outputs, gradients)

    def _warm_up(self, inputs: Sequence[Tensor]) -> None:
        """On a stream of its own, as capture asks for."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                self._drop_gradients()
                self.function(*inputs)
        torch.cuda.current_stream().wait_stream(stream)

    def _drop_gradients(self) -> None:
        for parameter in self.module.parameters():
            parameter.grad = None
