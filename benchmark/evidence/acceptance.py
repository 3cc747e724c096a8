"""A store in the place of its reference, and the history of accepted effects."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from benchmark.evidence.regression import EffectChange, Regression
from benchmark.store.files import replace_file, reporting_write_errors
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
        noted = pd.read_csv(history) if history.exists() else pd.DataFrame()
        text = pd.concat([noted, pd.DataFrame(lines(comparison.changes, when, commit))]).to_csv(index=False)
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


def lines(changes: Iterable[EffectChange], when: str, commit: str) -> list[dict[str, str | float]]:
    """Returns lines of the history: every effect, and its change since the reference before."""
    return [
        {
            "date": when,
            "commit": commit,
            "data": change.table.data,
            "budget": change.table.budget,
            "ablation": change.table.ablation,
            "context": change.table.context,
            "variant": change.variant,
            "effect": round(change.after, 3),
            "change": change.word,
        }
        for change in changes
    ]
