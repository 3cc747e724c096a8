"""Several stores joined into one: runs by key, tables, costs and interim tests.

A run's key is made of all that decides its numbers, so that runs of one key are one run. Where stores have other
numbers for it (made on other hardware, or by changed code), which of them are right cannot be known: it is reported,
and nothing is written unless the caller decides. The calibration is not joined: it is of the runs that one store had.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmark.store.equality import differences
from benchmark.store.files import (
    arrays_file,
    make_folder,
    replace_file,
    reporting_read_errors,
    reporting_write_errors,
    weights_file,
)
from benchmark.store.keys import digest
from benchmark.store.records import (
    ArmRecord,
    CostRecord,
    EnsembleRecord,
    FailedRecord,
    Interim,
    Measures,
    Record,
    RunRecord,
    TableName,
    TableRecord,
)
from benchmark.store.store import DIGITS, Store

FILES = {"arrays": arrays_file, "weights": weights_file}


@dataclass(frozen=True)
class Conflict:
    """What two stores disagree on."""

    what: str  # a run or a table, in words
    first: Path  # the store whose version counts, if one is to
    other: Path
    how: str  # the difference, in words

    def __str__(self) -> str:
        """Returns the sentence about it."""
        return f"{self.what}: {self.first} and {self.other} have {self.how}"


@dataclass(frozen=True)
class Joined:
    """What several stores hold together; of what they disagree on, the version of the first that has it."""

    records: tuple[Record, ...]
    tables: tuple[TableRecord, ...]
    costs: tuple[CostRecord, ...]
    measures: Measures | None
    shared: int  # runs that more than one store has
    conflicts: tuple[Conflict, ...]


def joined(stores: Sequence[Store]) -> Joined:
    """Returns what stores hold together, those of the first store first; writes nothing."""
    conflicts: list[Conflict] = []
    records: dict[str, Record] = {}
    owners: dict[str, Path] = {}
    shared: set[str] = set()
    for store in stores:
        for key, record in store.records.items():
            if key not in records:
                records[key], owners[key] = record, store.folder
                continue
            shared.add(key)
            known = records[key]
            if isinstance(known, FailedRecord) and not isinstance(record, FailedRecord):
                records[key], owners[key] = record, store.folder
            elif not isinstance(record, FailedRecord):
                if changed := differences(known, record):
                    conflicts.append(
                        Conflict(run_name(known), owners[key], store.folder, in_words(known, record, changed))
                    )
                else:
                    records[key] = with_digests(known, record)
    tables, more = joined_tables(stores)
    costs = {(each.recipe, each.control): each for store in reversed(stores) for each in store.costs()}
    return Joined(
        tuple(records.values()),
        tuple(tables),
        tuple(costs.values()),
        joined_measures([each for store in stores if (each := store.measures())]),
        len(shared),
        (*conflicts, *more),
    )


def joined_measures(every: Sequence[Measures]) -> Measures | None:
    """Returns all measures that stores were asked for, and the labels of their data sets; None if there are none."""
    names = dict.fromkeys(name for each in every for name in each.names)
    truths = {truth.fingerprint: truth for each in reversed(every) for truth in each.truths}
    return Measures(names=tuple(names), truths=tuple(truths.values())) if every else None


def run_name(record: Record) -> str:
    """Returns how a sentence calls a run."""
    kind = "ensemble" if isinstance(record, EnsembleRecord) else "run"
    return f"{kind} {record.key} (seed {record.seed} of {record.recipe[:80]}…)"


def in_words(known: Record, record: Record, changed: Sequence[str]) -> str:
    """Returns in what two records differ."""
    if "status" in changed:
        return f"other ends of it: {known.status} and {record.status}"
    mine, theirs = accuracy(known), accuracy(record)
    if mine is not None and theirs is not None and mine != theirs:
        return f"other numbers for it: test accuracy {100 * mine:.2f} % and {100 * theirs:.2f} %"
    return f"other numbers for it: {', '.join(changed)}"


def accuracy(record: Record) -> float | None:
    """Returns the test accuracy, 0 to 1; None where there is none."""
    return None if isinstance(record, FailedRecord) else record.test_accuracy


def with_digests(known: Record, record: Record) -> Record:
    """Returns a record with the digests of the files that either of two equal ones has."""
    if isinstance(known, RunRecord) and isinstance(record, RunRecord):
        return replace(known, digests=record.digests | known.digests)
    return known


def joined_tables(stores: Sequence[Store]) -> tuple[list[TableRecord], list[Conflict]]:
    """Returns the tables of stores, and what they disagree on."""
    tables: dict[TableName, TableRecord] = {}
    owners: dict[TableName, Path] = {}
    conflicts = []
    for store in stores:
        for table in store.tables():
            known = tables.setdefault(table.name, table)
            owner = owners.setdefault(table.name, store.folder)
            if how := disagreement(known, table):
                what = f"table {table.name} on {table.data} at {table.budget}"
                conflicts.append(Conflict(what, owner, store.folder, how))
            else:
                tables[table.name] = one_table(known, table)
    return list(tables.values()), conflicts


def disagreement(one: TableRecord, other: TableRecord) -> str:
    """Returns what keeps two tables of one name from being one, in words; empty if nothing does."""
    if one.fingerprint != other.fingerprint:
        return "other images under this name of a data set"
    if one.control.recipe != other.control.recipe:
        return "other baselines for it"
    if (one.margin, one.classes, one.design) != (other.margin, other.classes, other.design):
        return "other margins, classes or designs for it"
    theirs = {arm.variant: arm.recipe for arm in other.arms}
    changed = [arm.variant for arm in one.arms if theirs.get(arm.variant, arm.recipe) != arm.recipe]
    return f"other recipes for {', '.join(changed)}" if changed else ""


def one_table(one: TableRecord, other: TableRecord) -> TableRecord:
    """Returns two tables as one: all arms, the most seeds, all claims whose arms are there, all interim tests."""
    theirs = {arm.variant: arm for arm in other.arms}
    known = {arm.variant for arm in one.arms}
    arms = [with_seeds(arm, theirs.get(arm.variant, arm)) for arm in one.arms]
    arms += [arm for arm in other.arms if arm.variant not in known]
    texts = dict.fromkeys([*one.trained, *other.trained])
    return replace(
        one,
        control=with_seeds(one.control, other.control),
        same=tuple(dict.fromkeys([*one.same, *other.same])),
        arms=tuple(arms),
        trained={text: max(one.trained.get(text, 0), other.trained.get(text, 0)) for text in texts},
        claims=tuple(dict.fromkeys([*one.claims, *other.claims])),
        interims=joined_interims(one.interims, other.interims),
    )


def with_seeds(arm: ArmRecord, other: ArmRecord) -> ArmRecord:
    """Returns an arm with the seeds of the plan that has more."""
    return replace(arm, seeds=max(arm.seeds, other.seeds))


def joined_interims(one: Sequence[Interim], other: Sequence[Interim]) -> tuple[Interim, ...]:
    """Returns the interim tests of both, in the order of their runs: every test that was made counts as one.

    A test lists the runs that each arm had by then; an arm takes part in it where it has more runs than before.
    """
    found: list[Interim] = []
    so_far: Interim = {}
    for test in sorted((*one, *other), key=lambda test: sum(test.values())):
        now = so_far | {name: max(runs, so_far.get(name, 0)) for name, runs in test.items()}
        if now != so_far:
            found.append(now)
        so_far = now
    return tuple(found)


def write(found: Joined, into: Store, stores: Iterable[Store]) -> list[str]:
    """Writes what was joined into a store; needs `into.writing()`. Files are there before the lines that name them.

    Returns a sentence for each file that is left out, since it is not what its run wrote.
    """
    sources = [store for store in stores if store.folder != into.folder]
    runs = [record for record in found.records if isinstance(record, RunRecord)]
    left_out = [sentence for run in runs for kind in FILES if (sentence := copy(kind, run, into, sources))]
    into.replace(found.records, found.tables, found.costs)
    if found.measures:
        into.save_measures(found.measures)
    return left_out


def copy(kind: str, record: RunRecord, into: Store, sources: Iterable[Store]) -> str:
    """Copies a file of a run from the first store that has it undamaged; returns a sentence if none has."""
    target, known = FILES[kind](into.folder, record.key), record.digests.get(kind)
    sentence = ""
    for path in [] if target.exists() else [FILES[kind](store.folder, record.key) for store in sources]:
        with reporting_read_errors(path):
            content = path.read_bytes() if path.exists() else None
        if content is not None and digest(content, DIGITS) == (known or digest(content, DIGITS)):
            with reporting_write_errors(into.folder):
                make_folder(target.parent)
                replace_file(target, content)
            return ""
        if content is not None:
            sentence = f"left out: {path} is not the file that its run wrote"
    return sentence
