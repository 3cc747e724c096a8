"""What a store holds, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmark.evidence.tables import Table, is_ensemble
from benchmark.store.records import Record
from benchmark.store.store import Store

MACHINE = ("device", "cpu", "threads", "torch", "python")  # of an environment: what may change numbers or times


@dataclass(frozen=True)
class Counts:
    """Runs, each counted once however many tables share it."""

    planned: int
    missing: int
    diverged: int
    failed: list[tuple[str, int, str]]  # where, seed, reason; counted as missing
    unused: int  # stored, and in none of the tables


def unique(values: Iterable[Any]) -> list[Any]:
    """Each once, in the order of its first coming."""
    return list(dict.fromkeys(values))


def records_of(found: Iterable[Table]) -> list[Record]:
    """Every finished run of the tables once."""
    runs = {run["key"]: run for table in found for arm in (table.control, *table.arms.values()) for run in arm}
    return [runs[key] for key in sorted(runs)]


def members_of(store: Store, found: Iterable[Table], used: Sequence[Record]) -> list[Record]:
    """Finished runs beyond `used` that stand in the tables as members of ensembles alone."""
    recipes = {(table.study["fingerprint"], text) for table in found for text in trained(table.study)}
    there = {record["key"] for record in used}
    stored = sorted(store.records.values(), key=lambda record: str(record["key"]))
    wanted = [run for run in stored if (run["fingerprint"], run["recipe"]) in recipes and run["key"] not in there]
    return [run for run in wanted if run["status"] != "failed"]


def trained(study: dict[str, Any]) -> dict[str, int]:
    """The runs of each recipe that a table takes; `trained` where members of ensembles are among them."""
    arms = [study["control"], *study["arms"]]
    return study.get("trained") or {arm["recipe"]: arm["seeds"] for arm in arms}


def machine(record: Record) -> str:
    """On what a run was trained."""
    there = record["environment"]
    device, cpu, threads, torch, python = (str(there.get(part, "unknown")) for part in MACHINE)
    place = f"{cpu}, {threads} thread{'' if threads == '1' else 's'}" if device == "cpu" else f"{device} ({cpu})"
    return f"{place}; PyTorch {torch}, Python {python}"


def moment(timestamp: str) -> str:
    """To the minute."""
    return timestamp[:16].replace("T", " ")


def counts(store: Store, found: Iterable[Table], used: Sequence[Record]) -> Counts:
    """What was planned, and what became of it. A recipe's runs are planned once for all its tables."""
    wanted: Counter[tuple[str, str]] = Counter()
    places: dict[tuple[str, str], str] = {}
    for table in found:
        arms = [("baseline", table.study["control"])] + [(arm["variant"], arm) for arm in table.study["arms"]]
        names = {arm["recipe"]: name for name, arm in reversed(arms)}
        for text, seeds in trained(table.study).items():
            recipe = table.study["fingerprint"], text
            wanted[recipe] = max(wanted[recipe], seeds)
            places.setdefault(recipe, f"{heading(table.study)}: {names.get(text, 'a member of ensembles')}")
    there = Counter((record["fingerprint"], record["recipe"]) for record in used)
    runs = [record for record in store.records.values() if not is_ensemble(record)]
    stored = sorted(runs, key=lambda record: (record["recipe"], record["seed"]))
    planned = [record for record in stored if (record["fingerprint"], record["recipe"]) in wanted]
    return Counts(
        planned=wanted.total(),
        missing=(wanted - there).total(),
        diverged=sum(record["status"] == "diverged" for record in used),
        failed=[
            (places[record["fingerprint"], record["recipe"]], record["seed"], record["reason"])
            for record in planned
            if record["status"] == "failed"
        ],
        unused=len(stored) - len(planned),
    )


def heading(study: dict[str, Any], several: bool = False) -> str:
    """What tells a table from the others: `several` if they are of several data sets or budgets."""
    parts = [study["context"], *([study["data"], study["budget"]] if several else [])]
    about = ", ".join(part for part in parts if part)
    return f"{study['ablation']} ({about})" if about else str(study["ablation"])
