"""Claims of the sources, judged from the stored runs: pure functions on a table.

The claims of a table are one family of tests of their own, whatever its rows say. A claim that two arms are alike, or
that one is no better, is contradicted only by a difference that is surely larger than the margin: one that is surely
there and smaller than the margin says nothing against it, however many runs show it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import nan
from statistics import fmean
from typing import Any

from benchmark.evidence.comparison import TOO_FEW, Difference, contrast, holm, nearness
from benchmark.evidence.power import ALPHA, LEAST, seeds_needed
from benchmark.evidence.spread import Background, background
from benchmark.evidence.tables import CONTROL, Table, number, points, scale, seeds_of
from benchmark.store.records import Record

SUPPORTED, CONTRADICTED, WITHIN = "supported", "contradicted", "within the margin"
WORDS = (SUPPORTED, CONTRADICTED, WITHIN, "unresolved", "not measured")
Claim = dict[str, Any]  # as studies.json holds it
Scores = list[float]  # accuracies in points, one per run
Term = tuple[float, Scores]  # of a sum of means


@dataclass(frozen=True)
class Measure:
    """What else a claim may be about: a number of a run's record."""

    unit: str
    of: Callable[[Record], float | None]  # None where the run has no such number; it then stays out


MEASURES = {  # recipe.py says what each is
    "train accuracy": Measure("points", lambda run: percent(run, "train_accuracy")),
    "train loss": Measure("nats", lambda run: (run.get("epoch_train_loss") or [None])[-1]),
    "test loss": Measure("nats", lambda run: run.get("test_loss")),
    "gap": Measure("points", lambda run: gap(run)),
    "band": Measure("points", lambda run: percent(run, "band")),
    "speed": Measure("points", lambda run: speed(run)),
    "dead units": Measure("points", lambda run: percent(run, "dead_units")),
    "near-zero weights": Measure("points", lambda run: percent(run, "near_zero")),
    "largest norm": Measure("", lambda run: run.get("largest_norm")),
    "first deviation": Measure("", lambda run: run.get("first_deviation")),
    "parameters": Measure("", lambda run: run.get("parameters")),
    "disagreement": Measure("points", lambda run: percent(run, "disagreement")),
    "error correlation": Measure("", lambda run: run.get("error_correlation")),
    "gain": Measure("points", lambda run: percent(run, "gain")),
    "calibration error": Measure("points", lambda run: percent(run, "calibration_error")),
}


def percent(run: Record, name: str) -> float | None:
    """A share of the record, in points."""
    share = run.get(name)
    return None if share is None else 100 * float(share)


def speed(run: Record) -> float | None:
    """Validation accuracy averaged over the epochs, in points; an ensemble has none."""
    return 100 * fmean(run["validation_accuracy"] or [0.0]) if "validation_accuracy" in run else None


def gap(run: Record) -> float | None:
    """Training accuracy less test accuracy."""
    learnt, tested = percent(run, "train_accuracy"), percent(run, "test_accuracy")
    return None if learnt is None or tested is None else learnt - tested


@dataclass(frozen=True)
class Judgement:
    """What the runs say of one claim."""

    name: str
    text: str
    comparison: str  # what was compared, such as "PReLU > ReLU"
    word: str  # one of WORDS
    note: str  # what the word alone would hide
    unit: str  # of the three that follow
    effect: float | None  # left side less right side
    ci_low: float | None
    ci_high: float | None


@dataclass(frozen=True)
class Tested:
    """A claim's comparison: the left side less the right one, and p values without correction."""

    gap: Difference
    supports: float  # p against the claim's opposite
    contradicts: float  # p against the claim
    within: float  # of a difference of the margin or more, where a smaller one decides neither; else 1


def judgements(table: Table) -> list[Judgement]:
    """Returns one judgement for each claim about this table's context."""
    claims = [claim for claim in table.study["claims"] if claim["context"] in (None, table.study["context"])]
    sides = [terms(claim, table) for claim in claims]
    tested = [
        put_to_test(claim, side, table) if all(there for _, there in side) else None
        for claim, side in zip(claims, sides, strict=True)
    ]
    ps = [(each.supports, each.contradicts, each.within) if each else (nan, nan, nan) for each in tested]
    families = [holm([each[n] for each in ps]) for n in range(3)]
    words = [word(*each) for each in zip(*families, strict=True)]
    return [judgement(*each, table) for each in zip(claims, tested, words, sides, strict=True)]


def put_to_test(claim: Claim, side: list[Term], table: Table) -> Tested:
    """Returns the comparison that a claim stands or falls with, without correction over the table's claims."""
    margin = margin_of(claim, table)
    gap = contrast(side, common(claim, table), seeds_on(claim, table))
    if claim["kind"] == "fails":
        gap = replace(gap, mean=gap.mean - chance(table))
    if too_few(side) or scale(table.study).step > margin > 0:
        return Tested(gap, nan, nan, nan)
    if claim["kind"] in ("alike", "additive"):
        return Tested(gap, nearness(gap, margin), min(1.0, 2 * gap.tail(abs(gap.mean) - margin)), 1.0)
    if claim["kind"] in ("notbetter", "fails"):
        return Tested(gap, gap.tail(margin - gap.mean), min(1.0, 2 * gap.tail(gap.mean - margin)), 1.0)
    return Tested(gap, min(1.0, 2 * gap.tail(gap.mean)), min(1.0, 2 * gap.tail(-gap.mean)), nearness(gap, margin))


def word(supports: float, contradicts: float, within: float) -> str:
    """Returns what corrected p values say; nan says nothing."""
    if within < ALPHA:
        return WITHIN
    if supports < ALPHA:
        return SUPPORTED
    return CONTRADICTED if contradicts < ALPHA else "unresolved"


def margin_of(claim: Claim, table: Table) -> float:
    """Returns the margin in points; other measures than test accuracy, and slopes, have none."""
    return 0.0 if claim.get("of") or claim["kind"] == "diminishing" else float(table.study["margin"])


def too_few(side: list[Term]) -> bool:
    """Whether a sample has fewer runs than a verdict takes."""
    return min(len(scores) for _, scores in side) < LEAST


def terms(claim: Claim, table: Table) -> list[Term]:
    """Returns the samples that a claim compares, with their signs; a sample without runs is empty."""
    return [(weight, scores(arm, claim, table)) for weight, arm in weights(claim)]


def weights(claim: Claim) -> list[tuple[float, str]]:
    """Returns the arms that a claim compares, with their signs. Guessing, which is no arm, is left out."""
    if claim["kind"] == "diminishing":
        return slopes(claim)
    if claim["kind"] == "fails":
        return [(1, claim["arm"])]
    if claim["kind"] == "additive":  # the two tricks' worth together, less what each is worth alone
        return [(1, claim["arm"]), (-1, claim["first"]), (-1, claim["second"]), (1, CONTROL)]
    return [(1, claim["arm"]), (-1, claim["than"])]


def common(claim: Claim, table: Table) -> Background:
    """Returns what the table's arms tell together of what the claim is about."""
    arms = (CONTROL, *table.arms)
    samples = [scores(arm, claim, table) for arm in arms]
    return background(samples, samples[0], [seeds_of(runs_on(arm, claim, table)) for arm in arms])


def seeds_on(claim: Claim, table: Table) -> list[list[int]]:
    """Returns the seeds of the runs of each sample that a claim compares."""
    return [seeds_of(runs_on(arm, claim, table)) for _, arm in weights(claim)]


def slopes(claim: Claim) -> list[tuple[float, str]]:
    """Returns what a member more brings between the first two of three ensembles, less that between the last two."""
    few, some, many = claim["sizes"]
    first, second = 1 / (some - few), 1 / (many - some)
    return [(-first, claim["few"]), (first + second, claim["some"]), (-second, claim["many"])]


def scores(arm: str, claim: Claim, table: Table) -> Scores:
    """Returns what the claim is about, of the runs of an arm by the name it gives it; none of an unknown arm."""
    runs = runs_on(arm, claim, table)
    if measure := claim.get("of"):
        return [float(value) for run in runs if (value := MEASURES[measure].of(run)) is not None]
    return points(runs, table.study)


def runs_on(arm: str, claim: Claim, table: Table) -> list[Record]:
    """Returns the runs of an arm that have what the claim is about."""
    runs = table.runs(arm)
    measure = claim.get("of")
    return [run for run in runs if not measure or MEASURES[measure].of(run) is not None]


def chance(table: Table) -> float:
    """Returns the accuracy of guessing, points."""
    return 100 / float(table.study["classes"])


def outcome(claim: Claim, tested: Tested | None, said: str, side: list[Term], table: Table) -> tuple[str, str]:
    """Returns a word, and what it would hide."""
    kind, margin = claim["kind"], margin_of(claim, table)
    if tested is None:
        return "not measured", "runs are missing"
    if too_few(side):
        return said, TOO_FEW
    if scale(table.study).step > margin > 0:
        return said, "a single test image is worth more than the margin"
    if kind == "fails" and (guessing := sum(score <= chance(table) + margin for score in control(table))):
        return "unresolved", f"{guessing} of {len(control(table))} runs of the baseline hardly train either"
    if said == "unresolved":
        return said, needed(claim, side, table)
    if (kind, said) == ("alike", SUPPORTED) and any(guesses(each, claim, table) for _, each in side):
        return CONTRADICTED, "alike only in that they guess"
    return said, "no difference that matters" if said == WITHIN else ""


def needed(claim: Claim, side: list[Term], table: Table) -> str:
    """Returns how many more seeds would decide a claim; empty where that is not worked out."""
    if claim.get("of") or len(side) > 2:
        return ""
    # Guessing is known as if by very many runs.
    other = side[1][1] if len(side) == 2 else list(side[0][1]) * 100
    family = len(table.study["claims"])
    return more_seeds(seeds_needed(side[0][1], other, table.study["margin"], family, common(claim, table)))


def control(table: Table) -> Scores:
    """Returns the accuracies of the control, points."""
    return points(table.control, table.study)


def more_seeds(count: int) -> str:
    """In words; past a hundred the digits say nothing."""
    return "over 100 more seeds" if count > 100 else f"{count} more seed{'' if count == 1 else 's'}"


def guesses(side: Scores, claim: Claim, table: Table) -> bool:
    """Whether it is sure that these runs do no better than guessing, by the margin."""
    gap = contrast([(1, side)], common(claim, table))
    return gap.tail(float(table.study["margin"]) - gap.mean + chance(table)) < ALPHA


def judgement(claim: Claim, tested: Tested | None, said: str, side: list[Term], table: Table) -> Judgement:
    """Returns the claim's line; what cannot be said yet is None."""
    word, note = outcome(claim, tested, said, side, table)
    low, high = tested.gap.interval if tested else (None, None)
    return Judgement(
        name=claim["name"],
        text=claim["text"],
        comparison=comparison(claim),
        word=word,
        note=note,
        unit=MEASURES[claim["of"]].unit if claim.get("of") else "points",
        effect=tested.gap.mean if tested else None,
        ci_low=number(low),
        ci_high=number(high),
    )


def comparison(claim: Claim) -> str:
    """What is compared, in signs."""
    if claim["kind"] == "additive":
        return f"{claim['arm']} ≈ sum of each"
    if claim["kind"] == "diminishing":
        return f"gain per member, {claim['few']} to {claim['some']} > {claim['some']} to {claim['many']}"
    sign = {"better": ">", "more": ">", "notbetter": "≤", "alike": "≈", "fails": "≈"}[claim["kind"]]
    measure = f", {claim['of']}" if claim.get("of") else ""
    return f"{claim['arm']} {sign} {claim.get('than', 'guessing')}{measure}"


def counted(judged: Sequence[Judgement]) -> dict[str, int]:
    """How many claims met which fate; fates that none met are left out."""
    counts = {word: sum(each.word == word for each in judged) for word in WORDS}
    return {word: count for word, count in counts.items() if count}
