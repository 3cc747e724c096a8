"""Trains a recipe on the pretended GPU, with CUDA graphs and without, and says what a real GPU's user would meet.

`Trials` does so in a process of its own, since a process that has imported `device` is of no use for a real GPU.
"""

from __future__ import annotations

import gc
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pytest
import torch
from builders import start_of

from benchmark.data.load import load
from benchmark.data.splits import DataSet
from benchmark.engine import capture, evaluation, network, training
from benchmark.recipe import Recipe

NOT_CAPTURED = "not captured as a CUDA graph"  # the engine's warning, which names the line where the host waits
IMAGES, VALIDATION, TEST, EVALUATED = 32, 12, 16, 12  # two steps of half of TINY's batch: graphs are replayed twice


@dataclass(frozen=True)
class Finding:
    """How a recipe fared."""

    error: str = ""  # what its training raised
    waits: tuple[str, ...] = ()  # of the host for the device, within the steps
    draws: tuple[str, ...] = ()  # from torch's own stream, within the steps but outside the network
    warnings: tuple[str, ...] = ()
    captured: bool = True  # whether steps and evaluations all ran as graphs
    differs: str = ""  # where the replayed run is another than the run without graphs
    launches: float = 0.0  # of kernels in a step, outside the graph

    @property
    def faults(self) -> str:
        """One sentence for each thing that its author has to mend, with the line; empty if there is none."""
        said = [f"on a GPU it raises {self.error}"] if self.error else []
        said += [f"each step waits for the GPU at {wait}" for wait in self.waits]
        said += [f"it draws from torch's own stream, not from the generator it is given, at {d}" for d in self.draws]
        said += [f"its training warns: {each}" for each in self.warnings if not (self.waits and NOT_CAPTURED in each)]
        if not (self.captured or self.error):
            said.append("so its network is not captured as a CUDA graph")
        if self.differs:
            said.append(
                f"replayed as a CUDA graph it trains otherwise ({self.differs}): Python runs at capture alone, so that"
                " what it counts, draws on the host or decides there stays as it was then"
            )
        return "; ".join(said)


def examine(recipe: Recipe, data: DataSet, start: dict[str, torch.Tensor] | None = None) -> Finding:
    """Trains `recipe` for an epoch of `IMAGES` images in batches of half the size, captured and not."""
    from pretended_gpu import device

    small = {"images": IMAGES, "validation_images": VALIDATION, "batch_size": max(1, recipe.batch_size // 2)}
    recipe = replace(recipe, epochs=1, snapshots=(), **small)
    data = replace(data, test=network.first(data.test, TEST))
    network._kept.clear()
    device.log.clear()
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        watched(patch)
        with device.present(patch) as gpu:
            try:
                captured = training.train(recipe, 0, data, gpu, start)
                graphs = [g for kept in network._kept.values() for each in kept.graphs for g in each._graphs.values()]
                steps, seen = len(captured.losses), dict(device.log.launches)
                waits = tuple(
                    dict.fromkeys(
                        f"{where}: {why}" for zone, why, where in device.log.waits if zone != "between epochs"
                    )
                )
                draws = tuple(where for zone, where in device.log.draws if zone == "step")
                patch.setattr(network.Network, "step", network.Network._step)
                patch.setattr(network.Network, "scores", lambda self, images: self._scores(images)[0])
                patch.setattr(training, "step_flops", lambda network, batch: captured.step_flops)  # runs no graph
                plain = training.train(recipe, 0, data, gpu, start)
            except Exception as reason:
                return Finding(error=f"{type(reason).__name__}: {str(reason).splitlines()[0]} at {raised(reason)}")
    return Finding(
        waits=waits,
        draws=draws,
        warnings=tuple(str(each.message) for each in told),
        captured=bool(graphs) and all(graphs),
        differs=difference(captured, plain),
        launches=seen.get("step", 0) / steps,
    )


def watched(patch: pytest.MonkeyPatch) -> None:
    """Lets the training run on the pretended GPU as on a real one, and the log know its parts."""
    from pretended_gpu.device import log

    batches, fitness = training.batches, training.fitness

    def within_steps(*args: Any) -> Iterator[Any]:
        for batch in batches(*args):
            log.zone = "step"
            yield batch
        log.zone = "between epochs"

    def zoned(name: str, zone: str) -> None:
        function = getattr(network.Network, name)

        def call(*args: Any) -> Any:
            before, log.zone = log.zone, zone
            try:
                return function(*args)
            finally:
                log.zone = before

        patch.setattr(network.Network, name, call)

    log.zone = "between epochs"
    zoned("_step", "network")
    zoned("_scores", "evaluation")
    patch.setattr(training, "batches", within_steps)
    patch.setattr(training, "fitness", lambda trained, split: fitness(trained, network.first(split, EVALUATED)))
    patch.setattr(capture, "WARM_UP", 2)  # no library has anything to choose here
    patch.setattr(network, "captures", lambda device: device.type == "gpu")
    for module in (network, evaluation):
        patch.setattr(module, "evaluation_batch", lambda device: EVALUATED)
    for module in (training, evaluation):
        patch.setattr(module, "evaluate", torch.no_grad()(evaluation.evaluate.__wrapped__))


def difference(captured: training.Result, plain: training.Result) -> str:
    """Returns what differs between two runs, and by how much; empty if nothing does."""
    for what in ("losses", "logits", "validation_logits"):
        a, b = getattr(captured, what), getattr(plain, what)
        if (a is None) != (b is None) or (a is not None and not np.array_equal(a, b, equal_nan=True)):
            return what if a is None or b is None else f"{what} by up to {np.nanmax(np.abs(a - b)):.2g}"
    return ""


def raised(reason: Exception) -> str:
    """Returns the innermost line of an error that is neither torch's nor Python's own."""
    from pretended_gpu.device import NOT_THE_CALLER

    ours = [f for f in traceback.extract_tb(reason.__traceback__) if not f.filename.startswith(NOT_THE_CALLER)]
    return f"{Path(ours[-1].filename).name}:{ours[-1].lineno} {ours[-1].name}" if ours else ""


def serve(pipe: Connection, folder: Path) -> None:
    """Says whether this torch can pretend a GPU, then examines each recipe that comes, until the pipe ends."""
    torch.set_num_threads(1)
    try:
        from pretended_gpu import device

        device.present  # noqa: B018
    except (ImportError, AttributeError, RuntimeError, TypeError) as reason:
        pipe.send(f"torch {torch.__version__} has moved the parts that a GPU is pretended with: {reason}")
        return
    pipe.send("")
    data = load("toy", folder)
    gc.freeze()  # torch leaves much to look at
    while True:
        try:
            recipe = pipe.recv()
        except EOFError:
            return
        pipe.send(examine(recipe, data, start_of(recipe, data)))


class Trials:
    """A process that examines recipes on the toy data set of `folder`. `missing` says why it cannot."""

    def __init__(self, folder: Path) -> None:
        if torch.cuda.is_available():
            self.missing, self._process = "a real GPU is there: the tests marked gpu take it", None
            return
        context = get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, folder), daemon=True)
        self._process.start()
        theirs.close()
        self.missing: str = self._pipe.recv()

    def examine(self, recipe: Recipe) -> Finding:
        """Returns how `recipe` fares; skips the test that asks where no GPU can be pretended."""
        if self.missing:
            pytest.skip(self.missing)
        self._pipe.send(recipe)
        found: Finding = self._pipe.recv()
        return found

    def __enter__(self) -> Trials:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        if self._process:
            self._pipe.close()
            self._process.join()
