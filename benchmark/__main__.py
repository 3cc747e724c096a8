"""The command line: plan, train what is missing, report.

Exit codes: 0 all well; 1 something failed on the way and the rest went on; 2 the request cannot be carried out;
130 stopped by Ctrl-C. Finished runs are kept in every case.
"""

from __future__ import annotations

import gc
import json
import re
import signal
import sys
from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import torch
import typer
from tqdm import tqdm

from benchmark import data as datasets
from benchmark import report as reports
from benchmark.baseline import BUDGETS, baseline
from benchmark.combining import Planned, check, combine
from benchmark.cost import cost
from benchmark.errors import UsageError, unknown
from benchmark.grid import Study, chosen, combinations, discover, pairs, plan, steps, studies
from benchmark.identity import Run, describe
from benchmark.machine import cores, devices, environment, has_fast_bf16
from benchmark.machine import settle as prepare
from benchmark.recipe import CONTROL, Claim, Ensemble, Recipe, everyone
from benchmark.runner import Ended, Processes, complete
from benchmark.store import Store
from benchmark.tables import Table, tables
from benchmark.training import ENGINE

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # a traceback of ours should be a plain one that can be pasted into an issue
    help="Ablation benchmark of training tricks. `run` trains what is missing and reports; it goes on where it was.",
    epilog="Example: python -m benchmark run --only activation,schedule --seeds 5",
)

Data = Annotated[str, typer.Option("--data", help="auto, cifar10, cifar100, fractal10, or a set in the data folder.")]
DataDir = Annotated[Path, typer.Option("--data-dir", help="Folder of the data sets.")]
BudgetName = Annotated[str, typer.Option("--budget", help=f"auto, {', '.join(BUDGETS)}.")]
Only = Annotated[str, typer.Option("--only", help="Ablations, separated by commas; all if not given.")]
Seeds = Annotated[int, typer.Option("--seeds", min=1, help="Runs of each variant; the control gets more.")]
StoreDir = Annotated[Path | None, typer.Option("--store", help="Folder of the results. [results/DATA-BUDGET]")]
Jobs = Annotated[int | None, typer.Option("--jobs", min=1, help="Workers. [one for each core or GPU]")]
JobsPerGpu = Annotated[int, typer.Option("--jobs-per-gpu", min=1, help="Workers on each GPU.")]
DeviceName = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:1, ...")]


@dataclass(frozen=True)
class Request:
    """What a command was asked for, with every `auto` settled."""

    data: str
    data_choice: str  # why this data set
    data_dir: Path
    budget: str
    devices: tuple[str, ...]  # one entry for each worker
    store: Path
    seeds: int


@dataclass(frozen=True)
class Grid:
    """What there is to do: the tables, their runs in rounds, and the modules that had to be left out."""

    tables: list[Study]
    rounds: list[list[Run]]
    studies: list[dict[str, Any]]  # the tables as the store keeps them
    broken: dict[str, str]
    ensembles: Planned = field(default_factory=dict)


@app.command()
def run(
    data: Data = "auto",
    data_dir: DataDir = Path("data"),
    budget: BudgetName = "auto",
    only: Only = "",
    seeds: Seeds = 3,
    minutes: Annotated[float | None, typer.Option(min=0, help="Start no new run after so many minutes.")] = None,
    store: StoreDir = None,
    jobs: Jobs = None,
    jobs_per_gpu: JobsPerGpu = 1,
    device: DeviceName = "auto",
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the report. [STORE/report]")] = None,
) -> None:
    """Train what the store lacks, then write the report. Started again, it goes on where it was.

    Example: python -m benchmark run --data cifar10 --budget quick --only activation --seeds 5
    """
    asked = settle(data, data_dir, budget, store, jobs, jobs_per_gpu, device, seeds)
    say(f"data {asked.data} ({asked.data_choice}); budget {asked.budget}; {workers(asked)}; results in {asked.store}")
    grid = planned(asked, only)
    results = Store(asked.store, ENGINE)
    about = {"data": asked.data, "data_choice": asked.data_choice, "budget": asked.budget}
    with results.writing():
        results.save_studies(grid.studies)
        trainer = Processes(asked.devices, asked.data, asked.data_dir)
        say(f"{sum(map(len, grid.rounds))} runs, {len(lacking(grid, results))} to train")

        def after_round(done: int) -> str:
            combined(grid, asked, results, about)
            return verdicts(done, results)

        ended = complete(grid.rounds, results, trainer, about, minutes, after_round)
        unmade = combined(grid, asked, results, about)
    for sentence in () if ended.left else unmade:
        say(sentence)
    if results.records:
        say(f"report: {reports.write(results, out or asked.store / 'report')}")
    leave(ended, grid)


@app.command("combine")
def combine_(
    data: Data = "auto",
    data_dir: DataDir = Path("data"),
    budget: BudgetName = "auto",
    only: Only = "",
    seeds: Seeds = 3,
    store: StoreDir = None,
    device: DeviceName = "auto",
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the report. [STORE/report]")] = None,
) -> None:
    """Make the ensembles that the stored runs suffice for, then write the report. Trains nothing.

    Example: python -m benchmark combine --store results/cifar10-quick --seeds 5
    """
    asked = settle(data, data_dir, budget, store, 1, 1, device, seeds)
    grid = planned(asked, only)
    if not (asked.store / "runs.jsonl").exists():
        raise UsageError(f"no results in {asked.store}; `run` trains and fills a store, --store names another")
    results = Store(asked.store, ENGINE)
    check(grid.ensembles, results)
    about = {"data": asked.data, "data_choice": asked.data_choice, "budget": asked.budget}
    with results.writing():
        results.save_studies(grid.studies)
        unmade = combined(grid, asked, results, about)
    for sentence in unmade:
        say(sentence)
    made = [each for replicates in grid.ensembles.values() for each in replicates if each.key in results]
    if not made:
        raise UsageError(f"the runs in {asked.store} suffice for none of the ensembles; `run` trains what they lack")
    say(f"{len(made)} ensembles of stored runs; report: {reports.write(results, out or asked.store / 'report')}")
    leave(Ended(0, [], 0, False), grid)
    if unmade:
        raise typer.Exit(1)


@app.command("plan")
def plan_(
    data: Data = "auto",
    data_dir: DataDir = Path("data"),
    budget: BudgetName = "auto",
    only: Only = "",
    seeds: Seeds = 3,
    store: StoreDir = None,
    jobs: Jobs = None,
    jobs_per_gpu: JobsPerGpu = 1,
    device: DeviceName = "auto",
) -> None:
    """Print the runs, how many are stored, and the time the others will take. Trains nothing.

    Example: python -m benchmark plan --seeds 10
    """
    asked = settle(data, data_dir, budget, store, jobs, jobs_per_gpu, device, seeds)
    say(f"data {asked.data} ({asked.data_choice}); budget {asked.budget}; {workers(asked)}; results in {asked.store}")
    grid = planned(asked, only)
    results = Store(asked.store, ENGINE)
    for table in grid.tables:
        names = [CONTROL, *table.arms]
        runs = {name: table.seeds_of(name, seeds) for name in names}
        context = f" ({table.context})" if table.context else ""
        say(f"{table.ablation.name}{context}: {', '.join(f'{name} x{count}' for name, count in runs.items())}")
    total, left = sum(map(len, grid.rounds)), lacking(grid, results)
    seconds, source = expected_seconds(asked, results)
    say(f"{total} distinct runs, {total - len(left)} stored, {len(left)} to train")
    say(f"expected: {duration(len(left) * seconds / len(asked.devices))} at {seconds:.1f} s a run ({source})")
    leave(Ended(0, [], 0, False), grid)


@app.command("cost")
def cost_(
    data: Data = "auto",
    data_dir: DataDir = Path("data"),
    budget: BudgetName = "auto",
    only: Only = "",
    store: StoreDir = None,
    device: DeviceName = "auto",
) -> None:
    """Measure each variant's training step against the baseline's, in turns, for the report's column of step times.

    Example: python -m benchmark cost --store results/cifar10-quick
    """
    asked = settle(data, data_dir, budget, store, 1, 1, device, 1)
    say(f"data {asked.data} ({asked.data_choice}); budget {asked.budget}; one thread on {asked.devices[0]}")
    grid = planned(asked, only)
    prepare(asked.devices[0])
    images, place = datasets.load(asked.data, asked.data_dir), torch.device(asked.devices[0])
    measured = []
    for arm, base in tqdm(pairs(grid.tables), unit="variant", desc="measuring"):
        found = cost(arm, base, images, place)
        measured.append({"recipe": describe(arm), "control": describe(base), **asdict(found)})
    Store(asked.store, ENGINE).save_costs(measured, environment(asked.devices[0]))
    say(f"{len(measured)} costs in {asked.store / 'costs.json'}; `report` shows them")
    leave(Ended(0, [], 0, False), grid)


@app.command()
def report(
    data: Data = "auto",
    data_dir: DataDir = Path("data"),
    budget: BudgetName = "auto",
    store: StoreDir = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the report. [STORE/report]")] = None,
) -> None:
    """Write tables and plots from the store alone: nothing is trained, no data set is needed.

    Example: python -m benchmark report --store results/reference/cifar10-quick --out /tmp/report
    """
    if store is None:
        asked = settle(data, data_dir, budget, store, None, 1, "auto", 1)
        store = asked.store
    if not (store / "runs.jsonl").exists():
        raise UsageError(f"no results in {store}; `make ablate` trains and fills a store, --store names another")
    say(f"report: {reports.write(Store(store, ENGINE), out or store / 'report')}")


@app.command("list")
def list_(as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    """List the ablations: name, question, variants, sources.

    Example: python -m benchmark list --json
    """
    found, broken = discover()
    tables, failing = studies(found, baseline("cifar10", "quick"))
    entries = [
        {
            "name": ablation.name,
            "question": ablation.question,
            "variants": sorted({arm for t in tables if t.ablation == ablation for arm in [*t.arms, *t.same]}),
            "contexts": [context for context in ablation.contexts if context],
            "sources": list(ablation.sources),
        }
        for ablation in found
    ]
    if as_json:
        typer.echo(json.dumps({"ablations": entries, "left_out": broken | failing}, indent=1))
    else:
        for entry in entries:
            typer.echo(f"{entry['name']}: {entry['question']}\n  {', '.join(entry['variants'])}")
            typer.echo("".join(f"  {link}\n" for link in entry["sources"]))
    leave(Ended(0, [], 0, False), Grid([], [], [], broken | failing))


def settle(
    data: str,
    data_dir: Path,
    budget: str,
    store: Path | None,
    jobs: int | None,
    jobs_per_gpu: int,
    device: str,
    seeds: int,
) -> Request:
    """Every `auto` replaced by what it means here. Raises UsageError for what is not to be had."""
    found = devices(device)
    on_gpu = found[0].startswith("cuda")
    if budget == "auto":
        budget = "standard" if on_gpu else "quick"
    if budget not in BUDGETS:
        raise unknown("budget", budget, [*BUDGETS, "auto"])
    places = found * (jobs_per_gpu if on_gpu else cores())
    if jobs:
        places = (places * jobs)[:jobs]
    name, why = datasets.choose(data, data_dir)
    return Request(
        data=name,
        data_choice=f"{'auto: ' if data == 'auto' else ''}{why}",
        data_dir=data_dir,
        budget=budget,
        devices=tuple(places),
        store=store or Path("results") / f"{name}-{budget}",
        seeds=seeds,
    )


def planned(asked: Request, only: str) -> Grid:
    """The grid of a request. Raises UsageError for an ablation that is not there, or data that are not to be had."""
    found, broken = discover()
    names = [name.strip() for name in only.split(",") if name.strip()]
    base = baseline(asked.data, asked.budget, "bf16" if has_fast_bf16(asked.devices[0]) else "fp32")
    tables, failing = studies(chosen(found, broken, names), base)
    left_out = {name: why for name, why in (broken | failing).items() if not names or name in names}
    data = datasets.load(asked.data, asked.data_dir)
    kept = [as_json(table, asked, data) for table in tables]
    ensembles = combinations(tables, asked.seeds, data.fingerprint)
    return Grid(tables, plan(tables, asked.seeds, data.fingerprint), kept, left_out, ensembles)


def combined(grid: Grid, asked: Request, results: Store, about: dict[str, Any]) -> list[str]:
    """Makes the ensembles that the stored runs suffice for; a sentence for each arm that lacks some."""
    if all(each.key in results for replicates in grid.ensembles.values() for each in replicates):
        return []
    return combine(grid.ensembles, results, datasets.load(asked.data, asked.data_dir), about)


def as_json(table: Study, asked: Request, data: datasets.DataSet) -> dict[str, Any]:
    """A table as the store keeps it, so that a report needs nothing but the store."""
    return {
        "ablation": table.ablation.name,
        "context": table.context,
        "question": table.ablation.question,
        "sources": list(table.ablation.sources),
        "data": asked.data,
        "data_choice": asked.data_choice,
        "fingerprint": data.fingerprint,
        "classes": len(data.classes),
        "budget": asked.budget,
        "margin": BUDGETS[asked.budget].margin,
        "control": {
            "recipe": describe(table.base),
            "seeds": table.seeds_of(CONTROL, asked.seeds),
            "same": list(table.same),
            "steps": steps(table.base),  # with these two an ensemble's cost is told in runs of the control
            "batch_size": table.base.batch_size,
        },
        "arms": [
            {
                "variant": name,
                "recipe": describe(arm),
                "changes": {field: short(value) for field, value in arm.changes(table.base).items()},
                "seeds": table.seeds_of(name, asked.seeds),
                **(copies(arm, table.base) if isinstance(arm, Ensemble) else {}),
            }
            for name, arm in table.arms.items()
        ],
        "trained": {describe(recipe): len(taken) for recipe, taken in table.runs_of(asked.seeds).items()},
        "claims": [claim_as_json(claim) for claim in table.ablation.claims],
    }


def copies(arm: Ensemble, base: Recipe) -> dict[str, Any]:
    """That an arm is an ensemble, and of how many copies of the control, if of nothing else."""
    only = all(member.recipe == base and member.at == 1 for member in arm.members) and arm.choose is everyone
    return {"kind": "ensemble", "copies": len(arm.members) if only else None, "combine": short(arm.combine)}


def claim_as_json(claim: Claim) -> dict[str, Any]:
    """A claim as the store keeps it."""
    compared = {"kind": type(claim.holds).__name__.lower(), **asdict(claim.holds)}
    return {"name": claim.name, "text": claim.text, "context": claim.context, **compared}


def short(part: object) -> str:
    """A part's text without module names and marks, for readers."""
    return re.sub(r"\b(?:ablations|benchmark)\.(?:\w+\.)*|@\w{8}", "", describe(part))


def lacking(grid: Grid, results: Store) -> list[Run]:
    """The runs that are still to be trained."""
    return [each for planned in grid.rounds for each in planned if each.key not in results]


def expected_seconds(asked: Request, results: Store) -> tuple[float, str]:
    """Seconds a run takes on one worker, and where that figure comes from."""
    spent = [
        (datetime.fromisoformat(r["finished"]) - datetime.fromisoformat(r["started"])).total_seconds()
        for r in results.records.values()
        if r["status"] == "done" and r["budget"] == asked.budget
    ]
    if spent:
        return median(spent), f"median of {len(spent)} stored runs"
    return BUDGETS[asked.budget].run_seconds, "the budget's reference figure; the store has no run to go by"


def duration(seconds: float) -> str:
    """Minutes and seconds, or hours and minutes."""
    if seconds < 3600:
        return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"
    return f"{seconds // 3600:.0f} h {seconds % 3600 / 60:.0f} min"


def workers(asked: Request) -> str:
    """How many workers on what."""
    kinds = Counter(asked.devices)
    return ", ".join(f"{count} worker{'s' if count > 1 else ''} on {device}" for device, count in kinds.items())


def verdicts(rounds: int, results: Store) -> str:
    """Where the verdicts stand, a line for each table."""
    return "\n".join([f"after round {rounds}:", *(f"  {standing(table)}" for table in tables(results))])


def standing(table: Table) -> str:
    """Which variants help, hurt and are equivalent so far, and how many are open."""
    words: dict[str, list[str]] = {}
    for row in table.rows:
        effect = "" if row.effect is None else f" {row.effect:+.1f}"
        words.setdefault(row.verdict, []).append(row.variant + effect)
    context = f" ({table.study['context']})" if table.study["context"] else ""
    shown = [f"{word} {', '.join(words[word])}" for word in ("helps", "hurts", "equivalent") if word in words]
    open_ = len(table.rows) - sum(len(words.get(word, [])) for word in ("helps", "hurts", "equivalent"))
    return f"{table.study['ablation']}{context}: " + "; ".join([*shown, *([f"{open_} unresolved"] if open_ else [])])


def leave(ended: Ended, grid: Grid) -> None:
    """Say what went wrong, last, and exit accordingly."""
    for record in ended.failed:
        say(f"failed: seed {record['seed']} of {record['recipe'][:200]}: {record['reason']}")
    for sentence in grid.broken.values():
        say(sentence)
    if ended.interrupted:
        say(f"stopped; {ended.trained} runs finished and kept, {ended.left} left: the same command goes on from here")
        raise typer.Exit(130)
    if ended.left:
        say(f"{ended.left} runs left: the same command goes on from here")
    if ended.failed or grid.broken:
        raise typer.Exit(1)


def say(text: str) -> None:
    """To the terminal, at once."""
    typer.echo(text)
    sys.stdout.flush()


def main() -> None:
    """The command line, with errors of usage as one sentence and exit code 2."""
    gc.freeze()  # statsmodels collects garbage at every correction: 50 ms each, were torch's objects looked at
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))  # ends as Ctrl-C does
    try:
        app()
    except UsageError as reason:
        typer.echo(f"error: {reason}", err=True)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
