"""One ablation applied to one base in one context: the arms of one table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import count, takewhile
from math import ceil, sqrt

from benchmark.claim import CONTROL
from benchmark.errors import hint
from benchmark.planning.discovery import Ablation
from benchmark.planning.identity import describe
from benchmark.recipe import Arm, Recipe


@dataclass(frozen=True)
class Wanted:
    """The seeds that are wanted of a recipe."""

    recipe: Recipe
    seeds: set[int]


@dataclass(frozen=True)
class Study:
    """One ablation applied to one base in one context: one table."""

    ablation: Ablation
    context: str
    base: Recipe
    arms: dict[str, Arm]  # without those that are the base itself
    same: tuple[str, ...]  # names of arms that are the base itself
    wanted: Mapping[str, int] = field(
        default_factory=dict
    )  # seeds by arm that interim tests have set, the least to train
    design: str = "add-one"
    tricks: tuple[str, ...] = ()  # of a design of several tricks, as ABLATION: VARIANT
    factors: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # kind and way by arm, of a table of both

    @property
    def name(self) -> str:
        """Returns the ablation, with its context where it has one."""
        return f"{self.ablation.name} ({self.context})" if self.context else self.ablation.name

    def seeds_of(self, arm: str, seeds: int) -> int:
        """Returns how many runs of an arm, or how often an ensemble is made.

        The control gets ceil(n * sqrt(k)) seeds for k variants of n: all differences at their most precise for a given
        number of runs (Dunnett 1955, https://doi.org/10.1080/01621459.1955.10501294). Where interim tests have set
        more seeds of an arm, it keeps these. An ensemble is made as often as the runs suffice that this table has
        anyway, each used once: at least n times.
        """
        set_by_tests = self.wanted.get(arm, 0)
        if arm == CONTROL:
            return max(set_by_tests, ceil(seeds * sqrt(max(1, len(self.arms)))))
        value = self.arms[arm]
        if isinstance(value, Recipe):
            return max(set_by_tests, seeds)
        there = self.runs_of(seeds)
        suffices = (all(taken <= there[describe(r)].seeds for r, taken in value.seeds(n).items()) for n in count(1))
        return sum(1 for _ in takewhile(bool, suffices))

    def runs_of(self, seeds: int) -> dict[str, Wanted]:
        """Returns the seeds that this table takes of each recipe, by its text, members of ensembles included."""
        wanted = {describe(self.base): Wanted(self.base, set(range(self.seeds_of(CONTROL, seeds))))}
        for name, arm in self.arms.items():
            taken = {arm: set(range(self.seeds_of(name, seeds)))} if isinstance(arm, Recipe) else arm.seeds(seeds)
            for recipe, each in taken.items():
                wanted.setdefault(describe(recipe), Wanted(recipe, set())).seeds.update(each)
        return wanted


def studies(ablations: Iterable[Ablation], base: Recipe, own: bool = False) -> tuple[list[Study], dict[str, str]]:
    """Returns the tables to fill, and for each ablation that fails on this base one sentence that says why.

    `own`: the base is the user's, which a trick may refuse by ValueError or TypeError without being broken.
    """
    good: list[Study] = []
    broken: dict[str, str] = {}
    for ablation in ablations:
        try:
            made = [study(ablation, context, adapt(base), base) for context, adapt in ablation.contexts.items()]
            check_tour(ablation, made)
            good += made
        except Exception as reason:  # as in discover()
            where = f"{ablation.package}/{ablation.name}.py"
            broken[ablation.name] = (
                f"{ablation.name} does not fit: {reason}"
                if own and isinstance(reason, ValueError | TypeError)
                else f"{where} is left out: {type(reason).__name__}: {reason}"
            )
    return good, broken


def toured(ablation: Ablation) -> list[tuple[str | None, str]]:
    """Returns context and variant of what an ablation contributes to the tour; the context is None for all of them."""
    found: list[tuple[str | None, str]] = []
    for name in ablation.tour:
        context, _, variant = name.partition(": ")
        found.append((context, variant) if context in ablation.contexts and variant else (None, name))
    return found


def check_tour(ablation: Ablation, tables: Iterable[Study]) -> None:
    """Raises ValueError if TOUR names what no table has."""
    there = [
        (context, name) for each in tables for name in (*each.arms, *each.same) for context in (None, each.context)
    ]
    for context, variant in toured(ablation):
        if (context, variant) not in there:
            raise ValueError(
                f"TOUR names {variant!r}, which is no variant; {hint(variant, {name for _, name in there})}"
            )


def study(ablation: Ablation, context: str, base: Recipe, original: Recipe) -> Study:
    """Returns one table: `base` is `original` in a context.

    Raises ValueError or TypeError if the module's variants or claims break the contract.
    """
    arms = ablation.variants(base, original)
    if not isinstance(arms, dict) or not arms:
        raise ValueError(f"variants() must give a dictionary of recipes by name, got {arms!r}")
    for name, arm in arms.items():
        if not isinstance(name, str) or not isinstance(arm, Arm):
            raise TypeError(f"variants() must give recipes or ensembles by name; {name!r} is {arm!r}")
        if name == CONTROL:
            raise ValueError(f"{CONTROL!r} is the name of the control; give the variant another")
        describe(arm)
    for (_, where), values in ablation.published.items():
        if where not in ablation.contexts:
            raise ValueError(f"PUBLISHED is about context {where!r}, which CONTEXTS does not give")
        if where == context and (missing := values.keys() - {CONTROL, *arms}):
            raise ValueError(f"PUBLISHED is about {sorted(missing)}, which variants() does not give")
    for claim in ablation.claims:
        if missing := set(claim.holds.arms) - {CONTROL, *arms}:
            raise ValueError(f"claim {claim.name} is about {sorted(missing)}, which variants() does not give")
        if claim.context is not None and claim.context not in ablation.contexts:
            raise ValueError(f"claim {claim.name} is about context {claim.context!r}, which CONTEXTS does not give")
    control = describe(base)
    same = tuple(name for name, arm in arms.items() if describe(arm) == control)
    return Study(
        ablation,
        context,
        base,
        {name: arm for name, arm in arms.items() if name not in same},
        same,
        factors={name: kind_and_way(name) for name in arms} if ablation.factors else {},
    )


def kind_and_way(arm: str) -> tuple[str, str]:
    """Returns the two factors of an arm named KIND: WAY. Raises ValueError for another name."""
    kind, there, way = arm.partition(": ")
    if not there:
        raise ValueError(f"a module with TWO_FACTORS names its variants KIND: WAY, got {arm!r}")
    return kind, way


def old_data(arm: Arm) -> str | None:
    """Returns the data set that an arm's start or teacher was trained on, if any; members of an ensemble have none."""
    start = arm.before if isinstance(arm, Recipe) else None
    return start.data if isinstance(start, Recipe) else None
