"""The page of `judge`: verdicts, plots and paragraph of results that other programs made, in one file.

Only what the results hold is shown: there are no learning curves, costs or environments. The page has no scripts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from statistics import fmean
from textwrap import wrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import t

from benchmark.evidence.comparison import Difference
from benchmark.evidence.own import Judged, OwnRow, OwnTable
from benchmark.report.cells import SIGNS
from benchmark.report.own import better_in_words, found, headings, latex, lines, markdown, methods
from benchmark.report.render import picture, templates
from benchmark.report.style import INKS, LETTER, LIGHT, TYPE, canvas
from benchmark.report.table_plots import PANEL, draw_intervals, set_scale

SCORES = 2.6  # inches, width of the panel of single runs
ROW = 0.55  # inches, height of a row
HILL = 0.36  # inches, height of a density
DOT = 0.1  # inches that dots of one row stand apart at most, on each side
POINTS = 400  # of a density's line
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


@dataclass(frozen=True)
class Part:
    """One group, as the template shows it."""

    title: str  # empty of a table without groups
    rows: tuple[tuple[tuple[str, ...], str], ...]  # cells and verdict, the control first
    forest: str
    runs: str
    text: str


def page(judged: Judged, forests: Sequence[str], runs: Sequence[str], files: Sequence[str]) -> str:
    """Returns the page. `forests` and `runs` have the SVG of each table, `files` the names of the files next to it."""
    parts = [
        Part(
            title=table.group,
            rows=tuple(zip(map(tuple, lines(judged, table)), ["", *(row.verdict for row in table.rows)], strict=True)),
            forest=picture(forest, f"forest{at}", f"Effects {table.group}".strip()),
            runs=picture(dots, f"runs{at}", f"Single runs and differences {table.group}".strip()),
            text=found(judged, table),
        )
        for at, (table, forest, dots) in enumerate(zip(judged.tables, forests, runs, strict=True))
    ]
    return (
        templates()
        .get_template("own.html.j2")
        .render(
            name=Path(judged.results.name).name,
            score=judged.results.score,
            said=judged.results.said,
            headings=headings(judged),
            parts=parts,
            methods=methods(judged),
            margin=judged.margin,
            files=files,
            texts={"Markdown": markdown(judged), "LaTeX": latex(judged)},
            inks=INKS,
            signs=SIGNS,
            policy=POLICY,
        )
    )


def distributions(judged: Judged, table: OwnTable) -> Figure:
    """Returns every run as a dot, and next to it how the difference from the control is distributed.

    An estimation plot (Ho et al. 2019, https://doi.org/10.1038/s41592-019-0470-3); the density is that of Student's t
    with the error and the degrees of freedom of the interval, not a bootstrap's.
    """
    sign = -1.0 if judged.results.lower_is_better else 1.0
    order = sorted(range(len(table.rows)), key=lambda at: -sign * table.rows[at].effect)
    rows = [table.rows[at] for at in order]
    names = (*(row.variant for row in rows), table.control)
    labels = ["\n".join(wrap(name, 30)[:3]) for name in names]
    places = [ROW * (at + 0.65) for at in range(len(labels))]
    left = 0.25 + LETTER * max(len(line) for label in labels for line in label.split("\n"))
    heading, below = f"Single runs, and differences in {judged.results.score}", table.group
    edges = (left, 0.25, 0.86 if below else 0.6, 0.62)
    figure, (scores, effects) = canvas(heading, below, [SCORES, PANEL], ROW * len(labels), edges)
    for axes in (scores, effects):
        axes.set_ylim(ROW * len(labels), 0)
        axes.spines[["left", "right", "top"]].set_visible(False)
        axes.tick_params(axis="y", length=0, pad=8)
    scores.set_yticks(places, labels, color=LIGHT["ink"], fontsize=TYPE)
    effects.set_yticks([])
    draw_runs(scores, table, rows, places)
    scores.set_xlabel(judged.results.score + (", %" if judged.results.points else ""))
    margin = judged.margin or max(abs(row.effect) for row in rows) / 5 or 1.0
    set_scale(effects, rows, margin)
    if judged.margin:
        effects.axvspan(-margin, margin, color=LIGHT["band"], linewidth=0, zorder=0)
    effects.axvline(0, color=LIGHT["ink"], linewidth=1, zorder=1)
    for row, place, at in zip(rows, places, order, strict=False):
        draw_density(effects, row, table.differences[at], place)
    draw_intervals(effects, rows, places[:-1])
    effects.set_xlabel(better_in_words(judged, table))
    return figure


def draw_runs(axes: Axes, table: OwnTable, rows: Sequence[OwnRow], places: Sequence[float]) -> None:
    """Draws each run as a dot and each mean as a line; the control comes last."""
    colours = [*(LIGHT[row.verdict] for row in rows), LIGHT["ink"]]
    axes.axvline(fmean(table.arms[table.control].scores), color=LIGHT["line"], linewidth=1, zorder=0)
    for name, colour, place in zip([*(row.variant for row in rows), table.control], colours, places, strict=True):
        runs = table.arms[name].scores
        apart = place + np.linspace(-DOT, DOT, len(runs)) if len(runs) > 1 else [place]
        axes.scatter(runs, apart, s=14, color=colour, alpha=0.6, linewidth=0, zorder=2)
        axes.vlines(fmean(runs), place - 1.6 * DOT, place + 1.6 * DOT, color=colour, linewidth=1.5, zorder=3)


def draw_density(axes: Axes, row: OwnRow, difference: Difference, place: float) -> None:
    """Draws the density of a difference as a hill on its row; none where the error is not known."""
    if isnan(difference.error) or not difference.error:
        return
    transform = axes.transData + axes.transAxes.inverted()
    ends = transform.transform([(row.effect + side * 5 * difference.error, 0) for side in (-1, 1)])[:, 0]
    along = np.linspace(max(0.0, ends[0]), min(1.0, ends[1]), POINTS)
    x = transform.inverted().transform(np.column_stack([along, np.zeros(POINTS)]))[:, 0]
    height = HILL * t.pdf((x - row.effect) / difference.error, difference.freedom) / t.pdf(0, difference.freedom)
    axes.fill_between(x, place, place - height, color=LIGHT[row.verdict], alpha=0.25, linewidth=0, zorder=1.5)
