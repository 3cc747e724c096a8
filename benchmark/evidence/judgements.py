"""Claims of the sources, judged from the stored runs: pure functions on a table.

The claims of a table are one family of tests of their own, whatever its rows say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from benchmark.evidence.comparison import Verdict, compare, contrast, judge, seeds_needed, typical
from benchmark.evidence.tables import CONTROL, Table, number, points
from benchmark.store.records import Record

OUTCOMES = {
    "better": {"helps": "supported", "hurts": "contradicted", "equivalent": "contradicted"},
    "notbetter": {"helps": "contradicted", "hurts": "supported", "equivalent": "supported"},
    "additive": {"equivalent": "supported", "helps": "contradicted", "hurts": "contradicted"},
    "more": {"helps": "supported", "hurts": "contradicted"},
    "diminishing": {"helps": "supported", "hurts": "contradicted"},
    "alike": {"equivalent": "supported", "helps": "contradicted", "hurts": "contradicted"},
    "fails": {"equivalent": "supported", "hurts": "supported", "helps": "contradicted"},
}
WORDS = ("supported", "contradicted", "unresolved", "not measured")
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


def judgements(table: Table) -> list[Judgement]:
    """One for each claim about this table's context."""
    claims = [claim for claim in table.study["claims"] if claim["context"] in (None, table.study["context"])]
    sides = [terms(claim, table) for claim in claims]
    measured = [(claim, side) for claim, side in zip(claims, sides, strict=True) if all(there for _, there in side)]
    margins = [
        0.0 if claim.get("of") or claim["kind"] == "diminishing" else table.study["margin"] for claim, _ in measured
    ]
    verdicts = judge([contrast(side, floor(claim, table)) for claim, side in measured], margins)
    found = {id(claim): verdict for (claim, _), verdict in zip(measured, verdicts, strict=True)}
    return [judgement(claim, found.get(id(claim)), side, table) for claim, side in zip(claims, sides, strict=True)]


def terms(claim: Claim, table: Table) -> list[Term]:
    """The samples that a claim compares, with their signs; a sample without runs is empty."""
    if claim["kind"] == "diminishing":
        return slopes(claim, table)
    arm = scores(claim["arm"], claim, table)
    if claim["kind"] == "fails":
        return [(1, arm), (-1, guessing(table.study))]
    if claim["kind"] == "additive":  # the two tricks' worth together, less what each is worth alone
        alone = [scores(claim[name], claim, table) for name in ("first", "second")]
        return [(1, arm), *((-1, each) for each in alone), (1, scores(CONTROL, claim, table))]
    return [(1, arm), (-1, scores(claim["than"], claim, table))]


def floor(claim: Claim, table: Table) -> float:
    """The median variance over the table's arms of what the claim is about."""
    return typical(scores(arm, claim, table) for arm in (CONTROL, *table.arms))


def slopes(claim: Claim, table: Table) -> list[Term]:
    """What a member more brings between the first two of three ensembles, less what it brings between the last two."""
    few, some, many = claim["sizes"]
    first, second = 1 / (some - few), 1 / (many - some)
    weights = {"few": -first, "some": first + second, "many": -second}
    return [(weight, scores(claim[name], claim, table)) for name, weight in weights.items()]


def scores(arm: str, claim: Claim, table: Table) -> Scores:
    """What the claim is about, of the runs of an arm by the name it gives it; none if the table has no such arm."""
    runs = table.runs(arm)
    if measure := claim.get("of"):
        found = [MEASURES[measure].of(run) for run in runs]
        return [float(value) for value in found if value is not None]
    return points(runs, table.study)


def guessing(study: dict[str, Any]) -> Scores:
    """Guessing has no spread; two values, since one has no variance."""
    return [100 / study["classes"]] * 2


def outcome(claim: Claim, verdict: Verdict | None, side: list[Term], table: Table) -> tuple[str, str]:
    """A word, and what it would hide."""
    if verdict is None:
        return "not measured", "runs are missing"
    kind = claim["kind"]
    word = OUTCOMES[kind].get(verdict.word, "unresolved")
    if word == "unresolved":
        if claim.get("of") or len(side) > 2:
            return word, ""  # how many seeds are needed is worked out for pairs and a margin alone
        family = len(table.study["claims"])
        return word, more_seeds(seeds_needed(side[0][1], side[1][1], table.study["margin"], family))
    if (kind, word) == ("alike", "supported") and any(guesses(each, table.study) for _, each in side):
        return "contradicted", "alike only in that they guess"
    return word, "no difference that matters" if (kind, verdict.word) == ("better", "equivalent") else ""


def more_seeds(count: int) -> str:
    """In words; past a hundred the digits say nothing."""
    return "over 100 more seeds" if count > 100 else f"{count} more seed{'' if count == 1 else 's'}"


def guesses(side: Scores, study: dict[str, Any]) -> bool:
    """Whether it is sure that these runs do no better than guessing."""
    (verdict,) = compare([(side, guessing(study))], study["margin"])
    return OUTCOMES["fails"].get(verdict.word) == "supported"


def judgement(claim: Claim, verdict: Verdict | None, side: list[Term], table: Table) -> Judgement:
    """The claim's line; what cannot be said yet is None."""
    word, note = outcome(claim, verdict, side, table)
    low, high = verdict.difference.interval if verdict else (None, None)
    return Judgement(
        name=claim["name"],
        text=claim["text"],
        comparison=comparison(claim),
        word=word,
        note=note,
        unit=MEASURES[claim["of"]].unit if claim.get("of") else "points",
        effect=verdict.difference.mean if verdict else None,
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
