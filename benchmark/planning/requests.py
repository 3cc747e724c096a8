"""What a command was asked for, and what a store knows of earlier interim tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from benchmark.evidence.tables import Table
from benchmark.planning.resolving import Need, counts_at_interim, targets
from benchmark.store.records import About, Interim, TableName, TableRecord

ADD_ONE = "add-one"  # the design of a grid in which each variant differs from its control by itself


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
    precision: Literal["fp32", "bf16"] | None = None  # of the baseline; None: the one that every device is fast in
    base: Path | None = None  # a file with a base of the user's own, in place of the budget's

    @property
    def label(self) -> str:
        """Returns what tables and records have as their budget: its name, or that of the file with the user's base."""
        return self.base.stem if self.base else self.budget

    @property
    def about(self) -> About:
        """Returns what goes into every record."""
        return About(self.data, self.data_choice, self.label)


@dataclass(frozen=True)
class Stages:
    """What the store knows of earlier interim tests ahead of planning, by table (see `resolving`)."""

    interims: Mapping[TableName, tuple[Interim, ...]] = field(default_factory=dict)
    wanted: Mapping[TableName, Mapping[str, int]] = field(default_factory=dict)  # seeds of each arm

    def then(self, seen: Sequence[Table], open_: Sequence[Need]) -> Stages:
        """Returns these with another interim test of the tables `seen`, and the seeds for those of `open_`."""
        interims = {table.study.name: (*table.study.interims, counts_at_interim(table)) for table in seen}
        by_table = {need.table.study.name: need.table for need in open_}
        wanted = {name: targets(table, [n for n in open_ if n.table is table]) for name, table in by_table.items()}
        return Stages({**self.interims, **interims}, {**self.wanted, **wanted})


def stages_of(tables: Sequence[TableRecord]) -> Stages:
    """Returns what stored tables know of earlier interim tests."""
    tested = [table for table in tables if table.interims]
    return Stages({each.name: each.interims for each in tested}, {each.name: seeds_in(each) for each in tested})


def seeds_in(table: TableRecord) -> dict[str, int]:
    """Returns the seeds that a stored table plans for its control and each arm that trains."""
    return {arm.variant: arm.seeds for arm in (table.control, *table.arms) if not arm.ensemble}
