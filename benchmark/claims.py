"""Claims of the sources, judged from the stored runs: pure functions on a table.

The claims of a table are one family of tests of their own, whatever its rows say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmark.comparison import Verdict, compare
from benchmark.tables import Table, number, points

CONTROL = "baseline"  # as in recipe.py, whose import would bring torch into a report
OUTCOMES = {
    "better": {"helps": "supported", "hurts": "contradicted", "equivalent": "contradicted"},
    "alike": {"equivalent": "supported", "helps": "contradicted", "hurts": "contradicted"},
    "fails": {"equivalent": "supported", "hurts": "supported", "helps": "contradicted"},
}
WORDS = ("supported", "contradicted", "unresolved", "not measured")
Claim = dict[str, Any]  # as studies.json holds it
Scores = list[float]  # accuracies in points, one per run


@dataclass(frozen=True)
class Judgement:
    """What the runs say of one claim."""

    name: str
    text: str
    comparison: str  # what was compared, such as "PReLU > ReLU"
    word: str  # one of WORDS
    note: str  # what the word alone would hide
    effect: float | None  # points, left side less right side
    ci_low: float | None
    ci_high: float | None


def judgements(table: Table) -> list[Judgement]:
    """One for each claim about this table's context."""
    claims = [claim for claim in table.study["claims"] if claim["context"] in (None, table.study["context"])]
    sides = [(scores(claim["arm"], table), opposite(claim, table)) for claim in claims]
    measured = [all(pair) for pair in sides]
    pairs = [pair for pair, there in zip(sides, measured, strict=True) if there]
    verdicts = iter(compare(pairs, table.study["margin"]))
    return [
        judgement(claim, next(verdicts) if there else None, guess_alike(claim, pair, table.study))
        for claim, pair, there in zip(claims, sides, measured, strict=True)
    ]


def scores(arm: str, table: Table) -> Scores:
    """The runs of an arm by the name a claim gives it; none if the table has no such arm."""
    control = arm in (CONTROL, *table.study["control"]["same"])
    return points(table.control if control else table.arms.get(arm, []), table.study)


def opposite(claim: Claim, table: Table) -> Scores:
    """What the claim's arm is compared with."""
    return guessing(table.study) if claim["kind"] == "fails" else scores(claim["than"], table)


def guessing(study: dict[str, Any]) -> Scores:
    """Guessing has no spread; two values, since one has no variance."""
    return [100 / study["classes"]] * 2


def guess_alike(claim: Claim, pair: tuple[Scores, Scores], study: dict[str, Any]) -> bool:
    """Whether the claim is that two arms are alike, and one that only guesses would make that hollow."""
    if claim["kind"] != "alike" or not all(pair):
        return False
    verdicts = compare([(side, guessing(study)) for side in pair], study["margin"])
    return any(verdict.word in ("equivalent", "hurts") for verdict in verdicts)


def judgement(claim: Claim, verdict: Verdict | None, hollow: bool) -> Judgement:
    """The claim's line; what cannot be said yet is None."""
    low, high = verdict.difference.interval if verdict else (None, None)
    word, note = outcome(claim["kind"], verdict, hollow)
    return Judgement(
        name=claim["name"],
        text=claim["text"],
        comparison=comparison(claim),
        word=word,
        note=note,
        effect=verdict.difference.mean if verdict else None,
        ci_low=number(low),
        ci_high=number(high),
    )


def outcome(kind: str, verdict: Verdict | None, hollow: bool) -> tuple[str, str]:
    """A word and what it would hide."""
    if verdict is None:
        return "not measured", "runs are missing"
    word = OUTCOMES[kind].get(verdict.word, "unresolved")
    if word == "unresolved":
        return word, f"{verdict.seeds_needed} more seed{'s' if verdict.seeds_needed > 1 else ''}"
    if hollow and word == "supported":
        return "contradicted", "alike only in that they guess"
    return word, "no difference that matters" if kind == "better" and verdict.word == "equivalent" else ""


def comparison(claim: Claim) -> str:
    """What is compared, in signs."""
    sign = {"better": ">", "alike": "≈", "fails": "≈"}[claim["kind"]]
    return f"{claim['arm']} {sign} {claim.get('than', 'guessing')}"


def counted(judged: Sequence[Judgement]) -> dict[str, int]:
    """How many claims met which fate; fates that none met are left out."""
    counts = {word: sum(each.word == word for each in judged) for word in WORDS}
    return {word: count for word, count in counts.items() if count}
