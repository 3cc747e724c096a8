"""The command `check`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.commands.console import console
from benchmark.commands.options import opened
from benchmark.commands.say import AsJson

if TYPE_CHECKING:
    from benchmark.commands.answers import CheckAnswer


def command(
    store: Annotated[Path, typer.Argument(help="Folder of the results.")],
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the report. [STORE/report]")] = None,
    numbers: Annotated[
        bool, typer.Option("--numbers", help="Compare files of numbers only, without drawing pages and pictures.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check a store: every record, its checksum and key, and whether its report agrees with the records.

    Exit code 1 if any file is stale. Example: python -m benchmark check results/reference/cifar10-catalogue
    """
    from benchmark.commands.answers import (  # only now: pandas and seaborn take seconds to import
        CheckAnswer,
        show_answer,
    )
    from benchmark.report.freshness import stale

    results, folder = opened(store), out or store / "report"
    results.costs()
    results.calibration()
    results.measures()
    found = []
    if folder.exists():
        with console(as_json).status("writing the report anew, to compare"):
            found = stale(results, folder, everything=not numbers)
    answer = CheckAnswer(
        store=str(store),
        records=len(results.records),
        tables=len(results.tables()),
        report=str(folder) if folder.exists() else None,
        stale=tuple(found),
    )
    show_answer(answer, as_json, lambda: in_words(answer, rewrite(store, out)))
    if found:
        raise typer.Exit(1)


def in_words(answer: CheckAnswer, remedy: str) -> str:
    """Returns the answer in sentences; `remedy` is the command that writes the report anew."""
    whole = f"{answer.records} records of {answer.tables} tables: every checksum, key and field is in order"
    if answer.report is None:
        return f"{whole}\nno report in {answer.store}; `{remedy}` writes one"
    if not answer.stale:
        return f"{whole}\n{answer.report}: nothing stale"
    return "\n".join(
        [
            whole,
            *(f"stale: {Path(answer.report) / name}" for name in answer.stale),
            f"{len(answer.stale)} files are not what the records give: delete what no table has, and write the others "
            "anew:",
            f"  {remedy}",
        ]
    )


def rewrite(store: Path, out: Path | None) -> str:
    """Returns the command that writes the report anew."""
    return f"python -m benchmark report --store {store}" + (f" --out {out}" if out else "")
