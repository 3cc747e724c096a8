"""The command `folds`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmark.commands.forecast import expected
from benchmark.commands.options import (
    BudgetName,
    Data,
    DataDir,
    DeviceName,
    ImageSize,
    Jobs,
    JobsPerGpu,
    Only,
    RunLimit,
    StoreDir,
    deadline_in,
    settle_request,
)
from benchmark.commands.say import leave, opening, say
from benchmark.data.load import load
from benchmark.engine.machine import hardware
from benchmark.errors import UsageError
from benchmark.planning.folds import fold_candidates, folds_csv, in_words, validate_table
from benchmark.planning.folds import rounds as rounds_of_folds
from benchmark.planning.grid import check_names, planned
from benchmark.planning.rounds import lacks
from benchmark.planning.times import stored_seconds
from benchmark.running.execution import complete
from benchmark.running.limits import limits
from benchmark.running.workers import Processes
from benchmark.store.store import Store
from benchmark.store.version import ENGINE


def command(
    data: Data = "auto",
    data_dir: DataDir = Path("data"),
    image_size: ImageSize = None,
    budget: BudgetName = "auto",
    only: Only = None,
    folds: Annotated[int, typer.Option("--folds", min=2, help="Parts of the training images.")] = 5,
    minutes: Annotated[float | None, typer.Option(min=0, help="Start no new run after so many minutes.")] = None,
    run_limit: RunLimit = None,
    store: StoreDir = None,
    jobs: Jobs = None,
    jobs_per_gpu: JobsPerGpu = "1",
    device: DeviceName = "auto",
) -> None:
    """Choose among the variants by cross-validation on the training images; the test images are not used.

    Example: python -m benchmark folds --only learning_rate --folds 5
    """
    deadline = deadline_in(minutes)
    check_names(only)
    asked = settle_request(data, data_dir, budget, store, jobs, jobs_per_gpu, device, 1, image_size)
    say(opening(asked))
    grid = planned(asked, only)
    images = load(asked.data, asked.data_dir)
    if folds > (there := len(images.train.labels) + len(images.validation.labels)):
        raise UsageError(f"--folds must be at most {there}, the training images of {asked.data}, got {folds}")
    tables = [table for table in grid.tables if len(fold_candidates(table)) > 1]
    if not tables:
        raise UsageError("these ablations have no variants that start from scratch; `list` shows those that have")
    results, planned_runs = Store(asked.store, ENGINE), rounds_of_folds(tables, folds, images.fingerprint)
    left = [run for each in planned_runs for run in each if lacks(results, run)]
    say(f"{sum(map(len, planned_runs))} runs, {len(left)} to train; {expected(asked, left, results)}")
    with (
        results.writing(),
        Processes(
            *(asked.devices, asked.data, asked.data_dir, results.folder),
            interrupted=results.folder,
            limits=limits(deadline, run_limit, stored_seconds(results, asked.about, hardware(asked.devices))),
        ) as trainer,
    ):
        ended = complete(planned_runs, results, trainer, asked.about, deadline, hardware=hardware(asked.devices))
        records = results.records
        found = [line for table in tables for line in validate_table(table, folds, images, asked.budget, records)]
        results.save_text("folds.csv", folds_csv(found))
    say(in_words(found))
    say(f"table: {asked.store / 'folds.csv'}")
    leave(ended, grid.broken)
