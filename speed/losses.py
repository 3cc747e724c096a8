"""Kills trainings, and cuts the power under them, in random moments, and counts what was lost.

    python -m speed.losses [--kills 1000] [--cuts 1000] [--seed 0]

A run is acknowledged when the runner tells its observer that the run has ended. After each kill and each cut the
store must open, and hold every acknowledged run with its numbers, its arrays and its weights, and every cost; the next
process goes on where the store is, until each grid is complete, with no run twice. Kills are SIGKILL of the process
that writes (its workers must end too), or of a worker. Cuts keep of the files what `power.Disk` says.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import select
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from random import Random

import numpy as np

from benchmark.baseline import baseline
from benchmark.data.load import load
from benchmark.data.splits import DataSet
from benchmark.engine.machine import prepare_device
from benchmark.networks import VGG
from benchmark.planning.identity import Run
from benchmark.recipe import Recipe
from benchmark.running.execution import complete
from benchmark.running.executor import Outcome
from benchmark.running.observer import Observer
from benchmark.running.workers import Processes
from benchmark.store.files import arrays_file, weights_file
from benchmark.store.keys import digest
from benchmark.store.records import CostRecord, Record, RunRecord, timestamp
from benchmark.store.store import DIGITS, Store
from benchmark.store.version import ENGINE
from speed.empty import ABOUT, CPU, example, rates
from speed.power import Disk, PowerCut

NAME = "toy"
RUNS = 24  # of a grid
MOST = 6  # runs that a process may finish until it is killed
LONGEST = 0.2  # seconds after the last of them, at most


@dataclass(frozen=True)
class Grid:
    """Tiny runs on a made-up data set in a folder of its own."""

    base: Recipe
    runs: tuple[Run, ...]
    data: DataSet
    folder: Path


def grid_in(folder: Path) -> Grid:
    """Makes the data set and returns the grid: 24 runs of 4 recipes, of which 6 keep their weights."""
    draw = np.random.default_rng(0)
    splits = {"train": 64, "test": 32}
    images = {f"{name}_images": draw.integers(0, 256, (n, 32, 32, 3), dtype=np.uint8) for name, n in splits.items()}
    labels = {f"{name}_labels": np.arange(n, dtype=np.uint8) % 2 for name, n in splits.items()}
    np.savez(folder / f"{NAME}.npz", classes=np.array(["a", "b"]), **images, **labels)
    base = replace(
        baseline(NAME, "quick", "fp32"),
        images=None,
        validation_images=None,
        network=VGG(((4, 1), (4, 1))),
        epochs=1,
        batch_size=32,
        learning_rate=0.05,
    )
    data = load(NAME, folder)
    recipes = [base, *rates(base, 3).values()]
    runs = [
        Run(recipe, seed, data.fingerprint, keeps_weights=recipe is base) for seed in range(6) for recipe in recipes
    ]
    return Grid(base, tuple(runs), data, folder)


def numbers(record: Record) -> str:
    """Returns a digest of a whole record."""
    return digest(repr(record), 16)


class Acknowledging(Observer):
    """Writes each run that ended into a pipe."""

    def __init__(self, pipe: int) -> None:
        self.pipe = pipe

    def end(self, record: Record) -> None:
        """Takes a run's record."""
        os.write(self.pipe, json.dumps([record.key, record.status, numbers(record)]).encode() + b"\n")


@dataclass
class Writer:
    """A process that trains a grid, and the end of the pipe in which it acknowledges runs."""

    pid: int
    pipe: int
    text: bytes = b""
    is_over: bool = False  # its end of the pipe is closed

    def listen(self, count: int, patience: float) -> None:
        """Reads until it has acknowledged so many runs, or for so many seconds."""
        until = time.monotonic() + patience
        while self.text.count(b"\n") < count and not self.is_over and (left := until - time.monotonic()) > 0:
            if select.select([self.pipe], [], [], left)[0]:
                self.is_over = not (more := os.read(self.pipe, 1 << 16))
                self.text += more

    def acknowledged(self) -> dict[str, str]:
        """Returns the numbers of the runs that it acknowledged, by key; to be asked when it has ended."""
        self.listen(RUNS + 1, 60.0)
        os.close(self.pipe)
        lines = [json.loads(line) for line in self.text.splitlines(keepends=True) if line.endswith(b"\n")]
        return {key: found for key, status, found in lines if status != "failed"}


def started(grid: Grid, place: Path) -> Writer:
    """Starts a process that trains what a store lacks of the grid."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid:
        os.close(theirs)
        return Writer(pid, ours)
    os.close(ours)
    os.setpgid(0, 0)
    store = Store(place, ENGINE)
    forked = get_context("fork")  # a worker is there at once; others import torch for seconds
    trainer = Processes(["cpu"], NAME, grid.folder, place, context=forked)  # type: ignore[arg-type]  # see above
    with store.writing():
        complete([grid.runs], store, trainer, ABOUT, observer=Acknowledging(theirs))
        sys.stderr.flush()
        trainer.__exit__()
    os._exit(0)


def children(pid: int) -> list[int]:
    """Returns the processes that one has started."""
    with suppress(OSError):
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def is_there(pid: int) -> bool:
    """Returns whether a process runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def losses(place: Path, acknowledged: dict[str, str]) -> list[str]:
    """Returns a sentence for each acknowledged run that a store does not hold as it was acknowledged."""
    store = Store(place, ENGINE)
    found, records = [], store.records
    for key, known in acknowledged.items():
        record = records.get(key)
        if record is None or numbers(record) != known:
            found.append(f"run {key} is {'lost' if record is None else 'another'}")
        elif isinstance(record, RunRecord):
            files = {"arrays": arrays_file(place, key), "weights": weights_file(place, key)}
            found += [
                f"{kind} of run {key} are lost"
                for kind, known in record.digests.items()
                if not files[kind].exists() or digest(files[kind].read_bytes(), DIGITS) != known
            ]
    return found


def twice(place: Path) -> int:
    """Returns how many runs have more than one line with measurements."""
    lines = [json.loads(line) for line in (place / "runs.jsonl").read_bytes().splitlines()]
    seen = Counter(line["key"] for line in lines if line["status"] != "failed")
    return sum(count > 1 for count in seen.values())


def kill(grid: Grid, count: int, place: Path, draw: Random) -> Counter[str]:
    """Kills so many processes and returns what was counted."""
    seen: Counter[str] = Counter()
    store, known = place / "store0", dict[str, str]()
    writer = started(grid, store)
    while seen["kills"] < count:
        writer.listen(writer.text.count(b"\n") + draw.randrange(MOST), 30.0)
        time.sleep(draw.uniform(0, LONGEST))
        workers = children(writer.pid)
        if is_there(writer.pid) and workers and draw.random() < 0.25:
            with suppress(OSError):
                os.kill(workers[0], signal.SIGKILL)
            seen["kills"] += 1
            seen["of a worker"] += 1
            continue
        if is_there(writer.pid):
            os.kill(writer.pid, signal.SIGKILL)
            seen["kills"] += 1
            seen["of the writer"] += 1
        known |= ended(writer, seen)
        if (store / "runs.jsonl").exists():
            lost = losses(store, known)
            seen["lost"] += len(lost)
            print("\n".join(lost), end="\n" if lost else "", flush=True)
        if len(known) == len(grid.runs):
            close_grid(store, seen)
            store, known = place / f"store{seen['grids']}", {}
        patience = time.monotonic() + 10
        while any(map(is_there, workers)) and time.monotonic() < patience:
            time.sleep(0.01)
        seen["orphans after 10 s"] += sum(map(is_there, workers))
        writer = started(grid, store)
    os.kill(writer.pid, signal.SIGKILL)
    ended(writer, seen)
    return seen


def ended(writer: Writer, seen: Counter[str]) -> dict[str, str]:
    """Waits for a process that was killed or is done, and returns the runs that it acknowledged."""
    _, status = os.waitpid(writer.pid, 0)
    seen["writers that ended with an error"] += os.waitstatus_to_exitcode(status) not in (0, -signal.SIGKILL)
    acknowledged = writer.acknowledged()
    seen["acknowledged"] += len(acknowledged)
    return acknowledged


def close_grid(store: Path, seen: Counter[str]) -> None:
    """Counts what a complete grid has that it should not have, and deletes it."""
    seen["grids"] += 1
    seen["runs twice"] += twice(store)
    seen["left-over files"] += sum(
        path.name.startswith(".") and path.suffix != ".lock" and path.name != ".lock" for path in store.rglob("*")
    )
    shutil.rmtree(store)


@dataclass(frozen=True)
class Drawn:
    """A trainer in this process: the result of one training, with other numbers for each run."""

    grid: Grid

    def outcomes(self, runs: Iterator[Run]) -> Iterator[Outcome]:
        """Yields one outcome for each run."""
        for run in runs:
            draw = np.random.default_rng(int(run.key, 16))
            result = example(self.grid.base, self.grid.data, CPU)
            weights = {"w": draw.normal(size=100)} if run.keeps_weights else None
            other = replace(result, test_accuracy=float(draw.random()), losses=draw.random(9), weights=weights)
            yield Outcome(run, other, "", {}, timestamp(), timestamp())


class Noting(Observer):
    """Keeps the acknowledged runs and measures a cost with every one of them."""

    def __init__(self, store: Store, known: dict[str, str], costs: set[str]) -> None:
        self.store, self.known, self.costs = store, known, costs

    def end(self, record: Record) -> None:
        """Takes a run's record."""
        self.known[record.key] = numbers(record)
        self.store.save_cost(
            CostRecord(
                recipe=record.key, control="", ratio=1, low=1, high=1, step_ms=1, control_step_ms=1, environment={}
            )
        )
        self.costs.add(record.key)


def cut(grid: Grid, count: int, place: Path, draw: Random) -> Counter[str]:
    """Cuts the power so many times and returns what was counted."""
    seen: Counter[str] = Counter()
    root = place / "disk0"
    root.mkdir()
    known: dict[str, str] = {}
    costs: set[str] = set()
    while seen["cuts"] < count:
        disk, after, store = Disk(root, draw), place / f"disk{seen['cuts'] + 1}", root / "results" / "store"
        before = len(known)
        try:
            with disk.watching(draw.randint(1, 200), after):
                results = Store(store, ENGINE)
                with results.writing():
                    complete([grid.runs], results, Drawn(grid), ABOUT, observer=Noting(results, known, costs))
        except PowerCut:
            seen["cuts"] += 1
            seen["acknowledged"] += len(known) - before
            shutil.rmtree(root)
            root, store = after, after / "results" / "store"
            lost = losses(store, known) if store.exists() or known else []
            there = {each.recipe for each in Store(store, ENGINE).costs()} if store.exists() else set()
            lost += [f"cost of {key} is lost" for key in costs - there]
            seen["lost"] += len(lost)
            print("\n".join(lost), end="\n" if lost else "", flush=True)
        else:
            close_grid(store, seen)
            known, costs = {}, set()
        finally:
            disk.close()
    return seen


def main() -> None:
    """Prints what was counted; exits with 1 if anything was lost or wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--cuts", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    wrong = 0
    prepare_device("cpu")  # one thread, as in a worker
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # what is tried here needs no real disk
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        grid = grid_in(Path(folder))
        example(grid.base, grid.data, CPU)  # imports all that a worker needs, before any is forked
        gc.freeze()
        for what, count in ((cut, given.cuts), (kill, given.kills)):
            begun, place = time.monotonic(), Path(tempfile.mkdtemp(dir=folder))
            seen = what(grid, count, place, Random(given.seed))
            counted = ", ".join(f"{number} {word}" for word, number in seen.items())
            print(f"{what.__name__}: {counted}; {time.monotonic() - begun:.0f} s", flush=True)
            wrong += seen["lost"] + seen["runs twice"] + seen["writers that ended with an error"]
    sys.exit(int(bool(wrong)))


if __name__ == "__main__":
    main()
