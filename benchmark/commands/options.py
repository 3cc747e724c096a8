"""Options that several commands share, and what their `auto` values mean on this machine."""

from __future__ import annotations

import time
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Annotated

import typer

from benchmark.budgets import BUDGETS
from benchmark.errors import UsageError, unknown
from benchmark.planning.requests import Request
from benchmark.store.store import Store
from benchmark.store.version import ENGINE

HISTORY_FILE = Path("results") / "history.csv"

AUTO = "auto"  # of --jobs-per-gpu: measured ahead of the first run

Data = Annotated[str, typer.Option("--data", help="auto, cifar10, cifar100, fractal10, or a set in the data folder.")]
ImageSize = Annotated[
    int | None,
    typer.Option("--image-size", min=8, max=512, help="Resize the images of your own data set to this many pixels."),
]
DataDir = Annotated[Path, typer.Option("--data-dir", help="Folder of the data sets.")]
BudgetName = Annotated[str, typer.Option("--budget", help=f"auto, {', '.join(BUDGETS)}.")]
Only = Annotated[
    str | None,
    typer.Option(
        "--only",
        help="Ablations or variants (ABLATION, or ABLATION: VARIANT), separated by commas; all: everything there is.",
        show_default="the tour, some 35 variants",
    ),
]
SeedCount = Annotated[int, typer.Option("--seeds", min=1, help="Runs of each variant; the control gets more.")]
StoreDir = Annotated[Path | None, typer.Option("--store", help="Folder of the results. [results/DATA-BUDGET]")]
ShardName = Annotated[
    str | None,
    typer.Option("--shard", help="One part of the runs, as 3/8, in a store of its own; `merge` joins them. [all]"),
]
Jobs = Annotated[int | None, typer.Option("--jobs", min=1, help="Workers. [one for each core or GPU]")]
JobsPerGpu = Annotated[
    str, typer.Option("--jobs-per-gpu", help="Workers on each GPU; auto: as many as raise the throughput, measured.")
]
BaseFile = Annotated[
    Path | None,
    typer.Option("--base", help="A Python file with base(data, precision) -> Recipe, in place of the baseline."),
]
DesignName = Annotated[
    str,
    typer.Option(
        "--design", help="add-one: each variant by itself; leave-one-out, pairs, ladder: of the tricks given."
    ),
]
TrickNames = Annotated[
    list[str] | None, typer.Option("--trick", help="ABLATION:VARIANT, once for each trick of a design.")
]
WeightsFile = Annotated[
    Path | None,
    typer.Option("--weights", help="Also fine-tune from these weights (.safetensors)."),
]
ExecutorName = Annotated[
    str,
    typer.Option(
        "--executor",
        help="Who trains: local, ray, dask, or MODULE:FACTORY, which makes a concurrent.futures.Executor.",
    ),
]
Address = Annotated[
    str | None, typer.Option("--address", help="With --executor ray or dask: the cluster. [a new one, here]")
]
RunLimit = Annotated[
    float | None,
    typer.Option(
        "--run-limit",
        min=0.01,
        help="End a run that takes more than this many minutes, and try it once more. [20 times what is expected, at "
        "least 10]",
    ),
]
DeviceName = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:1, ...")]


MINUTES = (
    "Start no new run after this many minutes, and end those that then take twice what is expected: a run that is"
    " ended starts again from its beginning."
)


def deadline_in(minutes: float | None) -> float:
    """As of time.monotonic(); infinite without a limit."""
    return time.monotonic() + (inf if minutes is None else 60 * minutes)


def opened(folder: Path) -> Store:
    """Returns the results in a folder. Raises UsageError if there are none."""
    if not (folder / "runs.jsonl").exists():
        raise UsageError(f"no results in {folder}; `make ablate` trains and fills a store, --store names another")
    return Store(folder, ENGINE)


def settle_request(
    data: str,
    data_dir: Path,
    budget: str,
    store: Path | None,
    jobs: int | None,
    jobs_per_gpu: str,
    device: str,
    seeds: int,
    image_size: int | None = None,
) -> Request:
    """Returns a request with every `auto` replaced by its value on this machine. Raises UsageError for what is not
    available."""
    # Only now, as torch takes seconds to import and a command that reads a named store needs none of it.
    from benchmark.data.load import choose, find_source
    from benchmark.engine.machine import devices, has_fast_bf16

    found = devices(device)
    on_gpu = found[0].startswith("cuda")
    if budget == "auto":  # without bfloat16 in hardware `standard` takes several times as long on a GPU
        budget = "quick" if not on_gpu else "standard" if all(map(has_fast_bf16, found)) else "small"
    if budget not in BUDGETS:
        raise unknown("budget", budget, [*BUDGETS, "auto"])
    places = workers_on(device, jobs, jobs_per_gpu)
    if data == "auto" and not find_source("cifar10", data_dir):
        typer.echo(f"looking for CIFAR-10, which is not in {data_dir}, on the network", err=True)
    name, why = choose(f"{data}@{image_size}" if image_size else data, data_dir)
    return Request(
        data=name,
        data_choice=f"{'auto: ' if data == 'auto' else ''}{why}",
        data_dir=data_dir,
        budget=budget,
        devices=places,
        store=store or Path("results") / f"{name}-{budget}",
        seeds=seeds,
    )


def workers_on(device: str, jobs: int | None, jobs_per_gpu: str = "1") -> tuple[str, ...]:
    """Returns the device of each worker. Raises UsageError for one that is not available, or no number of jobs."""
    from benchmark.engine.machine import cores, devices  # only now, as above

    found = devices(device)
    if jobs_per_gpu != AUTO and not (jobs_per_gpu.isdecimal() and int(jobs_per_gpu)):
        raise UsageError(f"--jobs-per-gpu must be {AUTO}, or a whole number from 1 on, got {jobs_per_gpu!r}")
    on_gpu = found[0].startswith("cuda")
    places = found * (cores() if not on_gpu else 1 if jobs_per_gpu == AUTO else int(jobs_per_gpu))
    return tuple((places * jobs)[:jobs] if jobs else places)


def with_base(asked: Request, base: Path | None, store: Path | None) -> Request:
    """Returns a request that starts from the base in a user's file, if there is one; `store` is what was asked for."""
    if base is None:
        return asked
    return replace(asked, base=base, store=store or Path("results") / f"{asked.data}-{base.stem}")
