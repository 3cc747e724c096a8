"""The command `regress`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmark.commands.options import HISTORY, BudgetName, Data, DataDir, StoreDir, opened, settle
from benchmark.commands.say import say
from benchmark.errors import UsageError
from benchmark.evidence import regression
from benchmark.store.provenance import commit


def command(
    reference: Annotated[Path, typer.Argument(help="Folder of the committed results to compare with.")],
    data: Data = "auto",
    data_dir: DataDir = Path("data"),
    budget: BudgetName = "auto",
    store: StoreDir = None,
    summary: Annotated[Path | None, typer.Option("--summary", help="Append the Markdown to this file too.")] = None,
    accept: Annotated[bool, typer.Option("--accept", help="Make the store the new reference.")] = False,
    history: Annotated[Path, typer.Option("--history", help="Where accepted effects are noted.")] = HISTORY,
) -> None:
    """Compare a store's effects with a reference's. Exit code 1 if any surely changed, unless it is accepted.

    Example: python -m benchmark regress results/reference/cifar10-quick --store results/cifar10-quick
    """
    store = store or settle(data, data_dir, budget, None, None, "1", "auto", 1).store
    then, now = opened(reference), opened(store)
    found = regression.compared(then, now)
    if not found.changes:
        raise UsageError(f"{store} has no effect in common with {reference}; train the same ablations, data, budget")
    say(text := regression.summary(found))
    if summary:
        with summary.open("a", encoding="utf-8") as file:
            file.write(text)
    if accept:
        regression.accept(now, reference, found, history, commit())
        say(f"{reference} is now what {store} was; its effects are noted in {history}")
    elif found.resolved:
        raise typer.Exit(1)
