"""Effects against an amount, such as the length of training: a line for each trick, and whose sign changes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import log2
from textwrap import wrap

import matplotlib as mpl
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from benchmark.evidence.comparison import ANSWERS
from benchmark.evidence.doses import DosePoint, DoseResponse, SignChange, dose_responses
from benchmark.evidence.tables import Row, Table
from benchmark.report.style import (
    LETTER,
    LIGHT,
    LINEAR,
    STYLE,
    Gallery,
    Picture,
    axis_limits,
    canvas,
    further,
    is_logarithmic,
    line_style,
    write_names,
)
from benchmark.report.table_plots import SHAPES
from benchmark.report.text import digits_of, in_numbers, numeral, slug, tick, where

ACROSS, UP = 4.8, 3.6  # inches, the panel
ASIDE = 0.035  # doublings between neighbouring tricks at one dose, so that their intervals do not cover each other
AMOUNTS = {"epochs": "length of training", "batch_size": "size of the batch", "learning_rate": "learning rate"}


@dataclass(frozen=True)
class ShownDoses:
    """One figure, with what it says in words."""

    name: str  # of its file
    picture: Picture
    title: str
    sentence: str


def draw(found: Iterable[Table], gallery: Gallery) -> dict[str, list[ShownDoses]]:
    """Writes a figure for each set of tables whose contexts are doses, and returns these by ablation.

    No table's file is called as these are: a slug has no two dashes in a row.
    """
    drawn: dict[str, list[ShownDoses]] = {}
    with sns.axes_style("ticks"), mpl.rc_context(STYLE):
        for each in dose_responses(found):
            name, title = file_of(each), f"Effect against {AMOUNTS.get(each.of, each.of)}"
            picture = gallery.save(by_dose(each, title), name)
            drawn.setdefault(each.study.ablation, []).append(ShownDoses(name, picture, title, in_words(each)))
    return drawn


def file_of(found: DoseResponse) -> str:
    """Returns the name of the figure's file, without its ending."""
    study = found.study
    return f"dose--{slug(study.ablation)}-{slug(study.data)}-{slug(study.budget)}-{slug(found.of)}"


def by_dose(found: DoseResponse, title: str) -> Figure:
    """Returns the figure: effects with their intervals by dose, one doubling as far from the next as any other."""
    rows = [point.row for points in found.curves.values() for point in points]
    names = {variant: "\n".join(wrap(variant, 24)) for variant in found.curves}
    longest = max(len(line) for text in names.values() for line in text.split("\n"))
    edges = 0.62, 0.5 + LETTER * longest, 0.86, 0.62
    figure, (axes,) = canvas(title, where(found.study), [ACROSS], UP, edges)
    set_scales(axes, found, rows)
    looks = {variant: line_style(at) for at, variant in enumerate(found.curves, start=1)}
    middle = (len(found.curves) - 1) / 2
    ends = []
    for at, (variant, points) in enumerate(found.curves.items()):
        colour, dashes, width = looks[variant]
        places = [log2(point.times) + ASIDE * (at - middle) for point in points]
        means = [point.row.effect or 0.0 for point in points]
        axes.plot(places, means, color=colour, dashes=dashes, linewidth=width, zorder=2)
        draw_points(axes, places, [point.row for point in points], colour)
        ends += [{"arm": variant, "epoch": x, "mean": y} for x, y in zip(places, means, strict=True)]
    write_names(axes, pd.DataFrame(ends), names, looks, UP)
    return figure


def draw_points(axes: Axes, places: Sequence[float], rows: Sequence[Row], colour: str) -> None:
    """Draws the intervals of one trick, and its points: by the shape of their verdicts, hollow without an answer."""
    for x, row in zip(places, rows, strict=True):
        if row.ci_low is not None and row.ci_high is not None:
            axes.vlines(x, row.ci_low, row.ci_high, color=colour, linewidth=1.1, zorder=2)
        fill = colour if row.verdict in ANSWERS else LIGHT["card"]
        shape = SHAPES.get(row.verdict, "o")
        axes.scatter([x], [row.effect or 0.0], 26, fill, marker=shape, linewidth=1, edgecolor=colour, zorder=3)


def set_scales(axes: Axes, found: DoseResponse, rows: Sequence[Row]) -> None:
    """Sets both axes, the line of no effect and the band of the margin."""
    margin = found.study.margin
    doses = sorted({point.times for points in found.curves.values() for point in points})
    low, high = axis_limits(rows, margin)
    scale = ""
    if is_logarithmic(rows, margin):
        axes.set_yscale("symlog", linthresh=LINEAR * margin, linscale=0.8)
        sizes = [margin, LINEAR * margin, *(size for size in (5, 10, 20, 50, 100) if size > 1.2 * LINEAR * margin)]
        axes.yaxis.set_major_locator(FixedLocator([0.0, *(side * size for size in sizes for side in (-1, 1))]))
        low, high = further(low, LINEAR * margin), further(high, LINEAR * margin)
        scale = f"; logarithmic beyond ±{numeral(LINEAR * margin)}"
    else:
        low, high = low - 0.05 * (high - low), high + 0.05 * (high - low)
    axes.set_ylim(low, high)
    axes.set_xlim(log2(doses[0]) - 0.25, log2(doses[-1]) + 0.25)
    axes.xaxis.set_major_locator(FixedLocator([log2(each) for each in doses]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"×{numeral(round(2**value, 6))}"))  # noqa: RUF001  times
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: tick(value)))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_locator(NullLocator())
    axes.axhspan(-margin, margin, color=LIGHT["band"], linewidth=0, zorder=0)
    axes.axhline(0, color=LIGHT["ink"], linewidth=1, zorder=1)
    axes.grid(axis="y", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["right", "top"]].set_visible(False)
    amount = AMOUNTS.get(found.of, found.of)
    axes.set_xlabel(f"{amount} over the baseline's, logarithmic")
    axes.set_ylabel(f"points against the baseline of the same {amount}{scale}")


def in_words(found: DoseResponse) -> str:
    """Returns one sentence: whose sign changes, with the effects at both ends, or that none does."""
    digits = digits_of(found.study.margin)
    if not found.changes:
        return "No trick has resolved effects of opposite signs."
    return f"The sign changes of {'; of '.join(change_in_words(each, digits) for each in found.changes)}."


def change_in_words(change: SignChange, digits: int) -> str:
    """Returns a trick with its effects at both ends."""
    return f"{change.variant}, from {point_in_words(change.before, digits)} to {point_in_words(change.after, digits)}"


def point_in_words(point: DosePoint, digits: int) -> str:
    """Returns an effect with its interval and its dose."""
    row = point.row
    return f"{in_numbers(row.effect, row.ci_low, row.ci_high, digits)} at ×{numeral(point.times)}"  # noqa: RUF001  times
