"""Trains stored runs again and compares: whether the numbers in a store are what today's code gives.

The same code on the same kind of machine gives the same bits. Other processors, GPUs or versions of PyTorch round
otherwise, and a training makes another run of that, as good a sample of the same recipe: there the test accuracy must
be as near as two runs of one recipe are to each other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

from benchmark.evidence.spread import typical
from benchmark.evidence.verified import Verification, Verified, VerifiedWord
from benchmark.planning.grid import Grid
from benchmark.planning.identity import Run
from benchmark.planning.stored import Today
from benchmark.running.ended import Ended
from benchmark.running.executor import Trainer
from benchmark.running.observer import Observer
from benchmark.running.session import Session
from benchmark.store.equality import differences
from benchmark.store.files import arrays_file
from benchmark.store.keys import digest
from benchmark.store.records import About, FailedRecord, Record, RunRecord
from benchmark.store.store import DIGITS, Store

# What decides how numbers are rounded; what only one of two records knows is not compared.
HARDWARE = ("device", "cpu", "cpu_capability", "capability", "threads", "torch", "cuda", "cudnn")
DEVIATIONS = 3.0  # standard deviations of the difference of two runs


@dataclass(frozen=True)
class Comparing(Observer):
    """Compares each run that was trained again with the stored one."""

    stored: dict[str, RunRecord]
    asked: frozenset[str]  # keys; what these start from is trained too, and compared only if it is asked for
    today: Today
    results: Store
    scratch: Store
    tolerance: float
    tell: Callable[[Verified], None]
    found: list[Verified]

    def end(self, record: Record) -> None:
        """Takes the record of a run that was trained again."""
        if record.key in self.asked:
            before = self.stored[record.key]
            verified = compared(before, record, self.today.name(before), self.tolerance, self.arrays_changed(before))
            self.found.append(verified)
            self.tell(verified)

    def arrays_changed(self, before: RunRecord) -> bool | None:
        """Returns whether a run's arrays are other ones now; None if those of the stored run are not known."""
        known = before.digests.get("arrays") or digest_of(arrays_file(self.results.folder, before.key))
        now = digest_of(arrays_file(self.scratch.folder, before.key))
        return known != now if known and now else None


def digest_of(path: Path) -> str:
    """Returns the digest of a file's content; empty if there is none."""
    return digest(path.read_bytes(), DIGITS) if path.exists() else ""


def verify(
    results: Store,
    sample: Sequence[RunRecord],
    today: Today,
    scratch: Store,
    trainer: Trainer,
    tolerance: float,
    tell: Callable[[Verified], None],
) -> tuple[Verification, Ended]:
    """Trains the runs of `sample` again, into `scratch`, and compares.

    Those that no table plans, and those that take a data set that is not available, are named.

    `tell` takes each run as it ends; `trainer` reads weights from the folder of `scratch`; `tolerance` is in points.
    """
    planned = {record.key: run for record in sample if (run := today.run(record))}
    others = [
        not_trained(record, today, "not checked" if today.missing(record) else "no longer planned")
        for record in sample
        if record.key not in planned
    ]
    stored = {record.key: record for record in sample}
    watch = Comparing(stored, frozenset(planned), today, results, scratch, tolerance, tell, [])
    runs: list[Run] = list(planned.values())
    grid = Grid([], today.origins(runs), [runs], [], {}, [])
    with scratch.writing():
        ended = Session(scratch, trainer, About("", "", ""), float("inf"), watch).complete(grid)
    left = len(planned) - len(watch.found)
    missing = {name for record in sample if (name := today.missing(record))}
    found = Verification(
        store=str(results.folder),
        stored=len(sample),
        tolerance=tolerance,
        runs=tuple(watch.found),
        unplanned=tuple(each for each in others if each.word == "no longer planned"),
        unchecked=tuple(each for each in others if each.word == "not checked"),
        missing={name: today.unavailable[name] for name in sorted(missing)},
        left=left,
    )
    return found, ended


def not_trained(record: RunRecord, today: Today, word: VerifiedWord) -> Verified:
    """Returns what became of a run that is not trained again."""
    return Verified(record.key, today.name(record), record.seed, word, why_not(record, today), accuracy(record), None)


def why_not(record: RunRecord, today: Today) -> str:
    """Returns why a run is not trained again, where that is known; else nothing."""
    if name := today.missing(record):
        return f"it needs the data set {name}"
    if (found := today.recipe(record)) and today.fingerprints[found.data] != record.fingerprint:
        return f"the data set {found.data} holds other images now"
    if record.recipe in today.from_files:
        return "it starts from a file of --weights, which no store keeps"
    return ""


def compared(before: RunRecord, now: Record, name: str, tolerance: float, arrays_changed: bool | None) -> Verified:
    """Returns what became of a run, given its record now; `arrays_changed` is None where that is not known."""

    def found(word: VerifiedWord, detail: str = "") -> Verified:
        return Verified(before.key, name, before.seed, word, detail, accuracy(before), accuracy(now))

    if not isinstance(now, RunRecord):
        return found("different", f"it failed: {now.reason}" if isinstance(now, FailedRecord) else "another record")
    changed = [*differences(before, now), *(["arrays"] if arrays_changed else [])]
    changed = list(dict.fromkeys(changed))
    if not changed:
        return found("bit-equal", "its arrays are not known" if arrays_changed is None else "")
    detail = f"other {', '.join(changed)}"
    elsewhere = other_hardware(before, now)
    mine, theirs = accuracy(before), accuracy(now)
    near = before.status == now.status and (mine == theirs or 100 * abs((mine or 0) - (theirs or 0)) <= tolerance)
    if elsewhere and near:
        return found("within tolerance", f"{detail}; trained on other {elsewhere}")
    return found("different", detail + (f"; trained on other {elsewhere}" if elsewhere else ""))


def other_hardware(before: RunRecord, now: RunRecord) -> str:
    """Returns what of hardware and PyTorch differs between two runs, in words; empty if nothing does."""
    both = [(name, before.environment.get(name), now.environment.get(name)) for name in HARDWARE]
    return ", ".join(f"{name} ({then})" for name, then, here in both if None not in (then, here) and then != here)


def accuracy(record: Record) -> float | None:
    """Returns a run's accuracy, 0 to 1: on the test images, of a fold on those left out; None if it diverged."""
    if not isinstance(record, RunRecord) or record.diverged:
        return None
    return record.validation_accuracy[-1] if record.fold else record.test_accuracy


def usual_difference(records: Sequence[RunRecord]) -> float:
    """Returns by how many points two runs of one recipe rarely differ: three standard deviations of a difference.

    From the median variance of the recipes that have two runs or more; 1 point where none has.
    """
    samples: dict[tuple[str, str], list[float]] = {}
    for record in records:
        if (found := accuracy(record)) is not None:
            samples.setdefault((record.fingerprint, record.recipe), []).append(100 * found)
    variance = typical(samples.values())
    return DEVIATIONS * sqrt(2 * variance) if variance else 1.0
