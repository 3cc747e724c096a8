"""The command `check`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmark.commands.console import console
from benchmark.commands.options import opened
from benchmark.commands.say import say


def command(
    store: Annotated[Path, typer.Argument(help="Folder of the results.")],
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the report. [STORE/report]")] = None,
    numbers: Annotated[bool, typer.Option("--numbers", help="Compare numbers only, no pages and pictures.")] = False,
) -> None:
    """Check a store: every record, its checksum and key; and whether its report is what the records give today.

    Exit code 1 if any file is stale. Example: python -m benchmark check results/reference/cifar10-catalogue
    """
    from benchmark.report.freshness import stale  # only now: pandas and seaborn take seconds to import

    results, folder = opened(store), out or store / "report"
    runs, planned = len(results.records), len(results.tables())
    results.costs()
    results.calibration()
    say(f"{runs} records of {planned} tables: every checksum, key and field is in order")
    if not folder.exists():
        say(f"no report in {folder}; `python -m benchmark report --store {store}` writes one")
        return
    with console().status("writing the report anew, to compare"):
        found = stale(results, folder, everything=not numbers)
    for name in found:
        say(f"stale: {folder / name}")
    if found:
        say(f"{len(found)} files are not what the records give: delete what no table has, and write the others anew:")
        say(f"  {rewrite(store, out)}")
        raise typer.Exit(1)
    say(f"{folder}: nothing stale")


def rewrite(store: Path, out: Path | None) -> str:
    """Returns the command that writes the report anew."""
    return f"python -m benchmark report --store {store}" + (f" --out {out}" if out else "")
