"""Effects against the images that a training sees, over budgets: a line for each trick."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log2
from textwrap import wrap

import matplotlib as mpl
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter, NullLocator

from benchmark.budgets import BUDGETS
from benchmark.evidence.lengths import Trick, budgets_of
from benchmark.evidence.tables import Row
from benchmark.report.dose_plot import draw_points
from benchmark.report.style import LETTER, LIGHT, LINEAR, STYLE, canvas, dark, line_style, svg, write_names
from benchmark.report.text import numeral, tick
from benchmark.report.titles import of_ablation

ACROSS, UP = 5.6, 4.6  # inches, the panel
ASIDE = 0.025  # doublings between neighbouring tricks at one budget, so that their intervals do not cover each other
SMALL = 0.5  # points; the axis is logarithmic beyond LINEAR of these


def draw(tricks: Mapping[Trick, Mapping[str, Row]], data: str) -> str:
    """Returns the figure as the text of an SVG file, which takes dark colours where its reader prefers them."""
    with sns.axes_style("ticks"), mpl.rc_context(STYLE):
        return dark(svg(by_length(tricks, data)))


def by_length(tricks: Mapping[Trick, Mapping[str, Row]], data: str) -> Figure:
    """Returns the figure: effects with their intervals by budget, one doubling as far from the next as any other."""
    names = {trick: "\n".join(wrap(name_of(trick), 28)) for trick in tricks}
    longest = max(len(line) for text in names.values() for line in text.split("\n"))
    edges = 0.72, 0.5 + LETTER * longest, 0.62, 0.75
    heading = "Effect of a trick against the length of training"
    figure, (axes,) = canvas(heading, f"{data}; the network grows with the budget", [ACROSS], UP, edges)
    places = {budget: log2(BUDGETS[budget].images_seen) for budget in budgets_of(tricks)}
    set_scales(axes, [row for found in tricks.values() for row in found.values()], places)
    looks = {trick: line_style(at) for at, trick in enumerate(tricks, start=1)}
    ends = []
    for at, (trick, found) in enumerate(tricks.items()):
        colour, dashes, width = looks[trick]
        across = [places[budget] + ASIDE * (at - (len(tricks) - 1) / 2) for budget in found]
        means = [row.effect or 0.0 for row in found.values()]
        axes.plot(across, means, color=colour, dashes=dashes, linewidth=width, zorder=2)
        draw_points(axes, across, list(found.values()), colour)
        ends += [{"arm": name_of(trick), "epoch": x, "mean": y} for x, y in zip(across, means, strict=True)]
    labels = {name_of(trick): name for trick, name in names.items()}
    write_names(axes, pd.DataFrame(ends), labels, {name_of(trick): look for trick, look in looks.items()}, UP)
    return figure


def set_scales(axes: Axes, rows: Sequence[Row], places: Mapping[str, float]) -> None:
    """Sets both axes and the line of no effect; `places` are those of the budgets along the first."""
    known = [end for row in rows for end in (row.effect, row.ci_low, row.ci_high) if end is not None]
    axes.set_yscale("symlog", linthresh=LINEAR * SMALL, linscale=1.2)
    axes.set_ylim(1.1 * min(*known, -1), 1.1 * max(*known, 1))
    axes.set_xlim(min(places.values()) - 0.3, max(places.values()) + 0.3)
    axes.xaxis.set_major_locator(FixedLocator(list(places.values())))
    axes.xaxis.set_major_formatter(FixedFormatter([f"{budget}\n{BUDGETS[budget].images_seen:,}" for budget in places]))
    axes.yaxis.set_major_locator(FixedLocator([-20, -10, -5, -2, -1, 0, 1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: tick(value)))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_locator(NullLocator())
    axes.axhline(0, color=LIGHT["ink"], linewidth=1, zorder=1)
    axes.grid(axis="y", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["right", "top"]].set_visible(False)
    axes.set_xlabel("budget, and the images that its training sees; logarithmic")
    axes.set_ylabel(f"points against the budget's baseline; logarithmic beyond ±{numeral(LINEAR * SMALL)}")


def name_of(trick: Trick) -> str:
    """Returns a trick's name, with its context where it has one."""
    inside = f" ({trick.context})" if trick.context else ""
    return f"{of_ablation(trick.ablation)}{inside}: {trick.variant}"
