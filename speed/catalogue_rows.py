"""Rows resolved per run on tables that are built as those of the committed catalogue.

    python -m speed.catalogue_rows [--repeats 100]

Each table of the catalogue is made up again many times: its number of variants, the effects that it measured, the
spread of each variant half-way between its own variance and the table's median, which three runs estimate badly.
A control that several tables share is counted once, with the most runs that any of them asks of it. Compared are the
rules of `speed.verdicts` before and now, in stages up to 55 runs, and with the catalogue's three runs alone; the seeds
explain the shares of the variance of single runs that are printed.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from math import ceil, sqrt

import numpy as np

from benchmark.evidence.spread import typical, variance
from benchmark.evidence.tables import points, tables
from benchmark.store.records import RunRecord
from benchmark.store.store import Store
from benchmark.store.version import ENGINE
from speed.verdicts import BEFORE, MARGIN, NOW, OPEN, REAL, Floats, Rule, in_stages, judged, wrong

MOST, FIRST = 55, 3  # runs of a variant


@dataclass(frozen=True)
class Built:
    """How a table is built."""

    control: str  # its recipe
    control_runs: int
    effects: Floats  # points
    spreads: Floats  # standard deviations of the variants' and the control's runs, points


def catalogue() -> list[Built]:
    """Returns the catalogue's tables, without ensembles and rows of fewer than FIRST runs."""
    found = []
    for table in tables(Store(REAL, ENGINE)):
        arms = [runs for runs in table.arms.values() if len(runs) >= FIRST and isinstance(runs[0], RunRecord)]
        control = points(table.control, table.study)
        scores = [points(runs, table.study) for runs in arms]
        middle = typical([*scores, control])
        if not scores or table.study.margin != MARGIN or not middle:
            continue
        spreads = [sqrt((variance(each) + middle) / 2) for each in scores]
        effects = np.array([np.mean(each) - np.mean(control) for each in scores])
        whole = np.array([*spreads, sqrt(variance(control) or middle)])
        found.append(Built(table.study.control.recipe, len(control), effects, whole))
    return found


def made(table: Built, repeats: int, correlation: float, draw: np.random.Generator) -> Floats:
    """Returns scores of (repeats, variants and control, runs)."""
    rows = len(table.effects) + 1
    runs = max(ceil(MOST * sqrt(rows - 1)), table.control_runs)
    unit = sqrt(1 - correlation) * draw.standard_normal((repeats, rows, runs))
    unit += sqrt(correlation) * draw.standard_normal((repeats, 1, runs))
    return 65 + table.spreads[:, None] * unit + np.append(table.effects, 0.0)[:, None]


@dataclass(frozen=True)
class Total:
    """What the whole catalogue came to, mean over the repeats."""

    resolved: float
    runs: float
    rows: int
    wrong: float  # share of tables with a wrong row, the effects taken for the truth

    def __str__(self) -> str:
        per = 100 * self.resolved / self.runs
        return (
            f"{self.resolved:.1f} of {self.rows} rows by {self.runs:.0f} runs, {per:.2f} per 100 runs; "
            f"{self.wrong:.1%} of tables wrong"
        )


def resolved(built: list[Built], repeats: int, correlation: float, rule: Rule, staged: bool) -> Total:
    """Returns how many rows a rule resolves, and by how many runs."""
    draw = np.random.default_rng(0)
    words, runs, bad = 0.0, 0.0, []
    controls: dict[str, Floats] = {}
    for table in built:
        scores = made(table, repeats, correlation, draw)
        if staged:
            ended = in_stages(scores, table.effects, MOST, rule, FIRST, table.control_runs)
            said, control = ended.words, ended.of_control
            runs += float((ended.runs - control).mean())
        else:
            said = judged(scores[:, :-1, :FIRST], scores[:, -1, : table.control_runs], rule).words
            control = np.full(repeats, table.control_runs)
            runs += FIRST * len(table.effects)
        words += float((said != OPEN).sum(axis=1).mean())
        bad.append(float(wrong(said, table.effects).any(axis=1).mean()))
        controls[table.control] = np.maximum(controls.get(table.control, np.zeros(repeats)), control)
    runs += sum(float(each.mean()) for each in controls.values())
    return Total(words, runs, sum(len(table.effects) for table in built), float(np.mean(bad)))


def main() -> None:
    """Prints a line for each rule."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=100)
    repeats = parser.parse_args().repeats
    built = catalogue()
    print(f"{len(built)} tables of {len({table.control for table in built})} controls")
    for staged in (False, True):
        for correlation in (0.0, 0.2, 0.29, 0.36):
            found = {}
            for name, rule in (
                ("before", BEFORE),
                ("now", NOW),
                ("now without seeds", replace(NOW, counts_seeds=False)),
            ):
                found[name] = resolved(built, repeats, correlation, rule, staged)
                print(f"{'in stages' if staged else 'three runs'}, seeds {correlation:.0%}, {name}: {found[name]}")
            gain = (found["now"].resolved / found["now"].runs) / (found["before"].resolved / found["before"].runs)
            print(f"  now {gain:.3f} times as many rows per run as before")


if __name__ == "__main__":
    main()
