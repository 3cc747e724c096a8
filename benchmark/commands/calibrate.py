"""The command `calibrate`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.progress import Progress

from benchmark.commands.answers import CalibrateAnswer, show_answer
from benchmark.commands.console import console
from benchmark.commands.options import BudgetName, Data, DataDir, StoreDir, settle_request
from benchmark.commands.say import AsJson, say
from benchmark.errors import UsageError
from benchmark.evidence.calibration import LEAST_POOL, calibrated
from benchmark.evidence.tables import points, tables
from benchmark.store.records import Calibration
from benchmark.store.store import CALIBRATION, Store
from benchmark.store.version import ENGINE

T = TypeVar("T")


def command(
    data: Data = "auto",
    data_dir: DataDir = Path("data"),
    budget: BudgetName = "auto",
    store: StoreDir = None,
    simulations: Annotated[int, typer.Option("--simulations", min=1, help="Number of simulated tables.")] = 2000,
    as_json: AsJson = False,
) -> None:
    """Estimate how often verdicts are wrong, by resampling the recipe that has the most stored runs.

    Example: python -m benchmark calibrate --store results/reference/cifar10-catalogue
    """
    store = store or settle_request(data, data_dir, budget, None, None, "1", "auto", 1).store
    results = Store(store, ENGINE)
    found = max(tables(results), key=lambda table: len(table.control), default=None)
    if found is None or len(found.control) < LEAST_POOL:
        raise UsageError(
            f"{store} has no recipe with {LEAST_POOL} runs, which the simulation needs; `run --seeds` trains more"
        )
    results.expect_writing()
    pool, margin = points(found.control, found.study), found.study.margin
    made_of = f"{simulations} tables of 10 arms of 5 runs, made of {len(pool)} runs of the baseline"
    if not as_json:
        say(made_of)
    with Progress(console=console(as_json), transient=True) as bar:
        task = bar.add_task("drawing tables and judging them", total=4 * simulations)

        def watched(tables: Iterable[T]) -> Iterator[T]:
            for table in tables:
                yield table
                bar.advance(task)

        rates = calibrated(pool, margin, simulations, watched=watched)
    with results.writing():
        results.save_calibration(Calibration(made_of=made_of, rates=tuple(rates)))
    answer = CalibrateAnswer(store=str(store), made_of=made_of, rates=tuple(rates))
    show_answer(answer, as_json, lambda: in_words(answer))


def in_words(answer: CalibrateAnswer) -> str:
    """Returns the answer in sentences."""
    lines = [
        f"{each.share:7.2%} [{each.low:.2%}, {each.high:.2%}] {each.what}; goal: {each.goal}" for each in answer.rates
    ]
    return "\n".join([*lines, f"kept in {Path(answer.store) / CALIBRATION}; `report` shows it"])
