"""Runs trained by an executor that another library brings: Ray, Dask, mpi4py, `concurrent.futures`.

An executor calls functions in processes of its own, on whatever machines. Each run is one call, which has it trained
by a worker process that it starts there and keeps for the next call: what a run does to its process, how long it may
take and what is recorded are as on one machine, and so are the numbers. A call that is lost, with its process or its
node, costs only its run, which is submitted once more. This process alone writes the store.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from math import inf
from multiprocessing import current_process
from pathlib import Path
from queue import Empty, SimpleQueue
from tempfile import gettempdir
from typing import Any, Protocol, Self

import numpy as np

from benchmark.data.cache import cache_file
from benchmark.data.load import load
from benchmark.engine.training import train
from benchmark.errors import UsageError
from benchmark.planning.identity import Run, describe
from benchmark.running.executor import ATTEMPTS, Outcome
from benchmark.running.limits import STARTING, Limits
from benchmark.running.preload import preload
from benchmark.running.worker import Training, compare_code, in_words, shortened
from benchmark.running.workers import Processes
from benchmark.store.files import replace_file, weights_file
from benchmark.store.records import timestamp

TICK = 1.0  # seconds between two looks at what takes too long
GRACE = 60.0  # seconds that a call may take beyond its attempts
NODE = (
    Path(gettempdir()) / f"tricks-on-trial-{os.getuid() if hasattr(os, 'getuid') else 0}"
)  # a node's copies of files


class Executor(Protocol):
    """Calls functions in other processes, as `concurrent.futures.Executor` does."""

    def submit(self, function: Callable[..., Any], /, *given: Any) -> Future[Any]:
        """Returns what the call will give, or raise, once it has ended or its process is lost."""

    def shutdown(self, wait: bool = True) -> None:
        """Ends the executor."""


@dataclass(frozen=True)
class Place:
    """What a call needs to know beside its run."""

    device: str
    folder: Path  # of the data sets, where all machines see it
    training: Training = train


@dataclass
class RemoteTrainer:
    """Has runs trained by an executor, as many at once as `places` says at the moment."""

    executor: Executor
    place: Place
    places: Callable[[], int]
    store: Path
    limits: Limits = field(default_factory=Limits)
    put: Callable[[Any], Any] | None = None  # takes the content of a data set to where all nodes have it
    _calls: dict[Future[Any], Call] = field(default_factory=dict, repr=False)
    _ended: SimpleQueue[Future[Any]] = field(default_factory=SimpleQueue, repr=False)
    _again: list[Call] = field(default_factory=list, repr=False)
    _put: dict[str, Any] = field(default_factory=dict, repr=False)  # what it gave, by data set

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for future in self._calls:
            cancel(future)
        self.executor.shutdown(wait=False)
        while _idle:  # where an executor calls in threads of this process
            for crew in _idle.popitem()[1]:
                crew.dismiss()

    def outcomes(self, runs: Iterator[Run]) -> Iterator[Outcome]:
        """Train `runs`; each is submitted once there is a place for it. Raises UsageError if workers cannot start."""
        self._calls.clear()
        looked = time.monotonic()
        while True:
            self.fill(runs)
            if not self._calls:
                return
            with suppress(Empty):
                future = self._ended.get(timeout=TICK)
                if (call := self._calls.pop(future, None)) is not None and (outcome := self.heard(call, future)):
                    yield outcome
            if time.monotonic() - looked >= TICK:
                looked = time.monotonic()
                yield from self.given_up()

    def fill(self, runs: Iterator[Run]) -> None:
        """Submits runs as long as there are places."""
        for _ in range(max(1, self.places()) - len(self._calls)):
            call = self._again.pop() if self._again and not self.limits.is_over() else None
            if call is None:
                if (run := next(runs, None)) is None:
                    return
                call = Call(run)
            limit = self.limits.limit(call.run)
            call.latest = time.monotonic() + ATTEMPTS * (limit + STARTING) + GRACE
            future = self.submit(call.run, limit)
            self._calls[future] = call
            future.add_done_callback(self._ended.put)

    def heard(self, call: Call, future: Future[Any]) -> Outcome | None:
        """Returns the outcome of a call that has ended; None if it is made again."""
        answer = answer_of(future)
        if isinstance(answer, UsageError):
            raise answer
        if isinstance(answer, Outcome):
            self.limits.note(answer, time.monotonic() - call.began)
            return answer
        return self.lost(call, answer)

    def lost(self, call: Call, why: str) -> Outcome | None:
        """Has a call made once more; returns the failure of the last one."""
        if call.attempt < ATTEMPTS:
            self._again.append(Call(call.run, call.attempt + 1))
            return None
        return Outcome(call.run, None, f"{why}, {ATTEMPTS} of {ATTEMPTS} times", {}, call.started, timestamp())

    def given_up(self) -> Iterator[Outcome]:
        """Gives up calls that take too long, and yields the failures; after the deadline their runs are left."""
        for future, call in [each for each in self._calls.items() if self.is_overdue(each[1])]:
            del self._calls[future]
            cancel(future)
            if not self.limits.is_over() and (outcome := self.lost(call, "its machine did not answer")):
                yield outcome

    def submit(self, run: Run, limit: float) -> Future[Any]:
        """Submits a run, with what it needs."""
        weights = weights_file(self.store, run.start).read_bytes() if run.start else None
        given = (self.place, run, describe(run.recipe), limit, weights, self.data_of(run))
        return self.executor.submit(train_here, *given)

    def data_of(self, run: Run) -> Any:
        """Returns what `put` gave for the data set of a run, each put once; None where all machines see its folder."""
        name = run.recipe.data
        if self.put is not None and name not in self._put:
            load(name, self.place.folder)  # writes the cache, if it is not there
            self._put[name] = self.put(np.fromfile(cache_file(name, self.place.folder), np.uint8))
        return self._put.get(name)

    def is_overdue(self, call: Call) -> bool:
        """Returns whether a call takes too long: its limits are kept where it is, unless its machine hangs."""
        now = time.monotonic()
        return now > call.latest or (self.limits.is_over() and now - call.began > self.limits.overtime(call.run))


@dataclass
class Call:
    """A run that was submitted."""

    run: Run
    attempt: int = 1
    started: str = field(default_factory=timestamp)
    began: float = field(default_factory=time.monotonic)
    latest: float = inf  # when it is given up, as of time.monotonic()


def cancel(future: Future[Any]) -> None:
    """Cancels a call, if its library can."""
    with suppress(Exception):  # whatever the library does about a call that has begun
        future.cancel()


def answer_of(future: Future[Any]) -> Outcome | UsageError | str:
    """Returns what a call gave, or why it is lost, in words."""
    try:
        answer: Outcome | UsageError = future.result()
    except Exception as reason:  # each library has its own for a process or node that is gone
        return f"its worker was lost: {shortened(f'{type(reason).__name__}: {reason}'.splitlines()[0])}"
    return answer


_idle: dict[tuple[Place, str | None, Path], list[Processes]] = {}  # of this process, which an executor has started


def train_here(
    place: Place, run: Run, text: str, limit: float, weights: bytes | None, data: Any
) -> Outcome | UsageError:
    """Trains a run in a worker process of this one, which stays for the next run. An executor calls it.

    `text` describes the recipe as the process that planned it does; `limit` is in seconds; `weights` and `data` are
    the contents of files, (bytes,) uint8 of the latter: None where they are not needed, or the files can be seen.
    """
    started = timestamp()
    try:
        compare_code(run, text)
        folder = place.folder if data is None else kept_data(run, data)
        if weights is not None:
            keep_weights(run.start, weights)
    except Exception as reason:
        return Outcome(run, None, in_words(reason), {}, started, timestamp())
    if current_process().daemon:
        return UsageError(
            "the processes of this executor are daemons, which may start no workers; if they are Dask's, set "
            "DASK_DISTRIBUTED__WORKER__DAEMON=False where they are started"
        )
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    idle = _idle.setdefault((place, visible, folder), [])
    try:
        crew = idle.pop()  # a library may call from several threads
    except IndexError:
        crew = Processes([place.device], run.recipe.data, folder, NODE, place.training, visible=visible)
        preload()
    crew.limits = Limits(fixed=limit)
    try:
        (outcome,) = crew.outcomes(iter([run]))
    except UsageError as reason:
        return reason
    idle.append(crew)
    return outcome


def kept_data(run: Run, content: Any) -> Path:
    """Returns a folder of this machine that has a run's data set, written once for all processes."""
    folder = NODE / run.fingerprint[:16]
    file = cache_file(run.recipe.data, folder)
    if not file.exists():
        keep_file(file, content.tobytes())
    return folder


def keep_file(file: Path, content: bytes) -> None:
    """Writes a file of this machine's. Raises PermissionError if its folder is another user's."""
    NODE.mkdir(mode=0o700, exist_ok=True)
    if hasattr(os, "getuid") and NODE.stat().st_uid != os.getuid():
        raise PermissionError(f"{NODE} belongs to another user")
    file.parent.mkdir(parents=True, exist_ok=True)
    replace_file(file, content)


def keep_weights(key: str, content: bytes) -> None:
    """Puts trained weights where workers of this machine find them."""
    file = weights_file(NODE, key)
    if not file.exists() or file.read_bytes() != content:
        keep_file(file, content)
