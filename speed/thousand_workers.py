"""Simulates a cluster: 100,000 planned runs on 1,000 workers, through the runner and the store as they are.

    python -m speed.thousand_workers [--runs 100000] [--workers 1000] [--store FOLDER]

Only the training is made up, and the time in which it passes: a run takes 60 s of it, one in twenty ten times as long;
one in fifty ends with its worker. Prints the time that the runner takes for a run, by thousands of runs, the peak of
its memory, the share of the workers' time that is used, and the seconds to open the store again.
"""

from __future__ import annotations

import argparse
import heapq
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

from benchmark.baseline import baseline
from benchmark.data.load import load
from benchmark.planning.identity import Run
from benchmark.running.execution import complete
from benchmark.running.executor import Outcome
from benchmark.running.limits import Limits
from benchmark.running.observer import Observer
from benchmark.running.remote import Place, RemoteTrainer
from benchmark.store.records import Record, later, timestamp
from benchmark.store.store import Store
from speed.empty import ABOUT, CPU, example, rounds_of

SECONDS = 60.0  # of a run
SLOW, TIMES = 0.05, 10  # share of the runs that take so many times as long
CRASHES = 0.02  # share of the calls that are lost


@dataclass
class Simulated:
    """An executor whose time is made up: whenever all its workers are busy, a call ends."""

    result: Any
    workers: int
    draw: Random = field(default_factory=lambda: Random(0))
    now: float = 0.0
    used: float = 0.0  # seconds of workers
    busy: list[tuple[float, int, Future[Any], Outcome | None]] = field(default_factory=list)
    calls: int = 0
    at: int = -1  # calls when it was last asked for places

    def submit(self, function: Callable[..., Any], /, *given: Any) -> Future[Any]:
        """Returns what will be there once a worker would have trained the run."""
        run: Run = given[1]
        self.calls += 1
        seconds = SECONDS * (TIMES if self.draw.random() < SLOW else 1) * self.draw.uniform(0.8, 1.2)
        is_lost = self.draw.random() < CRASHES
        seconds *= self.draw.random() if is_lost else 1.0
        begun = timestamp()
        outcome = None if is_lost else Outcome(run, self.result, "", {"device": "cpu"}, begun, later(begun, seconds))
        future: Future[Any] = Future()
        self.used += seconds
        heapq.heappush(self.busy, (self.now + seconds, self.calls, future, outcome))
        if len(self.busy) == self.workers:
            self.end_one()
        return future

    def places(self) -> int:
        """Returns the number of workers; the next call ends if nothing was submitted since this was last asked."""
        if self.busy and self.calls == self.at:
            self.end_one()
        self.at = self.calls
        return self.workers

    def end_one(self) -> None:
        """Ends the call that ends next."""
        self.now, _, future, outcome = heapq.heappop(self.busy)
        if outcome is None:
            future.set_exception(ConnectionError("the worker is gone"))
        else:
            future.set_result(outcome)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Does nothing."""


class Pace(Observer):
    """Prints how long the runner takes for a run."""

    def __init__(self, every: int) -> None:
        self.every, self.ended, self.since = every, 0, time.perf_counter()

    def end(self, record: Record) -> None:
        """Counts a run."""
        self.ended += 1
        if self.ended % self.every == 0:
            spent, self.since = time.perf_counter() - self.since, time.perf_counter()
            print(f"{self.ended:,} runs: {1000 * spent / self.every:.2f} ms a run; peak {peak():.0f} MB", flush=True)


def main() -> None:
    """Prints what the simulation took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=1000)
    parser.add_argument("--store", type=Path, help="folder of the store, kept; otherwise a temporary one")
    given = parser.parse_args()
    folder = given.store or Path(tempfile.mkdtemp())
    data = load("fractal10", Path("data"))
    base = replace(baseline("fractal10", "quick", "fp32"), images=512, validation_images=10)
    result = replace(example(base, data, CPU), logits=None, validation_logits=None, losses=None, snapshots={})
    before, start = peak(), time.perf_counter()
    rounds = rounds_of(given.runs, base, data.fingerprint)
    print(f"planned in {time.perf_counter() - start:.1f} s; peak {peak():.0f} MB, {before:.0f} before", flush=True)
    executor, store = Simulated(result, given.workers), Store(folder, 1)
    trainer = RemoteTrainer(executor, Place("cpu", Path("data")), executor.places, folder, Limits())
    start = time.perf_counter()
    with store.writing():
        ended = complete(rounds, store, trainer, ABOUT, observer=Pace(max(1, given.runs // 10)))
    spent = time.perf_counter() - start
    print(
        f"{ended.trained:,} outcomes, {len(ended.failed):,} failed, {ended.left:,} left, in {executor.calls:,} calls"
    )
    print(f"{1000 * spent / given.runs:.2f} ms a run; peak {peak():.0f} MB; {store.lines.stat().st_size / 1e6:.0f} MB")
    print(f"workers used {executor.used / (executor.now * given.workers):.1%} of {executor.now / 60:.0f} minutes")
    start = time.perf_counter()
    again = Store(folder, 1)
    print(f"opened again in {time.perf_counter() - start:.1f} s; peak {peak():.0f} MB")
    start = time.perf_counter()
    assert len(again.records) >= given.runs
    print(f"all records read in {time.perf_counter() - start:.1f} s; peak {peak():.0f} MB")
    if not given.store:
        shutil.rmtree(folder)


def peak() -> float:
    """Returns the peak of this process's memory in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


if __name__ == "__main__":
    main()
