"""Worker processes, one for each core or GPU."""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from multiprocessing import Pipe, get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Self

import torch
from safetensors.torch import load as load_weights

from benchmark.data.load import load
from benchmark.engine.capture import CaptureError, line_of
from benchmark.engine.machine import check_gpu, environment, is_broken, settle
from benchmark.engine.network import Weights, captured_part, forget_captured
from benchmark.engine.training import Result, train
from benchmark.errors import UsageError
from benchmark.planning.checkpoints import weights_of
from benchmark.planning.identity import Run, describe, is_marked, module_mark
from benchmark.recipe import Checkpoint, Recipe
from benchmark.running.executor import Outcome
from benchmark.running.preload import preload
from benchmark.store.files import weights_file
from benchmark.store.keys import digest
from benchmark.store.records import timestamp
from benchmark.store.store import DIGITS

ATTEMPTS = 2  # at a run whose worker died or lacked memory: it may have been another's fault
FUTILE = 6  # deaths of workers, before any of them finished a run, that end the command


@dataclass(frozen=True)
class Job:
    """What a worker is given."""

    run: Run
    text: str  # of its recipe, as the process that planned it describes it
    capture: bool = True  # whether its network may run as CUDA graphs


@dataclass(frozen=True)
class Lost:
    """A worker's last word: a run left its process unusable."""

    error: str
    captured: bool = True  # False: a failed capture did it


@dataclass(frozen=True)
class Starved:
    """A run for which the GPU had too little memory."""

    error: str


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

    A worker starts when there is first work for it and stays for later calls of `outcomes`, until the `with` ends. One
    that dies, or whose GPU fails for good, is replaced, and its run tried once more. A run that a GPU had too little
    memory for is tried once more at the end, alone.
    """

    devices: Sequence[str]
    data: str
    folder: Path
    store: Path | None = None  # where the weights are that runs start from
    training: Training = train  # benchmarks put one in its place that does nothing
    context: SpawnContext | ForkServerContext = field(default=get_context("forkserver"), repr=False)
    _workers: list[Worker] = field(default_factory=list, repr=False)
    _uncaptured: set[Recipe] = field(default_factory=set, repr=False)  # networks whose capture failed
    _seen: Counter[str] = field(default_factory=Counter, repr=False)  # deaths of workers, and outcomes

    def __enter__(self) -> Self:
        preload()
        return self

    def __exit__(self, *error: object) -> None:
        dismiss(self._workers)

    def outcomes(self, runs: Iterator[Run]) -> Iterator[Outcome]:
        """Train `runs`, each on the next worker that is free. Raises UsageError if workers cannot start."""
        starved: list[Run] = []
        try:
            yield from self._trained(runs, self.devices, starved)
            if starved:
                dismiss(self._workers)  # so that nothing else takes the GPU's memory
                yield from self._trained(iter(starved), self.devices[:1], None, attempt=ATTEMPTS)
        finally:
            if any(worker.run for worker in self._workers):  # stopped on the way
                dismiss(self._workers)

    def _trained(
        self, runs: Iterator[Run], devices: Sequence[str], starved: list[Run] | None, attempt: int = 1
    ) -> Iterator[Outcome]:
        workers = self._workers
        for n, device in enumerate(devices):
            if (run := next(runs, None)) is None:
                break
            if n == len(workers):
                workers.append(self.hire(device))
            self.assign(workers[n], run, attempt)
        while any(worker.run for worker in workers):
            ready = wait([w.pipe for w in workers if w.run])
            for worker in [w for w in workers if w.pipe in ready]:
                outcome = self.hear(worker, starved)
                if not worker.run and (following := next(runs, None)) is not None:
                    self.assign(worker, following, attempt)
                if outcome:
                    yield outcome

    def assign(self, worker: Worker, run: Run, attempt: int) -> None:
        """Set a worker to a run, without CUDA graphs if an earlier capture of its network failed."""
        give(worker, run, attempt, capture=captured_part(run.recipe) not in self._uncaptured)

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

    def hear(self, worker: Worker, starved: list[Run] | None) -> Outcome | None:
        """The outcome of a worker's run. None if the run is tried again, or goes to `starved`, where there is a list.

        A worker that died, or cannot go on, is replaced. Raises UsageError if workers cannot start.
        """
        run = worker.run
        assert run is not None
        try:
            said: Outcome | Starved | Lost | UsageError = worker.pipe.recv()
        except (EOFError, ConnectionError):
            worker.process.join()
            said = Lost(f"its worker died with exit code {worker.process.exitcode}")
        if isinstance(said, UsageError):
            raise said
        if isinstance(said, Lost):
            return self.replaced(worker, run, said)
        worker.run = None
        self._seen["outcomes"] += 1
        if isinstance(said, Outcome):
            return said
        if starved is not None:
            starved.append(run)
            return None
        return Outcome(run, None, f"{said.error}, also alone on its GPU", {}, worker.started, timestamp())

    def replaced(self, worker: Worker, run: Run, loss: Lost) -> Outcome | None:
        """Puts another process in a worker's place and tries its run again, or gives the failure."""
        self._seen["deaths"] += 1
        if not self._seen["outcomes"] and self._seen["deaths"] >= FUTILE:
            raise UsageError(
                f"{FUTILE} workers were lost before one of them finished a run; the last: {loss.error}."
                " If memory is short, --jobs 1 starts one worker alone; --device cpu leaves the GPU out"
            )
        if not loss.captured:
            self._uncaptured.add(captured_part(run.recipe))
            warnings.warn(f"{loss.error}; a new worker goes on without CUDA graphs, so slower", stacklevel=2)
        worker.process.join()
        successor = self.hire(self.devices[self._workers.index(worker)])
        worker.process, worker.pipe = successor.process, successor.pipe
        if worker.attempt < ATTEMPTS:
            self.assign(worker, run, worker.attempt + 1)
            return None
        worker.run = None
        error = f"{loss.error}, {worker.attempt} of {ATTEMPTS} times"
        return Outcome(run, None, error, {}, worker.started, timestamp())


def give(worker: Worker, run: Run, attempt: int = 1, capture: bool = True) -> None:
    """Set a worker to a run."""
    worker.run, worker.attempt, worker.started = run, attempt, timestamp()
    with suppress(BrokenPipeError):  # it died just now: hear() will find out
        worker.pipe.send(Job(run, describe(run.recipe), capture))


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
    """A worker's life: train each run it is given, until its parent is gone. What keeps it from starting is sent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    threading.Thread(target=end_with_parent, daemon=True).start()
    try:
        settle(device)
        if device.startswith("cuda"):
            check_gpu(device)
        loaded(name, folder)
    except UsageError as reason:
        pipe.send(reason)
        return
    except Exception as reason:
        pipe.send(UsageError(f"a worker on {device} cannot start: {in_words(reason)}"))
        return
    while True:
        said = outcome_of(pipe.recv(), device, folder, store, training)
        pipe.send(said)
        if isinstance(said, Starved):
            forget_captured(torch.device(device))
        if isinstance(said, Lost):
            os._exit(1)  # at once: what a broken GPU is asked on the way out may never return


def outcome_of(
    job: Job, device: str, folder: Path, store: Path | None, training: Training
) -> Outcome | Starved | Lost:
    """Trains a run. Whatever a trick raises is recorded, and stops no other run."""
    run, started = job.run, timestamp()
    result, error = None, ""
    try:
        compare_code(run, job.text)
        data = loaded(run.recipe.data, folder)
        options = beginning(run, store) | ({} if job.capture else {"capture": False})
        result = training(run.recipe, run.seed, data, torch.device(device), **options)
        result = result if run.keeps_weights else replace(result, weights=None)
    except torch.OutOfMemoryError as reason:
        return Starved(in_words(reason))
    except CaptureError as reason:
        return Lost(f"a CUDA graph cannot be captured: {reason}", captured=False)
    except Exception as reason:
        error = in_words(reason)
        if is_broken(device):
            return Lost(f"{error} left the GPU unusable for its process")
    return Outcome(run, result, error, environment(device), started, timestamp())


loaded = lru_cache(maxsize=2)(load)  # a pre-training and what follows it may be of two data sets


def beginning(run: Run, store: Path | None) -> dict[str, Weights]:
    """The trained weights that a run starts or learns from, if it does, as `train` takes them."""
    start = run.recipe.before
    if isinstance(start, Checkpoint):
        return {"start": weights_of(start)}
    return {"start": stored_weights(weights_file(store, run.start), run.start_digest)} if start and store else {}


def stored_weights(path: Path, expected: str) -> Weights:
    """Returns the trained weights in a file. Raises ValueError if it is not the file that its run wrote."""
    content = path.read_bytes()
    if expected and digest(content, DIGITS) != expected:
        raise ValueError(f"{path.name} is damaged; the same command trains its run anew")
    return load_weights(content)


def compare_code(run: Run, text: str) -> None:
    """Raises RuntimeError if this process describes the run otherwise than the one that planned it."""
    if describe(run.recipe) != text:
        modules = {name for name, module in sys.modules.items() if not hasattr(module, "__path__")}  # no packages
        named = [name for name in sorted(modules) if f"{name}." in text and is_marked(name)]
        changed = [module for module in named if f"@{module_mark(module)}" not in text] or ["the code"]
        raise RuntimeError(
            f"{' and '.join(changed)} changed after the grid was planned; start the same command again, which plans "
            "it with the code as it is now"
        )


def end_with_parent() -> None:
    """A parent killed the hard way must not leave workers that hold cores and memory."""
    parent = parent_process()
    if parent:
        parent.join()
    os._exit(1)


def in_words(reason: Exception) -> str:
    """An error and the line outside torch where it was raised."""
    return f"{type(reason).__name__}: {reason} ({line_of(reason)})"
