"""The command `regress`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmark.commands.answers import RegressAnswer, show_answer
from benchmark.commands.console import console
from benchmark.commands.options import HISTORY_FILE, BudgetName, Data, DataDir, StoreDir, opened, settle_request
from benchmark.commands.say import AsJson, say
from benchmark.errors import UsageError, hint
from benchmark.evidence.acceptance import accept as put_in_place
from benchmark.evidence.acceptance import note as note_effects
from benchmark.evidence.regression import Regression, compare_stores
from benchmark.evidence.regression_text import regression_markdown as in_markdown
from benchmark.store.files import reporting_write_errors
from benchmark.store.provenance import commit
from benchmark.store.store import Store
from benchmark.store.version import ENGINE

REFERENCES = Path("results") / "reference"


def command(
    reference: Annotated[Path, typer.Argument(help="Folder of the committed results to compare with.")],
    data: Data = "auto",
    data_dir: DataDir = Path("data"),
    budget: BudgetName = "auto",
    store: StoreDir = None,
    only: Annotated[
        str | None, typer.Option("--only", help="Ablations or variants, separated by commas; all that the store has.")
    ] = None,
    summary: Annotated[Path | None, typer.Option("--summary", help="Append the Markdown to this file too.")] = None,
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", help="Do not fail if the reference lacks something.")
    ] = False,
    accept: Annotated[bool, typer.Option("--accept", help="Make the store the new reference.")] = False,
    note: Annotated[
        bool, typer.Option("--note", help="Note the store's effects in the history; the reference stays.")
    ] = False,
    history: Annotated[Path, typer.Option("--history", help="Where effects are noted.")] = HISTORY_FILE,
    as_json: AsJson = False,
) -> None:
    """Compare a store's effects with a reference's. Exit code 1 if any changed significantly, unless it is accepted.

    The exit code is 1, too, if the reference lacks something that the store plans or that --only names. Example:
    python -m benchmark regress results/reference/cifar10-catalogue --store results/cifar10-quick
    """
    if accept and only is not None:
        raise UsageError("--accept takes the whole store; leave out --only")
    if accept and note:
        raise UsageError("--accept notes the effects, too; leave out --note")
    then = reference_in(reference)
    store = store or settle_request(data, data_dir, budget, None, None, "1", "auto", 1).store
    now = opened(store)
    with console(as_json).status("comparing"):
        found = compare_stores(then, now, only)
    if not found.changes:
        raise UsageError(
            f"{store} has no effect in common with {reference}, by recipe or by name; train the same ablations, data "
            "and budget"
        )
    text = in_markdown(found)
    if not as_json:
        say(text)
    if summary:
        remedy = "give another file with --summary"
        with reporting_write_errors(summary.parent, remedy), summary.open("a", encoding="utf-8") as file:
            file.write(text)
    if note:
        count = note_effects(now, found, history)
        if not as_json:
            say(f"{count} effects are noted in {history}")
    lost = [*found.matching.gone, *found.matching.untrained]
    if accept:
        count = len(lost) + found.matching.others
        if count and not allow_missing:
            raise UsageError(
                f"not accepted: {count} rows of the reference have no runs in {store} and would be lost; train them, "
                "or give --allow-missing"
            )
        put_in_place(now, reference, found, history, commit())
    accepted = f"{reference} is now what {store} was; its effects are noted in {history}"
    if as_json or accept:
        show_answer(answer_of(found, reference, store, accept), as_json, lambda: accepted)
    if not accept and (found.resolved or (found.matching.lacking and not allow_missing)):
        raise typer.Exit(1)


def answer_of(found: Regression, reference: Path, store: Path, accepted: bool) -> RegressAnswer:
    """Returns the answer: the comparison without the tables that it was made from."""
    matching = found.matching
    return RegressAnswer(
        reference=str(reference),
        store=str(store),
        changed=len(found.resolved),
        changes=tuple(found.changes),
        costs=tuple(found.costs),
        untrained=tuple(matching.untrained),
        unknown=tuple(matching.unknown),
        gone=tuple(matching.gone),
        others=matching.others,
        recoded=tuple(pair.before.study.name.row(pair.variant) for pair in matching.pairs if pair.recoded),
        shared_runs=found.again[1],
        same_runs=found.again[0],
        differing=tuple(found.differing),
        environments=(tuple(found.environments[0]), tuple(found.environments[1])),
        commits=(tuple(found.commits[0]), tuple(found.commits[1])),
        accepted=accepted,
    )


def reference_in(folder: Path) -> Store:
    """Returns the results in a folder. Raises UsageError, naming the references there are, if it has none."""
    if (folder / "runs.jsonl").exists():
        return Store(folder, ENGINE)
    there = sorted({path.parent for place in (folder.parent, REFERENCES) for path in place.glob("*/runs.jsonl")})
    known = hint(str(folder), list(map(str, there))) if there else "give the folder of a store"
    raise UsageError(f"no results to compare with in {folder}; {known}")
