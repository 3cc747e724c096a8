"""Worker processes, one for each core or GPU."""

from __future__ import annotations

import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from multiprocessing import Pipe, get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Self

import torch
from safetensors.torch import load_file

from benchmark.data.load import load
from benchmark.engine.machine import environment, settle
from benchmark.engine.training import Result, train
from benchmark.errors import UsageError
from benchmark.planning.checkpoints import weights_of
from benchmark.planning.identity import Run
from benchmark.recipe import Checkpoint
from benchmark.running.executor import Outcome
from benchmark.running.preload import preload
from benchmark.store.files import weights_file
from benchmark.store.records import timestamp

ATTEMPTS = 2  # at a run whose worker died: it may have been another's fault, such as a lack of memory


@dataclass
class Worker:
    """A process that trains, and what it is at."""

    process: BaseProcess
    pipe: Connection
    run: Run | None = None
    attempt: int = 1
    started: str = ""


Training = Callable[..., Result]  # called as `train` is


@dataclass(frozen=True)
class Processes:
    """Worker processes, one for each entry of `devices`; each has the data set `data` of `folder`.

    A worker starts when there is first work for it and stays for later calls of `outcomes`, until the `with` ends.
    """

    devices: Sequence[str]
    data: str
    folder: Path
    store: Path | None = None  # where the weights are that runs start from
    training: Training = train  # benchmarks put one in its place that does nothing
    context: SpawnContext | ForkServerContext = field(default=get_context("forkserver"), repr=False)
    _workers: list[Worker] = field(default_factory=list, repr=False)

    def __enter__(self) -> Self:
        preload()
        return self

    def __exit__(self, *error: object) -> None:
        dismiss(self._workers)

    def outcomes(self, runs: Iterator[Run]) -> Iterator[Outcome]:
        """Train `runs`, each on the next worker that is free."""
        workers = self._workers
        try:
            for n, device in enumerate(self.devices):
                if (run := next(runs, None)) is None:
                    break
                if n == len(workers):
                    workers.append(self.hire(device))
                give(workers[n], run)
            while any(worker.run for worker in workers):
                ready = wait([w.pipe for w in workers if w.run])
                for worker in [w for w in workers if w.pipe in ready]:
                    outcome = self.hear(worker, workers)
                    if outcome:
                        if (following := next(runs, None)) is not None:
                            give(worker, following)
                        yield outcome
        finally:
            if any(worker.run for worker in workers):  # stopped on the way
                dismiss(workers)

    def hire(self, device: str) -> Worker:
        """A new worker for `device`."""
        ours, theirs = Pipe()
        process = self.context.Process(
            target=work,
            args=(theirs, device, self.data, self.folder, self.store, self.training),
            daemon=True,
            name=f"worker on {device}",
        )
        process.start()
        theirs.close()  # so that the pipe ends when the worker does
        return Worker(process, ours)

    def hear(self, worker: Worker, workers: list[Worker]) -> Outcome | None:
        """What a worker says; if it died, None after putting another in its place, or the failure."""
        run = worker.run
        assert run is not None
        try:
            outcome: Outcome | UsageError = worker.pipe.recv()
            if isinstance(outcome, UsageError):
                raise outcome
            worker.run = None
            return outcome
        except (EOFError, ConnectionError):
            worker.process.join()
            death = f"its worker died with exit code {worker.process.exitcode}, {worker.attempt} of {ATTEMPTS} times"
            device = self.devices[workers.index(worker)]
            successor = self.hire(device)
            worker.process, worker.pipe = successor.process, successor.pipe
            if worker.attempt < ATTEMPTS:
                give(worker, run, worker.attempt + 1)
                return None
            worker.run = None
            return Outcome(run, None, death, {}, worker.started, timestamp())


def give(worker: Worker, run: Run, attempt: int = 1) -> None:
    """Set a worker to a run."""
    worker.run, worker.attempt, worker.started = run, attempt, timestamp()
    with suppress(BrokenPipeError):  # it died just now: hear() will find out
        worker.pipe.send(run)


def dismiss(workers: list[Worker]) -> None:
    """End all workers at once and empty the list: what they are at is lost, what they finished is with the parent."""
    for worker in workers:
        worker.process.kill()
    for worker in workers:
        worker.process.join()
        worker.pipe.close()
    workers.clear()


def work(
    pipe: Connection,
    device: str,
    name: str,
    folder: Path,
    store: Path | None,
    training: Training,
) -> None:
    """A worker's life: train each run it is given, until its parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    threading.Thread(target=end_with_parent, daemon=True).start()
    settle(device)
    try:
        loaded(name, folder)
    except UsageError as reason:
        pipe.send(reason)
        return
    while True:
        run: Run = pipe.recv()
        started = timestamp()
        try:
            data = loaded(run.recipe.data, folder)
            result = training(run.recipe, run.seed, data, torch.device(device), **beginning(run, store))
            result, error = result if run.keeps_weights else replace(result, weights=None), ""
        except Exception as reason:  # whatever a trick raises is recorded, and stops no other run
            result, error = None, f"{type(reason).__name__}: {reason} ({place(reason)})"
        pipe.send(Outcome(run, result, error, environment(device), started, timestamp()))


loaded = lru_cache(maxsize=2)(load)  # a pre-training and what follows it may be of two data sets


def beginning(run: Run, store: Path | None) -> dict[str, Any]:
    """The trained weights that a run starts from, if it does, as `train` takes them."""
    start = run.recipe.start_from
    if isinstance(start, Checkpoint):
        return {"start": weights_of(start)}
    return {"start": load_file(weights_file(store, run.start))} if start and store else {}


def end_with_parent() -> None:
    """A parent killed the hard way must not leave workers that hold cores and memory."""
    parent = parent_process()
    if parent:
        parent.join()
    os._exit(1)


def place(reason: Exception) -> str:
    """Where an error was raised."""
    frame = traceback.extract_tb(reason.__traceback__)[-1]
    return f"{Path(frame.filename).name}, line {frame.lineno}"
