"""What to run: the ablations found, the arms of each, and every distinct run once, in rounds of seeds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from types import MappingProxyType

from benchmark.budgets import ALL_IMAGES
from benchmark.errors import UsageError
from benchmark.planning.identity import Combination, Run, describe
from benchmark.planning.studies import Study
from benchmark.recipe import Ensemble, Recipe
from benchmark.store.store import Store


def plan(
    tables: Iterable[Study], seeds: int, fingerprint: str, old: Mapping[str, str] = MappingProxyType({})
) -> list[list[Run]]:
    """Returns every distinct run once, in rounds: the first seeds of all arms before more seeds of any.

    `fingerprint` is that of the data set, `old` has those of the sets that recipes start from, by name. A report made
    at any moment is thus balanced. A control's extra seeds are spread over the rounds.
    """
    if seeds < 1:
        raise UsageError(f"--seeds must be at least 1, got {seeds}")
    wanted: dict[str, tuple[Recipe, set[int]]] = {}  # all the seeds that any table wants of a recipe
    for table in tables:
        for text, taken in table.runs_of(seeds).items():
            wanted.setdefault(text, (taken.recipe, set()))[1].update(taken.seeds)
    rounds: list[list[Run]] = [[] for _ in range(seeds)]
    for recipe, all_seeds in wanted.values():
        for place, seed in enumerate(sorted(all_seeds)):
            rounds[place * seeds // len(all_seeds)].append(run_of(recipe, seed, fingerprint, old))
    return rounds


def by_variant(
    tables: Sequence[Study], seeds: int, fingerprint: str, old: Mapping[str, str] = MappingProxyType({})
) -> list[list[Run]]:
    """Returns every distinct run once, a round for each variant: all of its seeds, and its control's with the first of
    them.

    Tables take turns, each with one variant after the other, so that effects show early and of many kinds.
    """
    recipes: dict[str, tuple[Recipe, set[int]]] = {}
    for table in tables:
        for text, taken in table.runs_of(seeds).items():
            recipes.setdefault(text, (taken.recipe, set()))[1].update(taken.seeds)
    rounds: list[list[Run]] = []
    for place in range(max((len(table.arms) for table in tables), default=0)):
        for table in tables:
            for arm in list(table.arms.values())[place : place + 1]:
                needed = [arm] if isinstance(arm, Recipe) else arm.seeds(seeds)
                texts = [describe(each) for each in (table.base, *needed)]
                due = [recipes.pop(text) for text in texts if text in recipes]
                rounds.append(
                    [run_of(recipe, seed, fingerprint, old) for recipe, each in due for seed in sorted(each)]
                )
    return [each for each in rounds if each]


def run_of(recipe: Recipe, seed: int, fingerprint: str, old: Mapping[str, str]) -> Run:
    """Returns a run of a recipe, with the key of the run that it starts from."""
    before = origin(recipe, seed, old)
    return Run(recipe, seed, fingerprint, before.key if before else "")


def combinations(tables: Iterable[Study], seeds: int, fingerprint: str) -> dict[str, list[Combination]]:
    """Returns every ensemble as often as it is to be made, by the names of table and arm."""
    return {
        f"{table.name}: {name}": [Combination(arm, each, fingerprint) for each in range(table.seeds_of(name, seeds))]
        for table in tables
        for name, arm in table.arms.items()
        if isinstance(arm, Ensemble)
    }


def origin(recipe: Recipe, seed: int, old: Mapping[str, str]) -> Run | None:
    """Returns the run that `recipe` starts from or learns from: that of the same seed."""
    if not isinstance(recipe.before, Recipe):
        return None
    return Run(recipe.before, seed, old[recipe.before.data], keeps_weights=True)


def origins(rounds: Iterable[Iterable[Run]], old: Mapping[str, str]) -> list[Run]:
    """Returns the runs to be trained before all others, since some of `rounds` start from them; each once."""
    found = (origin(run.recipe, run.seed, old) for planned in rounds for run in planned)
    return list({run.key: run for run in found if run}.values())


def pairs(tables: Iterable[Study]) -> list[tuple[Recipe, Recipe]]:
    """Returns every distinct variant with its control."""
    trained = ((arm, table.base) for table in tables for arm in table.arms.values() if isinstance(arm, Recipe))
    return list({(describe(arm), describe(base)): (arm, base) for arm, base in trained}.values())


def longest_first(runs: Sequence[Run], known: Mapping[str, float]) -> list[Run]:
    """Returns `runs`, those expected to take longest ahead, so that the workers that share them end together.

    `known` as in `expected_seconds`. Runs of equal length keep their order.
    """
    seconds = expected_seconds(runs, known, 1.0)
    return [runs[i] for i in sorted(range(len(runs)), key=lambda i: -seconds[i])]


def expected_seconds(runs: Sequence[Run], known: Mapping[str, float], image_seconds: float) -> list[float]:
    """Returns how long each run will take. `known` has the seconds of a run by recipe text.

    Of other recipes, images x epochs are taken at the pace of the known ones; where none is known, each image takes
    `image_seconds`.
    """
    recipes = {describe(run.recipe): run.recipe for run in runs}
    paces = [known[text] / images_seen(recipe) for text, recipe in recipes.items() if text in known]
    pace = median(paces) if paces else image_seconds
    seconds = {text: known.get(text) or pace * images_seen(recipe) for text, recipe in recipes.items()}
    return [seconds[describe(run.recipe)] for run in runs]


def steps(recipe: Recipe) -> float:
    """Returns the steps of a training, as far as they are known without its data."""
    return images_seen(recipe) / recipe.batch_size


def images_seen(recipe: Recipe) -> int:
    """Returns how many images a training goes through, each counted as often as it is seen."""
    return recipe.epochs * (recipe.images or ALL_IMAGES)


def lacks(store: Store, run: Run) -> bool:
    """Returns whether the store lacks the run, or the undamaged weights that others start from."""
    return run.key not in store or (run.keeps_weights and not store.weights_digest(run.key))


Planned = Mapping[str, Sequence[Combination]]  # ensembles by the name of their arm
