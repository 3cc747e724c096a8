"""Measures besides accuracy, from the answers that runs gave to the test images.

Where classes have unequal numbers of images, accuracy is mostly that of the largest. The balanced accuracy is the mean
of the recalls of the classes (Brodersen et al. 2010, https://doi.org/10.1109/ICPR.2010.764); macro F1 the mean of
their F1. scikit-learn computes both. Variants are compared with their control as by accuracy, by the same tests with
the same margin, but for what shared seeds add there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from statistics import fmean
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from benchmark.claim import CONTROL
from benchmark.errors import unknown
from benchmark.evidence.comparison import Scale, compare
from benchmark.evidence.tables import Table
from benchmark.store.records import Finished, Measures, RunRecord, TableName, Truth
from benchmark.store.store import Store

Classes = npt.NDArray[np.int64]  # (images,), numbers of classes
MEASURES = ("accuracy", "balanced-accuracy", "macro-f1", "per-class")
FORGET = "none"  # instead of measures: the report shows none any more


@dataclass(frozen=True)
class Measured:
    """One variant by one measure, in points: a line of measures.csv. What cannot be said is None."""

    ablation: str
    context: str
    data: str
    budget: str
    variant: str
    measure: str  # of MEASURES, or "recall of CLASS"
    n: int  # runs of the variant
    n_control: int
    value: float  # mean over the runs
    value_control: float
    effect: float | None  # None of the control itself
    ci_low: float | None  # 95 % interval of the effect, by itself (Welch)
    ci_high: float | None
    p_adjusted: float | None  # Holm over the table
    verdict: str  # helps, hurts, equivalent, unresolved, no verdict; "" of the control itself
    reason: str  # why there is no verdict


def parse_measures(asked: str) -> list[str]:
    """Returns the measures in a list separated by commas; FORGET is none of them.

    Raises UsageError for one that is not among MEASURES.
    """
    words = (name.strip().lower().replace("_", "-") for name in asked.split(","))
    names = list(dict.fromkeys(word for word in words if word))
    if names == [FORGET]:
        return []
    for name in names:
        if name not in MEASURES:
            raise unknown("measure", name, MEASURES)
    return names


def measure_run(
    predicted: Classes, labels: Classes, classes: Sequence[str], measures: Sequence[str]
) -> dict[str, float]:
    """Returns the measures of one run in points, over the classes that have test images."""
    from sklearn.metrics import accuracy_score, f1_score, recall_score

    present = np.unique(labels)
    recalls = recall_score(labels, predicted, labels=present, average=None, zero_division=0.0)
    found: dict[str, float] = {}
    for measure in measures:
        if measure == "accuracy":
            found[measure] = float(accuracy_score(labels, predicted))
        elif measure == "balanced-accuracy":
            found[measure] = float(recalls.mean())
        elif measure == "macro-f1":
            found[measure] = float(f1_score(labels, predicted, labels=present, average="macro", zero_division=0.0))
        else:
            found |= {f"recall of {classes[at]}": float(each) for at, each in zip(present, recalls, strict=True)}
    return {measure: 100 * value for measure, value in found.items()}


def majority_answers(labels: Classes) -> Classes:
    """Returns the answers that a run which diverged counts with: always the class that has the most test images."""
    return np.full_like(labels, np.bincount(labels).argmax())


def measured_tables(found: Iterable[Table], store: Store, asked: Measures | None) -> list[Measured]:
    """Returns the lines of all tables whose test labels are known."""
    truths = {truth.fingerprint: truth for truth in asked.truths} if asked and asked.names else {}
    return [
        line
        for table in found
        if asked and table.study.fingerprint in truths
        for line in measured_table(table, store, asked.names, truths[table.study.fingerprint])
    ]


def measured_table(table: Table, store: Store, names: Sequence[str], truth: Truth) -> list[Measured]:
    """Returns the lines of a table; none if it has no runs whose answers were kept."""
    labels = np.array(truth.labels, np.int64)
    arms = {
        name: [measure_run(answers, labels, truth.classes, names) for answers in answers_of(runs, store, labels)]
        for name, runs in {CONTROL: table.control, **table.arms}.items()
    }
    guessed = measure_run(majority_answers(labels), labels, truth.classes, names)
    chances = {name: value for name, value in guessed.items() if name in names}  # not recalls, which one class has
    return measured(table.study.name, arms, table.study.margin, chances)


def answers_of(runs: Sequence[Finished], store: Store, labels: Classes) -> list[Classes]:
    """Returns the classes that runs answered with, of those whose answers were kept; of ensembles they were not."""
    found = []
    for run in runs:
        if run.status == "diverged":
            found.append(majority_answers(labels))
        elif isinstance(run, RunRecord) and (logits := store.arrays(run).get("logits")) is not None:
            found.append(logits.argmax(1).astype(labels.dtype))
    return found


def measured(
    name: TableName,
    arms: Mapping[str, Sequence[Mapping[str, float]]],
    margin: float,
    chances: Mapping[str, float] = MappingProxyType({}),
) -> list[Measured]:
    """Returns the lines of a table: for each measure the control, then the variants.

    `arms` has the scores of each run of each arm, CONTROL among them. `margin` and `chances` are in points; these are
    what guessing gets by the measures, where that is known.
    """
    control = arms[CONTROL]
    variants = [variant for variant, runs in arms.items() if variant != CONTROL and runs]
    lines = []
    for measure in control[0] if control else ():
        theirs = [run[measure] for run in control]
        samples = {variant: [run[measure] for run in arms[variant]] for variant in variants}
        verdicts = compare([(ours, theirs) for ours in samples.values()], margin, scale=Scale(chances.get(measure)))
        mean, of = fmean(theirs), (name.ablation, name.context, name.data, name.budget)
        lines.append(
            Measured(*of, CONTROL, measure, len(theirs), len(theirs), mean, mean, None, None, None, None, "", "")
        )
        for (variant, ours), verdict in zip(samples.items(), verdicts, strict=True):
            low, high = verdict.difference.interval
            numbers = (verdict.difference.mean, low, high, verdict.p)
            effect, ci_low, ci_high, p = (None if isnan(each) else each for each in numbers)
            counts = (len(ours), len(theirs))
            means = (fmean(ours), mean)
            lines.append(
                Measured(
                    *of, variant, measure, *counts, *means, effect, ci_low, ci_high, p, verdict.word, verdict.reason
                )
            )
    return lines


def in_words(lines: Sequence[Measured]) -> str:
    """Returns the lines as tables in Markdown, one for each ablation, context and measure."""
    blocks: dict[str, list[str]] = {}
    several = len({(line.data, line.budget) for line in lines}) > 1
    for line in lines:
        about = ", ".join(filter(None, [line.context, *([line.data, line.budget] if several else [])]))
        title = f"{line.ablation}{f' ({about})' if about else ''}: {line.measure}, %"
        head = [f"### {escaped(title)}", "", "| variant | runs | mean | effect | 95 % interval | p | verdict |"]
        rows = blocks.setdefault(title, [*head, "|-|-|-|-|-|-|-|"])
        interval = "" if line.ci_low is None or line.ci_high is None else f"{line.ci_low:+.1f} to {line.ci_high:+.1f}"
        effect = "" if line.effect is None else f"{line.effect:+.1f}"
        p = "" if line.p_adjusted is None else f"{line.p_adjusted:.2g}"
        word = f"{line.verdict} ({line.reason})" if line.reason else line.verdict
        rows.append(
            f"| {escaped(line.variant)} | {line.n} | {line.value:.1f} | {effect} | {interval} | {p} | {word} |"
        )
    return "\n\n".join("\n".join(rows) for rows in blocks.values()) + "\n"


def escaped(text: str) -> str:
    """Returns a text that ends no cell of a table and is no markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")
