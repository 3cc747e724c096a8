"""The command `papers`."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from benchmark import report as reports
from benchmark.budgets import FULL, REDUCED
from benchmark.commands import run
from benchmark.commands.options import (
    MINUTES,
    DataDir,
    DeviceName,
    Jobs,
    JobsPerGpu,
    StoreDir,
    deadline_in,
)
from benchmark.commands.say import say
from benchmark.errors import UsageError
from benchmark.planning.contract import PAPERS
from benchmark.planning.discovery import Ablation, discover
from benchmark.planning.grid import check_names
from benchmark.store.names import split
from benchmark.store.records import FailedRecord
from benchmark.store.store import Store
from benchmark.store.version import ENGINE

RESULTS = Path("results")
REFERENCES = RESULTS / "reference"


def command(
    only: Annotated[
        str | None,
        typer.Option("--only", help="Tables or rows (PAPER, or PAPER: ROW), separated by commas.", show_default="all"),
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="As in the papers, for hours; else their reduced form.")
    ] = False,
    data: Annotated[str | None, typer.Option("--data", help="A data set.", show_default="those of each paper")] = None,
    data_dir: DataDir = Path("data"),
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Runs of each row; the control gets more.")] = 5,
    minutes: Annotated[float | None, typer.Option("--minutes", min=0, help=MINUTES)] = None,
    resolve: Annotated[
        bool, typer.Option("--resolve", help="Then add seeds in stages, only to rows still unresolved.")
    ] = False,
    max_seeds: Annotated[
        int, typer.Option("--max-seeds", min=2, help="With --resolve: the most seeds of a row.")
    ] = 55,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Train every run here, whatever results/reference has of it.")
    ] = False,
    store: StoreDir = None,
    jobs: Jobs = None,
    jobs_per_gpu: JobsPerGpu = "1",
    device: DeviceName = "auto",
    out: Annotated[Path, typer.Option("--out", help="Folder of the page of all papers.")] = RESULTS / "papers",
) -> None:
    """Repeat published tables: train what is missing, then write one page with published and measured numbers.

    Runs that results/reference has are taken from there. Examples: python -m benchmark papers
    python -m benchmark papers --only lenet --fresh --store results/again
    python -m benchmark papers --full --only glorot --minutes 60
    """
    budget, deadline = FULL if full else REDUCED, deadline_in(minutes)
    check_names(only or "all", budget=budget)
    found, _ = discover(PAPERS, full)
    ended, stores = 0, list[Path]()
    for name, names in by_data(found, only, data).items():
        folder = store or RESULTS / f"{name}-{budget}"
        stores.append(folder)
        if not fresh and (taken := adopt(Store(folder, ENGINE), references(), name, budget)):
            say(f"{taken} runs taken from {REFERENCES}; --fresh trains them here")
        left = None if minutes is None else max(0.0, (deadline - time.monotonic()) / 60)
        ended = (
            run.trained(
                data=name,
                data_dir=data_dir,
                budget=budget,
                only=names,
                seeds=seeds,
                minutes=left,
                resolve=resolve,
                max_seeds=max_seeds,
                store=folder,
                jobs=jobs,
                jobs_per_gpu=jobs_per_gpu,
                device=device,
            )
            or ended
        )
        if ended == STOPPED:
            break
    known = {each.name: each.published for each in discover()[0]}
    say(f"all papers: {reports.write_papers(open_together(stores), out, known)}")
    if ended:
        raise typer.Exit(ended)


STOPPED = 130  # exit code after Ctrl-C


def by_data(found: Sequence[Ablation], only: str | None, data: str | None) -> dict[str, str]:
    """Returns what is to be trained of each data set, as `--only` has it: the tables of the papers on that set.

    With `data`, all of it only on that set.
    """
    known = {each.name: each for each in found}
    asked = split(only, known) if only else list(known)
    if data:
        return {data: ", ".join(asked)}
    named: dict[str, list[str]] = {}
    for word in asked:
        (module,) = (each for each in found if each.name == of_module(word, known))
        for name in module.data:
            named.setdefault(name, []).append(word)
    return {name: ", ".join(words) for name, words in named.items()}


def of_module(word: str, known: Iterable[str]) -> str:
    """Returns the module of a table or row as `--only` names it. Raises UsageError for another's."""
    head = word.partition(":")[0].partition("(")[0].strip().lower().replace(" ", "_")
    if head not in known:
        raise UsageError(f"{word!r} is no table of papers/; there are: {', '.join(sorted(known))}")
    return head


def references() -> list[Store]:
    """Returns the committed stores; none where the command is called from elsewhere."""
    return [Store(lines.parent, ENGINE) for lines in sorted(REFERENCES.glob("*/runs.jsonl"))]


def adopt(results: Store, others: Iterable[Store], data: str, budget: str) -> int:
    """Takes the finished runs of a data set and budget from other stores, and returns how many there were."""
    wanted = [
        record
        for other in others
        if other.folder.resolve() != results.folder.resolve()
        for record in other.records.values()
        if (record.data, record.budget) == (data, budget) and not isinstance(record, FailedRecord)
    ]
    missing = {record.key: record for record in wanted if record.key not in results}
    if missing:
        with results.writing():
            for record in missing.values():
                results.add(record)
    return len(missing)


def open_together(own: Iterable[Path]) -> list[Store]:
    """Returns the stores that the page is made of: a command's own ahead of those in results/ and of the committed."""
    others = [lines.parent for lines in sorted(RESULTS.glob("*/runs.jsonl"))]
    folders = dict.fromkeys([*own, *others, *(store.folder for store in references())])
    return [Store(folder, ENGINE) for folder in folders if (folder / "runs.jsonl").exists()]
