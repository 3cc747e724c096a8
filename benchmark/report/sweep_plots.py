"""The figures that tell what is wrong with a training: loss by learning rate, of every batch, accuracy by capacity.

As Wei 2015 draws them, http://lamda.nju.edu.cn/weixs/project/CNNTricks/CNNTricks.html, section 7, after
https://cs231n.github.io/neural-networks-3/#baby; the last panel of each says how the whole sweep stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import isfinite, log
from pathlib import Path

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from benchmark.claim import CONTROL
from benchmark.evidence.curves import LEVEL_PARTS
from benchmark.evidence.diagnosis import HUGE, RATES, UNSURE
from benchmark.evidence.log import Log
from benchmark.evidence.sweeps import Sweep, SweepArm, loss_course, losses, width
from benchmark.evidence.tables import Table
from benchmark.report.style import (
    LIGHT,
    SHOWN_RATIO,
    STYLE,
    TYPE,
    Gallery,
    MatplotlibOptions,
    Picture,
    canvas,
    spread_labels,
)
from benchmark.report.text import numeral, plot_title, subtitle
from benchmark.store.records import RunRecord
from benchmark.store.store import Store

FATES = dict(
    zip(RATES, ("hurts", "arm1", "equivalent", "helps", "muted"), strict=True)
)  # the colour of a learning rate
MARKS = dict(zip(RATES, ("X", "^", "o", "v", "s"), strict=True))
TRAINING, VALIDATION, LOSS = LIGHT["arm0"], LIGHT["arm3"], LIGHT["arm0"]
DRAWN = 4000  # losses drawn at most: more than a picture has room for
SMALL, WIDER, TALL = 1.9, 2.6, 2.4  # inches: a panel among several, one by itself, the height of all
Values = npt.NDArray[np.float64]


def draw(table: Table, sweep: Sweep, store: Store, gallery: Gallery, name: str) -> dict[str, Picture]:
    """Writes a sweep's figure and returns it by the name of its file."""
    with sns.axes_style("ticks"), mpl.rc_context(STYLE):
        if sweep.field == "learning_rate":
            figure = by_rate(table, sweep, store)
        elif sweep.field == "batch_size":
            figure = by_batch(table, sweep, store)
        else:
            figure = by_capacity(table, sweep)
        return {f"{name}-figure": gallery.save(figure, f"{name}-figure")}


def draw_log(log_: Log, name: str, path: Path) -> None:
    """Writes the figure of one log to `path`.svg and `path`.png: losses by step or epoch, accuracies by epoch."""
    by_epoch = [
        (values, *side)
        for values, side in zip(
            (log_.train_loss, log_.validation_loss), (("training", TRAINING), ("validation", VALIDATION)), strict=True
        )
        if len(values)
    ]
    accuracies = bool(log_.train_accuracy or log_.validation_accuracy)
    kinds = [*(["loss"] if log_.losses or by_epoch else []), *(["accuracy"] if accuracies else [])]
    panels_of = [bool(log_.losses), bool(by_epoch), accuracies]
    with sns.axes_style("ticks"), mpl.rc_context(STYLE):
        edges = 0.62, 0.3 if panels_of == [True, False, False] else 0.95, 0.88, 0.5
        figure, found = canvas(name, " and ".join(kinds), [3.6] * sum(panels_of), TALL, edges, between=1.2)
        panels = iter(found)
        if log_.losses:
            draw_batches(panel := next(panels), log_.losses, log_.epochs)
            panel.set_ylabel("loss")
        if by_epoch:
            draw_epochs(panel := next(panels), by_epoch, 1)
            panel.set_ylabel("mean loss")
        if accuracies:
            panel = next(panels)
            if all_finite(log_.train_accuracy) and all_finite(log_.validation_accuracy):
                draw_gap(panel, np.array([log_.train_accuracy]), np.array([log_.validation_accuracy]))
                name_gap(panel, log_.train_accuracy[-1], log_.validation_accuracy[-1])
            else:
                sides = (
                    (log_.train_accuracy, "training", TRAINING),
                    (log_.validation_accuracy, "validation", VALIDATION),
                )
                draw_epochs(panel, [side for side in sides if len(side[0])], 100)
            panel.set_ylabel("accuracy, %")
        Gallery(path.parent, ("png",)).save(figure, path.name)


def all_finite(values: Sequence[float]) -> bool:
    """Returns whether there are values and all are finite."""
    return len(values) > 0 and all(map(isfinite, values))


def draw_epochs(axes: Axes, curves: Sequence[tuple[Sequence[float], str, str]], factor: float) -> None:
    """Values by epoch, times a factor, each curve with its name at its end; epochs without a value are skipped."""
    ends = []
    for values, name, colour in curves:
        known = [(at, factor * value) for at, value in enumerate(values, start=1) if isfinite(value)]
        if known:
            places, heights = zip(*known, strict=True)
            axes.plot(places, heights, color=colour, linewidth=1.6, marker="o" if len(known) == 1 else "")
            ends.append((heights[-1], name, colour))
    axes.set_xlim(1, max(2, *(len(values) for values, _, _ in curves)))
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    write_ends(axes, ends)
    tidy(axes)


def by_rate(table: Table, sweep: Sweep, store: Store) -> Figure:
    """Loss over epochs of one learning rate of each kind; the last loss of every run of the sweep."""
    heading = f"{plot_title(table)}: what the loss tells"
    edges = 0.5, 0.2, 1.05, 0.55
    figure, (left, right) = canvas(heading, subtitle(table), [WIDER + 1, WIDER], TALL, edges, between=1.55)
    top = SHOWN_RATIO * log(sweep.classes)
    names = []
    for arm, word in typical_arms(sweep):
        kept = [there for run in arm.runs if (there := loss_course(run, store)) and isfinite(there[0])]
        if not kept:
            continue
        courses = same_length(kept)
        middle = np.array([np.median(part[np.isfinite(part)]) for part in courses.T if np.isfinite(part).any()])
        at = (np.arange(len(middle)) + 0.5) / LEVEL_PARTS * epochs_of(arm)
        shade(left, at, np.minimum(courses[:, : len(middle)], 2 * top), LIGHT[FATES[word]])
        left.plot(at, middle, color=LIGHT[FATES[word]], linewidth=1.8)
        names.append((min(middle[-1], top), f"{numeral(arm.value)}: {word}", LIGHT[FATES[word]]))
    left.set_ylim(0, top)
    left.set_xlim(0, epochs_of(sweep.arms[0]))
    left.set_xlabel("epoch")
    left.set_title("loss of the training batches", loc="left", fontsize=TYPE, color=LIGHT["muted"])
    write_ends(left, names)
    tidy(left)
    last_losses(right, sweep, store, top)
    return figure


def last_losses(axes: Axes, sweep: Sweep, store: Store, top: float) -> None:
    """Draws the last level of the loss of each run by its learning rate, marked by the run's own diagnosis."""
    good = [arm.value for arm in sweep.arms if sweep.truth[arm.variant] == "good"]
    axes.set_xscale("log")
    axes.axvspan(good[0] / 1.25, good[-1] * 1.25, color=LIGHT["band"], linewidth=0, zorder=0)
    for word in RATES:
        found = [
            (arm.value, there[-1])
            for arm in sweep.arms
            for run, finding in zip(arm.runs, arm.findings, strict=True)
            if finding and finding.word == word and (there := loss_course(run, store))
        ]
        shown = [(rate, min(loss, top) if isfinite(loss) else top) for rate, loss in found]
        look: MatplotlibOptions = {"s": 30, "color": LIGHT[FATES[word]], "marker": MARKS[word], "linewidth": 0}
        axes.scatter([rate for rate, _ in shown], [loss for _, loss in shown], label=word, clip_on=False, **look)
    axes.set_ylim(0, top)
    axes.set_xlabel("learning rate; shaded: those that are good")
    axes.set_title("the same at the end, each run", loc="left", fontsize=TYPE, color=LIGHT["muted"])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: numeral(value)))
    axes.legend(frameon=False, fontsize=TYPE - 0.5, loc="lower left", handletextpad=0.2, borderpad=0)
    tidy(axes)


def typical_arms(sweep: Sweep) -> list[tuple[SweepArm, str]]:
    """Returns an arm of each kind of learning rate: of the good or high ones the best, of the others the worst."""
    by_word: dict[str, list[SweepArm]] = {}
    for arm in sweep.arms:
        if arm.majority:
            by_word.setdefault(arm.majority[0].word, []).append(arm)
    pick = {word: max if word == UNSURE else min for word in RATES}
    return [(pick[word](by_word[word], key=lambda arm: arm.accuracy), word) for word in RATES if word in by_word]


def by_batch(table: Table, sweep: Sweep, store: Store) -> Figure:
    """Loss of every batch of one run of three batch sizes; the width of the band of every run of the sweep."""
    heading = f"{plot_title(table)}: the band of the per-batch loss"
    shown = [arm for arm in three(sweep) if losses(arm.runs[0], store)]
    edges = 0.55, 0.2, 1.05, 0.55
    widths = [SMALL] * len(shown) + [WIDER]
    figure, panels = canvas(heading, subtitle(table), widths, TALL, edges, between=0.45)
    top = SHOWN_RATIO * log(sweep.classes)
    for panel, arm in zip(panels, shown, strict=False):
        draw_batches(panel, losses(arm.runs[0], store), epochs_of(arm))
        panel.set_ylim(0, top)
        panel.set_title(f"batches of {numeral(arm.value)}", loc="left", fontsize=TYPE, color=LIGHT["muted"])
    if shown:
        panels[0].set_ylabel("loss")
    widths_by_size(panels[-1], sweep, store)
    return figure


def widths_by_size(axes: Axes, sweep: Sweep, store: Store) -> None:
    """Draws the relative width of every run's band by its batch size."""
    points = [(arm.value, 100 * there) for arm in sweep.arms for run in arm.runs if (there := width(run, store))]
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    if points:
        sizes, found = np.array(points).T
        middle = np.exp(np.mean(np.log(found * np.sqrt(sizes))))
        ends = np.array([sizes.min(), sizes.max()])
        axes.plot(ends, middle / np.sqrt(ends), color=LIGHT["muted"], linewidth=1, label="in proportion to 1/√size")
        axes.scatter(sizes, found, s=22, color=LOSS, linewidth=0, zorder=3, label="a run")
        axes.legend(frameon=False, fontsize=TYPE - 0.5, loc="lower left", borderpad=0)
        axes.yaxis.set_major_locator(FixedLocator([tick for tick in (1, 2, 5, 10, 20, 50) if tick < 1.5 * max(found)]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_locator(FixedLocator([arm.value for arm in sweep.arms]))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: numeral(value)))
    axes.set_xlabel("images in a batch")
    axes.set_title("width of the band, % of the loss", loc="left", fontsize=TYPE, color=LIGHT["muted"])
    tidy(axes)


def by_capacity(table: Table, sweep: Sweep) -> Figure:
    """Returns a figure of training and validation accuracy over epochs of three networks; after the last epoch, of
    all."""
    heading = f"{plot_title(table)}: training and validation accuracy"
    shown = [arm for arm in three(sweep) if whole(arm)]
    edges = 0.6, 0.95, 1.05, 0.55
    widths = [SMALL] * len(shown) + [WIDER]
    figure, panels = canvas(heading, subtitle(table), widths, TALL, edges, between=0.4)
    for panel, arm in zip(panels, shown, strict=False):
        runs = whole(arm)
        curves = [run.epoch_train_accuracy for run in runs], [run.validation_accuracy for run in runs]
        draw_gap(panel, *map(np.array, curves))
        panel.set_title(f"{arm.value:,.0f} weights", loc="left", fontsize=TYPE, color=LIGHT["muted"])
    for panel in panels:
        panel.set_ylim(0, 100)
    panels[0].set_ylabel("accuracy, %")
    gap_by_weights(panels[-1], sweep)
    return figure


def gap_by_weights(axes: Axes, sweep: Sweep) -> None:
    """Draws the accuracies after the last epoch by the number of weights."""
    arms = [arm for arm in sweep.arms if whole(arm)]
    axes.set_xscale("log")
    if arms:
        at = np.array([arm.value for arm in arms])
        train, validation = (
            np.array([np.mean([last(run, field) for run in whole(arm)]) for arm in arms])
            for field in ("train_accuracy", "validation_accuracy")
        )
        axes.fill_between(at, 100 * validation, 100 * train, color=LIGHT["band"], linewidth=0)
        for field, values, colour in (
            ("train_accuracy", train, TRAINING),
            ("validation_accuracy", validation, VALIDATION),
        ):
            axes.plot(at, 100 * values, color=colour, linewidth=1.6)
            points = [(arm.value, 100 * last(run, field)) for arm in arms for run in whole(arm)]
            sizes, found = np.array(points).T
            axes.scatter(sizes, found, s=16, color=colour, linewidth=0, zorder=3)
        name_gap(axes, train[-1], validation[-1])
    axes.xaxis.set_major_locator(FixedLocator([arm.value for arm in sweep.arms]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / 1000:.3g}k"))
    axes.set_xlabel("weights")
    axes.set_title("after the last epoch", loc="left", fontsize=TYPE, color=LIGHT["muted"])
    tidy(axes)


def last(run: RunRecord, field: str) -> float:
    """Returns the accuracy after the last epoch on training images, or on validation images."""
    return run.validation_accuracy[-1] if field == "validation_accuracy" else run.train_accuracy or 0.0


def whole(arm: SweepArm) -> list[RunRecord]:
    """Returns the runs that did not diverge."""
    return [run for run in arm.runs if run.status == "done"]


def draw_batches(axes: Axes, values: Sequence[float], epochs: int | None) -> None:
    """Draws the loss of every batch, its running mean over a twentieth of the training, and the band about it.

    Of more than DRAWN losses the lowest and highest of each of DRAWN / 2 equal parts are drawn.
    """
    loss = np.array(values, np.float64)
    loss[~(np.abs(loss) < HUGE)] = np.nan
    scale = (epochs or len(loss)) / len(loss)
    shown = extremes(loss, DRAWN // 2)
    axes.plot((shown + 1) * scale, loss[shown], color=LOSS, alpha=0.35, linewidth=0.6)
    at = np.unique(np.linspace(0, len(loss) - 1, min(len(loss), DRAWN)).round().astype(np.int64))
    mean, deviation = running(loss, at, max(2, len(loss) // LEVEL_PARTS))
    axes.fill_between((at + 1) * scale, mean - deviation, mean + deviation, color=LOSS, alpha=0.2, linewidth=0)
    axes.plot((at + 1) * scale, mean, color=LIGHT["ink"], linewidth=1.3)
    axes.set_xlim(0, len(loss) * scale)
    axes.set_xlabel("epoch" if epochs else "step")
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    tidy(axes)


def extremes(values: Values, parts: int) -> npt.NDArray[np.int64]:
    """Returns the places, in order, of the lowest and highest value of each part; all places of at most two in each
    part."""
    if len(values) <= 2 * parts:
        return np.arange(len(values))
    edges = np.linspace(0, len(values), parts + 1).round().astype(np.int64)
    found = set()
    for start, end in pairwise(edges):
        part = values[start:end]
        if np.isfinite(part).any():
            found |= {start + int(np.nanargmin(part)), start + int(np.nanargmax(part))}
        else:
            found.add(start)
    return np.array(sorted(found), np.int64)


def running(values: Values, places: npt.NDArray[np.int64], window: int) -> tuple[Values, Values]:
    """Returns mean and standard deviation about some places, over `window` values if there are so many."""
    half = window // 2
    mean, deviation = np.full(len(places), np.nan), np.full(len(places), np.nan)
    for at, place in enumerate(places):
        part = values[max(0, place - half) : place + half + 1]
        part = part[np.isfinite(part)]
        if len(part):
            mean[at], deviation[at] = part.mean(), part.std()
    return mean, deviation


def draw_gap(axes: Axes, train: Values, validation: Values) -> None:
    """Draws accuracies over epochs, (runs, epochs) from 0 to 1, and the gap between their means."""
    at = np.arange(1, train.shape[1] + 1)
    axes.fill_between(at, 100 * validation.mean(0), 100 * train.mean(0), color=LIGHT["band"], linewidth=0)
    for values, colour in ((train, TRAINING), (validation, VALIDATION)):
        shade(axes, at, 100 * values, colour)
        axes.plot(at, 100 * values.mean(0), color=colour, linewidth=1.6)
    axes.set_xlim(1, at[-1])
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    tidy(axes)


def name_gap(axes: Axes, train: float, validation: float) -> None:
    """Writes the names of the two accuracies at the ends of their lines."""
    write_ends(axes, [(100 * train, "training", TRAINING), (100 * validation, "validation", VALIDATION)])


def shade(axes: Axes, at: Values, values: Values, colour: str) -> None:
    """Shades the range from the lowest run to the highest, if there are several."""
    if len(values) > 1:
        axes.fill_between(at, np.fmin.reduce(values), np.fmax.reduce(values), color=colour, alpha=0.15, linewidth=0)


def write_ends(axes: Axes, names: Sequence[tuple[float, str, str]]) -> None:
    """Writes texts at the right of the panel, each next to its value, moved apart where they would overlap."""
    low, high = axes.get_ylim()
    ordered = sorted(names)
    room = 0.19 * (high - low) / TALL
    places = spread_labels([value for value, _, _ in ordered], [room] * len(ordered), low, high)
    for (_, text, colour), place in zip(ordered, places, strict=True):
        axes.text(1.03, place, text, color=colour, va="center", transform=axes.get_yaxis_transform())


def same_length(curves: Sequence[Sequence[float]]) -> Values:
    """Returns values (runs, parts); what a run that diverged lacks, or has beyond the finite numbers, is nan."""
    longest = max(map(len, curves))
    values = np.array([[*curve, *[np.nan] * (longest - len(curve))] for curve in curves])
    return np.where(np.isfinite(values), values, np.nan)


def three(sweep: Sweep) -> list[SweepArm]:
    """Returns the ends of a sweep and the control, or the middle if the control is one of the ends."""
    inner = [arm for arm in sweep.arms[1:-1] if arm.variant == CONTROL] or [sweep.arms[len(sweep.arms) // 2]]
    return [sweep.arms[0], inner[0], sweep.arms[-1]]


def epochs_of(arm: SweepArm) -> int:
    """Returns the epochs of the longest run."""
    return max(len(run.epoch_train_accuracy) for run in arm.runs)


def tidy(axes: Axes) -> None:
    """Draws a light grid, and axes on two sides."""
    axes.grid(axis="y", linewidth=0.6)
    axes.spines[["right", "top"]].set_visible(False)
