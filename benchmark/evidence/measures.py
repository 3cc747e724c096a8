"""Measures besides accuracy, from the answers that runs gave to the test images.

Where classes have unequal numbers of images, accuracy is mostly that of the largest. The balanced accuracy is the mean
of the recalls of the classes (Brodersen et al. 2010, https://doi.org/10.1109/ICPR.2010.764); macro F1 the mean of
their F1. scikit-learn computes both. Variants are compared with their control as by accuracy, by the same tests with
the same margin, but for what shared seeds add there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from statistics import fmean

import numpy as np
import numpy.typing as npt

from benchmark.claim import CONTROL
from benchmark.errors import unknown
from benchmark.evidence.comparison import compare

Classes = npt.NDArray[np.int64]  # (images,), numbers of classes
MEASURES = ("accuracy", "balanced-accuracy", "macro-f1", "per-class")


@dataclass(frozen=True)
class Measured:
    """One variant by one measure, in points: a line of measures.csv. What cannot be said is None."""

    ablation: str
    context: str
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
    """Returns the measures in a list separated by commas. Raises UsageError for one that is not among MEASURES."""
    names = [name.strip().lower().replace("_", "-") for name in asked.split(",") if name.strip()]
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


def measured(
    name: tuple[str, str],
    arms: Mapping[str, Sequence[Mapping[str, float]]],
    margin: float,
) -> list[Measured]:
    """Returns the lines of a table, named by ablation and context: for each measure the control, then the variants.

    `arms` has the scores of each run of each arm, CONTROL among them; `margin` is in points.
    """
    control = arms[CONTROL]
    variants = [variant for variant, runs in arms.items() if variant != CONTROL and runs]
    lines = []
    for measure in control[0] if control else ():
        theirs = [run[measure] for run in control]
        samples = {variant: [run[measure] for run in arms[variant]] for variant in variants}
        verdicts = compare([(ours, theirs) for ours in samples.values()], margin)
        mean = fmean(theirs)
        lines.append(
            Measured(*name, CONTROL, measure, len(theirs), len(theirs), mean, mean, None, None, None, None, "", "")
        )
        for (variant, ours), verdict in zip(samples.items(), verdicts, strict=True):
            low, high = verdict.difference.interval
            numbers = (verdict.difference.mean, low, high, verdict.p)
            effect, ci_low, ci_high, p = (None if isnan(each) else each for each in numbers)
            counts = (len(ours), len(theirs))
            means = (fmean(ours), mean)
            lines.append(
                Measured(
                    *name, variant, measure, *counts, *means, effect, ci_low, ci_high, p, verdict.word, verdict.reason
                )
            )
    return lines


def in_words(lines: Sequence[Measured]) -> str:
    """Returns the lines as tables in Markdown, one for each ablation, context and measure."""
    blocks: dict[tuple[str, str, str], list[str]] = {}
    for line in lines:
        title = f"{line.ablation}{f' ({line.context})' if line.context else ''}: {line.measure}, %"
        head = [f"### {escaped(title)}", "", "| variant | runs | mean | effect | 95 % interval | p | verdict |"]
        rows = blocks.setdefault((line.ablation, line.context, line.measure), [*head, "|-|-|-|-|-|-|-|"])
        interval = "" if line.ci_low is None or line.ci_high is None else f"{line.ci_low:+.1f} to {line.ci_high:+.1f}"
        effect = "" if line.effect is None else f"{line.effect:+.1f}"
        p = "" if line.p_adjusted is None else f"{line.p_adjusted:.2g}"
        rows.append(
            f"| {escaped(line.variant)} | {line.n} | {line.value:.1f} | {effect} | {interval} | {p} | {line.verdict} |"
        )
    return "\n\n".join("\n".join(rows) for rows in blocks.values()) + "\n"


def escaped(text: str) -> str:
    """Returns a text that ends no cell of a table and is no markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")
