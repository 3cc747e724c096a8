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
Pair = tuple[Scores, Scores]


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
    judged = [next(verdicts) if there else None for there in measured]
    return [
        judgement(claim, verdict, *outcome(claim["kind"], verdict, pair, table.study))
        for claim, verdict, pair in zip(claims, judged, sides, strict=True)
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


def outcome(kind: str, verdict: Verdict | None, pair: Pair, study: dict[str, Any]) -> tuple[str, str]:
    """A word, and what it would hide."""
    if verdict is None:
        return "not measured", "runs are missing"
    word = OUTCOMES[kind].get(verdict.word, "unresolved")
    if word == "unresolved":
        return word, more_seeds(verdict.seeds_needed)
    if (kind, word) == ("alike", "supported") and any(guesses(side, study) for side in pair):
        return "contradicted", "alike only in that they guess"
    return word, "no difference that matters" if (kind, verdict.word) == ("better", "equivalent") else ""


def more_seeds(count: int) -> str:
    """In words; past a hundred the digits say nothing."""
    return "over 100 more seeds" if count > 100 else f"{count} more seed{'' if count == 1 else 's'}"


def guesses(side: Scores, study: dict[str, Any]) -> bool:
    """Whether it is sure that these runs do no better than guessing."""
    (verdict,) = compare([(side, guessing(study))], study["margin"])
    return OUTCOMES["fails"].get(verdict.word) == "supported"


def judgement(claim: Claim, verdict: Verdict | None, word: str, note: str) -> Judgement:
    """The claim's line; what cannot be said yet is None."""
    low, high = verdict.difference.interval if verdict else (None, None)
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


def comparison(claim: Claim) -> str:
    """What is compared, in signs."""
    sign = {"better": ">", "alike": "≈", "fails": "≈"}[claim["kind"]]
    return f"{claim['arm']} {sign} {claim.get('than', 'guessing')}"


def counted(judged: Sequence[Judgement]) -> dict[str, int]:
    """How many claims met which fate; fates that none met are left out."""
    counts = {word: sum(each.word == word for each in judged) for word in WORDS}
    return {word: count for word, count in counts.items() if count}
