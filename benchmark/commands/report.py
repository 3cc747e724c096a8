"""The command `report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmark import report as reports
from benchmark.commands.options import BudgetName, Data, DataDir, StoreDir, opened, settle
from benchmark.commands.say import say


def command(
    data: Data = "auto",
    data_dir: DataDir = Path("data"),
    budget: BudgetName = "auto",
    store: StoreDir = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the report. [STORE/report]")] = None,
    history: Annotated[
        Path | None, typer.Option("--history", help="Accepted effects to draw. [history.csv beside STORE]")
    ] = None,
) -> None:
    """Write tables and plots from the store alone: nothing is trained, no data set is needed.

    Example: python -m benchmark report --store results/reference/cifar10-quick --out /tmp/report
    """
    store = store or settle(data, data_dir, budget, None, None, "1", "auto", 1).store
    say(f"report: {reports.write(opened(store), out or store / 'report', history)}")
