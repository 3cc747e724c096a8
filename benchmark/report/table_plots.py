"""Plots of one table: effects, curves, effect against size."""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from statistics import fmean, stdev
from textwrap import wrap
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator
from scipy.stats import t

from benchmark.evidence.tables import Table, points
from benchmark.report.style import (
    COLOURS,
    LETTER,
    LIGHT,
    LINEAR,
    SHOWN_RATIO,
    STYLE,
    TYPE,
    Effect,
    Extent,
    Gallery,
    MatplotlibOptions,
    Picture,
    axis_limits,
    canvas,
    further,
    is_logarithmic,
    line_style,
    write_names,
)
from benchmark.report.text import control_name, digits_of, in_numbers, numeral, plot_title, subtitle, tick
from benchmark.store.records import Finished, RunRecord

Curve = Literal["epoch_train_loss", "epoch_train_accuracy", "validation_accuracy"]  # of a run, by epoch
SHAPES = {
    "helps": "^",
    "hurts": "v",
    "equivalent": "s",
    "unresolved": "o",
    "no verdict": "d",
}  # the verdict, without its colour
TICK_ROOM = 0.3  # inches between numbers of an axis
PANEL = 3.6  # inches, width of the effects


def draw(table: Table, gallery: Gallery, name: str) -> dict[str, Picture]:
    """Writes a table's plots and returns each by the name of its file."""
    with sns.axes_style("ticks"), mpl.rc_context(STYLE):
        figures = {name: forest(table), f"{name}-curves": curves(table), f"{name}-size": by_size(table)}
        return {each: gallery.save(figure, each) for each, figure in figures.items() if figure}


def forest(table: Table) -> Figure:
    """Returns a line for each variant with runs: its effect, the interval, what that is in numbers, the verdict."""
    rows = sorted(
        (row for row in table.rows if row.n),
        key=lambda row: -np.inf if row.effect is None else row.effect,
        reverse=True,
    )
    labels = ["\n".join(wrap(row.variant, 30)) for row in rows]
    heights = [0.30 + 0.15 * label.count("\n") for label in labels]
    places = [sum(heights[:at]) + heights[at] / 2 for at in range(len(rows))]  # of each row, inches from the top
    left = 0.25 + LETTER * max(len(line) for label in labels for line in label.split("\n"))
    columns = (1.95, 0.55, 1.1)  # effect, runs, verdict
    heading, edges = f"{plot_title(table)}: effect on test accuracy", (left, sum(columns), 0.86, 0.62)
    figure, (axes,) = canvas(heading, subtitle(table), [PANEL], sum(heights), edges)
    axes.set_ylim(sum(heights), 0)
    axes.set_yticks(places, labels, color=LIGHT["ink"], fontsize=TYPE)
    axes.tick_params(axis="y", length=0, pad=8)
    axes.spines[["left", "right", "top"]].set_visible(False)
    margin = table.study.margin
    set_scale(axes, rows, margin)
    axes.axvspan(-margin, margin, color=LIGHT["band"], linewidth=0, zorder=0)
    axes.axvline(0, color=LIGHT["ink"], linewidth=1, zorder=1)
    draw_intervals(axes, rows, places)
    write_columns(axes, rows, places, columns, digits_of(margin))
    same = f" ({', '.join(table.study.same)})" if table.study.same else ""
    scale = f"linear within ±{numeral(LINEAR * margin)}, logarithmic beyond" if is_logarithmic(rows, margin) else ""
    axes.set_xlabel(f"points against the baseline{same}\n{scale}".strip(), linespacing=1.4)
    return figure


def set_scale(axes: Axes, rows: Sequence[Extent], margin: float) -> None:
    """Limits, ticks and grid of the effect axis."""
    low, high = axis_limits(rows, margin)
    if is_logarithmic(rows, margin):
        axes.set_xscale("symlog", linthresh=LINEAR * margin, linscale=0.8)
        axes.set_xlim(further(low, LINEAR * margin), further(high, LINEAR * margin))
        axes.xaxis.set_major_locator(FixedLocator(wide_ticks(axes, margin)))
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        pad = 0.05 * (high - low)
        axes.set_xlim(low - pad, high + pad)
        axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: tick(value)))
    axes.grid(axis="x", linewidth=0.6, zorder=0)
    axes.set_axisbelow(True)


def wide_ticks(axes: Axes, margin: float) -> list[float]:
    """Returns zero, the margin, and 1-2-5 numbers beyond the linear part, where their texts have room."""
    low, high = axes.get_xlim()
    steps = [factor * 10.0**power for power in range(-2, 3) for factor in (1, 2, 5)]
    sizes = [margin, LINEAR * margin, *(step for step in steps if step > 1.2 * LINEAR * margin)]
    ticks = [0.0]
    for side in (-1, 1):
        last = 0.0
        for value in (side * size for size in sizes):
            start, end = (axes.transScale + axes.transLimits).transform([(last, 0), (value, 0)])[:, 0]
            if low <= value <= high and PANEL * abs(end - start) > TICK_ROOM:
                ticks.append(value)
                last = value
    return sorted(ticks)


def draw_intervals(axes: Axes, rows: Sequence[Effect], places: Sequence[float]) -> None:
    """Draws intervals as lines and effects as points."""
    shown = [(row, place) for row, place in zip(rows, places, strict=True) if row.effect is not None]
    for row, place in shown:
        if row.ci_low is not None and row.ci_high is not None:
            axes.hlines(place, row.ci_low, row.ci_high, color=LIGHT[row.verdict], linewidth=1.8, zorder=2)
    for row, place in shown:
        axes.plot(
            [row.effect or 0.0],
            [place],
            color=LIGHT[row.verdict],
            marker=SHAPES[row.verdict],
            markersize=7,
            markeredgewidth=0.8,
            markeredgecolor=LIGHT["card"],
            zorder=3,
        )


def write_columns(
    axes: Axes, rows: Sequence[Effect], places: Sequence[float], columns: Sequence[float], digits: int
) -> None:
    """Writes effect, runs and verdict at the right of the panel."""
    effect, runs, verdict = (1 + (0.15 + at) / PANEL for at in (0.0, columns[0] + 0.2, columns[0] + columns[1]))
    header: MatplotlibOptions = {
        "transform": axes.transAxes,
        "va": "bottom",
        "color": LIGHT["muted"],
        "fontsize": TYPE - 0.5,
    }
    across = axes.get_yaxis_transform()
    height = axes.get_ylim()[0]  # inches, as `places` are
    for at, text, side in (
        (effect, "effect [95 % interval]", "left"),
        (runs, "runs", "right"),
        (verdict, "verdict", "left"),
    ):
        axes.text(at, 1 + 0.06 / height, text, ha=side, **header)
    for row, place in zip(rows, places, strict=True):
        word = row.verdict if row.effect is not None or not row.n else "not compared"
        colour = LIGHT.get(row.verdict, LIGHT["muted"])
        axes.text(
            effect, place, in_numbers(row.effect, row.ci_low, row.ci_high, digits), va="center", transform=across
        )
        axes.text(runs, place, str(row.n), va="center", ha="right", transform=across)
        axes.text(verdict, place, word, va="center", color=colour, transform=across)


def curves(table: Table) -> Figure | None:
    """Loss, and accuracy on the training and on the validation images, by epoch; None without runs."""
    arms = {"": table.control} | table.arms
    runs = {name: found for name, records in arms.items() if (found := trainings(records))}
    panels: list[tuple[Curve, str]] = [
        ("epoch_train_accuracy", "accuracy, %: training images"),
        ("validation_accuracy", "validation images"),
    ]
    if all(run.epoch_train_loss for records in runs.values() for run in records):
        panels.insert(0, ("epoch_train_loss", "loss: training images, as trained on"))
    frames = [averaged(runs, field, 100 if field.endswith("accuracy") else 1) for field, _ in panels]
    if any(frame.empty for frame in frames):
        return None
    names = {arm: "\n".join(wrap(arm or control_name(table), 30)) for arm in runs}
    lines = sum(1 + name.count("\n") for name in names.values())
    right = 0.45 + LETTER * max(len(line) for name in names.values() for line in name.split("\n"))
    height = max(2.9, 0.17 * lines)
    heading, edges = f"{plot_title(table)}: learning curves", (0.45, right, 0.88, 0.5)
    figure, axes = canvas(heading, subtitle(table), [2.9] * len(panels), height, edges)
    looks = {arm: line_style(at) for at, arm in enumerate(runs)}
    low, high = (limit(frames[-2:]) for limit in (lowest, highest))
    for panel, frame, (field, heading) in zip(axes, frames, panels, strict=True):
        plot_lines(panel, frame, looks)
        ends = (low, high) if field.endswith("accuracy") else loss_ends(frame, table.study.classes)
        pad = 0.04 * (ends[1] - ends[0]) or 1.0  # where all are alike
        panel.set_ylim(ends[0] - pad, ends[1] + pad)
        panel.set_title(heading, loc="left", fontsize=TYPE, color=LIGHT["muted"])
    axes[-1].tick_params(labelleft=False)
    write_names(axes[-1], frames[-1], names, looks, height)
    return figure


def loss_ends(frame: pd.DataFrame, classes: int) -> tuple[float, float]:
    """Returns the lowest and the highest loss to show: what is much worse than guessing leaves the panel."""
    low = lowest([frame])
    return low, max(low, min(highest([frame]), SHOWN_RATIO * log(classes)))


def by_size(table: Table) -> Figure | None:
    """Returns a figure of the accuracy of ensembles of the control by size, a line for each way to combine; None
    without two sizes of a way."""
    ways: dict[str, dict[int, list[float]]] = {}
    for arm in table.study.arms:
        if arm.ensemble and arm.ensemble.copies and table.arms[arm.variant]:
            of_way = ways.setdefault(arm.ensemble.combine, {1: points(table.control, table.study)})
            of_way[arm.ensemble.copies] = points(table.arms[arm.variant], table.study)
    ways = {way: sizes for way, sizes in ways.items() if len(sizes) > 2 and sizes[1]}
    if not ways:
        return None
    heading, edges = f"{plot_title(table)}: accuracy of copies that decide together", (0.62, 1.7, 0.86, 0.62)
    figure, (axes,) = canvas(heading, subtitle(table), [4.2], 2.6, edges)
    for at, (way, sizes) in enumerate(ways.items()):
        places = sorted(sizes)
        means = [fmean(sizes[size]) for size in places]
        colour = LIGHT[f"arm{at % COLOURS}"]
        axes.errorbar(places, means, [half_width(sizes[size]) for size in places], color=colour, marker="o", capsize=3)
        axes.annotate(way, (places[-1], means[-1]), (8, 0), textcoords="offset points", va="center", color=colour)
    axes.set_xscale("log")
    axes.set_xticks(sorted({size for sizes in ways.values() for size in sizes}))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: numeral(value)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set(xlabel="networks, 1: the baseline", ylabel="accuracy, %")
    axes.grid(axis="y", linewidth=0.6)
    axes.spines[["right", "top"]].set_visible(False)
    return figure


def half_width(scores: Sequence[float]) -> float:
    """Returns half the width of the mean's 95 % interval; 0 for a single score."""
    if len(scores) < 2:
        return 0.0
    return float(t.ppf(0.975, len(scores) - 1) * stdev(scores) / np.sqrt(len(scores)))


def lowest(frames: Sequence[pd.DataFrame]) -> float:
    """Returns the lowest value of all bands."""
    return min(float(frame["low"].min()) for frame in frames)


def highest(frames: Sequence[pd.DataFrame]) -> float:
    """Returns the highest value of all bands."""
    return max(float(frame["high"].max()) for frame in frames)


def trainings(records: Sequence[Finished]) -> list[RunRecord]:
    """Returns those of the records that have curves: ensembles have none."""
    return [record for record in records if isinstance(record, RunRecord)]


def averaged(runs: dict[str, list[RunRecord]], field: Curve, factor: float) -> pd.DataFrame:
    """Returns mean, lowest and highest value times `factor` by arm and epoch; a run that diverged counts while it
    lasted."""
    values = [
        (arm, epoch, factor * value)
        for arm, records in runs.items()
        for record in records
        for epoch, value in enumerate(getattr(record, field), start=1)
        if value is not None
    ]
    frame = pd.DataFrame(values, columns=["arm", "epoch", "value"])
    by_epoch = frame.groupby(["arm", "epoch"], sort=False)["value"]
    return by_epoch.agg(mean="mean", low="min", high="max").reset_index()


def plot_lines(axes: Axes, frame: pd.DataFrame, looks: dict[str, tuple[str, Any, float]]) -> None:
    """Draws a mean line and a band for each arm."""
    for arm, part in frame.groupby("arm", sort=False):
        colour, dashes, width = looks[str(arm)]
        axes.fill_between(part["epoch"], part["low"], part["high"], color=colour, alpha=0.13, linewidth=0)
        axes.plot(part["epoch"], part["mean"], color=colour, dashes=dashes, linewidth=width)
    axes.set_xlabel("epoch")
    last = int(frame["epoch"].max())
    axes.set_xlim(min(1, last - 1), last)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.grid(axis="y", linewidth=0.6)
    axes.spines[["right", "top"]].set_visible(False)
