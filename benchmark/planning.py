"""What a request means: its tables, their runs in rounds, and the tables as the store keeps them."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmark import data as datasets
from benchmark.baseline import BUDGETS, baseline
from benchmark.checkpoints import checkpoint, with_weights
from benchmark.combining import Planned
from benchmark.designs import DESIGNS, tricks
from benchmark.errors import UsageError, unknown
from benchmark.grid import Study, chosen, combinations, discover, old_data, origins, plan, steps, studies
from benchmark.identity import Run, describe
from benchmark.machine import has_fast_bf16
from benchmark.recipe import CONTROL, Claim, Ensemble, Recipe, everyone
from benchmark.resolving import Look, Need, look, targets
from benchmark.runner import lacks
from benchmark.store import Record, Store, table_name
from benchmark.tables import Table

ADD_ONE = "add-one"  # the design of a grid in which each variant differs from its control by itself
Name = tuple[str, str, str, str]  # of a table: ablation, context, data, budget


@dataclass(frozen=True)
class Request:
    """What a command was asked for, with every `auto` settled."""

    data: str
    data_choice: str  # why this data set
    data_dir: Path
    budget: str
    devices: tuple[str, ...]  # one entry for each worker
    store: Path
    seeds: int

    @property
    def about(self) -> Record:
        """What goes into every record."""
        return {"data": self.data, "data_choice": self.data_choice, "budget": self.budget}


@dataclass(frozen=True)
class Stages:
    """What the store knows of the stages of tables ahead of planning, by their names (see `resolving`)."""

    looks: Mapping[Name, list[Look]] = field(default_factory=dict)
    wanted: Mapping[Name, Mapping[str, int]] = field(default_factory=dict)  # seeds of each arm

    def about(self, name: Name) -> dict[str, list[Look]]:
        """What the store is to keep of a table's stages."""
        return {"looks": self.looks[name]} if name in self.looks else {}

    def then(self, seen: Sequence[Table], open_: Sequence[Need]) -> Stages:
        """With another look at the tables `seen`, and the seeds for those of `open_`."""
        looks = {table_name(table.study): [*table.study.get("looks", []), look(table)] for table in seen}
        by_table = {table_name(need.table.study): need.table for need in open_}
        wanted = {name: targets(table, [n for n in open_ if n.table is table]) for name, table in by_table.items()}
        return Stages({**self.looks, **looks}, {**self.wanted, **wanted})


@dataclass(frozen=True)
class Grid:
    """What there is to do: the tables, their runs in rounds, and the modules that had to be left out."""

    tables: list[Study]
    before: list[Run]  # those that others start from
    rounds: list[list[Run]]
    studies: list[dict[str, Any]]  # the tables as the store keeps them
    broken: dict[str, str]
    unavailable: list[str]  # sentences about arms whose old data are not to be had; no failure
    ensembles: Planned = field(default_factory=dict)


def planned(
    asked: Request,
    only: str,
    design: str = ADD_ONE,
    named: Sequence[str] = (),
    weights: Path | None = None,
    stages: Stages | None = None,
) -> Grid:
    """The grid of a request. Raises UsageError for an ablation that is not there, or data that are not to be had."""
    if weights and named:
        raise UsageError("--weights goes with --design add-one; leave out --design and --trick")
    tables, left_out = tables_of(asked, only, design, named)
    start = checkpoint(weights) if weights else None
    data = datasets.load(asked.data, asked.data_dir)
    tables = with_weights(tables, start, len(data.classes)) if start else tables
    prints, why_not = old_fingerprints(tables, asked)
    tables = [each for table in tables if (each := without(table, why_not)).arms]
    stages = stages or Stages()
    tables = [replace(table, wanted=stages.wanted.get(full_name(table, asked), {})) for table in tables]
    kept = [as_json(table, asked, data) | stages.about(full_name(table, asked)) for table in tables]
    rounds = plan(tables, asked.seeds, data.fingerprint, prints)
    unavailable = [f"left out: what starts from {name}, since {why}" for name, why in why_not.items()]
    ensembles = combinations(tables, asked.seeds, data.fingerprint)
    return Grid(tables, origins(rounds, prints), rounds, kept, left_out, unavailable, ensembles)


def tables_of(asked: Request, only: str, design: str, named: Sequence[str]) -> tuple[list[Study], dict[str, str]]:
    """The tables of a design, and for each module that had to be left out one sentence that says why."""
    if design not in (ADD_ONE, *DESIGNS):
        raise unknown("design", design, [ADD_ONE, *DESIGNS])
    names = [name.strip() for name in only.split(",") if name.strip()]
    if bool(named) != (design != ADD_ONE) or (names and named):
        raise UsageError("--trick goes with --design leave-one-out or pairs, and --only with add-one")
    found, broken = discover()
    if named:
        return [DESIGNS[design](tricks(named, found, list(broken)), base_of(asked))], broken
    tables, failing = studies(chosen(found, broken, names), base_of(asked))
    return tables, {name: why for name, why in (broken | failing).items() if not names or name in names}


def stages_of(results: Store) -> Stages:
    """What the store knows of stages."""
    there = {table_name(study): study for study in results.studies() if study.get("looks")}
    looks = {name: list(study["looks"]) for name, study in there.items()}
    return Stages(looks, {name: seeds_in(study) for name, study in there.items()})


def seeds_in(study: dict[str, Any]) -> dict[str, int]:
    """The seeds that a stored table plans for each arm that trains."""
    arms = {arm["variant"]: arm["seeds"] for arm in study["arms"] if arm.get("kind") != "ensemble"}
    return {CONTROL: study["control"]["seeds"], **arms}


def full_name(table: Study, asked: Request) -> Name:
    """As `store.table_name` has it."""
    return table.ablation.name, table.context, asked.data, asked.budget


def old_fingerprints(tables: Sequence[Study], asked: Request) -> tuple[dict[str, str], dict[str, str]]:
    """Of the data sets that arms start from: the fingerprints, and why one is not to be had."""
    prints, why_not = dict[str, str](), dict[str, str]()
    for name in sorted({old for table in tables for arm in table.arms.values() if (old := old_data(arm))}):
        try:
            prints[name] = datasets.load(name, asked.data_dir).fingerprint
        except UsageError as reason:
            why_not[name] = str(reason)
    return prints, why_not


def without(table: Study, data: Container[str]) -> Study:
    """`table` less the arms that start from any of `data`."""
    return replace(table, arms={name: arm for name, arm in table.arms.items() if old_data(arm) not in data})


def base_of(asked: Request) -> Recipe:
    """The baseline, in the precision that the device is fast in."""
    return baseline(asked.data, asked.budget, "bf16" if has_fast_bf16(asked.devices[0]) else "fp32")


def as_json(table: Study, asked: Request, data: datasets.DataSet) -> dict[str, Any]:
    """A table as the store keeps it, so that a report needs nothing but the store."""
    return {
        "ablation": table.ablation.name,
        "context": table.context,
        "question": table.ablation.question,
        "sources": list(table.ablation.sources),
        "data": asked.data,
        "data_choice": asked.data_choice,
        "fingerprint": data.fingerprint,
        "classes": len(data.classes),
        "budget": asked.budget,
        "margin": BUDGETS[asked.budget].margin,
        "control": {
            "recipe": describe(table.base),
            "seeds": table.seeds_of(CONTROL, asked.seeds),
            "same": list(table.same),
            "steps": steps(table.base),  # with these two an ensemble's cost is told in runs of the control
            "batch_size": table.base.batch_size,
        },
        "arms": [
            {
                "variant": name,
                "recipe": describe(arm),
                "changes": {field: short(value) for field, value in arm.changes(table.base).items()},
                "seeds": table.seeds_of(name, asked.seeds),
                **(copies(arm, table.base) if isinstance(arm, Ensemble) else {}),
            }
            for name, arm in table.arms.items()
        ],
        "trained": {describe(recipe): len(taken) for recipe, taken in table.runs_of(asked.seeds).items()},
        "claims": [claim_as_json(claim) for claim in table.ablation.claims],
    }


def copies(arm: Ensemble, base: Recipe) -> dict[str, Any]:
    """That an arm is an ensemble, and of how many copies of the control, if of nothing else."""
    only = all(member.recipe == base and member.at == 1 for member in arm.members) and arm.choose is everyone
    return {"kind": "ensemble", "copies": len(arm.members) if only else None, "combine": short(arm.combine)}


def claim_as_json(claim: Claim) -> dict[str, Any]:
    """A claim as the store keeps it."""
    compared = {"kind": type(claim.holds).__name__.lower(), **asdict(claim.holds)}
    return {"name": claim.name, "text": claim.text, "context": claim.context, **compared}


def short(part: object) -> str:
    """A part's text for readers: no module names, no marks, six digits of a number, the gist of a whole recipe."""
    if isinstance(part, Recipe):
        return f"a training of {part.epochs} epochs on {part.images or 'all'} images of {part.data}"
    text = re.sub(r"\b(?:ablations|benchmark)\.(?:\w+\.)*|@\w{8}", "", describe(part))
    return re.sub(r"\b\d+\.\d{7,}\b", lambda number: f"{float(number[0]):.6g}", text)


def lacking(grid: Grid, results: Store) -> list[Run]:
    """The runs that are still to be trained."""
    return [*starts(grid, results), *(each for planned in grid.rounds for each in planned if lacks(results, each))]


def starts(grid: Grid, results: Store) -> list[Run]:
    """What others start from and is to be trained: not stored, or without its weights where they are needed yet."""
    needed = {run.start for planned in grid.rounds for run in planned if lacks(results, run)}
    return [run for run in grid.before if run.key not in results or (run.key in needed and lacks(results, run))]
