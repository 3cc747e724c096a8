"""A store in the place of its reference, and the history of accepted effects."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from benchmark.evidence.regression import EffectChange, Regression
from benchmark.evidence.tables import tables
from benchmark.evidence.twins import without_twins
from benchmark.store.files import replace_file, reporting_write_errors
from benchmark.store.records import TableName
from benchmark.store.store import Store

RECORDS = ("runs.jsonl", "studies.json", "costs.json", "calibration.json", "measures.json")


def accept(store: Store, reference: Path, comparison: Regression, history: Path, commit: str) -> None:
    """Puts the records of `store` in the place of the reference's and notes its effects in `history`, a CSV.

    All or nothing: both are written next to the old ones first, and put in their places at the end. Other files of the
    reference, such as its report, are kept. Raises UsageError where the file system refuses to write.
    """
    when = datetime.now(UTC).date().isoformat()
    came_from = {"accepted": when, "commit": commit, "environments": comparison.environments[1]}
    fresh, past = (reference.with_name(f".{reference.name}.{word}") for word in ("new", "old"))
    with reporting_write_errors(reference.parent):
        for leftover in (fresh, past):
            shutil.rmtree(leftover, ignore_errors=True)
        fresh.mkdir(parents=True)
        for path in reference.iterdir() if reference.exists() else ():
            if path.name not in RECORDS:
                (shutil.copytree if path.is_dir() else shutil.copy2)(path, fresh / path.name)
        for name in RECORDS:
            if (store.folder / name).exists():
                shutil.copy2(store.folder / name, fresh / name)
        replace_file(fresh / "accepted.json", json.dumps(came_from, indent=1).encode())
    with reporting_write_errors(history.parent):
        text = with_lines(history, lines(comparison.changes, when, commit))
        history.parent.mkdir(parents=True, exist_ok=True)
        if reference.exists():
            reference.rename(past)
        try:
            fresh.rename(reference)
            replace_file(history, text.encode())
        except OSError:
            shutil.rmtree(reference, ignore_errors=True)
            if past.exists():
                past.rename(reference)
            raise
        shutil.rmtree(past, ignore_errors=True)


def note(store: Store, comparison: Regression, history: Path) -> int:
    """Adds every effect of `store` to `history`, a CSV, and returns how many; the reference stays as it is.

    The date is that of the store's last run, and the commit is the one that trained it. Raises UsageError where the
    file system refuses to write.
    """
    words = {(change.table, change.variant): change.word for change in comparison.changes}
    last = max(store.finished, key=lambda run: run.finished)
    when, commit = last.finished[:10], str(last.environment.get("git_commit", ""))
    made = [
        history_line(
            table.names[0], row.variant, row.effect, words.get((table.names[0], row.variant), ""), when, commit
        )
        for table in without_twins(tables(store))
        for row in table.rows
        if row.effect is not None
    ]
    with reporting_write_errors(history.parent):
        history.parent.mkdir(parents=True, exist_ok=True)
        replace_file(history, with_lines(history, made).encode())
    return len(made)


def with_lines(history: Path, more: Iterable[dict[str, str | float]]) -> str:
    """Returns the text of a history with more lines."""
    noted = pd.read_csv(history, keep_default_na=False) if history.exists() else pd.DataFrame()
    return pd.concat([noted, pd.DataFrame(more)]).to_csv(index=False)


def lines(changes: Iterable[EffectChange], when: str, commit: str) -> list[dict[str, str | float]]:
    """Returns lines of the history: every effect, and its change since the reference before."""
    return [history_line(change.table, change.variant, change.after, change.word, when, commit) for change in changes]


def history_line(
    table: TableName, variant: str, effect: float, word: str, when: str, commit: str
) -> dict[str, str | float]:
    """Returns a line of the history; `word` says how the effect changed since the reference before."""
    return {
        "date": when,
        "commit": commit,
        "data": table.data,
        "budget": table.budget,
        "ablation": table.ablation,
        "context": table.context,
        "variant": variant,
        "effect": round(effect, 3),
        "change": word,
    }
