"""What a grid of runs costs, and how that grows.

    python -m speed.grid busy      # how busy 60 runs of about 5 s keep the workers; when the first result comes
    python -m speed.grid empty     # 10,000 runs that train nothing: how many a second, and memory
    python -m speed.grid growth    # time and memory of a run by width, images and epochs
    python -m speed.grid planning  # time and memory of planning 10 to 100,000 runs
    python -m speed.grid peers     # 12 runs here, in the usual loop and in Lightning, by the clock on the wall

Each takes --data-dir and --json FILE. `peers` needs the optional dependencies of that name.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from statistics import mean, median
from tempfile import TemporaryDirectory
from typing import Any

import torch

from benchmark.baseline import baseline
from benchmark.data.load import choose, load
from benchmark.data.splits import DataSet
from benchmark.engine.machine import cores, environment, has_fast_bf16, prepare_device
from benchmark.engine.training import train
from benchmark.networks import VGG
from benchmark.planning.discovery import discover
from benchmark.planning.identity import Run, changes
from benchmark.planning.rounds import plan
from benchmark.planning.studies import studies
from benchmark.recipe import Recipe
from benchmark.running.execution import complete
from benchmark.running.executor import Outcome, Trainer
from benchmark.running.workers import Processes
from benchmark.store.store import Store
from benchmark.store.version import ENGINE
from speed.empty import ABOUT, CPU, Idle, nothing, rounds_of, table
from speed.peers import lightning_run, usual_data, usual_epoch, usual_network, usual_optimiser

ARMS = 9  # with 5 seeds 9 * 5 runs of variants and 15 of the control: 60
GRIDS = (10, 100, 1_000, 10_000, 100_000)  # runs planned


def base_recipe(folder: Path) -> Recipe:
    """Returns the baseline at `quick`, in the fastest precision that the processor has."""
    return baseline(choose("auto", folder)[0], "quick", "bf16" if has_fast_bf16("cpu") else "fp32")


def child(*arguments: object) -> tuple[float, str]:
    """Calls this module in a process of its own and returns its seconds from start to end, and what it printed."""
    command = [sys.executable, "-W", "ignore", "-m", "speed.grid", *map(str, arguments)]
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{arguments}: {done.stderr[-2000:]}")
    return time.perf_counter() - start, done.stdout


# --- busy


def busy(given: argparse.Namespace) -> dict[str, Any]:
    """Times 60 real runs on one worker for each core."""
    with TemporaryDirectory() as place:
        start = time.time()
        size = ["--images", given.images, "--seeds", given.seeds]
        child("fill", "--data-dir", given.data_dir, "--store", place, *size)
        wall = time.time() - start
        records = Store(Path(place), ENGINE).records.values()
    spans = [(moment(each.started), moment(each.finished)) for each in records]
    lengths = [end - begin for begin, end in spans]
    first, last = min(begin for begin, _ in spans), max(end for _, end in spans)
    found = {
        "runs": len(spans),
        "failed": sum(each.status == "failed" for each in records),
        "workers": cores(),
        "seconds_of_a_run": [min(lengths), mean(lengths), max(lengths)],
        "wall_seconds": wall,
        "first_run_starts_after": first - start,
        "first_result_after": min(end for _, end in spans) - start,
        "busy": sum(lengths) / (cores() * wall),
        "busy_without_start_up": sum(lengths) / (cores() * (last - first)),
        "one_worker_waits_at_the_end": last - max((end for _, end in spans if end != last), default=last),
        "first_result_of_quick_after": first_result(given.data_dir),
    }
    for name, value in found.items():
        print(f"{name:32} {value}")
    return found


ALIKE = {"activation", "learning_rate", "schedule", "loss", "weight_decay"}  # fields that change a step's time little


def fill(given: argparse.Namespace) -> None:
    """Plans and trains a grid of real variants, evenly taken from those whose runs take about as long as
    the base's."""
    base = replace(base_recipe(given.data_dir), images=given.images)
    tables = [each for each in studies(discover()[0], base)[0] if each.base == base]
    arms = {f"{each.ablation.name}: {name}": arm for each in tables for name, arm in each.arms.items()}
    arms = {n: arm for n, arm in arms.items() if isinstance(arm, Recipe) and changes(arm, base).keys() <= ALIKE}
    names = list(arms)[:: max(1, len(arms) // ARMS)][:ARMS]
    data = load(base.data, given.data_dir)
    rounds = plan([table(base, {name: arms[name] for name in names})], given.seeds, data.fingerprint)
    filled(rounds, given, data)


def filled(rounds: list[list[Run]], given: argparse.Namespace, data: DataSet) -> None:
    """Train `rounds` into the store that was asked for."""
    store = Store(given.store, ENGINE)
    with store.writing(), Processes(["cpu"] * cores(), data.name, given.data_dir) as workers:
        complete(rounds, store, workers, ABOUT)


def first_result(folder: Path) -> float:
    """Returns the seconds from the command to the first line in the store, at `quick`, as a user meets it."""
    with TemporaryDirectory() as place:
        arguments = ["run", "--budget", "quick", "--device", "cpu", "--data-dir", str(folder), "--store", place]
        start = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmark", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        lines = Path(place) / "runs.jsonl"
        while process.poll() is None and not (lines.exists() and b"\n" in lines.read_bytes()):
            time.sleep(0.02)
        seconds = time.perf_counter() - start
        with suppress(ProcessLookupError):
            process.terminate()  # SIGINT is ignored where this runs in the background
        process.wait()
    return seconds


def moment(text: str) -> float:
    """Returns the seconds since 1970."""
    return datetime.fromisoformat(text).timestamp()


# --- empty


@dataclass(frozen=True)
class Watched:
    """A trainer, with time and this process's memory noted on the way."""

    trainer: Trainer
    at: tuple[int, ...]  # after so many runs
    noted: dict[int, tuple[float, float]] = field(default_factory=dict)  # seconds of a clock, MB

    def outcomes(self, runs: Iterator[Run]) -> Iterator[Outcome]:
        """Yields the outcomes of the trainer."""
        for number, outcome in enumerate(self.trainer.outcomes(runs), start=1):
            if number in self.at:
                self.noted[number] = time.perf_counter(), memory_mb()
            yield outcome


def memory_mb() -> float:
    """Returns the memory that this process uses now, MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def empty(given: argparse.Namespace) -> dict[str, Any]:
    """Runs that train nothing: in this process, then on workers."""
    prepare_device("cpu")
    base = base_recipe(given.data_dir)
    data = load(base.data, given.data_dir)
    nothing(base, 0, data, CPU)
    workers = Processes(["cpu"] * cores(), data.name, given.data_dir, training=nothing)
    found = {}
    for name, trainer in (("a stand-in in the same process", Idle(base, data)), ("worker processes", workers)):
        watched = Watched(trainer, (1, 100, 1_000, 5_000, 10_000))
        start = time.perf_counter()
        rounds = rounds_of(given.runs, base, data.fingerprint)
        with TemporaryDirectory() as place:
            store = Store(Path(place), ENGINE)
            with store.writing(), workers:
                complete(rounds, store, watched, ABOUT)
        end = time.perf_counter()
        rate, running = given.runs / (end - start), (given.runs - 1) / (end - watched.noted[1][0])
        memory = {number: mb for number, (_, mb) in watched.noted.items()}
        found[name] = {"runs": given.runs, "a_second": rate, "a_second_after_the_first": running, "memory_mb": memory}
        print(f"{name}: {rate:,.0f} runs/s, {running:,.0f} after the first")
        print("  MB after so many runs: " + ", ".join(f"{number:,}: {mb:.1f}" for number, mb in memory.items()))
    return found


# --- growth


def growth(given: argparse.Namespace) -> dict[str, Any]:
    """Times one run, doubled again and again in one direction; medians of repeats, the points measured alternately."""
    points: dict[str, list[dict[str, float]]] = {name: [] for name in sizes(base_recipe(given.data_dir))}
    for _ in range(given.repeats):
        for name, found in points.items():
            found.append(json.loads(child("point", "--data-dir", given.data_dir, "--name", name)[1]))
    medians = {
        name: {what: median(each[what] for each in found) for what in found[0]} for name, found in points.items()
    }
    print(f"{'':16} {'train s':>8} {'by size':>8} {'by flops':>8} {'MB':>8} {'MB more':>8}")
    for name, taken in medians.items():
        least = medians[next(other for other in medians if other.split()[0] == name.split()[0])]
        grown = taken["seconds"] / least["seconds"]
        by_size, by_flops = (grown * least[what] / taken[what] for what in ("size", "flops"))
        more = taken["peak_mb"] - taken["before_mb"]
        print(f"{name:16} {taken['seconds']:8.2f} {by_size:8.2f} {by_flops:8.2f} {taken['peak_mb']:8.0f} {more:8.0f}")
    print("by size, by flops: seconds over the first of its kind, divided by size or floating point operations so")
    return medians


def sizes(base: Recipe) -> dict[str, tuple[float, Recipe]]:
    """Returns, by name, the size in the direction that grows, and the recipe."""
    assert isinstance(base.network, VGG)
    stages = base.network.stages
    small = replace(base, images=2250, epochs=2)
    wide = {
        f"width {factor}": (factor, replace(small, network=VGG(tuple((int(c * factor), n) for c, n in stages))))
        for factor in (0.5, 1, 2, 4)
    }
    many = {f"images {n}": (n, replace(small, images=n)) for n in (1125, 2250, 4500)}
    long = {f"epochs {n}": (n, replace(small, epochs=n)) for n in (1, 2, 4, 8)}
    return {**wide, **many, **long}


def point(given: argparse.Namespace) -> None:
    """Train one point of `growth`, after a short run that warms up; print what it took."""
    prepare_device("cpu")
    base = base_recipe(given.data_dir)
    size, recipe = sizes(base)[given.name]
    data = load(base.data, given.data_dir)
    train(replace(recipe, images=recipe.batch_size, epochs=1), 0, data, CPU)
    before = memory_mb()
    found = train(recipe, 0, data, CPU)
    taken = {"size": size, "seconds": found.train_seconds, "flops": found.train_flops}
    print(json.dumps(taken | {"peak_mb": found.peak_memory_mb, "before_mb": before}))


def planning(given: argparse.Namespace) -> dict[str, Any]:
    """Measures time without, then memory with, a tracer of allocations; of recipes that were never
    described before."""
    base = base_recipe(given.data_dir)
    found: dict[str, Any] = {}
    for n, runs in enumerate(GRIDS, start=1):
        start = time.perf_counter()
        keys(runs, replace(base, learning_rate=0.1 * n))
        seconds = time.perf_counter() - start
        tracemalloc.start()
        kept = keys(runs, replace(base, learning_rate=0.01 * n))
        now, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        found[str(runs)] = {"seconds": seconds, "kept_mb": now / 1e6, "peak_mb": peak / 1e6}
        each = f"{1e6 * seconds / runs:6.1f} us and {now / runs:6.0f} bytes a run"
        print(f"{len(kept):8,} runs: {seconds:8.4f} s, {now / 1e6:8.2f} MB kept, {peak / 1e6:8.2f} MB at most; {each}")
    return found


def keys(runs: int, base: Recipe) -> dict[str, Run]:
    """Returns the keys of the runs of a planned grid, which `complete` asks the store for."""
    return {run.key: run for planned in rounds_of(runs, base, "f") for run in planned}


# --- peers


def peers(given: argparse.Namespace) -> dict[str, Any]:
    """Times whole processes by the clock on the wall, alternately: start, data, 12 trainings. Ours evaluates and
    stores, too."""
    found: dict[str, list[float]] = {name: [] for name in GRIDS_OF_12}
    for _ in range(given.repeats):
        for name, seconds in found.items():
            with TemporaryDirectory() as place:
                size = ["--images", given.images, "--epochs", given.epochs]
                taken, _ = child("twelve", "--name", name, "--data-dir", given.data_dir, "--store", place, *size)
                seconds.append(taken)
    ours = median(found["this suite"])
    for name, seconds in found.items():
        spread = f"{min(seconds):.1f} to {max(seconds):.1f}"
        print(f"{name:42} {median(seconds):6.1f} s ({spread})  {median(seconds) / ours:.2f} x this suite's")
    return {"images": given.images, "epochs": given.epochs, "seconds": found}


def twelve(given: argparse.Namespace) -> None:
    """Trains 12 runs in one of the ways."""
    base = replace(base_recipe(given.data_dir), images=given.images, epochs=given.epochs)
    GRIDS_OF_12[given.name](base, load(base.data, given.data_dir), given)


def twelve_here(base: Recipe, data: DataSet, given: argparse.Namespace) -> None:
    """Trains 12 runs as `run` does: planned, on all cores, evaluated, stored."""
    filled(rounds_of(12, base, data.fingerprint, seeds=2), given, data)


def twelve_usual(base: Recipe, data: DataSet, given: argparse.Namespace) -> None:
    """Trains 12 runs one after the other, without evaluation."""
    torch.set_num_threads(cores())
    loader = usual_data(base, data, workers=0)  # faster here than with loader workers
    for _ in range(12):
        network = usual_network(base, data)
        optimiser = usual_optimiser(base, network)
        for _ in range(base.epochs):
            usual_epoch(network, optimiser, loader)


def twelve_lightning(base: Recipe, data: DataSet, given: argparse.Namespace) -> None:
    """Trains 12 runs one after the other, without evaluation, in the setting that was fastest here."""
    torch.set_num_threads(cores())
    precision = "bf16-mixed" if base.precision == "bf16" else "32-true"
    for _ in range(12):
        lightning_run(base, data, usual_data(base, data, workers=0), precision, base.epochs)


GRIDS_OF_12: dict[str, Callable[[Recipe, DataSet, argparse.Namespace], None]] = {
    "this suite": twelve_here,
    "usual loop, fp32, 0 loader workers": twelve_usual,
    "Lightning, 0 loader workers": twelve_lightning,
}


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(required=True, metavar="{busy,empty,growth,planning,peers}")

    def part(name: str, function: Callable[[argparse.Namespace], Any]) -> argparse.ArgumentParser:
        added = parts.add_parser(name, description=function.__doc__)
        added.set_defaults(function=function)
        added.add_argument("--data-dir", type=Path, default=Path("data"))
        added.add_argument("--json", type=Path, help="write the figures there")
        return added

    real = part("busy", busy)
    real.add_argument("--images", type=int, default=1500, help="of each run, for 10 epochs")
    real.add_argument(
        "--seeds", type=int, default=5, help="runs of each of 9 variants; the control gets 3 times as many"
    )
    part("empty", empty).add_argument("--runs", type=int, default=10_000)
    part("growth", growth).add_argument("--repeats", type=int, default=3)
    part("planning", planning)
    beside = part("peers", peers)
    beside.add_argument("--repeats", type=int, default=5)
    beside.add_argument("--images", type=int, default=1000, help="of each run")
    beside.add_argument("--epochs", type=int, default=2)
    for name, function in (("fill", fill), ("point", point), ("twelve", twelve)):  # for `child` alone
        inner = part(name, function)
        inner.add_argument("--store", type=Path)
        inner.add_argument("--name")
        inner.add_argument("--images", type=int)
        inner.add_argument("--epochs", type=int)
        inner.add_argument("--seeds", type=int)
    given = parser.parse_args()
    found = given.function(given)
    if given.json:
        given.json.write_text(json.dumps({"environment": environment("cpu"), "found": found}, indent=1))


if __name__ == "__main__":
    main()
