"""Tables of one ablation whose contexts give equal recipes are one: `fine_tuning` on "10,000 images" and on "all
images", where a budget has fewer than 10,000. They have the same runs, so that to show both would count each twice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from benchmark.claim import Claim
from benchmark.evidence.tables import Table


def without_twins(found: Iterable[Table]) -> list[Table]:
    """Returns the tables, each group with equal recipes as one whose context names those of all, as "A = B"."""
    groups: dict[tuple[object, ...], list[Table]] = {}
    for table in found:
        groups.setdefault(identity(table), []).append(table)
    return [join_twins(group) for group in groups.values()]


def identity(table: Table) -> tuple[object, ...]:
    """Returns what tables that are one have in common."""
    study = table.study
    arms = frozenset((arm.variant, arm.recipe) for arm in study.arms)
    return study.ablation, study.design, study.budget, study.fingerprint, study.control.recipe, arms


def join_twins(group: Sequence[Table]) -> Table:
    """Returns tables with equal recipes as one: that with the most interim tests, since these are of the same runs."""
    if len(group) == 1:
        return group[0]
    contexts = tuple(table.study.context for table in group)
    label = " = ".join(context or "no context" for context in contexts)
    kept = max(group, key=lambda table: len(table.study.interims))
    claims = dict.fromkeys(move_claim(claim, contexts, label) for table in group for claim in table.study.claims)
    return replace(
        kept,
        study=replace(kept.study, context=label, claims=tuple(claims)),
        rows=[replace(row, context=label) for row in kept.rows],
        missing=max(table.missing for table in group),
        contexts=contexts,
    )


def move_claim(claim: Claim, contexts: Sequence[str], label: str) -> Claim:
    """Returns a claim, made about the joined table where it is about one of its contexts."""
    return replace(claim, context=label) if claim.context in contexts else claim
