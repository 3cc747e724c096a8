"""Worker processes, one for each core or GPU, seen from the process that has them train."""

from __future__ import annotations

import os
import signal
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from math import inf
from multiprocessing import Pipe, get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Self

from benchmark.engine.network import captured_part
from benchmark.engine.training import train
from benchmark.errors import UsageError
from benchmark.planning.identity import Run, describe
from benchmark.recipe import Recipe
from benchmark.running.executor import ATTEMPTS, Outcome
from benchmark.running.interrupted import EVERY
from benchmark.running.limits import STARTING, Limits
from benchmark.running.preload import preload
from benchmark.running.worker import Job, Lost, Ready, Said, Training, in_words, work
from benchmark.store.records import timestamp

FUTILE = 6  # deaths of workers, before any of them finished a run, that end the command
TICK = 1.0  # seconds between two looks at whether a worker takes too long


@dataclass(eq=False)
class Worker:
    """A process that trains, and what it is at."""

    process: BaseProcess
    pipe: Connection
    run: Run | None = None
    attempt: int = 1
    started: str = ""
    is_ready: bool = False
    spent: float = 0.0  # seconds at its run, or at starting; not those in which this process was stopped
    looked: float = 0.0  # until when these are counted, as of time.monotonic()

    def begin(self) -> None:
        """Counts its seconds anew."""
        self.spent, self.looked = 0.0, time.monotonic()

    def count(self) -> None:
        """Counts on, in steps of little more than a TICK."""
        now = time.monotonic()
        self.spent, self.looked = self.spent + min(now - self.looked, 2 * TICK), now


@dataclass(frozen=True)
class Heard:
    """What a worker said, or what is said of its end."""

    worker: Worker
    said: Said


@dataclass
class Processes:
    """Worker processes, one for each entry of `devices`; each has the data set `data` of `folder`.

    A worker starts when there is first work for it and stays for later calls of `outcomes`, until the `with` ends. One
    that dies, takes longer than `limits` allow or whose GPU fails for good is replaced, and its run tried once more;
    one whose run changed its process is replaced. A run that a GPU had too little memory for is tried once more at the
    end, alone.
    """

    devices: Sequence[str]
    data: str
    folder: Path
    store: Path | None = None  # where the weights are that runs start from
    training: Training = train  # benchmarks put one in its place that does nothing
    context: SpawnContext | ForkServerContext = field(default=get_context("forkserver"), repr=False)
    limits: Limits = field(default_factory=Limits)
    interrupted: Path | None = None  # a store that keeps the states of its runs amid them; None: they are not kept
    every: float = EVERY  # seconds from state to state
    visible: str | None = None  # the GPUs that workers see, as CUDA_VISIBLE_DEVICES; None: those of this process
    _workers: dict[int, Worker] = field(default_factory=dict, repr=False)  # by place
    _inbox: SimpleQueue[Heard] = field(default_factory=SimpleQueue, repr=False)
    _looked: float = field(default=-inf, repr=False)  # when it last looked at what takes too long
    _uncaptured: set[Recipe] = field(default_factory=set, repr=False)  # networks whose capture failed
    _seen: Counter[str] = field(default_factory=Counter, repr=False)  # deaths of workers, and outcomes
    _told: set[str] = field(default_factory=set, repr=False)  # changes of processes

    def __enter__(self) -> Self:
        preload()
        return self

    def __exit__(self, *error: object) -> None:
        self.dismiss()

    def outcomes(self, runs: Iterator[Run]) -> Iterator[Outcome]:
        """Train `runs`, each on the next worker that is free. Raises UsageError if workers cannot start."""
        starved: list[Run] = []
        yield from self.trained(runs, len(self.devices), starved)
        if starved:
            self.dismiss()  # so that nothing else takes the GPU's memory
            yield from self.trained(iter(starved), 1, None, attempt=ATTEMPTS)

    def trained(
        self, runs: Iterator[Run], places: int, starved: list[Run] | None, attempt: int = 1
    ) -> Iterator[Outcome]:
        """Train `runs` on so many workers; those for which memory was short go to `starved`, where there is a list."""
        try:
            self.feed(runs, places, attempt)
            while any(worker.run for worker in self._workers.values()):
                outcomes = [*self.heard(starved)]
                if time.monotonic() - self._looked >= TICK / 2:
                    self._looked = time.monotonic()
                    outcomes += self.overdue()
                self.feed(runs, places, attempt)  # first, so that no worker waits for the one who takes the outcomes
                yield from outcomes
        finally:
            if any(worker.run for worker in self._workers.values()):  # stopped on the way
                self.dismiss()

    def feed(self, runs: Iterator[Run], places: int, attempt: int) -> None:
        """Sets every worker that is free to a run, as long as there are any."""
        for place in range(places):
            if (worker := self._workers.get(place)) is not None and worker.run:
                continue
            if (run := next(runs, None)) is None:
                return
            self.assign(place, run, attempt)

    def assign(self, place: int, run: Run, attempt: int) -> None:
        """Hands a worker a run, without CUDA graphs if an earlier capture of its network failed."""
        worker = self._workers.get(place) or self.hire(place)
        worker.run, worker.attempt, worker.started = run, attempt, timestamp()
        worker.begin()
        with suppress(OSError):  # it died just now: its end will be heard of
            worker.pipe.send(Job(run, describe(run.recipe), captured_part(run.recipe) not in self._uncaptured))

    def hire(self, place: int) -> Worker:
        """Returns a new worker at a place."""
        device = self.devices[place % len(self.devices)]
        ours, theirs = Pipe()
        process = self.context.Process(
            target=work,
            args=(
                *(theirs, device, self.data, self.folder, self.store, self.training, self.visible),
                *(self.interrupted, self.every),
            ),
            daemon=True,
            name=f"worker on {device}",
        )
        process.start()
        theirs.close()  # so that the pipe ends when the worker does
        worker = self._workers[place] = Worker(process, ours)
        Thread(target=listen, args=(worker, self._inbox), daemon=True).start()
        return worker

    def heard(self, starved: list[Run] | None) -> Iterator[Outcome]:
        """Yields an outcome if a worker says one within a moment. Raises UsageError if workers cannot start."""
        try:
            heard = self._inbox.get(timeout=TICK)
        except Empty:
            return
        places = {id(worker): place for place, worker in self._workers.items()}
        if (place := places.get(id(heard.worker))) is not None and (outcome := self.hear(place, heard.said, starved)):
            yield outcome

    def hear(self, place: int, said: Said, starved: list[Run] | None) -> Outcome | None:
        """Returns the outcome of a worker's run; None if the run is tried again, or goes to `starved`, if there is a
        list."""
        worker = self._workers[place]
        run = worker.run
        if isinstance(said, UsageError):
            raise said
        if isinstance(said, Ready):
            worker.is_ready = True
            worker.begin()
            return None
        if isinstance(said, Lost):
            return self.replaced(place, said)
        if run is None or (isinstance(said, Outcome) and said.run.key != run.key):
            return self.replaced(place, Lost("its worker answered for another run"))
        worker.run = None
        self._seen["outcomes"] += 1
        if isinstance(said, Outcome):
            self.limits.note(said, worker.spent)
            if said.changed:
                self.replaced(place, Lost(""))
                self.tell_change(said)
            return said
        if starved is not None:
            starved.append(run)
            return None
        return Outcome(run, None, f"{said.error}, also alone on its GPU", {}, worker.started, timestamp())

    def tell_change(self, outcome: Outcome) -> None:
        """Warns of a run that changed its process, once for each change."""
        if outcome.changed not in self._told:
            self._told.add(outcome.changed)
            warnings.warn(
                f"a run changed its process for those to come, which have another one now ({outcome.changed}); it is "
                f"seed {outcome.run.seed} of {describe(outcome.run.recipe)[:200]}",
                stacklevel=2,
            )

    def overdue(self) -> Iterator[Outcome]:
        """Ends workers that take too long, and yields the outcomes of runs that did so twice."""
        for place, worker in list(self._workers.items()):
            if worker.run is None:
                continue
            worker.count()
            limit = self.limits.limit(worker.run) if worker.is_ready else STARTING
            if worker.spent > limit:
                what = "it took" if worker.is_ready else "its worker took"
                if outcome := self.replaced(place, Lost(f"{what} longer than its limit of {in_time(limit)}")):
                    yield outcome
            elif worker.is_ready and self.limits.is_over() and worker.spent > self.limits.overtime(worker.run):
                worker.run = None  # neither done nor failed: it is left
                self.remove(place)

    def replaced(self, place: int, loss: Lost) -> Outcome | None:
        """Ends a worker, whose place another takes, and tries its run again, or gives the failure."""
        worker = self._workers[place]
        run, exitcode = worker.run, self.remove(place)
        if run is None:
            return None
        error = loss.error or f"its worker died with exit code {exitcode}"
        self._seen["deaths"] += 1
        if not self._seen["outcomes"] and self._seen["deaths"] >= FUTILE:
            raise UsageError(
                f"{FUTILE} workers were lost before one of them finished a run; the last: {error}."
                " If memory is short, --jobs 1 starts a single worker; --device cpu leaves the GPU out"
            )
        if not loss.captured:
            self._uncaptured.add(captured_part(run.recipe))
            warnings.warn(f"{error}; a new worker goes on without CUDA graphs, so slower", stacklevel=2)
        if worker.attempt < ATTEMPTS:
            if not self.limits.is_over():
                self.assign(place, run, worker.attempt + 1)
            return None
        error = f"{error}, {worker.attempt} of {ATTEMPTS} times"
        return Outcome(run, None, error, {}, worker.started, timestamp())

    def remove(self, place: int) -> int | None:
        """Ends a worker, and returns the exit code if it had ended by itself."""
        worker = self._workers.pop(place)
        worker.process.join(0)
        exitcode = worker.process.exitcode
        end(worker)
        return exitcode

    def dismiss(self) -> None:
        """Ends all workers at once: unfinished runs are lost, finished ones are with this process."""
        workers = list(self._workers.values())
        self._workers.clear()
        for worker in workers:
            kill(worker)
        for worker in workers:
            end(worker)


def listen(worker: Worker, inbox: SimpleQueue[Heard]) -> None:
    """Puts into the inbox what a worker says, and last that it has ended.

    In a thread of its own: a worker may be stopped amid an answer, and what a trick left behind may hold the pipe.
    """
    end = Lost("")
    try:
        while worker.pipe in wait([worker.pipe, worker.process.sentinel]):
            inbox.put(Heard(worker, worker.pipe.recv()))
    except (EOFError, OSError):
        wait([worker.process.sentinel], TICK)  # the pipe may be closed a moment before the process is gone
    except Exception as reason:  # what a trick put into its result is unpickled here
        end = Lost(f"its answer cannot be read: {in_words(reason)}")
    inbox.put(Heard(worker, end))


def kill(worker: Worker) -> None:
    """Kills a worker and the processes that its tricks started."""
    try:
        assert worker.process.pid is not None
        os.killpg(worker.process.pid, signal.SIGKILL)
    except (OSError, AttributeError):  # it leads no group yet, or any more; Windows has none
        worker.process.kill()


def end(worker: Worker) -> None:
    """Kills a worker and waits until it is gone, as long as that may take a system that works."""
    kill(worker)
    worker.process.join(10 * TICK)


def in_time(seconds: float) -> str:
    """Returns a time limit in words."""
    return f"{seconds:g} s" if seconds < 120 else f"{seconds / 60:.0f} min"
