"""What a command was asked for, and what a store knows of earlier interim tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmark.evidence.tables import Table
from benchmark.planning.resolving import Look, Need, look, targets
from benchmark.store.records import Record, table_name

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
