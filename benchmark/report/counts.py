"""What a store holds, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmark.evidence.tables import Table
from benchmark.store.provenance import DIRTY
from benchmark.store.records import EnsembleRecord, FailedRecord, Finished, Header, Record, RunRecord, TableRecord

MACHINE = ("device", "cpu", "threads", "torch", "python")  # of an environment: what may change numbers or times


@dataclass(frozen=True)
class RunCounts:
    """Runs, each counted once however many tables share it."""

    planned: int
    missing: int
    diverged: int
    failed: list[tuple[str, int, str]]  # where, seed, reason; counted as missing
    unused: int  # stored, and in none of the tables


def distinct(values: Iterable[Any]) -> list[Any]:
    """Returns each value once, in the order of first occurrence."""
    return list(dict.fromkeys(values))


def records_of(found: Iterable[Table]) -> list[Finished]:
    """Returns every finished run of the tables once."""
    runs = {run.key: run for table in found for arm in (table.control, *table.arms.values()) for run in arm}
    return [runs[key] for key in sorted(runs)]


def members_of(finished: Iterable[Finished], found: Iterable[Table], used: Sequence[RunRecord]) -> list[RunRecord]:
    """Returns the finished runs beyond `used` that stand in the tables only as members of ensembles."""
    recipes = {(table.study.fingerprint, text) for table in found for text in planned_runs(table.study)}
    there = {record.key for record in used}
    runs = [run for run in finished if isinstance(run, RunRecord) and run.key not in there]
    return sorted((run for run in runs if (run.fingerprint, run.recipe) in recipes), key=lambda run: run.key)


def planned_runs(study: TableRecord) -> dict[str, int]:
    """Returns the runs that a table takes of each recipe, by its text, members of ensembles included."""
    return study.trained or {arm.recipe: arm.seeds for arm in (study.control, *study.arms)}


def machine(record: Header) -> str:
    """Returns on what a run was trained, in words."""
    there = record.environment
    device, cpu, threads, torch, python = (str(there.get(part, "unknown")) for part in MACHINE)
    place = f"{cpu}, {threads} thread{'' if threads == '1' else 's'}" if device == "cpu" else f"{device} ({cpu})"
    return f"{place}; PyTorch {torch}, Python {python}"


def commits(records: Iterable[Header], most: int = 5) -> list[str]:
    """Returns which code made the runs: commits with their runs, the most frequent first, at most `most` of them."""
    found = Counter(str(record.environment.get("git_commit") or "no commit known") for record in records)
    shown = [f"{commit_name(name)} ({in_runs(count)})" for name, count in found.most_common(most)]
    others = found.most_common()[most:]
    rest = sum(count for _, count in others)
    return shown + ([f"{len(others)} more commits ({in_runs(rest)})"] if others else [])


def in_runs(count: int) -> str:
    """Returns a number of runs, in words."""
    return f"{count} run{'s' if count != 1 else ''}"


def commit_name(name: str) -> str:
    """Returns a commit as readers know it, and whether its code was changed since."""
    bare = name.removesuffix(DIRTY)
    return bare if bare == name else f"{bare} with changes that are in no commit"


def changed_since(records: Iterable[Header]) -> int:
    """Returns how many runs were made by code with changes that are in no commit."""
    return sum(str(record.environment.get("git_commit", "")).endswith(DIRTY) for record in records)


def software(records: Iterable[Header]) -> list[str]:
    """Returns what else is recorded of where runs were made, with their runs."""
    names = {"os": "", "numpy": "NumPy ", "torchvision": "torchvision ", "cpu_capability": "instructions "}
    parts = [
        "; ".join(f"{words}{record.environment[name]}" for name, words in names.items() if name in record.environment)
        for record in records
    ]
    return [f"{text or 'not recorded'} ({in_runs(count)})" for text, count in Counter(parts).most_common()]


def moment(timestamp: str) -> str:
    """Returns a moment to the minute."""
    return timestamp[:16].replace("T", " ")


def count_runs(records: Iterable[Record], found: Iterable[Table], used: Sequence[RunRecord]) -> RunCounts:
    """Returns what was planned, and what became of it. A recipe's runs are planned once for all its tables."""
    wanted: Counter[tuple[str, str]] = Counter()
    places: dict[tuple[str, str], str] = {}
    for table in found:
        names = {arm.recipe: arm.variant for arm in reversed((table.study.control, *table.study.arms))}
        for text, seeds in planned_runs(table.study).items():
            recipe = table.study.fingerprint, text
            wanted[recipe] = max(wanted[recipe], seeds)
            places.setdefault(recipe, f"{heading(table.study)}: {names.get(text, 'a member of ensembles')}")
    there = Counter((record.fingerprint, record.recipe) for record in used)
    runs = [record for record in records if not isinstance(record, EnsembleRecord)]
    stored = sorted(runs, key=lambda record: (record.recipe, record.seed))
    planned = [record for record in stored if (record.fingerprint, record.recipe) in wanted]
    return RunCounts(
        planned=wanted.total(),
        missing=(wanted - there).total(),
        diverged=sum(record.diverged for record in used),
        failed=[
            (places[record.fingerprint, record.recipe], record.seed, record.reason)
            for record in planned
            if isinstance(record, FailedRecord)
        ],
        unused=len(stored) - len(planned),
    )


def heading(study: TableRecord, several: bool = False) -> str:
    """Returns what distinguishes a table from the others: `several` if they are of several data sets or budgets."""
    parts = [study.context, *([study.data, study.budget] if several else [])]
    about = ", ".join(part for part in parts if part)
    return f"{study.ablation} ({about})" if about else str(study.ablation)
