"""K-fold cross-validation: which variant to choose by the training images only.

Each variant is trained K times, each time on K - 1 parts of the training images (on as many of them as its recipe
takes) and validated on the part left out; run k has seed k. Nothing is looked at by which the report later judges: the
test images stay unseen. Variants are compared fold by fold, since a fold is as hard for one as for the other. Folds
share training images, so the true error is somewhat larger than the one reported: Bengio & Grandvalet 2004,
https://www.jmlr.org/papers/v5/grandvalet04a.html. A schedule that looks at validation looks at the part left out.
"""

from __future__ import annotations

import csv as files
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from io import StringIO
from itertools import groupby
from math import sqrt
from statistics import fmean, stdev

from benchmark.claim import CONTROL
from benchmark.data.splits import DataSet
from benchmark.evidence.comparison import contrast, judge
from benchmark.evidence.spread import Background, typical
from benchmark.evidence.tables import none_if_nan
from benchmark.planning.identity import Run, describe
from benchmark.planning.studies import Study
from benchmark.recipe import Recipe
from benchmark.store.records import Record, RunRecord

FoldScores = dict[int, float]  # validation accuracy in points by fold


@dataclass(frozen=True)
class Validated:
    """One variant: a line of folds.csv. Accuracies and differences are in points."""

    ablation: str
    context: str
    variant: str
    data: str
    budget: str
    folds: int  # K
    n: int  # runs, each on a fold of its own
    accuracy: float | None  # mean on the parts left out, after the last epoch; a diverged run counts as guessing
    standard_error: float | None  # of that mean; None with fewer than two runs
    behind: float | None  # this variant less the best one, mean over the folds that both have
    ci_low: float | None  # 95 % interval of that by itself
    ci_high: float | None
    verdict: str  # best; worse: significantly, at 5 % after Holm's correction over the table; not resolved; not run


def fold_candidates(table: Study) -> dict[str, Recipe]:
    """Returns the recipes to choose from: the control and the variants that start from scratch or from a file.

    A start from another run, or a teacher, may have learned from the images that a fold leaves out.
    """
    trained = {name: arm for name, arm in table.arms.items() if isinstance(arm, Recipe)}
    return {CONTROL: table.base} | {n: arm for n, arm in trained.items() if not isinstance(arm.before, Recipe)}


def rounds(tables: Sequence[Study], folds: int, fingerprint: str) -> list[list[Run]]:
    """Returns every distinct run once: the first fold of everything before the second of anything."""
    recipes = {describe(recipe): recipe for table in tables for recipe in fold_candidates(table).values()}
    return [[on_fold(recipe, k, folds, fingerprint) for recipe in recipes.values()] for k in range(folds)]


def on_fold(recipe: Recipe, fold: int, folds: int, fingerprint: str) -> Run:
    """Returns the run of a recipe that leaves out one fold."""
    return Run(replace(recipe, fold=(fold, folds)), fold, fingerprint)


def validate_table(
    table: Study, folds: int, data: DataSet, budget: str, records: Mapping[str, Record]
) -> list[Validated]:
    """Returns a line for each variant, best first; those without runs last."""
    scores = {name: scores_of(recipe, folds, data, records) for name, recipe in fold_candidates(table).items()}
    most = max(map(len, scores.values()))
    ranked = sorted(scores, key=lambda name: -fmean(scores[name].values() or [-1.0]))
    best = next(name for name in ranked if len(scores[name]) == most)
    gaps = {name: paired(scores[name], scores[best]) for name in ranked if name != best}
    median = typical(gaps.values())
    common = Background(floor=median, samples=len(gaps))
    known = {name: contrast([(1.0, each)], common) for name, each in gaps.items() if each}
    verdicts = dict(zip(known, judge(list(known.values()), [0.0] * len(known)), strict=True))

    def line(name: str) -> Validated:
        found, verdict = list(scores[name].values()), verdicts.get(name)
        low, high = verdict.difference.interval if verdict else (None, None)
        word = "not resolved" if verdict is None or verdict.word == "unresolved" else "worse"
        return Validated(
            ablation=table.ablation.name,
            context=table.context,
            variant=f"{name} = {', '.join(table.same)}" if name == CONTROL and table.same else name,
            data=data.name,
            budget=budget,
            folds=folds,
            n=len(found),
            accuracy=fmean(found) if found else None,
            standard_error=stdev(found) / sqrt(len(found)) if len(found) > 1 else None,
            behind=verdict.difference.mean if verdict else None,
            ci_low=none_if_nan(low),
            ci_high=none_if_nan(high),
            verdict="not run" if not found else "best" if name == best else word,
        )

    return [line(name) for name in [best, *(name for name in ranked if name != best)]]


def scores_of(recipe: Recipe, folds: int, data: DataSet, records: Mapping[str, Record]) -> FoldScores:
    """Returns the validation accuracies of the runs that are stored, by fold; one that diverged guesses."""
    runs = {k: records.get(on_fold(recipe, k, folds, data.fingerprint).key) for k in range(folds)}
    done = {k: run for k, run in runs.items() if isinstance(run, RunRecord)}
    chance = 100 / len(data.classes)
    return {k: chance if r.diverged else 100 * r.validation_accuracy[-1] for k, r in done.items()}


def paired(scores: FoldScores, best: FoldScores) -> list[float]:
    """Returns one variant less another, on each fold that both have."""
    return [scores[k] - best[k] for k in sorted(scores.keys() & best.keys())]


def in_words(found: Sequence[Validated]) -> str:
    """Returns the tables for a terminal."""
    lines = []
    for (ablation, context), rows in groupby(found, key=lambda each: (each.ablation, each.context)):
        there = list(rows)
        width = max(len(each.variant) for each in there)
        about = f" ({context})" if context else ""
        lines.append(f"{ablation}{about}: validation accuracy over {there[0].folds} folds, % ± standard error")
        lines += [f"  {each.variant:{width}}  {format_line(each)}" for each in there]
    return "\n".join(lines)


def format_line(line: Validated) -> str:
    """Returns one line in words."""
    if line.accuracy is None:
        return line.verdict
    error = "" if line.standard_error is None else f" ± {line.standard_error:.1f}"
    runs = f" ({line.n} of {line.folds} folds)" if line.n < line.folds else ""
    interval = "" if line.ci_low is None else f" [{line.ci_low:+.1f}, {line.ci_high:+.1f}]"
    behind = "" if line.behind is None else f", {line.behind:+.1f}{interval} from the best"
    return f"{line.accuracy:.1f}{error}{runs}{behind}: {line.verdict}"


def folds_csv(found: Sequence[Validated]) -> str:
    """Returns the text of folds.csv: a line for each variant of each table."""
    text = StringIO()
    writer = files.DictWriter(text, [field.name for field in fields(Validated)], lineterminator="\n")
    writer.writeheader()
    for line in found:
        short = {k: f"{v:.6g}" if isinstance(v, float) else v for k, v in asdict(line).items()}
        writer.writerow(short)
    return text.getvalue()
