"""The command `migrate`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from benchmark.commands.options import DataDir, opened, settle_request
from benchmark.commands.say import say
from benchmark.planning.grid import Grid, planned
from benchmark.planning.migration import migrate
from benchmark.planning.stored import recipes_behind
from benchmark.store.records import TableRecord


def command(
    store: Annotated[Path, typer.Argument(help="Folder of the results.")],
    data_dir: DataDir = Path("data"),
    drop_unplanned: Annotated[
        bool, typer.Option("--drop-unplanned", help="Leave out runs of recipes that no table plans any more.")
    ] = False,
) -> None:
    """Bring a store that an older version wrote to today's schema: the same numbers under the keys of today's code.

    Example: python -m benchmark migrate results/cifar10-quick
    """
    results = opened(store)
    grids = [grid_of(table, store, data_dir) for table in results.tables()]
    arms = [arm for grid in grids for table in grid.tables for arm in (table.base, *table.arms.values())]
    with results.writing():
        every = [each for arm in arms for each in (arm, *recipes_behind(arm))]
        found = migrate(results, every, distinct_tables(grids), drop_unplanned)
    say(
        f"{found.kept} runs kept their key, {found.renamed} got another, {found.unplanned} are of recipes that no "
        f"table plans{' and were left out' if drop_unplanned else ''}"
    )


def grid_of(table: TableRecord, store: Path, data_dir: Path) -> Grid:
    """Returns what today's code plans for a stored table."""
    asked = settle_request(table.data, data_dir, table.budget, store, 1, "1", "cpu", 3)
    asked = replace(asked, data_choice=table.data_choice)
    tricks = [trick.replace(": ", ":", 1) for trick in table.tricks]
    return planned(asked, None, table.design, tricks) if table.tricks else planned(asked, table.ablation)


def distinct_tables(grids: list[Grid]) -> list[TableRecord]:
    """Returns all tables of some grids, each once."""
    return list({table.name: table for grid in grids for table in grid.studies}.values())
