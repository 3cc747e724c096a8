"""What to run: the ablations found, the arms of each, and every distinct run once, in rounds of seeds."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count, takewhile
from math import ceil, sqrt
from statistics import median
from types import MappingProxyType, ModuleType

from benchmark.errors import UsageError, unknown
from benchmark.identity import Combination, Run, describe
from benchmark.recipe import CONTROL, Arm, Claim, Ensemble, Recipe

PACKAGE = "ablations"
ALL_IMAGES = 45_000  # where a recipe takes all there are; only used to guess which of two runs takes longer


@dataclass(frozen=True)
class Ablation:
    """One module of `ablations/`, checked."""

    name: str
    question: str
    sources: tuple[str, ...]  # links
    contexts: dict[str, Callable[[Recipe], Recipe]]  # adaptations of the base under which it is measured
    variants: Callable[[Recipe, Recipe], Mapping[str, Arm]]  # of the base in a context, and of the base itself
    claims: tuple[Claim, ...]


@dataclass(frozen=True)
class Study:
    """One ablation applied to one base in one context: one table."""

    ablation: Ablation
    context: str
    base: Recipe
    arms: dict[str, Arm]  # without those that are the base itself
    same: tuple[str, ...]  # names of arms that are the base itself
    wanted: Mapping[str, int] = field(default_factory=dict)  # seeds by arm, where a second stage has set them

    def seeds_of(self, arm: str, seeds: int) -> int:
        """How many runs of an arm, or how often an ensemble is made.

        The control gets ceil(n * sqrt(k)) seeds for k variants of n: all differences at their most precise for a given
        number of runs (Dunnett 1955, https://doi.org/10.1080/01621459.1955.10501294). An ensemble is made as often as
        the runs suffice that this table has anyway, each used once: at least n times.
        """
        if arm in self.wanted:
            return self.wanted[arm]
        if arm == CONTROL:
            return ceil(seeds * sqrt(max(1, len(self.arms))))
        value = self.arms[arm]
        if isinstance(value, Recipe):
            return seeds
        there = self.runs_of(seeds)
        suffices = (all(taken <= there[r] for r, taken in value.seeds(n).items()) for n in count(1))
        return sum(1 for _ in takewhile(bool, suffices))

    def runs_of(self, seeds: int) -> dict[Recipe, set[int]]:
        """The seeds of each recipe that this table takes, members of its ensembles among them."""
        wanted = {self.base: set(range(self.seeds_of(CONTROL, seeds)))}
        for name, arm in self.arms.items():
            taken = {arm: set(range(self.seeds_of(name, seeds)))} if isinstance(arm, Recipe) else arm.seeds(seeds)
            for recipe, each in taken.items():
                wanted.setdefault(recipe, set()).update(each)
        return wanted


def discover() -> tuple[list[Ablation], dict[str, str]]:
    """The ablations there are, and for each module that cannot be used one sentence that says why."""
    good: list[Ablation] = []
    broken: dict[str, str] = {}
    for name in names():
        try:
            good.append(read(importlib.import_module(f"{PACKAGE}.{name}")))
        except Exception as reason:  # whatever a user's module raises must not stop the others
            broken[name] = f"{PACKAGE}/{name}.py is left out: {type(reason).__name__}: {reason}"
    return good, broken


def names() -> list[str]:
    """The modules of `ablations/`, found by being there."""
    package = importlib.import_module(PACKAGE)
    return sorted(module.name for module in pkgutil.iter_modules(package.__path__))


def read(module: ModuleType) -> Ablation:
    """The ablation that a module defines. Raises ValueError if it breaks the contract, saying how to mend it."""
    question, _, rest = (inspect.getdoc(module) or "").partition("\n")
    if not question.strip().endswith("?"):
        raise ValueError(f"its docstring must begin with the question it asks, on one line; found {question!r}")
    sources = tuple(link.rstrip(".,;:)") for link in re.findall(r"https?://\S+", rest))
    if not sources:
        raise ValueError("its docstring must name a source by a link")
    if not callable(getattr(module, "variants", None)):
        raise ValueError("it needs a function variants(base: Recipe) -> dict[str, Recipe]")
    contexts = getattr(module, "CONTEXTS", {"": unadapted})
    claims = tuple(getattr(module, "CLAIMS", ()))
    name = module.__name__.removeprefix(f"{PACKAGE}.")
    return Ablation(name, question.strip(), sources, contexts, with_original(module.variants), claims)


def with_original(variants: Callable[..., Mapping[str, Arm]]) -> Callable[[Recipe, Recipe], Mapping[str, Arm]]:
    """`variants(base)`, or `variants(base, original)` for a module that asks what its contexts started from."""
    if len(inspect.signature(variants).parameters) > 1:
        return variants
    return lambda base, original: variants(base)


def unadapted(base: Recipe) -> Recipe:
    """The context of an ablation that names none."""
    return base


def chosen(ablations: Sequence[Ablation], broken: Iterable[str], only: Sequence[str]) -> list[Ablation]:
    """Those of `only`, or all. Raises UsageError for a name that is not there, with the nearest ones."""
    known = {ablation.name: ablation for ablation in ablations}
    for name in only:
        if name not in known and name not in broken:
            raise unknown("ablation", name, known)
    return [ablation for name, ablation in known.items() if not only or name in only]


def studies(ablations: Iterable[Ablation], base: Recipe) -> tuple[list[Study], dict[str, str]]:
    """The tables to fill, and for each ablation that fails on this base one sentence that says why."""
    good: list[Study] = []
    broken: dict[str, str] = {}
    for ablation in ablations:
        try:
            good += [study(ablation, context, adapt(base), base) for context, adapt in ablation.contexts.items()]
        except Exception as reason:  # as in discover()
            broken[ablation.name] = f"{PACKAGE}/{ablation.name}.py is left out: {type(reason).__name__}: {reason}"
    return good, broken


def study(ablation: Ablation, context: str, base: Recipe, original: Recipe) -> Study:
    """One table: `base` is `original` in a context.

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
    for claim in ablation.claims:
        compared = {value for name, value in vars(claim.holds).items() if name not in ("of", "sizes")}
        if missing := compared - {CONTROL, *arms}:
            raise ValueError(f"claim {claim.name} is about {sorted(missing)}, which variants() does not give")
        if claim.context is not None and claim.context not in ablation.contexts:
            raise ValueError(f"claim {claim.name} is about context {claim.context!r}, which CONTEXTS does not give")
    return Study(
        ablation,
        context,
        base,
        {name: arm for name, arm in arms.items() if arm != base},
        tuple(name for name, arm in arms.items() if arm == base),
    )


def plan(
    tables: Iterable[Study], seeds: int, fingerprint: str, old: Mapping[str, str] = MappingProxyType({})
) -> list[list[Run]]:
    """Every distinct run once, in rounds: the first seeds of everything before more seeds of anything.

    `fingerprint` is that of the data set, `old` has those of the sets that recipes start from, by name. A report made
    at any moment is thus balanced. A control's extra seeds are spread over the rounds.
    """
    if seeds < 1:
        raise UsageError(f"--seeds must be at least 1, got {seeds}")
    wanted: dict[str, tuple[Recipe, set[int]]] = {}  # all the seeds that any table wants of a recipe
    for table in tables:
        for recipe, taken in table.runs_of(seeds).items():
            wanted.setdefault(describe(recipe), (recipe, set()))[1].update(taken)
    rounds: list[list[Run]] = [[] for _ in range(seeds)]
    for recipe, taken in wanted.values():
        for place, seed in enumerate(sorted(taken)):
            before = origin(recipe, seed, old)
            start = before.key if before else ""
            rounds[place * seeds // len(taken)].append(Run(recipe, seed, fingerprint, start))
    return rounds


def combinations(tables: Iterable[Study], seeds: int, fingerprint: str) -> dict[str, list[Combination]]:
    """Every ensemble as often as it is to be made, by the names of table and arm."""
    return {
        f"{table.ablation.name}{f' ({table.context})' if table.context else ''}, {name}": [
            Combination(arm, each, fingerprint) for each in range(table.seeds_of(name, seeds))
        ]
        for table in tables
        for name, arm in table.arms.items()
        if isinstance(arm, Ensemble)
    }


def origin(recipe: Recipe, seed: int, old: Mapping[str, str]) -> Run | None:
    """The run that `recipe` starts from: that of the same seed."""
    if not isinstance(recipe.start_from, Recipe):
        return None
    return Run(recipe.start_from, seed, old[recipe.start_from.data], keeps_weights=True)


def origins(rounds: Iterable[Iterable[Run]], old: Mapping[str, str]) -> list[Run]:
    """The runs to be trained before all others, since some of `rounds` start from them; each once."""
    found = (origin(run.recipe, run.seed, old) for planned in rounds for run in planned)
    return list({run.key: run for run in found if run}.values())


def old_data(arm: Arm) -> str | None:
    """The data set that an arm's start was trained on, if it has one; members of an ensemble have none."""
    start = arm.start_from if isinstance(arm, Recipe) else None
    return start.data if isinstance(start, Recipe) else None


def pairs(tables: Iterable[Study]) -> list[tuple[Recipe, Recipe]]:
    """Every distinct variant with its control."""
    trained = ((arm, table.base) for table in tables for arm in table.arms.values() if isinstance(arm, Recipe))
    return list(dict.fromkeys(trained))


def longest_first(runs: Sequence[Run], known: Mapping[str, float]) -> list[Run]:
    """`runs`, those expected to take longest ahead, so that the workers that share them end together.

    `known` as in `expected_seconds`. Runs of equal length keep their order.
    """
    seconds = expected_seconds(runs, known, 1.0)
    return [runs[i] for i in sorted(range(len(runs)), key=lambda i: -seconds[i])]


def expected_seconds(runs: Sequence[Run], known: Mapping[str, float], guess: float) -> list[float]:
    """How long each run will take. `known` has the seconds of a run by recipe text.

    Of other recipes, images x epochs are taken at the pace of the known ones; where none is known, at a pace that
    makes a run of median length take `guess` seconds.
    """
    recipes = {describe(run.recipe): run.recipe for run in runs}
    paces = [known[text] / images_seen(recipe) for text, recipe in recipes.items() if text in known]
    if not paces and runs:
        paces = [guess / median(map(images_seen, recipes.values()))]
    seconds = {text: known.get(text) or median(paces) * images_seen(recipe) for text, recipe in recipes.items()}
    return [seconds[describe(run.recipe)] for run in runs]


def steps(recipe: Recipe) -> float:
    """Steps of a training, as far as can be told without its data."""
    return images_seen(recipe) / recipe.batch_size


def images_seen(recipe: Recipe) -> int:
    """Images that a training goes through, each as often as it is seen."""
    return recipe.epochs * (recipe.images or ALL_IMAGES)
