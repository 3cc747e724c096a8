"""More seeds where they matter: the second of two stages, planned from the first.

The first stage gives every variant the same few seeds. Rows that it resolves get no more. Each of the others gets the
seeds that a difference of the margin takes, computed from the spreads of the first stage, never from its means: to
train on until a mean looks good would be to choose the result. The spread is then measured anew on all runs (an
internal pilot: Wittes & Brittain 1990, https://doi.org/10.1002/sim.4780090113). Stein's own rule (1945,
https://doi.org/10.1214/aoms/1177731088) keeps the spread of the first stage and is exact; with three first seeds
its t has two to four degrees of freedom, and asks for several times the runs. Each of the two looks has half of the
error (see `comparison.judge`); `calibrate` measures what is left of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt
from statistics import fmean

from benchmark.tables import CONTROL, Table

LOOKS = 2


@dataclass(frozen=True)
class Need:
    """What an unresolved row takes."""

    table: Table
    variant: str
    seeds: int  # in all
    capped: bool  # whether it would take more than the most that is allowed


def needs(table: Table, most: int) -> list[Need]:
    """Of each unresolved row of a table that was judged as the first of two looks. Ensembles train nothing."""
    trained = {arm["variant"] for arm in table.study["arms"] if arm.get("kind") != "ensemble"}
    open_ = [row for row in table.rows if row.verdict == "unresolved" and row.variant in trained]
    wanted = {row.variant: (row.n, row.n + (row.seeds_needed or 0)) for row in open_}
    return [Need(table, name, max(n, min(most, all_)), all_ > most) for name, (n, all_) in wanted.items()]


def targets(table: Table, open_: list[Need]) -> dict[str, int]:
    """The seeds of every arm and of the control after the second stage; the control's as Dunnett has them."""
    now = {row.variant: row.n for row in table.rows} | {CONTROL: len(table.control)}
    if not open_:
        return now
    control = control_for([need.seeds for need in open_])
    return now | {need.variant: need.seeds for need in open_} | {CONTROL: max(control, now[CONTROL])}


def control_for(seeds: Sequence[int]) -> int:
    """Runs of the control beside rows of so many seeds: as the first stage has it, for their mean."""
    return ceil(fmean(seeds) * sqrt(len(seeds)))


def cheapest_first(found: list[Need], seconds: dict[str, float]) -> list[Need]:
    """By the training that a row still takes: most rows for the time there is. `seconds` of a run, by recipe."""

    def price(need: Need) -> float:
        (arm,) = (arm for arm in need.table.study["arms"] if arm["variant"] == need.variant)
        return (need.seeds - len(need.table.runs(need.variant))) * seconds.get(arm["recipe"], 0.0)

    return sorted(found, key=price)
