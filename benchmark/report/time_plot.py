"""What tricks are worth against what they cost: effects by training time."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from benchmark.evidence.comparison import ANSWERS
from benchmark.evidence.tables import Row
from benchmark.report.shortlists import Candidate
from benchmark.report.style import (
    LIGHT,
    LINEAR,
    STYLE,
    TYPE,
    Gallery,
    MatplotlibOptions,
    Picture,
    axis_limits,
    canvas,
    further,
    is_logarithmic,
)
from benchmark.report.table_plots import SHAPES
from benchmark.report.text import numeral, slug, tick, where

ACROSS, UP = 6.6, 3.9  # inches, the panel
SMALL = TYPE - 1.5  # points, its names
NAME_LETTER, NAME_LINE = 0.062, 0.125  # inches, of a name in it
TIMES = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.4, 2.0, 3.0, 5.0, 7.0, 10.0, 20.0, 50.0, 100.0)  # ticks of step times
HOLLOW = "; hollow: the time is only a ratio of the runs' own seconds"
Box = tuple[float, float, float, float]  # left, bottom, right, top, inches
Places = npt.NDArray[np.float64]


def draw(found: Sequence[Candidate], gallery: Gallery) -> dict[tuple[str, str], tuple[str, Picture]]:
    """Writes a figure for each data set and budget that has training times, and returns it with its name.

    No table's file is called as these are: a slug has no two dashes in a row, and `names` puts only digits after two.
    """
    groups: dict[tuple[str, str], list[Candidate]] = {}
    for each in found:
        if each.main and each.row.effect is not None and each.row.time_ratio is not None:
            groups.setdefault((each.study.data, each.study.budget), []).append(each)
    drawn: dict[tuple[str, str], tuple[str, Picture]] = {}
    with sns.axes_style("ticks"), mpl.rc_context(STYLE):
        for (data, budget), group in groups.items():
            name = f"time--{slug(data)}-{slug(budget)}"
            if name in (other for other, _ in drawn.values()):
                name += f"-{len(drawn)}"
            drawn[data, budget] = name, gallery.save(against_time(group), name)
    return drawn


def against_time(found: Sequence[Candidate]) -> Figure:
    """Returns effects with their intervals by training time."""
    rows, study = [each.row for each in found], found[0].study
    below = where(study) + ("" if all(row.time_measured for row in rows) else HOLLOW)
    figure, (axes,) = canvas("Effect against training time", below, [ACROSS], UP, (0.62, 0.2, 0.8, 0.62))
    margin = study.margin
    set_scales(axes, rows, margin)
    axes.axhspan(-margin, margin, color=LIGHT["band"], linewidth=0, zorder=0)
    for line in (axes.axhline(0), axes.axvline(1)):
        line.set(color=LIGHT["ink"], linewidth=1, zorder=1)
    kinds = sorted({(row.verdict in ANSWERS, row.verdict, row.time_measured) for row in rows})  # answers on top
    for _, verdict, measured in kinds:
        draw_points(axes, [row for row in rows if (row.verdict, row.time_measured) == (verdict, measured)])
    write_labels(axes, found)
    axes.set_xlabel("training time over the baseline's, logarithmic")
    scale = f"; logarithmic beyond ±{numeral(LINEAR * margin)}" if is_logarithmic(rows, margin) else ""
    axes.set_ylabel(f"points against the baseline{scale}")
    return figure


def draw_points(axes: Axes, rows: Sequence[Row]) -> None:
    """Draws rows of one verdict whose times were all measured, or all were not: intervals, then points on top."""
    answered, colour = rows[0].verdict in ANSWERS, LIGHT[rows[0].verdict]
    known = [(position(row)[0], row.ci_low, row.ci_high) for row in rows if row.ci_low is not None]
    if known:
        width, depth = (1.4, 1.0) if answered else (0.7, 0.45)
        axes.vlines(*zip(*known, strict=True), color=colour, linewidth=width, alpha=depth, zorder=2)
    fill, edge = (colour, LIGHT["card"]) if rows[0].time_measured else (LIGHT["card"], colour)
    across, up = zip(*map(position, rows), strict=True)
    size, shape = 34 if answered else 12, SHAPES[rows[0].verdict]
    axes.scatter(across, up, size, fill, marker=shape, linewidth=0.6, edgecolor=edge, zorder=3)


def set_scales(axes: Axes, rows: Sequence[Row], margin: float) -> None:
    """Sets both axes, their ticks and the grid."""
    ratios = [row.time_ratio or 1.0 for row in rows]
    axes.set_xscale("log")
    axes.set_xlim(min(0.8, *ratios) / 1.1, max(1.25, *ratios) * 1.25)
    axes.xaxis.set_major_locator(
        FixedLocator([each for each in TIMES if np.prod(np.subtract(axes.get_xlim(), each)) < 0])
    )
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"×{numeral(value)}"))  # noqa: RUF001  times
    low, high = axis_limits(rows, margin)
    if is_logarithmic(rows, margin):
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


def write_labels(axes: Axes, found: Sequence[Candidate]) -> None:
    """Writes the names of what has an answer, each near its point where nothing else is: first what helps."""
    answered = [each for each in found if each.row.verdict in ANSWERS]
    named = sorted(answered, key=lambda each: (bool(each.price), -(each.row.effect or 0.0)))
    rows = [each.row for each in named]
    points = inches(axes, rows)
    taken: list[Box] = [(x - 0.06, y - 0.06, x + 0.06, y + 0.06) for x, y in points]
    for each, row, (x, y) in zip(named, rows, points, strict=True):
        text = each.title
        box = free(x, y, NAME_LETTER * len(text), taken)
        if not box:
            continue
        taken.append(box)
        left, bottom, right, top = box
        middle = (bottom + top) / 2
        near = left if left > x else right if right < x else min(max(x, left), right)
        if max(abs(near - x), abs(middle - y)) > 0.14:
            axes.plot([x / ACROSS, near / ACROSS], [y / UP, middle / UP], transform=axes.transAxes, **leader(row))
        style: MatplotlibOptions = {
            "fontsize": SMALL,
            "va": "center_baseline",
            "color": LIGHT[row.verdict],
        }
        style["bbox"] = {"facecolor": LIGHT["card"], "alpha": 0.7, "linewidth": 0, "pad": 0.5}
        side = "left" if left > x else "right" if right < x else "center"
        at = {"left": left, "right": right, "center": (left + right) / 2}[side]
        axes.text(at / ACROSS, middle / UP, text, ha=side, transform=axes.transAxes, zorder=4, **style)


def leader(row: Row) -> MatplotlibOptions:
    """Returns how the line from a point to its name is drawn."""
    return {
        "color": LIGHT[row.verdict],
        "linewidth": 0.6,
        "zorder": 2.5,
        "scalex": False,
        "scaley": False,
    }


def position(row: Row) -> tuple[float, float]:
    """Returns where a row is: training time over the baseline's, and effect in points."""
    return row.time_ratio or 1.0, row.effect or 0.0


def inches(axes: Axes, rows: Sequence[Row]) -> Places:
    """Returns where points are within the panel."""
    if not rows:
        return np.empty((0, 2))
    places = (axes.transScale + axes.transLimits).transform([position(row) for row in rows])
    return np.asarray(places * (ACROSS, UP), dtype=np.float64)


def free(x: float, y: float, width: float, taken: Sequence[Box]) -> Box | None:
    """Returns the nearest free place for a name next to a point, within the panel; None if there is none."""
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
