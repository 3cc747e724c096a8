"""Trains what the store lacks: worker processes, one for each core or GPU, and one parent that writes.

Workers are forked from a process that has imported torch. A worker keeps the data on its device; it is given one run
at a time, stage after stage. A worker that dies is replaced and its run tried once more. The parent trains nothing.
"""

from __future__ import annotations

import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from math import inf
from multiprocessing import Pipe, get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Protocol, Self

import torch
from safetensors.torch import load_file
from tqdm import tqdm

from benchmark.checkpoints import weights_of
from benchmark.data import load
from benchmark.errors import UsageError
from benchmark.grid import longest_first
from benchmark.identity import Run, describe
from benchmark.machine import environment, settle
from benchmark.preload import preload
from benchmark.recipe import Checkpoint
from benchmark.store import Record, Store, weights_file
from benchmark.training import Result, train

ATTEMPTS = 2  # at a run whose worker died: it may have been another's fault, such as a lack of memory


@dataclass(frozen=True)
class Outcome:
    """A run that is over, in whatever way."""

    run: Run
    result: Result | None  # None if it raised an error or its worker died
    error: str
    environment: dict[str, str | int]
    started: str  # ISO 8601, UTC
    finished: str


class Trainer(Protocol):
    """Whoever trains: worker processes, or a stand-in in tests."""

    def outcomes(self, runs: Iterator[Run]) -> Iterator[Outcome]:
        """One outcome for each run, as they finish."""


@dataclass(frozen=True)
class Ended:
    """How a call of `complete` ended."""

    trained: int
    failed: list[Record]
    left: int  # runs not started, or lost to an interruption
    interrupted: bool


def complete(
    rounds: Sequence[Sequence[Run]],
    store: Store,
    trainer: Trainer,
    about: Record,
    deadline: float = inf,
    after_round: Callable[[int], str] = lambda done: "",
) -> Ended:
    """Train what `store` lacks of `rounds`, in their order; needs `store.writing()`.

    The last round starts with its longest runs, so that no worker waits long for the others at the end. `about` goes
    into every record. After `deadline`, as of time.monotonic(), no run is started. `after_round(n)` gives a text to
    print once the first n rounds are done. Ctrl-C ends it within seconds; finished runs are kept.
    """
    missing = [[run for run in planned if lacks(store, run)] for planned in rounds]
    pending = [len(planned) for planned in missing]
    turn = {run.key: n for n, planned in enumerate(missing) for run in planned}
    runs = (run for run in in_order(missing, store) if time.monotonic() < deadline)
    failed: list[Record] = []
    done, told, interrupted = 0, next((n for n, left in enumerate(pending) if left), len(rounds)), False
    with tqdm(total=len(turn), unit="run", desc="training", disable=not turn, dynamic_ncols=True) as bar:
        try:
            for outcome in trainer.outcomes(runs):
                record = keep(outcome, store, about)
                failed += [record] if record["status"] == "failed" else []
                done += 1
                bar.update()
                pending[turn[record["key"]]] -= 1
                while told < len(rounds) and not pending[told]:
                    told += 1
                    if text := after_round(told):
                        bar.write(text)
        except KeyboardInterrupt:
            interrupted = True
    return Ended(done, failed, len(turn) - done, interrupted)


def lacks(store: Store, run: Run) -> bool:
    """Whether the run, or the weights that others start from, are still to be had."""
    return run.key not in store or (run.keeps_weights and not weights_file(store.folder, run.key).exists())


def in_order(rounds: Sequence[Sequence[Run]], store: Store) -> Iterator[Run]:
    """Round by round; the last that has any, longest first by what `store` knows when it begins."""
    last = max((n for n, planned in enumerate(rounds) if planned), default=0)
    for n, planned in enumerate(rounds):
        yield from longest_first(planned, store.seconds()) if n == last else planned


def keep(outcome: Outcome, store: Store, about: Record) -> Record:
    """Write an outcome into the store, and give its record."""
    run, result = outcome.run, outcome.result
    record: Record = {"key": run.key, "status": "failed", "reason": outcome.error, **about}
    record |= {"fingerprint": run.fingerprint, "seed": run.seed, "recipe": describe(run.recipe)}
    arrays, weights = {}, None
    if result:
        measured = dict(vars(result))
        weights = measured.pop("weights")
        found = {name: measured.pop(name) for name in ("losses", "logits", "validation_logits")}
        found |= measured.pop("snapshots")
        arrays = {name: array for name, array in found.items() if array is not None}
        # JSON knows no infinity: a curve that left the finite numbers is written with null in their place
        record |= {name: finite(value) for name, value in measured.items()}
    record |= {"environment": outcome.environment, "started": outcome.started, "finished": outcome.finished}
    store.add(record, arrays, weights if run.keeps_weights else None)
    return record


def finite(value: object) -> object:
    """Six significant digits are more than any of these was measured to; no infinity, no nan."""
    if isinstance(value, list):
        return [finite(each) for each in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if abs(value) < float("inf") else None
    return value


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


def timestamp() -> str:
    """Now, in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
