"""What has to be seen once on a real GPU, in order, into one JSON: `make gpu-check`, 25 minutes.

    python -m speed.gpu_check --out results/gpu-check.json
    python -m speed.gpu_check --device cpu --reduced --out /tmp/gpu-check.json    # to try the script without a GPU

Each section is written when it ends, with its seconds, or with its error; what cannot start in time is left out and
named. docs/first-gpu.md says what to look for.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch

from benchmark.baseline import baseline
from benchmark.data.load import load
from benchmark.data.splits import DataSet
from benchmark.engine.capture import captures
from benchmark.engine.machine import cores, devices, environment, has_fast_bf16, now, prepare_device
from benchmark.engine.network import build, first, ready, resident
from benchmark.engine.progress import Progress, restore, state_of
from benchmark.engine.training import Result, fit, train
from benchmark.planning.discovery import discover
from benchmark.planning.identity import Run, describe
from benchmark.planning.studies import studies
from benchmark.recipe import Recipe
from benchmark.running.cost import in_turns, stepper
from benchmark.running.interrupted import Kept, unpacked
from benchmark.running.interrupted import packed as as_bytes
from benchmark.running.pace import image_flops
from benchmark.running.packing import crew, packing
from benchmark.running.preload import preload
from benchmark.running.workers import Processes
from benchmark.store.files import replace_file
from speed.faulty_layers import asking, dropping, poisoning

Found = dict[str, Any]
LOOKED_AT = (  # of the GPU, by nvidia-smi; nothing that names one machine
    "name",
    "driver_version",
    "memory.total",
    "clocks.sm",
    "clocks.max.sm",
    "clocks.mem",
    "power.limit",
    "temperature.gpu",
    "clocks_event_reasons.active",
    "compute_mode",
    "mig.mode.current",
)
# Those that have tests marked gpu.
TESTS = ("tests/engine/test_training.py", "tests/engine/test_capture.py", "tests/running")
PROCESSES = 12  # that look at variants on one GPU, each of which leaves it idle most of the time


@dataclass(frozen=True)
class Check:
    """What the sections need."""

    device: str
    data: DataSet
    folder: Path
    base: Recipe  # the budget that is looked at
    reduced: bool  # a few steps of everything: the script is tried, not the device

    @property
    def place(self) -> torch.device:
        """Returns the device, as torch takes it."""
        return torch.device(self.device)

    @property
    def small(self) -> Recipe:
        """Returns a recipe that trains in a second or so."""
        return replace(baseline(self.base.data, "quick", "fp32"), images=512, validation_images=200, epochs=1)

    @property
    def fits(self) -> Recipe:
        """Returns the budget's baseline, shortened where everything is."""
        return replace(self.base, epochs=1, images=1024, validation_images=200) if self.reduced else self.base

    @property
    def steps(self) -> int:
        """Returns the number of steps of a timing."""
        return 2 if self.reduced else 60


def machine(check: Check) -> Found:
    """Returns the software and the device."""
    known = {"torch_build": torch.__config__.show(), "environment": environment(check.device)}
    if not captures(check.place):
        return known
    asked = ["nvidia-smi", f"--query-gpu={','.join(LOOKED_AT)}", "--format=csv,noheader"]
    smi = subprocess.run(asked, capture_output=True, text=True, timeout=60)
    return known | {"architectures": torch.cuda.get_arch_list(), "nvidia_smi": [*map(said, smi.stdout.splitlines())]}


def said(line: str) -> dict[str, str]:
    """Returns what nvidia-smi says of one GPU, by name."""
    return dict(zip(LOOKED_AT, map(str.strip, line.split(",")), strict=False))


def tests(check: Check) -> Found:
    """Runs the tests marked gpu and returns what came of them."""
    chosen = ["--co"] if check.reduced else []
    asked = [sys.executable, "-m", "pytest", "-m", "gpu", *TESTS, "-q", "--durations=10", *chosen]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=900)
    return {"exit_code": done.returncode, "said": done.stdout[-4000:]}


def failures(check: Check) -> Found:
    """Trains a layer that waits, one that draws after it, and one that breaks the GPU's process, together with healthy
    runs."""
    recipes = [replace(check.small, before_head=layer) for layer in (asking, dropping, poisoning)] + [check.small]
    runs = [Run(recipe, seed, check.data.fingerprint) for seed in range(2) for recipe in recipes]
    with Processes([check.device], check.data.name, check.folder) as processes:
        ends = [(outcome.run, outcome.error) for outcome in processes.outcomes(iter(runs))]
    layers = Counter((getattr(run.recipe.before_head, "__name__", ""), error[:300]) for run, error in ends)
    return {"ends": [{"layer": layer, "error": error, "runs": n} for (layer, error), n in layers.items()]}


def repeats(check: Check, deadline: float) -> Found:
    """Trains every variant twice as graphs, once from its state after the first of two epochs and once without
    graphs, in several processes, and returns those whose bits differ."""
    small = replace(check.small, images=256, validation_images=64, epochs=2, precision=check.base.precision)
    recipes: dict[str, Recipe] = {}
    for table in studies(discover()[0], small)[0]:
        for text, wanted in table.runs_of(1).items():
            if wanted.recipe.data == small.data and not wanted.recipe.before:  # there are no weights to start from
                recipes.setdefault(text, wanted.recipe)
    count = 5 if check.reduced else len(recipes)
    mixed = Random(0).sample(sorted(recipes), count)  # so that what time cuts off is any of them
    differing: dict[str, list[str]] = {"twice": [], "resumed": [], "without graphs": [], "failed": []}
    with ProcessPoolExecutor(min(cores(), PROCESSES), mp_context=get_context("spawn")) as pool:
        asked = {
            pool.submit(repeated, check.device, check.data.name, check.folder, recipes[each]): each for each in mixed
        }
        done, rest = wait(asked, max(0, deadline - time.monotonic()))
        for each in rest:
            each.cancel()
    for each in done:
        if reason := each.exception():
            differing["failed"].append(f"{asked[each]}: {type(reason).__name__}: {str(reason)[:300]}")
            continue
        for way, equal in each.result().items():
            differing[way] += [] if equal else [asked[each]]
    return {"variants": len(recipes), "looked_at": len(done), "differing": differing}


@lru_cache
def prepared(device: str, name: str, folder: Path) -> DataSet:
    """Returns the data set, once this process has its device."""
    prepare_device(device)
    return load(name, folder)


_failed: list[str] = []  # what this process failed at: a failed capture leaves it broken


@dataclass
class AfterFirstEpoch:
    """Keeps the state of a training after its first epoch, at which the next training that it keeps begins."""

    device: torch.device
    state: bytes = b""

    def resume(self, progress: Progress) -> None:
        """Puts the training where an earlier one was after its first epoch."""
        if self.state:
            restore(progress, unpacked(self.state, self.device).state)

    def offer(self, progress: Progress) -> None:
        """Keeps the state after the first epoch."""
        self.state = self.state or as_bytes(Kept({}, state_of(progress)))


def repeated(device: str, name: str, folder: Path, recipe: Recipe) -> dict[str, bool]:
    """Returns whether other runs have the bits of the first: a second one, one that goes on from the state of the
    first, and one without graphs."""
    data, place = prepared(device, name, folder), torch.device(device)
    if _failed:
        raise RuntimeError(f"not tried, since this process failed before: {_failed[0]}")
    try:
        keeper = AfterFirstEpoch(place)
        one, resumed = (train(recipe, 0, data, place, keeper=keeper) for _ in range(2))
        others = {
            "twice": train(recipe, 0, data, place),
            "resumed": resumed,
            "without graphs": train(recipe, 0, data, place, capture=False),
        }
    except Exception as reason:
        _failed.append(str(reason)[:100])
        raise
    return {way: same(one, other) for way, other in others.items()}


def same(one: Result, other: Result) -> bool:
    """Whether two runs have the same bits."""
    pairs = ((one.losses, other.losses), (one.logits, other.logits))
    return all(np.array_equal(a, b, equal_nan=True) if a is not None and b is not None else a is b for a, b in pairs)


def throughput(check: Check) -> Found:
    """Returns the times of one training of the budget, and where the time of its steps goes."""
    begin = now(check.place)
    result = train(check.fits, 0, check.data, check.place)
    seconds = now(check.place) - begin
    return {
        "recipe": describe(check.fits),
        "seconds": seconds,
        "train_seconds": result.train_seconds,
        "step_ms": result.step_ms,
        "pflop": result.train_flops / 1e15,
        "tflop_per_second": result.train_flops / result.train_seconds / 1e12,
        "peak_memory_mb": result.peak_memory_mb,
        "validation_accuracy": result.validation_accuracy,
        "train_accuracy": result.train_accuracy,
        "test_accuracy": result.test_accuracy,
        "kernels": kernels(check),
    }


def kernels(check: Check) -> list[Found]:
    """Returns what the device does in 20 steps: the kernels that take longest."""
    train_split, validation, _ = resident(check.data, check.place)
    once = replace(check.fits, epochs=1)
    network = ready(once, 0, check.data, check.place)
    split = first(train_split, (2 if check.reduced else 20) * once.batch_size)
    run = partial(fit, once, 0, network, split, first(validation, 1), len(check.data.classes))
    run()
    on_gpu = captures(check.place)
    activity = torch.profiler.ProfilerActivity.CUDA if on_gpu else torch.profiler.ProfilerActivity.CPU
    with torch.profiler.profile(activities=[activity]) as profile:
        run()
    spent = [
        {
            "kernel": each.key[:120],
            "calls": each.count,
            "ms": (each.self_device_time_total if on_gpu else each.self_cpu_time_total) / 1000,
        }
        for each in profile.key_averages()
    ]
    return sorted(spent, key=lambda each: -float(each["ms"]))[:20]


@contextmanager
def setting(holder: Any, name: str, value: Any) -> Iterator[None]:
    """Sets another value of a setting of torch, within the block."""
    before = getattr(holder, name)
    setattr(holder, name, value)
    try:
        yield
    finally:
        setattr(holder, name, before)


def settings(check: Check) -> Found:
    """Returns what each choice costs: the step with it over the step without, measured alternately."""
    base, steps = check.fits, check.steps
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul

    def timed(recipe: Recipe, *ways: Any) -> Callable[[], float]:
        """Returns the seconds an image takes, with settings that hold while kernels are chosen and while they run."""

        def within() -> float:
            with_them = [setting(*way) for way in ways]
            for each in with_them:
                each.__enter__()
            try:
                return stepper(recipe, check.data, check.place, steps)() / recipe.batch_size
            finally:
                for each in reversed(with_them):
                    each.__exit__(None, None, None)

        return within

    fp32 = replace(base, precision="fp32")
    tf32 = ((cudnn, "allow_tf32", True), (matmul, "allow_tf32", True))
    ways = {
        "cudnn may choose kernels that add in any order": timed(base, (cudnn, "deterministic", False)),
        "cudnn tries its kernels first": timed(base, (cudnn, "benchmark", True)),
        "twice the batch": timed(replace(base, batch_size=2 * base.batch_size)),
        "float32": timed(fp32),
        "float32 as TF32": timed(fp32, *tf32),
        "no CUDA graphs": lambda: eager_seconds(check, base, steps),
    }
    found = {name: in_turns(way, timed(base), rounds=1 if check.reduced else 3).cost() for name, way in ways.items()}
    return {name: {"ratio": each.ratio, "low": each.low, "high": each.high} for name, each in found.items()}


def eager_seconds(check: Check, recipe: Recipe, steps: int) -> float:
    """Returns the seconds an image takes without graphs: the network as it is built."""
    train_split, validation, _ = resident(check.data, check.place)
    once = replace(recipe, epochs=1)
    network = build(once, 0, check.data, check.place)
    split = first(train_split, steps * recipe.batch_size)
    run = partial(fit, once, 0, network, split, first(validation, 1), len(check.data.classes))
    run()
    progress = run()
    return sum(progress.seconds) / len(progress.losses) / recipe.batch_size


def packed(check: Check, recipe: Recipe) -> list[Found]:
    """Returns the throughput of 1, 2, ... workers on one device."""
    with crew(Processes([check.device], check.data.name, check.folder), recipe, check.data) as measure:
        probes = packing(measure, 2 if check.reduced else 6)
    return [{"workers": each.workers, "images_per_second": each.rate, "memory": each.memory} for each in probes]


def sharing(check: Check) -> Found:
    """Measures several workers on one GPU, without NVIDIA's MPS and with it."""
    recipes = {"quick": check.small, "budget": replace(check.fits, images=8192 if not check.reduced else 512)}
    found: Found = {"without MPS": {name: packed(check, recipe) for name, recipe in recipes.items()}}
    control = shutil.which("nvidia-cuda-mps-control")
    if not control or not captures(check.place):
        return found | {"with MPS": "left out: nvidia-cuda-mps-control is not there"}
    with mps(control):
        return found | {"with MPS": {name: packed(check, recipe) for name, recipe in recipes.items()}}


@contextmanager
def mps(control: str) -> Iterator[None]:
    """NVIDIA's Multi-Process Service, for processes started in this block: https://docs.nvidia.com/deploy/mps."""
    with tempfile.TemporaryDirectory() as pipes:
        names = ("CUDA_MPS_PIPE_DIRECTORY", "CUDA_MPS_LOG_DIRECTORY")
        os.environ.update(dict.fromkeys(names, pipes))
        subprocess.run([control, "-d"], check=True, timeout=60)
        try:
            yield
        finally:
            subprocess.run([control], input="quit\n", text=True, timeout=60, check=False)
            for name in names:
                del os.environ[name]


def memory(check: Check) -> Found:
    """Returns what a process holds of the GPU after 1, 10 and 50 networks, in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(memory_here, check).result()


def memory_here(check: Check) -> Found:
    """As `memory`, in this process."""
    prepare_device(check.device)
    found: Found = {}
    marks = (1, 2) if check.reduced else (1, 10, 50)
    for count in range(1, marks[-1] + 1):
        recipe = replace(check.small, batch_size=32 + count)  # another shape: another network to capture
        peak = train(recipe, 0, check.data, check.place).peak_memory_mb
        if count in marks:
            held = {"peak_memory_mb": peak}
            if captures(check.place):
                free, total = torch.cuda.mem_get_info(check.place)
                held |= {"in_use_mb": (total - free) / 1e6, "reserved_mb": torch.cuda.memory_reserved() / 1e6}
            found[f"after {count}"] = held
    return found


def seeds(check: Check) -> Found:
    """Trains two more seeds of the budget."""
    runs = [train(check.fits, seed, check.data, check.place) for seed in (1, 2)]
    return {"test_accuracy": [run.test_accuracy for run in runs], "train_seconds": [run.train_seconds for run in runs]}


def main() -> None:
    """Runs the sections that there is time for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--data", default="cifar10")
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    parser.add_argument("--budget", default="standard")
    parser.add_argument("--minutes", type=float, default=25, help="no section starts after these")
    parser.add_argument("--reduced", action="store_true", help="a few steps of everything")
    parser.add_argument(
        "--only", default="", help="sections, separated by commas; the file keeps what it has of others"
    )
    parser.add_argument("--out", type=Path, default=Path("results/gpu-check.json"))
    asked = parser.parse_args()

    deadline = time.monotonic() + 60 * asked.minutes
    device = devices(asked.device)[0]
    preload()
    prepare_device(device)
    data = load(asked.data, asked.data_dir)
    base = baseline(asked.data, asked.budget, "bf16" if has_fast_bf16(device) else "fp32")
    check = Check(device, data, asked.data_dir, base, asked.reduced)
    sections: dict[str, Callable[[], Found]] = {
        "machine": lambda: machine(check),
        "throughput": lambda: throughput(check),
        "failures": lambda: failures(check),
        "settings": lambda: settings(check),
        "memory": lambda: memory(check),
        "sharing": lambda: sharing(check),
        "tests": lambda: tests(check),
        "seeds": lambda: seeds(check),
        "repeats": lambda: repeats(check, deadline),
    }
    only = [name for name in asked.only.split(",") if name]
    if not sections.keys() >= set(only):
        parser.error(f"--only takes some of {', '.join(sections)}, got {asked.only}")
    found: Found = json.loads(asked.out.read_text()) if only and asked.out.exists() else {}
    found |= {"budget": asked.budget, "reduced": asked.reduced, "image_flops": image_flops(base, data)}
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    for name in only or sections:
        section = sections[name]
        begin = time.monotonic()
        if begin > deadline:
            found[name] = {"left_out": "no time was left"}
        else:
            try:
                found[name] = section()
            except Exception:  # a section that fails must not cost the others
                found[name] = {"failed": traceback.format_exc()[-3000:]}
            found[name] |= {"section_seconds": round(time.monotonic() - begin, 1)}
        replace_file(asked.out, json.dumps(found, indent=1, default=str).encode())
        print(
            f"{name}: {'failed' if 'failed' in found[name] else 'done'}, {time.monotonic() - begin:.0f} s", flush=True
        )


if __name__ == "__main__":
    main()
