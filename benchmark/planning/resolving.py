"""More seeds where they matter: after the first runs of every variant, more for the rows that are still unresolved.

After each stage a table is tested. A row that is resolved then gets no more; each of the others gets GROWTH times its
runs, whatever its mean is, up to the most that is allowed, and the control grows with the rows that are left. Who
trains on until a result looks good would choose the result: so the tests share the error, by a function of the runs
fixed beforehand (see `comparison.judge_looks` and `interim.spent`). Stein's two stages (1945,
https://doi.org/10.1214/aoms/1177731088) and an internal pilot (Wittes & Brittain 1990,
https://doi.org/10.1002/sim.4780090113) plan the second stage from the spread of the first for a difference of the
margin; they were tried, and took 1.1 to 2.8 times the runs of a fixed design, since most differences are larger than
the margin and show much sooner. `speed/verdicts.py` measures both what is wrong and what is saved.

A plain `run` that adds runs to a table with interim tests makes another, within the error that is left: however many
runs a row has by then, they alone decide what the test may spend.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, sqrt
from statistics import fmean

from scipy.stats import norm

from benchmark.claim import CONTROL
from benchmark.evidence.comparison import GROWTH, Taken, next_share, taken
from benchmark.evidence.power import ALPHA
from benchmark.evidence.spread import typical
from benchmark.evidence.tables import Table, points
from benchmark.store.records import Interim

Look = Interim


@dataclass(frozen=True)
class Need:
    """What an unresolved row gets next."""

    table: Table
    variant: str
    seeds: int  # in all


def counts_at_interim(table: Table) -> Look:
    """Returns the runs per arm that count at this interim test: all if complete, else those counted last time."""
    before = (table.study.interims or ({},))[-1]
    planned = {arm.variant: arm.seeds for arm in table.study.arms}
    there = {name: len(runs) for name, runs in table.arms.items()}
    seen = {name: count if count >= planned[name] else before.get(name, 0) for name, count in there.items()}
    return {**seen, CONTROL: len(table.control)}


def news(table: Table) -> bool:
    """Whether a look would see runs of a variant that none has seen."""
    before, now = (table.study.interims or ({},))[-1], counts_at_interim(table)
    return any(now[name] > before.get(name, 0) for name in table.arms)


def needs(table: Table, most: int) -> list[Need]:
    """Returns each unresolved row that may have more runs, after the table's last interim test. Ensembles train
    nothing."""
    looks = table.study.interims
    trained = {arm.variant for arm in table.study.arms if not arm.ensemble}
    open_ = [row for row in table.rows if row.verdict == "unresolved" and row.variant in trained]
    return [
        Need(table, row.variant, next_seeds(row.n, most))
        for row in open_
        if row.n < most and next_share(tests_of(looks, row.variant)) > 0
    ]


def next_seeds(seeds: int, most: int) -> int:
    """Returns the runs of a row's next stage."""
    return min(most, ceil(GROWTH * seeds))


def tests_of(looks: Sequence[Mapping[str, int]], arm: str) -> list[Taken]:
    """Returns the interim tests of an arm so far."""
    return taken([[(each.get(arm, 0), each.get(CONTROL, 0))] for each in looks], 0)


def targets(table: Table, open_: Sequence[Need]) -> dict[str, int]:
    """Returns the seeds of every arm and of the control after the next stage; the control's by Dunnett's rule."""
    now = {row.variant: row.n for row in table.rows} | {CONTROL: len(table.control)}
    if not open_:
        return now
    control = control_for([need.seeds for need in open_])
    return now | {need.variant: need.seeds for need in open_} | {CONTROL: max(control, now[CONTROL])}


def control_for(seeds: Sequence[int]) -> int:
    """Returns the runs of the control for rows of so many seeds: as the first stage has it, for their mean."""
    return ceil(fmean(seeds) * sqrt(len(seeds)))


def promising_first(found: Sequence[Need], seconds: Mapping[str, float]) -> list[Need]:
    """Returns the needs by the chance to be resolved at the next interim test per second of training, the
    best first."""

    def worth(need: Need) -> float:
        (arm,) = (arm for arm in need.table.study.arms if arm.variant == need.variant)
        runs = need.seeds - len(need.table.runs(need.variant))
        return chance_to_resolve(need, sum(other.table is need.table for other in found)) / (
            runs * seconds.get(arm.recipe, 1.0) or 1.0
        )

    return sorted(found, key=worth, reverse=True)


def chance_to_resolve(need: Need, open_: int) -> float:
    """Returns the chance that the next interim test resolves a row if its effect is what it seems; an order, not a
    power."""
    table, margin = need.table, float(need.table.study.margin)
    ours, theirs = points(table.runs(need.variant), table.study), points(table.control, table.study)
    spread = sqrt(typical([*(points(runs, table.study) for runs in table.arms.values()), theirs]))
    if not spread or not theirs:
        return 1.0
    effect = abs(fmean(ours) - fmean(theirs))
    error = spread * sqrt(1 / need.seeds + 1 / len(theirs))
    share = next_share(tests_of(table.study.interims, need.variant))
    return float(norm.sf(norm.isf(ALPHA * share / (2 * open_)) - max(effect, margin - effect) / error))
