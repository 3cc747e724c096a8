"""Sweeps among the tables: the arms that change one number only, in its order, with the diagnosis of every run.

A table is a sweep of the learning rate if two or more of its arms change the learning rate and nothing else; likewise
of the batch size; and of capacity if two or more change the network alone and it has other numbers of weights.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import nan
from statistics import fmean

from benchmark.claim import CONTROL
from benchmark.errors import UsageError
from benchmark.evidence.curves import band, last_epoch, levels
from benchmark.evidence.diagnosis import UNSURE, Finding, batch, chance_accuracy, finding_of, judge_fit, judge_rate
from benchmark.evidence.log import Log
from benchmark.evidence.tables import Table
from benchmark.store.records import ArmRecord, EnsembleRecord, Facts, FailedRecord, Record, RunRecord
from benchmark.store.store import Store

FIELDS = ("learning_rate", "batch_size", "network")
FEWEST = 3  # different values make a sweep
GOOD = 0.03  # of validation accuracy below the best rate's: twice the standard error of 1,000 images' accuracy


@dataclass(frozen=True)
class SweepArm:
    """One value of the number that is swept."""

    variant: str
    value: float  # the learning rate, images in a batch, or weights of the network
    runs: list[RunRecord]
    findings: list[Finding | None]  # of each run; None where its record does not tell

    @property
    def accuracy(self) -> float:
        """Returns the accuracy on validation images after the last epoch, averaged over runs; 0 for a run that
        diverged."""
        return fmean(0.0 if run.diverged else run.validation_accuracy[-1] for run in self.runs)

    @property
    def majority(self) -> tuple[Finding, int] | None:
        """Returns what most runs were found to be, the first of them, and how many they are."""
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
    arms: list[SweepArm]

    @cached_property
    def truth(self) -> dict[str, str]:
        """Returns what each learning rate is, by the outcome: see `outcomes`."""
        return dict(zip((arm.variant for arm in self.arms), outcomes(self.arms, self.classes), strict=True))

    def hits(self) -> tuple[int, int]:
        """Runs of the learning rates whose diagnosis is the truth, and all that have one."""
        found = [
            finding.word == self.truth[arm.variant]
            or (finding.word == UNSURE and self.truth[arm.variant] in ("good", "high"))
            or (finding.word == "nothing learned" and arm.accuracy <= chance_accuracy(self.classes))
            for arm in self.arms
            for finding in arm.findings
            if finding
        ]
        return sum(found), len(found)


def outcomes(arms: Sequence[SweepArm], classes: int) -> list[str]:
    """Returns what the rates of a sweep are, from what became of them all; curves do not matter here, nor test images.

    Too high: the mean validation accuracy is that of chance, above the best rate. Good: within GOOD of the best. High:
    above the rates that are good; low: below them.
    """
    accuracies = [arm.accuracy for arm in arms]
    best = accuracies.index(max(accuracies))
    good = [at for at, accuracy in enumerate(accuracies) if accuracy >= accuracies[best] - GOOD]
    return [
        "good"
        if at in good
        else "low"
        if at < best
        else "too high"
        if accuracy <= chance_accuracy(classes)
        else "high"
        for at, accuracy in enumerate(accuracies)
    ]


def sweep(table: Table, store: Store) -> Sweep | None:
    """Returns the sweep of a table, from the runs that it has; None if it is none."""
    for field in FIELDS:
        swept = [arm for arm in table.study.arms if set(arm.changes) == {field}]
        arms = [found for arm in (*swept, table.study.control) if (found := arm_of(field, arm, table, store))]
        has_control = any(arm.variant == CONTROL for arm in arms)
        if has_control and len({arm.value for arm in arms}) >= FEWEST:
            return Sweep(field, table.study.classes, sorted(arms, key=lambda arm: arm.value))
    return None


def arm_of(field: str, arm: ArmRecord, table: Table, store: Store) -> SweepArm | None:
    """Returns one value of a sweep; None for an arm without runs, or whose recipe's facts are not stored."""
    runs = [run for run in table.runs(arm.variant) if isinstance(run, RunRecord)]
    if not runs or (field != "network" and arm.facts is None):
        return None
    constant = bool(arm.facts and arm.facts.constant_rate)
    findings = [finding(field, run, store, table.study.classes, constant) for run in runs]
    return SweepArm(arm.variant, value_of(field, arm.facts, runs[0]), runs, findings)


def value_of(field: str, facts: Facts | None, run: RunRecord) -> float:
    """Returns the number that is swept: of capacity, the weights of the network."""
    if facts and field == "learning_rate":
        return facts.learning_rate
    return float(facts.batch_size if facts and field == "batch_size" else run.parameters)


def finding(field: str, run: RunRecord, store: Store, classes: int, constant: bool) -> Finding | None:
    """Returns what a stored run says of a field."""
    if field == "learning_rate":
        if run.diverged:
            return finding_of("too high", run.reason)
        return judge_rate(loss_course(run, store), constant, run.validation_accuracy[-1] > chance_accuracy(classes))
    if field == "batch_size":
        return batch(width(run, store))
    if run.diverged or run.train_accuracy is None:
        return None
    return judge_fit(run.train_accuracy, run.validation_accuracy[-1])


def losses(run: RunRecord, store: Store) -> list[float]:
    """Returns the loss of every step; none where the store has not kept them."""
    return [float(loss) for loss in store.arrays(run).get("losses", [])]


def loss_course(run: RunRecord, store: Store) -> list[float]:
    """Returns the levels of a run's loss."""
    if run.levels is not None:
        return [nan if level is None else level for level in run.levels]
    return levels(losses(run, store))


def width(run: RunRecord, store: Store) -> float | None:
    """Returns the width of the band of a run's last losses; None if it is not known."""
    if run.levels is not None:  # a record that has them has the band too, None where it diverged
        return run.band
    return band(last_epoch(losses(run, store), len(run.epoch_train_accuracy)))


def classes_of(run: RunRecord, store: Store) -> int | None:
    """Returns the number of classes that a run's network answers for; None where its answers were not kept."""
    answers = store.arrays(run).get("logits")
    return None if answers is None else int(answers.shape[1])


def log_of(run: Record, store: Store) -> Log:
    """Returns a stored run as a log. Raises UsageError for one that has no curves."""
    if isinstance(run, FailedRecord):
        raise UsageError(f"run {run.key} failed, and has no curves: {run.reason}")
    if isinstance(run, EnsembleRecord):
        raise UsageError(
            f"{run.key} is an ensemble, which has no curves; those of its members have: {', '.join(run.members)}"
        )
    known = run.epoch_train_accuracy[: len(run.validation_accuracy)]  # an epoch that diverged has no validation
    train = [nan if accuracy is None else accuracy for accuracy in known]
    return Log(
        losses=losses(run, store),
        train_accuracy=train if run.train_accuracy is None else [*train[:-1], run.train_accuracy],
        validation_accuracy=list(run.validation_accuracy),
        epochs=len(run.epoch_train_accuracy),
        constant_rate=run.facts.constant_rate if run.facts else None,
        classes=classes_of(run, store),
    )
