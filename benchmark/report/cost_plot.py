"""Figures beyond one table's runs: effects against their costs, interactions of pairs, effects over references."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from benchmark.evidence.tables import Row, Table
from benchmark.report.style import LIGHT, LINEAR, STYLE, TYPE, canvas, ends, further, is_wide, save
from benchmark.report.table_plots import SHAPES
from benchmark.report.text import number, subtitle, tick

ACROSS, UP = 7.4, 4.8  # inches, the panel of effects against costs
ANSWERS = ("helps", "hurts", "equivalent")  # verdicts that say something of the effect
SMALL = TYPE - 1.5  # points, its names
NAME_LETTER, NAME_LINE = 0.062, 0.125  # inches, of a name in it
TIMES = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.4, 2.0, 3.0, 5.0, 7.0, 10.0, 20.0, 50.0, 100.0)  # ticks of step times
Box = tuple[float, float, float, float]  # left, bottom, right, top, inches
Places = npt.NDArray[np.float64]


def cost(found: Sequence[Table], folder: Path) -> dict[str, str]:
    """Write a figure for each data set and budget; the SVG of each by the name of its file.

    No table's file is called as these are: a slug has no two dashes in a row, names() puts digits alone after two.
    """
    groups: dict[tuple[str, str], list[Table]] = {}
    for table in found:
        if not table.study.context:
            groups.setdefault((table.study.data, table.study.budget), []).append(table)
    drawn = {}
    with sns.axes_style("ticks"), mpl.rc_context(STYLE):
        for (data, budget), tables in groups.items():
            rows = [row for table in tables for row in table.rows if row.effect is not None and row.step_in_turns]
            if rows:
                name = f"cost--{data}-{budget}"
                drawn[name] = save(against_cost(tables, rows), folder / name)
    return drawn


def against_cost(tables: Sequence[Table], rows: Sequence[Row]) -> Figure:
    """Effects with their intervals by the time of a step."""
    gaps = "; preliminary: runs are missing" if any(table.missing for table in tables) else ""
    below = f"{subtitle(tables[0]).split(';')[0]}{gaps}"
    figure, (axes,) = canvas("Effect against the time of a step", below, [ACROSS], UP, (0.62, 0.2, 0.95, 0.62))
    margin = tables[0].study.margin
    set_scales(axes, rows, margin)
    axes.axhspan(-margin, margin, color=LIGHT["band"], linewidth=0, zorder=0)
    for line in (axes.axhline(0), axes.axvline(1)):
        line.set(color=LIGHT["ink"], linewidth=1, zorder=1)
    for row in rows:
        answered = row.verdict in ANSWERS
        (at, effect), colour = place(row), LIGHT[row.verdict]
        if row.ci_low is not None and row.ci_high is not None:
            width, depth = (1.4, 1.0) if answered else (0.7, 0.45)
            axes.vlines(at, row.ci_low, row.ci_high, color=colour, linewidth=width, alpha=depth, zorder=2)
        size = 34 if answered else 12
        axes.scatter(
            at, effect, size, colour, marker=SHAPES[row.verdict], linewidth=0.6, edgecolor=LIGHT["card"], zorder=3
        )
    write_labels(axes, rows)
    axes.set_xlabel("time of a training step over the baseline's, logarithmic")
    scale = f"; logarithmic beyond ±{number(LINEAR * margin)}" if is_wide(rows, margin) else ""
    axes.set_ylabel(f"points against the baseline{scale}")
    return figure


def set_scales(axes: Axes, rows: Sequence[Row], margin: float) -> None:
    """Both axes, their ticks and the grid."""
    ratios = [row.step_ms_ratio or 1.0 for row in rows]
    axes.set_xscale("log")
    axes.set_xlim(min(0.8, *ratios) / 1.1, max(1.25, *ratios) * 1.25)
    axes.xaxis.set_major_locator(
        FixedLocator([each for each in TIMES if np.prod(np.subtract(axes.get_xlim(), each)) < 0])
    )
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"×{number(value)}"))  # noqa: RUF001  times
    low, high = ends(rows, margin)
    if is_wide(rows, margin):
        axes.set_yscale("symlog", linthresh=LINEAR * margin, linscale=0.8)
        sizes = [margin, LINEAR * margin, *(size for size in (5, 10, 20, 50, 100) if size > 1.2 * LINEAR * margin)]
        axes.yaxis.set_major_locator(FixedLocator([0.0, *(side * size for size in sizes for side in (-1, 1))]))
        axes.set_ylim(further(low, LINEAR * margin), further(high, LINEAR * margin))
    else:
        axes.set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: tick(value)))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_locator(NullLocator())
    axes.grid(linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["right", "top"]].set_visible(False)


def write_labels(axes: Axes, rows: Sequence[Row]) -> None:
    """The names of what has an answer, the largest effects first, each beside its point where nothing else is."""
    named = sorted((row for row in rows if row.verdict in ANSWERS), key=lambda row: -abs(row.effect or 0))
    points = inches(axes, named)
    taken: list[Box] = [(x - 0.06, y - 0.06, x + 0.06, y + 0.06) for x, y in points]
    for row, (x, y) in zip(named, points, strict=True):
        text = f"{row.ablation}: {row.variant}"
        box = free(x, y, NAME_LETTER * len(text), taken)
        if not box:
            continue
        taken.append(box)
        left, bottom, right, top = box
        middle = (bottom + top) / 2
        near = left if left > x else right if right < x else min(max(x, left), right)
        if max(abs(near - x), abs(middle - y)) > 0.14:
            axes.plot([x / ACROSS, near / ACROSS], [y / UP, middle / UP], transform=axes.transAxes, **leader(row))
        style: dict[str, Any] = {"fontsize": SMALL, "va": "center_baseline", "color": LIGHT[row.verdict]}
        style["bbox"] = {"facecolor": LIGHT["card"], "alpha": 0.7, "linewidth": 0, "pad": 0.5}
        side = "left" if left > x else "right" if right < x else "center"
        at = {"left": left, "right": right, "center": (left + right) / 2}[side]
        axes.text(at / ACROSS, middle / UP, text, ha=side, transform=axes.transAxes, zorder=4, **style)


def leader(row: Row) -> dict[str, Any]:
    """The look of the line from a point to its name."""
    return {"color": LIGHT[row.verdict], "linewidth": 0.6, "zorder": 2.5, "scalex": False, "scaley": False}


def place(row: Row) -> tuple[float, float]:
    """Where a measured row is: step time over the baseline's, and effect in points."""
    return row.step_ms_ratio or 1.0, row.effect or 0.0


def inches(axes: Axes, rows: Sequence[Row]) -> Places:
    """Where points are within the panel."""
    if not rows:
        return np.empty((0, 2))
    places = (axes.transScale + axes.transLimits).transform([place(row) for row in rows])
    return np.asarray(places * (ACROSS, UP), dtype=np.float64)


def free(x: float, y: float, width: float, taken: Sequence[Box]) -> Box | None:
    """The nearest place for a name beside a point that overlaps nothing and stays within the panel."""
    for away in (0.0, 0.15, 0.3):  # further off, lines to the names would cross each other
        for up in dict.fromkeys((0.0, away, -away)):
            for start in (x + 0.1 + away / 3, x - 0.1 - away / 3 - width):
                box = start, y + up - NAME_LINE / 2, start + width, y + up + NAME_LINE / 2
                inside = box[0] > 0 and box[1] > 0 and box[2] < ACROSS and box[3] < UP
                if inside and not any(overlap(box, other) for other in taken):
                    return box
    return None


def overlap(one: Box, other: Box) -> bool:
    """Whether two boxes share a place."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
