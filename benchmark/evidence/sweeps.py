"""Sweeps among the tables: the arms that change one number alone, in its order, with the diagnosis of every run.

A table is a sweep of the learning rate if two or more of its arms change the learning rate and nothing else; likewise
of the batch size; and of capacity if two or more change the network alone and it has other numbers of weights.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import nan
from statistics import fmean

from benchmark.errors import UsageError
from benchmark.evidence.curves import band, last_epoch, levels
from benchmark.evidence.diagnosis import Finding, batch, chance, fit, judged, rate
from benchmark.evidence.log import Log
from benchmark.evidence.tables import Table, is_ensemble
from benchmark.store.records import Record
from benchmark.store.store import Store

CONTROL = "baseline"  # as in recipe.py, whose import would bring torch into a report
FIELDS = ("learning_rate", "batch_size", "network")
FEWEST = 3  # different values make a sweep
GOOD = 0.03  # of validation accuracy below the best rate's: twice the standard error of 1,000 images' accuracy


@dataclass(frozen=True)
class Arm:
    """One value of the number that is swept."""

    variant: str
    value: float  # the learning rate, images in a batch, or weights of the network
    runs: list[Record]
    findings: list[Finding | None]  # of each run; None where its record does not tell

    @property
    def accuracy(self) -> float:
        """On the validation images after the last epoch, averaged over runs; of a run that diverged, 0."""
        return fmean(0.0 if run["status"] == "diverged" else run["validation_accuracy"][-1] for run in self.runs)

    @property
    def majority(self) -> tuple[Finding, int] | None:
        """What most runs were found to be, the first of them, and how many they are."""
        found = [finding for finding in self.findings if finding]
        if not found:
            return None
        ((word, count),) = Counter(finding.word for finding in found).most_common(1)
        return next(finding for finding in found if finding.word == word), count


@dataclass(frozen=True)
class Sweep:
    """The arms of a table that are one sweep, the control among them, by rising value. Each has runs."""

    field: str  # of the recipe
    classes: int
    arms: list[Arm]

    @cached_property
    def truth(self) -> dict[str, str]:
        """What each learning rate is, by the outcome: see `outcomes`."""
        return dict(zip((arm.variant for arm in self.arms), outcomes(self.arms, self.classes), strict=True))

    def hits(self) -> tuple[int, int]:
        """Runs of the learning rates whose diagnosis is the truth, and all that have one."""
        found = [
            finding.word == self.truth[arm.variant]
            or (finding.word == "nothing learned" and arm.accuracy <= chance(self.classes))
            for arm in self.arms
            for finding in arm.findings
            if finding
        ]
        return sum(found), len(found)


def outcomes(arms: Sequence[Arm], classes: int) -> list[str]:
    """What the rates of a sweep are, from what became of them all; curves do not matter here, nor test images.

    Too high: the mean validation accuracy is that of chance, above the best rate. Good: within GOOD of the best. High:
    above the rates that are good; low: below them.
    """
    accuracies = [arm.accuracy for arm in arms]
    best = accuracies.index(max(accuracies))
    good = [at for at, accuracy in enumerate(accuracies) if accuracy >= accuracies[best] - GOOD]
    return [
        "good" if at in good else "low" if at < best else "too high" if accuracy <= chance(classes) else "high"
        for at, accuracy in enumerate(accuracies)
    ]


def number_in(recipe: str, field: str) -> float:
    """A number among the fields of a recipe's text."""
    found = re.search(rf"\b{field}=([0-9.e+-]+)", recipe)
    if not found:
        raise ValueError(f"no number {field} in {recipe}")
    return float(found[1])


def sweep(table: Table, store: Store) -> Sweep | None:
    """The sweep of a table, from the runs that it has; None if it is none."""
    for field in FIELDS:
        found = [arm for arm in table.study["arms"] if set(arm["changes"]) == {field} and table.arms[arm["variant"]]]
        if len(found) >= FEWEST - 1 and table.control:
            classes = table.study["classes"]
            sides = [(arm["variant"], arm["recipe"], table.arms[arm["variant"]]) for arm in found]
            sides.append((CONTROL, table.study["control"]["recipe"], table.control))
            arms = [arm_of(field, *side, store, classes) for side in sides]
            if len({arm.value for arm in arms}) >= FEWEST:
                return Sweep(field, classes, sorted(arms, key=lambda arm: arm.value))
    return None


def arm_of(field: str, variant: str, recipe: str, runs: list[Record], store: Store, classes: int) -> Arm:
    """One value of a sweep."""
    value = float(runs[0]["parameters"]) if field == "network" else number_in(recipe, field)
    return Arm(variant, value, runs, [finding(field, run, store, classes) for run in runs])


def finding(field: str, run: Record, store: Store, classes: int) -> Finding | None:
    """What a stored run tells of a field."""
    if field == "learning_rate":
        if run["status"] == "diverged":
            return judged("too high", run["reason"])
        constant = "schedule=" not in run["recipe"]  # defaults are not in the text
        return rate(course(run, store), constant, run["validation_accuracy"][-1] > chance(classes))
    if field == "batch_size":
        return batch(width(run, store))
    return None if run["status"] == "diverged" else fit(run["train_accuracy"], run["validation_accuracy"][-1])


def losses(run: Record, store: Store) -> list[float]:
    """Of every step; none where the store has not kept them."""
    return [float(loss) for loss in store.arrays(run["key"]).get("losses", [])]


def course(run: Record, store: Store) -> list[float]:
    """The levels of a run's loss."""
    if "levels" in run:
        return [nan if level is None else level for level in run["levels"]]
    return levels(losses(run, store))


def width(run: Record, store: Store) -> float | None:
    """Of the band of its last epoch's losses."""
    if "band" in run:
        return None if run["band"] is None else float(run["band"])
    return band(last_epoch(losses(run, store), len(run["epoch_train_accuracy"])))


def classes_of(run: Record, store: Store) -> int | None:
    """The number of classes that a run's network answers for; None where its answers were not kept."""
    answers = store.arrays(run["key"]).get("logits")
    return None if answers is None else int(answers.shape[1])


def log_of(run: Record, store: Store) -> Log:
    """A stored run as a log. Raises UsageError for one that has no curves."""
    if run["status"] == "failed":
        raise UsageError(f"run {run['key']} failed, and has no curves: {run['reason']}")
    if is_ensemble(run):
        raise UsageError(
            f"{run['key']} is an ensemble, which has no curves; those of its members have: {run['members']}"
        )
    train = run["epoch_train_accuracy"][: len(run["validation_accuracy"])]  # an epoch that diverged has no validation
    return Log(
        losses=losses(run, store),
        train_accuracy=train if run["train_accuracy"] is None else [*train[:-1], run["train_accuracy"]],
        validation_accuracy=run["validation_accuracy"],
        epochs=len(run["epoch_train_accuracy"]),
        constant_rate="schedule=" not in run["recipe"],
        classes=classes_of(run, store),
    )
