"""The command line: plan, train what is missing, report.

Exit codes: 0 all well; 1 something failed on the way and the rest went on; 2 the request cannot be carried out;
130 stopped by Ctrl-C. Finished runs are kept in every case.
"""

from __future__ import annotations

import gc
import json
import signal
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from math import inf
from pathlib import Path
from typing import Annotated

import torch
import typer
from tqdm import tqdm

from benchmark import data as datasets
from benchmark import log as logs
from benchmark import regression
from benchmark import report as reports
from benchmark.baseline import BUDGETS, baseline
from benchmark.calibration import LEAST, calibrated
from benchmark.combining import check, combine
from benchmark.cost import entry, step_turns
from benchmark.diagnosis import diagnose
from benchmark.errors import UsageError, unknown
from benchmark.folds import candidates, csv, in_words, validated
from benchmark.folds import rounds as rounds_of_folds
from benchmark.grid import discover, expected_seconds, pairs, studies
from benchmark.identity import Run, describe
from benchmark.machine import commit, cores, devices
from benchmark.machine import settle as prepare
from benchmark.packing import crew, packing
from benchmark.planning import ADD_ONE, Grid, Request, Stages, base_of, lacking, planned, stages_of
from benchmark.recipe import CONTROL
from benchmark.resolving import Need
from benchmark.runner import Ended, Processes, complete, lacks
from benchmark.stages import Session, ours, stays_open
from benchmark.store import CALIBRATION, Store
from benchmark.sweeps import log_of
from benchmark.tables import Table, points, tables
from benchmark.training import ENGINE

HISTORY = Path("results") / "history.csv"
app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # a traceback of ours should be a plain one that can be pasted into an issue
    help="Ablation benchmark of training tricks. `run` trains what is missing and reports; it goes on where it was.",
    epilog="Example: python -m benchmark run --only activation,schedule --seeds 5",
)

AUTO = "auto"  # of --jobs-per-gpu: measured ahead of the first run

Data = Annotated[str, typer.Option("--data", help="auto, cifar10, cifar100, fractal10, or a set in the data folder.")]
DataDir = Annotated[Path, typer.Option("--data-dir", help="Folder of the data sets.")]
BudgetName = Annotated[str, typer.Option("--budget", help=f"auto, {', '.join(BUDGETS)}.")]
Only = Annotated[str, typer.Option("--only", help="Ablations, separated by commas; all if not given.")]
Seeds = Annotated[int, typer.Option("--seeds", min=1, help="Runs of each variant; the control gets more.")]
StoreDir = Annotated[Path | None, typer.Option("--store", help="Folder of the results. [results/DATA-BUDGET]")]
Jobs = Annotated[int | None, typer.Option("--jobs", min=1, help="Workers. [one for each core or GPU]")]
JobsPerGpu = Annotated[
    str, typer.Option("--jobs-per-gpu", help="Workers on each GPU; auto: as many as raise the throughput, measured.")
]
DesignName = Annotated[
    str, typer.Option("--design", help="add-one: each variant by itself; leave-one-out or pairs: of the tricks given.")
]
TrickNames = Annotated[
    list[str] | None, typer.Option("--trick", help="ABLATION:VARIANT, once for each trick of a design.")
]
WeightsFile = Annotated[
    Path | None,
    typer.Option("--weights", help="A .safetensors file: fine_tuning starts from it too, as from a kind of its own."),
]
DeviceName = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:1, ...")]


@app.command()
def run(
    data: Data = "auto",
    data_dir: DataDir = Path("data"),
    budget: BudgetName = "auto",
    only: Only = "",
    design: DesignName = ADD_ONE,
    trick: TrickNames = None,
    weights: WeightsFile = None,
    seeds: Seeds = 3,
    minutes: Annotated[
        float | None,
        typer.Option("--minutes", "--budget-minutes", min=0, help="Start no new run after so many minutes."),
    ] = None,
    resolve: Annotated[
        bool, typer.Option("--resolve", help="Then in stages more seeds, for the rows still unresolved alone.")
    ] = False,
    max_seeds: Annotated[int, typer.Option("--max-seeds", min=2, help="With --resolve: the most of a variant.")] = 55,
    store: StoreDir = None,
    jobs: Jobs = None,
    jobs_per_gpu: JobsPerGpu = "1",
    device: DeviceName = "auto",
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the report. [STORE/report]")] = None,
) -> None:
    """Train what the store lacks, then write the report. Started again, it goes on where it was.

    Examples: python -m benchmark run --data cifar10 --budget quick --only activation --seeds 5
    python -m benchmark run --only activation --resolve --max-seeds 20 --minutes 60
    python -m benchmark run --design pairs --trick activation:GELU --trick label_smoothing:0.1
    """
    if resolve and max_seeds < seeds:
        raise UsageError(f"--max-seeds must be at least --seeds ({seeds}), got {max_seeds}")
    deadline = deadline_in(minutes)
    asked = settle(data, data_dir, budget, store, jobs, jobs_per_gpu, device, seeds)
    say(opening(asked))
    results = Store(asked.store, ENGINE)
    stages = stages_of(results)
    grid = planned(asked, only, design, trick or (), weights, stages)

    def again(stages: Stages) -> Grid:
        grid = planned(asked, only, design, trick or (), weights, stages)
        results.save_studies(grid.studies)
        return grid

    def after_round(done: int) -> str:
        combined(grid, asked, results)
        return verdicts(done, ours(grid, results))

    def next_stage(grid: Grid, open_: Sequence[Need]) -> None:
        left = lacking(grid, results)
        rows = f"{len(open_)} row{'s' if len(open_) > 1 else ''} unresolved"
        say(f"next stage: {rows}; {len(left)} runs; {expected(asked, left, results)}")

    with results.writing():
        results.save_studies(grid.studies)
        left = lacking(grid, results)
        total = len(grid.before) + sum(map(len, grid.rounds))
        say(f"{total} runs, {len(left)} to train; {expected(asked, left, results)}")
        for sentence in grid.unavailable:
            say(sentence)
        if jobs_per_gpu == AUTO and not jobs and left and asked.devices[0].startswith("cuda"):
            asked = packed(asked)
            say(f"so {workers(asked)}")
        with Processes(asked.devices, asked.data, asked.data_dir, results.folder) as trainer:
            session = Session(results, trainer, asked.about, deadline)
            ended = session.complete(grid, after_round)
            if resolve:
                ended, grid = session.resolve(ended, grid, stages, again, max_seeds, next_stage)
        unmade = combined(grid, asked, results)
    for sentence in () if ended.left else unmade:
        say(sentence)
    if resolve:
        say(stays_open(grid, results))
    if results.records:
        say(f"report: {reports.write(results, out or asked.store / 'report')}")
    leave(ended, grid.broken)


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
    asked = settle(data, data_dir, budget, store, 1, "1", device, seeds)
    results = opened(asked.store)
    grid = planned(asked, only, stages=stages_of(results))
    check(grid.ensembles, results)
    with results.writing():
        results.save_studies(grid.studies)
        unmade = combined(grid, asked, results)
    for sentence in unmade:
        say(sentence)
    made = [each for replicates in grid.ensembles.values() for each in replicates if each.key in results]
    if not made:
        raise UsageError(f"the runs in {asked.store} suffice for none of the ensembles; `run` trains what they lack")
    say(f"{len(made)} ensembles of stored runs; report: {reports.write(results, out or asked.store / 'report')}")
    leave(Ended(0, [], 0, False), grid.broken)
    if unmade:
        raise typer.Exit(1)


@app.command("plan")
def plan_(
    data: Data = "auto",
    data_dir: DataDir = Path("data"),
    budget: BudgetName = "auto",
    only: Only = "",
    design: DesignName = ADD_ONE,
    trick: TrickNames = None,
    weights: WeightsFile = None,
    seeds: Seeds = 3,
    store: StoreDir = None,
    jobs: Jobs = None,
    jobs_per_gpu: JobsPerGpu = "1",
    device: DeviceName = "auto",
) -> None:
    """Print the runs, how many are stored, and the time the others will take. Trains nothing.

    Example: python -m benchmark plan --seeds 10
    """
    asked = settle(data, data_dir, budget, store, jobs, jobs_per_gpu, device, seeds)
    say(opening(asked))
    results = Store(asked.store, ENGINE)
    grid = planned(asked, only, design, trick or (), weights, stages_of(results))
    for table in grid.tables:
        names = [CONTROL, *table.arms]
        runs = {name: table.seeds_of(name, seeds) for name in names}
        context = f" ({table.context})" if table.context else ""
        say(f"{table.ablation.name}{context}: {', '.join(f'{name} x{count}' for name, count in runs.items())}")
    total, left = len(grid.before) + sum(map(len, grid.rounds)), lacking(grid, results)
    say(f"{total} distinct runs, {total - len(left)} stored, {len(left)} to train")
    say(f"expected: {expected(asked, left, results)}")
    for sentence in grid.unavailable:
        say(sentence)
    leave(Ended(0, [], 0, False), grid.broken)


@app.command("folds")
def folds_(
    data: Data = "auto",
    data_dir: DataDir = Path("data"),
    budget: BudgetName = "auto",
    only: Only = "",
    folds: Annotated[int, typer.Option("--folds", min=2, help="Parts of the training images.")] = 5,
    minutes: Annotated[float | None, typer.Option(min=0, help="Start no new run after so many minutes.")] = None,
    store: StoreDir = None,
    jobs: Jobs = None,
    jobs_per_gpu: JobsPerGpu = "1",
    device: DeviceName = "auto",
) -> None:
    """Choose among the variants by cross-validation on the training images; the test images are not looked at.

    Example: python -m benchmark folds --only learning_rate --folds 5
    """
    deadline = deadline_in(minutes)
    asked = settle(data, data_dir, budget, store, jobs, jobs_per_gpu, device, 1)
    say(opening(asked))
    grid = planned(asked, only)
    images = datasets.load(asked.data, asked.data_dir)
    if folds > (there := len(images.train.labels) + len(images.validation.labels)):
        raise UsageError(f"--folds must be at most {there}, the training images of {asked.data}, got {folds}")
    tables = [table for table in grid.tables if len(candidates(table)) > 1]
    if not tables:
        raise UsageError("these ablations have no variants that start from scratch; `list` shows those that have")
    results, planned_runs = Store(asked.store, ENGINE), rounds_of_folds(tables, folds, images.fingerprint)
    left = [run for each in planned_runs for run in each if lacks(results, run)]
    say(f"{sum(map(len, planned_runs))} runs, {len(left)} to train; {expected(asked, left, results)}")
    with (
        results.writing(),
        Processes(asked.devices, asked.data, asked.data_dir, results.folder) as trainer,
    ):
        ended = complete(planned_runs, results, trainer, asked.about, deadline)
        records = results.records
        found = [line for table in tables for line in validated(table, folds, images, asked.budget, records)]
        results.save_text("folds.csv", csv(found))
    say(in_words(found))
    say(f"table: {asked.store / 'folds.csv'}")
    leave(ended, grid.broken)


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
    asked = settle(data, data_dir, budget, store, 1, "1", device, 1)
    say(f"data {asked.data} ({asked.data_choice}); budget {asked.budget}; one thread on {asked.devices[0]}")
    grid = planned(asked, only)
    prepare(asked.devices[0])
    images, place = datasets.load(asked.data, asked.data_dir), torch.device(asked.devices[0])
    found, results = pairs(grid.tables), Store(asked.store, ENGINE)
    for arm, base in tqdm(found, unit="variant", desc="measuring"):
        turns = step_turns(arm, base, images, place)
        results.save_cost(entry(arm, base, turns.cost(), asked.devices[0]))
    say(f"{len(found)} costs in {asked.store / 'costs.json'}; `report` shows them")
    leave(Ended(0, [], 0, False), grid.broken)


@app.command()
def report(
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


@app.command()
def regress(
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


@app.command()
def calibrate(
    data: Data = "auto",
    data_dir: DataDir = Path("data"),
    budget: BudgetName = "auto",
    store: StoreDir = None,
    simulations: Annotated[int, typer.Option("--simulations", min=1, help="Tables made up.")] = 2000,
) -> None:
    """How often the verdicts are wrong where the truth is known, by the runs of one recipe: the one stored most.

    Example: python -m benchmark calibrate --store results/reference/cifar10-quick
    """
    store = store or settle(data, data_dir, budget, None, None, "1", "auto", 1).store
    results = Store(store, ENGINE)
    found = max(tables(results), key=lambda table: len(table.control), default=None)
    if found is None or len(found.control) < LEAST:
        raise UsageError(f"{store} has no recipe with {LEAST} runs to draw apart; `run --seeds` trains more")
    pool, margin = points(found.control, found.study), found.study["margin"]
    made_of = f"{simulations} tables of 10 arms of 5 runs, made of {len(pool)} runs of the baseline"
    say(made_of)
    rates = calibrated(pool, margin, simulations)
    for each in rates:
        say(f"{each.share:7.2%} [{each.low:.2%}, {each.high:.2%}] {each.what}; goal: {each.goal}")
    with results.writing():
        kept = {"made_of": made_of, "rates": [asdict(each) for each in rates]}
        results.save_text(CALIBRATION, json.dumps(kept, indent=1) + "\n")
    say(f"kept in {store / CALIBRATION}; `report` shows it")


@app.command("diagnose")
def diagnose_(
    log: Annotated[
        Path | None, typer.Argument(help="CSV: step, loss; epoch, train_accuracy, validation_accuracy.")
    ] = None,
    run: Annotated[str, typer.Option("--run", help="Key of a stored run, or its beginning, instead of a log.")] = "",
    store: Annotated[Path | None, typer.Option("--store", help="Folder of the results, with --run.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder of the picture. [beside the log, or STORE]")
    ] = None,
) -> None:
    """Say what the curves of one training tell of its learning rate, batch and fit, and draw them.

    Example: python -m benchmark diagnose log.csv --out /tmp/diagnosis
    """
    if (log is None) == (not run) or bool(run) != (store is not None):
        raise UsageError("diagnose takes either a LOG.csv, or --run KEY with the --store that it is in")
    if log:
        name, curves, place = log.stem, logs.read(log), log.parent
    else:
        results = Store(Path(store or ""), ENGINE)
        found = [record for key, record in results.records.items() if key.startswith(run)]
        if len(found) != 1:
            raise UsageError(
                f"{len(found)} runs in {store} have a key that begins with {run!r}; `runs.jsonl` has them"
            )
        name, curves, place = found[0]["key"], log_of(found[0], results), results.folder
    for about, finding in diagnose(curves).items():
        say(f"{about}: {finding.word}\n  {finding.numbers}\n  {finding.remedy}")
    if curves.losses and curves.constant_rate is None:
        say(
            "The learning rate is taken to fall towards zero: the log has no column learning_rate that says otherwise."
        )
    if curves.losses and curves.constant_rate:
        say("Under a constant learning rate the shape of the loss does not tell a low rate from a high one.")
    if run:
        say("The last training accuracy is that on the images as they are, the others those of the augmented batches.")
    say(f"picture: {reports.draw_log(curves, name, (out or place) / f'{name}-diagnosis')}.png, .svg")


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
    leave(Ended(0, [], 0, False), broken | failing)


def deadline_in(minutes: float | None) -> float:
    """As of time.monotonic(); infinite without a limit."""
    return time.monotonic() + (inf if minutes is None else 60 * minutes)


def opened(folder: Path) -> Store:
    """The results in a folder. Raises UsageError if there are none."""
    if not (folder / "runs.jsonl").exists():
        raise UsageError(f"no results in {folder}; `make ablate` trains and fills a store, --store names another")
    return Store(folder, ENGINE)


def settle(
    data: str,
    data_dir: Path,
    budget: str,
    store: Path | None,
    jobs: int | None,
    jobs_per_gpu: str,
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
    if jobs_per_gpu != AUTO and not (jobs_per_gpu.isdecimal() and int(jobs_per_gpu)):
        raise UsageError(f"--jobs-per-gpu must be {AUTO}, or a whole number from 1 on, got {jobs_per_gpu!r}")
    places = found * (cores() if not on_gpu else 1 if jobs_per_gpu == AUTO else int(jobs_per_gpu))
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


def combined(grid: Grid, asked: Request, results: Store) -> list[str]:
    """Makes the ensembles that the stored runs suffice for; a sentence for each arm that lacks some."""
    if all(each.key in results for replicates in grid.ensembles.values() for each in replicates):
        return []
    return combine(grid.ensembles, results, datasets.load(asked.data, asked.data_dir), asked.about)


def packed(asked: Request) -> Request:
    """With as many workers on each GPU as were measured to fill the first one."""
    gpus = tuple(dict.fromkeys(asked.devices))
    images = datasets.load(asked.data, asked.data_dir)
    with crew(Processes(gpus[:1], asked.data, asked.data_dir), base_of(asked), images) as measure:
        probes = packing(measure, most=max(1, cores() // len(gpus)))
    for probe in probes:
        used = f"{probe.memory:.0%} of its memory in use"
        say(f"{probe.workers} at once on {gpus[0]}: {probe.rate:,.0f} images/s, {used}")
    return replace(asked, devices=gpus * probes[-1].workers)


def expected(asked: Request, left: Sequence[Run], results: Store) -> str:
    """How long the runs that are left will take."""
    known = results.seconds()
    seconds = sum(expected_seconds(left, known, BUDGETS[asked.budget].run_seconds))
    timed = {describe(run.recipe) for run in left} & known.keys()
    source = f"from runs of {len(timed)} of these recipes" if timed else "by the budget's reference figure"
    return f"{duration(seconds / len(asked.devices))} ({source})"


def duration(seconds: float) -> str:
    """Minutes and seconds, or hours and minutes."""
    if seconds < 3600:
        return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"
    return f"{seconds // 3600:.0f} h {seconds % 3600 / 60:.0f} min"


def opening(asked: Request) -> str:
    """The first line of what a command says."""
    what = f"data {asked.data} ({asked.data_choice}); budget {asked.budget}"
    return f"{what}; {workers(asked)}; results in {asked.store}"


def workers(asked: Request) -> str:
    """How many workers on what."""
    kinds = Counter(asked.devices)
    return ", ".join(f"{count} worker{'s' if count > 1 else ''} on {device}" for device, count in kinds.items())


def verdicts(rounds: int, found: Sequence[Table]) -> str:
    """Where the verdicts stand, a line for each table."""
    return "\n".join([f"after round {rounds}:", *(f"  {standing(table)}" for table in found)])


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


def leave(ended: Ended, broken: Mapping[str, str]) -> None:
    """Say what went wrong, last, and exit accordingly. `broken` has a sentence for each module left out."""
    for record in ended.failed:
        say(f"failed: seed {record['seed']} of {record['recipe'][:200]}: {record['reason']}")
    for sentence in broken.values():
        say(sentence)
    if ended.interrupted:
        say(f"stopped; {ended.trained} runs finished and kept, {ended.left} left: the same command goes on from here")
        raise typer.Exit(130)
    if ended.left:
        say(f"{ended.left} runs left: the same command goes on from here")
    if ended.failed or broken:
        raise typer.Exit(1)


def say(text: str) -> None:
    """To the terminal, at once."""
    typer.echo(text)
    sys.stdout.flush()


def main() -> None:
    """The command line, with errors of usage as one sentence and exit code 2."""
    gc.freeze()  # statsmodels collects garbage at every correction: 50 ms each, were torch's objects looked at
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does, also where that is ignored
    try:
        app()
    except UsageError as reason:
        typer.echo(f"error: {reason}", err=True)
        raise SystemExit(2) from None
