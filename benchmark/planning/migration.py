"""Stores written before schema 2, brought to the schema of today: same numbers, perhaps under another key.

Schema 1 wrote the numbers of a recipe as they came: `MaxNorm(bound=1)` and `MaxNorm(bound=1.0)` were two texts of one
training. Today a number is written as the type that its field declares, so the runs of such recipes get a new text and
with it a new key. Schema 1 also kept no facts of a recipe and no key of the run that another started from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from itertools import product
from pathlib import Path
from types import FunctionType

from benchmark.planning.identity import alternatives, describe, element_types, field_types, named
from benchmark.planning.study_record import facts
from benchmark.recipe import Arm, Ensemble, Member, Recipe
from benchmark.store.files import arrays_file, weights_file
from benchmark.store.keys import digest, run_key
from benchmark.store.records import ArmRecord, EnsembleRecord, Record, RunRecord, TableRecord
from benchmark.store.store import Store


@dataclass(frozen=True)
class Migrated:
    """What became of a store's lines."""

    kept: int  # under the same key
    renamed: int
    unplanned: int  # runs of recipes that no table of the store plans today


@dataclass(frozen=True)
class NewPlace:
    """Where a record goes."""

    key: str
    start: str  # key of the run that it started from


def migrate(store: Store, arms: Iterable[Arm], tables: Sequence[TableRecord], drop_unplanned: bool) -> Migrated:
    """Rewrites the files of a store in the schema of today; needs `store.writing()`.

    `arms` are all that the store's tables plan today, members of ensembles and recipes that others start from
    included; `tables` are those tables. With `drop_unplanned`, runs of other recipes are left out.
    """
    planned = {text: arm for arm in arms for text in texts_of_schema_1(arm, None)}
    texts = {old: describe(arm) for old, arm in planned.items()}
    before = list(store.records.values())
    known = [record for record in before if record.recipe in planned]
    places = new_places(known, planned)
    written = [moved_record(record, planned[record.recipe], places) for record in known]
    others = [] if drop_unplanned else [record for record in before if record.recipe not in planned]
    stored = {table.name: table for table in store.tables()}
    store.replace(
        [*written, *others],
        [as_stored(table, stored[table.name], texts) for table in tables if table.name in stored],
        [
            replace(each, recipe=texts.get(each.recipe, each.recipe), control=texts.get(each.control, each.control))
            for each in store.costs()
            if each.recipe in planned or not drop_unplanned
        ],
    )
    for old, place in places.items():
        rename_files(store.folder, old, place.key)
    same = sum(place.key == old for old, place in places.items())
    return Migrated(same, len(known) - same, len(before) - len(known))


def new_places(records: Sequence[Record], planned: Mapping[str, Arm]) -> dict[str, NewPlace]:
    """Returns where each record goes, by its old key."""
    places: dict[str, NewPlace] = {}
    origins: dict[tuple[str, int], str] = {}  # keys of today, by text and seed
    for record in sorted(records, key=lambda record: bool(start_text(planned[record.recipe]))):
        arm = planned[record.recipe]
        start = origins.get((start_text(arm), record.seed), "")
        place = NewPlace(run_key(record.fingerprint, record.seed, describe(arm), start), start)
        places[record.key] = place
        origins[describe(arm), record.seed] = place.key
    return places


def start_text(arm: Arm) -> str:
    """Returns the text of the recipe that an arm starts from; empty if there is none."""
    start = arm.start_from if isinstance(arm, Recipe) else None
    return describe(start) if isinstance(start, Recipe) else ""


def moved_record(record: Record, arm: Arm, places: Mapping[str, NewPlace]) -> Record:
    """Returns a record with the text, key, start and facts that today's code gives it."""
    place = places[record.key]
    if isinstance(record, EnsembleRecord):
        members = tuple(places[key].key if key in places else key for key in record.members)
        return replace(record, key=place.key, recipe=describe(arm), members=members)
    record = replace(record, key=place.key, recipe=describe(arm), start=place.start)
    return replace(record, facts=facts(arm)) if isinstance(record, RunRecord) and isinstance(arm, Recipe) else record


def as_stored(table: TableRecord, old: TableRecord, texts: Mapping[str, str]) -> TableRecord:
    """Returns a table as it is planned today, with the seeds and interim tests that the store had."""
    seeds = {arm.variant: arm.seeds for arm in (old.control, *old.arms)}

    def with_seeds(arm: ArmRecord) -> ArmRecord:
        return replace(arm, seeds=seeds.get(arm.variant, arm.seeds))

    return replace(
        table,
        data_choice=old.data_choice,
        control=with_seeds(table.control),
        arms=tuple(map(with_seeds, table.arms)),
        trained={texts.get(text, text): count for text, count in old.trained.items()},
        interims=old.interims,
    )


def rename_files(folder: Path, old: str, new: str) -> None:
    """Renames the arrays and weights of a run whose key changed."""
    for kind in (arrays_file, weights_file):
        if old != new and kind(folder, old).exists():
            kind(folder, old).rename(kind(folder, new))


def texts_of_schema_1(part: object, declared: object) -> list[str]:
    """Returns the texts under which schema 1 may have stored a part that stands in a field of the `declared` type.

    Numbers stood as they came, and a cache took 1, 1.0 and True for one another.
    """
    match part:
        case None | str():
            return [repr(part)]
        case bool() | int() | float():
            return number_texts(part, alternatives(declared))
        case tuple():
            kinds = element_types(declared, len(part))
            choices = [texts_of_schema_1(each, kind) for each, kind in zip(part, kinds, strict=True)]
            return [f"({', '.join(each)})" for each in product(*choices)]
        case FunctionType():
            return [named(part)]
        case Member():
            recipes = texts_of_schema_1(part.recipe, None)
            return [f"{digest(text, 16)}+{part.seed_offset}@{part.at!r}" for text in recipes]
        case _ if is_dataclass(part) and not isinstance(part, type):
            bare = isinstance(part, Recipe | Ensemble)
            compared = [f for f in fields(part) if f.compare]
            used = [f.name for f in compared if not bare or getattr(part, f.name) != f.default]
            hints = field_types(type(part))
            choices = [texts_of_schema_1(getattr(part, name), hints.get(name)) for name in used]
            options = [", ".join(map("=".join, zip(used, each, strict=True))) for each in product(*choices)]
            return [f"{named(type(part))}({each})" for each in options]
    raise TypeError(f"{part!r} has no stable text")


def number_texts(number: float, kinds: Sequence[object]) -> list[str]:
    """Returns the texts that schema 1 may have given to a number."""
    if not {float, bool} & set(kinds) or not float(number).is_integer():
        return [repr(number)]
    truth = [repr(bool(number))] if number in (0, 1) else []
    return [repr(int(number)), repr(float(number)), *truth]
