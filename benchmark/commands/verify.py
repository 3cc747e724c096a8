"""The command `verify`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from benchmark.budgets import BUDGETS
from benchmark.commands.answers import VerifyAnswer, show_answer
from benchmark.commands.options import BaseFile, DataDir, DeviceName, Jobs, opened, workers_on
from benchmark.commands.say import AsJson, say
from benchmark.errors import UsageError
from benchmark.evidence.verified import Verification, Verified
from benchmark.planning.stored import chosen, today
from benchmark.running.verification import usual_difference, verify
from benchmark.running.workers import Processes
from benchmark.store.records import RunRecord, TableRecord
from benchmark.store.store import Store
from benchmark.store.version import ENGINE


def command(
    store: Annotated[Path, typer.Option("--store", help="Folder of the results.")],
    sample: Annotated[int | None, typer.Option("--sample", min=1, help="Runs, drawn by their keys. [all]")] = None,
    only: Annotated[
        str | None, typer.Option("--only", help="Ablations or variants, separated by commas. [all that are stored]")
    ] = None,
    tolerance: Annotated[
        float | None,
        typer.Option(
            "--tolerance",
            min=0,
            help="Points of accuracy, for runs of other hardware. [3 standard deviations of two runs' difference]",
        ),
    ] = None,
    base: BaseFile = None,
    data_dir: DataDir = Path("data"),
    device: DeviceName = "auto",
    jobs: Jobs = None,
    as_json: AsJson = False,
) -> None:
    """Train stored runs again and compare: bit-equal, within tolerance, different, or no longer planned.

    Within tolerance is said only of runs that other hardware or another PyTorch made. Not checked are runs that take
    a data set which is not available. Exit code 1 if any run is different. Nothing is written to the store. Example:
    python -m benchmark verify --store results/reference/cifar10-catalogue --sample 20
    """
    results = opened(store)
    tables = results.tables()
    records = [each for each in results.finished if isinstance(each, RunRecord)]
    asked = chosen(records, tables, only)
    if not asked or not tables:
        raise UsageError(f"{store} has no finished runs{f' of {only}' if only else ''} to train again")
    drawn = asked[:sample] if sample else asked  # sorted by key, which is as good as random
    limit = usual_difference(records) if tolerance is None else tolerance
    if not as_json:
        say(f"{len(drawn)} of {len(asked)} runs are to be trained again, on {device}")
        others = {table.budget for table in tables} - {*BUDGETS, base.stem if base else ""}
        for name in sorted(others):
            say(f"runs with the base of {name}.py are planned only with --base {name}.py")
    found = trained_again(results, tables, drawn, limit, data_dir, device, jobs, as_json, base)
    answer = VerifyAnswer(
        store=found.store,
        stored=found.stored,
        tolerance=found.tolerance,
        runs=found.runs,
        unplanned=found.unplanned,
        unchecked=found.unchecked,
        missing=found.missing,
        left=found.left,
        counts={str(word): count for word, count in found.counts.items()},
    )
    show_answer(answer, as_json, lambda: in_words(found))
    if found.left:
        raise typer.Exit(130)
    if found.counts.get("different"):
        raise typer.Exit(1)


def trained_again(
    results: Store,
    tables: Sequence[TableRecord],
    drawn: Sequence[RunRecord],
    tolerance: float,
    data_dir: Path,
    device: str,
    jobs: int | None,
    quiet: bool,
    base: Path | None,
) -> Verification:
    """Returns how runs compare that are trained again now, in a folder that is deleted afterwards."""
    devices = workers_on(device, jobs)
    planned = today(tables, results.folder, data_dir, base)
    before = planned.origins([run for record in drawn if (run := planned.run(record))])
    if before and not quiet:
        say(f"{len(before)} more are trained ahead of them, since some start from their weights")
    with TemporaryDirectory() as place:
        scratch = Store(Path(place) / "store", ENGINE)
        data = next((table.data for table in tables if table.data in planned.fingerprints), tables[0].data)
        with Processes(devices, data, data_dir, scratch.folder) as trainer:
            found, _ = verify(
                results, drawn, planned, scratch, trainer, tolerance, (lambda _: None) if quiet else tell
            )
    return found


def tell(run: Verified) -> None:
    """Says what became of a run."""
    say(run_in_words(run))


def run_in_words(run: Verified) -> str:
    """Returns what became of a run, in a line."""
    numbers = [f"{100 * each:.2f} %" for each in (run.accuracy, run.again) if each is not None]
    shown = f" ({' -> '.join(dict.fromkeys(numbers))})" if numbers else ""
    return f"{run.word}: {run.key}, {run.name or 'a run of no table'}, seed {run.seed}{shown}" + (
        f": {run.detail}" if run.detail else ""
    )


def in_words(found: Verification) -> str:
    """Returns the runs that were not trained again, the data sets that are missing, and how many have each word."""
    counted = ", ".join(f"{count} {word}" for word, count in found.counts.items()) or "none was trained"
    left = f"; {found.left} were not trained" if found.left else ""
    not_trained = map(run_in_words, (*found.unplanned, *found.unchecked))
    missing = [f"not checked without {name}: {why}" for name, why in found.missing.items()]
    return "\n".join([*not_trained, *missing, f"{counted}{left}; tolerance {found.tolerance:.2g} points"])
