"""The command `merge`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmark.commands.options import opened
from benchmark.commands.say import say
from benchmark.store.merging import joined, write
from benchmark.store.store import Store
from benchmark.store.version import ENGINE


def command(
    stores: Annotated[list[Path], typer.Argument(help="Folders of the results to join.")],
    into: Annotated[Path, typer.Option("--into", help="Folder of the joined results; what it has counts first.")],
    keep_first: Annotated[
        bool,
        typer.Option("--keep-first", help="Where stores disagree on a run, keep that of the store named first."),
    ] = False,
) -> None:
    """Join stores into one: runs by key, tables, costs, interim tests.

    Runs of one key with other numbers are reported: exit code 1, and nothing is written without --keep-first. Example:
    python -m benchmark merge results/part1 results/part2 results/part3 --into results/all
    """
    sources = [opened(folder) for folder in dict.fromkeys(stores) if folder.resolve() != into.resolve()]
    target = Store(into, ENGINE)
    every = [target, *sources]
    found = joined(every)
    for conflict in found.conflicts:
        say(str(conflict))
    if found.conflicts and not keep_first:
        say(f"{len(found.conflicts)} disagreements, nothing written; --keep-first takes the first store's version")
        raise typer.Exit(1)
    with target.writing():
        left_out = write(found, target, every)
    for sentence in left_out:
        say(sentence)
    say(f"{len(found.records)} runs of {len(found.tables)} tables in {into}; {found.shared} were in several stores")
    say(f"the report: python -m benchmark report --store {into}")
    if any(arm.ensemble for table in found.tables for arm in table.arms):
        say(f"its ensembles: python -m benchmark combine --store {into}, with the options of the runs")
