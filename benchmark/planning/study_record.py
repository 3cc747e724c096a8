"""A planned table in the form in which the store keeps it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from benchmark.budgets import BUDGETS
from benchmark.claim import CONTROL, Published
from benchmark.data.splits import DataSet
from benchmark.planning.checkpoints import KIND as WEIGHTS
from benchmark.planning.identity import changes, describe, readable
from benchmark.planning.requests import Request
from benchmark.planning.rounds import steps
from benchmark.planning.studies import Study
from benchmark.recipe import Arm, Ensemble, Recipe, constant, everyone
from benchmark.store.records import ArmRecord, EnsembleOf, Facts, Interim, TableRecord


def as_record(table: Study, asked: Request, data: DataSet, interims: tuple[Interim, ...] = ()) -> TableRecord:
    """Returns a table as the store keeps it, so that a report needs nothing but the store.

    Of a table in part, only the claims about its arms are kept.
    """
    there = {CONTROL, *table.arms, *table.same}
    return TableRecord(
        ablation=table.ablation.name,
        context=table.context,
        question=table.ablation.question,
        sources=table.ablation.sources,
        data=asked.data,
        data_choice=asked.data_choice,
        fingerprint=data.fingerprint,
        classes=len(data.classes),
        test_images=len(data.test.labels),
        largest_class=int(data.test.labels.bincount().max()),
        budget=asked.label,
        margin=BUDGETS[asked.budget].margin,
        design=table.design,
        tricks=table.tricks,
        control=arm_record(CONTROL, table.base, table, asked.seeds),
        same=table.same,
        arms=tuple(arm_record(name, arm, table, asked.seeds) for name, arm in table.arms.items()),
        trained={text: len(taken.seeds) for text, taken in table.runs_of(asked.seeds).items()},
        claims=tuple(claim for claim in table.ablation.claims if there.issuperset(claim.holds.arms)),
        interims=interims,
        published=published(table, asked.data),
        remarks=table.ablation.remarks,
        dose=table.ablation.doses.get(table.context),
    )


def published(table: Study, data: str) -> dict[str, Published]:
    """Returns what a paper says of the arms of a table, if one does."""
    there = {CONTROL, *table.arms, *table.same}
    values = table.ablation.published.get((data, table.context), {})
    return {name: value for name, value in values.items() if name in there}


def join_plans(planned: TableRecord, whole: TableRecord, earlier: TableRecord) -> TableRecord:
    """Returns a table planned in part together with those of its arms that a store has from earlier plans.

    `whole` is the table with all its arms as today's code plans them: an arm that has another recipe by now, or is of
    other data, is left out. Arms that start from a file of weights are kept as they are.
    """
    if earlier.fingerprint != planned.fingerprint or earlier.control.recipe != planned.control.recipe:
        return planned
    today = {arm.variant: arm.recipe for arm in whole.arms}
    given = {arm.variant: arm for arm in earlier.arms if today.get(arm.variant, arm.recipe) == arm.recipe}
    kept = {name: arm for name, arm in given.items() if name in today or arm.kind == WEIGHTS}
    arms = kept | {arm.variant: arm for arm in planned.arms}
    there = {CONTROL, *arms, *planned.same}
    most = Counter(planned.trained) | Counter(
        {text: earlier.trained.get(text, 0) for text in (*whole.trained, *(arm.recipe for arm in kept.values()))}
    )
    return replace(
        planned,
        control=replace(planned.control, seeds=max(planned.control.seeds, earlier.control.seeds)),
        arms=tuple(arms[name] for name in dict.fromkeys([*today, *arms]) if name in arms),
        trained=dict(most),
        claims=tuple(claim for claim in whole.claims if there.issuperset(claim.holds.arms)),
        published={name: value for name, value in whole.published.items() if name in there},
    )


def arm_record(name: str, arm: Arm, table: Study, seeds: int) -> ArmRecord:
    """Returns one arm, or the control, as the store keeps it."""
    kind, way = table.factors.get(name, ("", ""))
    return ArmRecord(
        variant=name,
        recipe=describe(arm),
        seeds=table.seeds_of(name, seeds),
        changes={field: short(value) for field, value in changes(arm, table.base).items()},
        facts=facts(arm) if isinstance(arm, Recipe) else None,
        kind=kind,
        way=way,
        ensemble=ensemble_of(arm, table.base) if isinstance(arm, Ensemble) else None,
    )


def facts(recipe: Recipe) -> Facts:
    """Returns what reports must know of a recipe."""
    return Facts(
        learning_rate=recipe.learning_rate,
        batch_size=recipe.batch_size,
        epochs=recipe.epochs,
        steps=steps(recipe),
        constant_rate=recipe.schedule is constant,
    )


def ensemble_of(arm: Ensemble, base: Recipe) -> EnsembleOf:
    """Returns of how many copies of the control an ensemble is made, if of nothing else, and how it decides."""
    control = describe(base)
    only = all(describe(member.recipe) == control and member.at == 1 for member in arm.members)
    copies = len(arm.members) if only and arm.choose is everyone else None
    return EnsembleOf(copies=copies, combine=short(arm.combine))


def short(part: object) -> str:
    """Returns a part's text for readers: no module names, no marks, six digits, the gist of a whole recipe."""
    if isinstance(part, Recipe):
        return f"a training of {part.epochs} epochs on {part.images or 'all'} images of {part.data}"
    return readable(part)
