"""Figures beyond one table's runs: effects against their costs, interactions of pairs, effects over references."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from benchmark.claims import Judgement, judgements
from benchmark.errors import UsageError
from benchmark.report.plots import (
    LETTER,
    LIGHT,
    LINEAR,
    SHAPES,
    STYLE,
    TYPE,
    canvas,
    digits_of,
    ends,
    further,
    is_wide,
    look,
    number,
    save,
    signed,
    subtitle,
    tick,
    title,
    write_names,
)
from benchmark.store import Store
from benchmark.tables import CONTROL, Row, Table

ACROSS, UP = 7.4, 4.8  # inches, the panel of effects against costs
SMALL = TYPE - 1.5  # points, its names
NAME_LETTER, NAME_LINE = 0.062, 0.125  # inches, of a name in it
TIMES = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.4, 2.0, 3.0, 5.0, 7.0, 10.0, 20.0, 50.0, 100.0)  # ticks of step times
CELL = 1.15  # inches, of a heat map
PLACE = ["data", "budget", "ablation", "context", "variant"]
HISTORY = ["date", "commit", *PLACE, "effect", "change"]  # columns, as regression.py writes them
CHANGES = {"better": ("^", "helps"), "worse": ("v", "hurts")}
Box = tuple[float, float, float, float]  # left, bottom, right, top, inches
Places = npt.NDArray[np.float64]


def cost(found: Sequence[Table], folder: Path) -> dict[str, str]:
    """Write a figure for each data set and budget; the SVG of each by the name of its file.

    No table's file is called as these are: a slug has no two dashes in a row, names() puts digits alone after two.
    """
    groups: dict[tuple[str, str], list[Table]] = {}
    for table in found:
        if not table.study["context"]:
            groups.setdefault((table.study["data"], table.study["budget"]), []).append(table)
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
    margin = tables[0].study["margin"]
    set_scales(axes, rows, margin)
    axes.axhspan(-margin, margin, color=LIGHT["band"], linewidth=0, zorder=0)
    for line in (axes.axhline(0), axes.axvline(1)):
        line.set(color=LIGHT["ink"], linewidth=1, zorder=1)
    for row in rows:
        answered = row.verdict != "unresolved"
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
    named = sorted((row for row in rows if row.verdict != "unresolved"), key=lambda row: -abs(row.effect or 0))
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


def interactions(table: Table, folder: Path, name: str) -> dict[str, str]:
    """Write the heat map of a table of the design `pairs`; its SVG by the name of its file, or nothing."""
    if table.study["ablation"] != "pairs":
        return {}
    judged = {
        (claim["first"], claim["second"]): said
        for claim, said in zip(table.study["claims"], judgements(table), strict=True)
    }
    if not any(said.effect is not None for said in judged.values()):
        return {}
    with sns.axes_style("ticks"), mpl.rc_context(STYLE):
        return {f"{name}-interactions": save(heat_map(table, judged), folder / f"{name}-interactions")}


def heat_map(table: Table, judged: dict[tuple[str, str], Judgement]) -> Figure:
    """Effects of single tricks on the diagonal, interactions below it."""
    tricks = list(dict.fromkeys(trick for pair in judged for trick in pair))
    rows = {row.variant: row for row in table.rows}
    labels = ["\n".join(wrap(trick, 18)) for trick in tricks]
    left = 0.3 + LETTER * max(len(line) for label in labels for line in label.split("\n"))
    room = CELL * len(tricks)
    figure, (axes,) = canvas("Effects, and interactions", subtitle(table), [room], room, (left, 1.2, 0.8, 0.75))
    sizes = [row.effect for row in rows.values()] + [said.effect for said in judged.values()]
    most = max((abs(size) for size in sizes if size is not None), default=1.0) or 1.0
    digits = digits_of(table.study["margin"])
    for at, trick in enumerate(tricks):
        row = rows[trick]
        fill(axes, at, at, (row.effect, row.ci_low, row.ci_high), row.verdict, most, digits)
    words = {"supported": "equivalent", "unresolved": "unresolved"}
    for (first, second), said in judged.items():
        across, down = sorted((tricks.index(first), tricks.index(second)))
        word = words.get(said.word, "helps" if (said.effect or 0) > 0 else "hurts")
        fill(axes, across, down, (said.effect, said.ci_low, said.ci_high), word, most, digits, interaction=True)
    axes.set_xlim(0, len(tricks))
    axes.set_ylim(len(tricks), 0)
    axes.set_xticks(np.arange(len(tricks)) + 0.5, labels, color=LIGHT["ink"])
    axes.set_yticks(np.arange(len(tricks)) + 0.5, labels, color=LIGHT["ink"])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure


def fill(
    axes: Axes,
    across: int,
    down: int,
    found: tuple[float | None, float | None, float | None],
    word: str,
    most: float,
    digits: int,
    interaction: bool = False,
) -> None:
    """A cell: coloured by its verdict, deeper where it is larger; dashed and grey where unresolved."""
    effect, low, high = found
    answered = effect is not None and word in ("helps", "hurts", "equivalent")
    colour = LIGHT.get(word, LIGHT["unresolved"])
    style: dict[str, Any] = {"facecolor": "none", "edgecolor": LIGHT["unresolved"], "linestyle": (0, (3, 2))}
    if answered:
        depth = 0.15 + 0.5 * abs(effect or 0.0) / most
        axes.add_patch(Rectangle((across + 0.04, down + 0.04), 0.92, 0.92, facecolor=colour, alpha=depth, linewidth=0))
        style = {"facecolor": "none", "edgecolor": colour}
    axes.add_patch(Rectangle((across + 0.04, down + 0.04), 0.92, 0.92, linewidth=1, **style))
    ink = LIGHT["ink"] if answered else LIGHT["muted"]
    middle: dict[str, Any] = {"ha": "center", "va": "center"}
    if effect is None:
        axes.text(across + 0.5, down + 0.5, "not measured", color=ink, fontsize=TYPE - 1, **middle)
        return
    word = (
        {"helps": "more than the sum", "hurts": "less than the sum", "equivalent": "the sum"}.get(word, word)
        if interaction
        else word
    )
    axes.text(across + 0.5, down + 0.32, signed(effect, digits), color=ink, fontsize=TYPE + 2, **middle)
    if low is not None and high is not None:
        interval = f"[{signed(low, digits)}, {signed(high, digits)}]"
        axes.text(across + 0.5, down + 0.56, interval, color=ink, fontsize=TYPE - 1.5, **middle)
    axes.text(across + 0.5, down + 0.78, word, color=ink, fontsize=TYPE - 1.5, **middle)


def read_history(path: Path | None, store: Store) -> pd.DataFrame:
    """Accepted effects from `path`, or from history.csv beside the store if it is there; else none.

    Raises UsageError if there is no such file or it is no history.
    """
    beside = store.folder.resolve().parent / "history.csv"
    if path is None and not beside.exists():
        return pd.DataFrame(columns=HISTORY)
    path = path or beside
    try:
        noted = pd.read_csv(path, keep_default_na=False, dtype=dict.fromkeys((*HISTORY[:7], "change"), str))
    except OSError as reason:
        raise UsageError(f"cannot read {path}: {reason.strerror}; `regress --accept` writes a history") from reason
    except ValueError as reason:  # pandas' own errors are of this kind
        raise UsageError(f"{path} is no history of accepted effects: {reason}") from reason
    if lacking := [column for column in HISTORY if column not in noted]:
        raise UsageError(f"{path} is no history of accepted effects: it lacks {', '.join(lacking)}")
    return noted


def over_time(table: Table, history: pd.DataFrame, folder: Path, name: str) -> dict[str, str]:
    """Write the figure of a table's effects in every accepted reference; nothing where none has two entries."""
    here = pd.Series({field: table.study[field] for field in PLACE[:-1]})
    noted = history[(history[PLACE[:-1]] == here).all(axis=1) & (history["variant"] != CONTROL)]
    repeated = noted[noted.groupby("variant")["effect"].transform("size") > 1]
    if repeated.empty:
        return {}
    with sns.axes_style("ticks"), mpl.rc_context(STYLE):
        return {f"{name}-history": save(timeline(table, repeated), folder / f"{name}-history")}


def timeline(table: Table, noted: pd.DataFrame) -> Figure:
    """A line for each variant over the references in the order of their acceptance; sure changes are marked."""
    references = list(dict.fromkeys(zip(noted["date"], noted["commit"], strict=True)))
    places = {reference: at for at, reference in enumerate(references, start=1)}
    epochs = [places[each] for each in zip(noted["date"], noted["commit"], strict=True)]
    frame = pd.DataFrame(
        {"arm": noted["variant"], "epoch": epochs, "mean": noted["effect"], "change": noted["change"]}
    )
    names = {arm: "\n".join(wrap(arm, 30)) for arm in frame["arm"].unique()}
    longest = max(len(line) for text in names.values() for line in text.split("\n"))
    lines = sum(1 + text.count("\n") for text in names.values())
    height, width = max(2.4, 0.2 * lines), max(3.6, 0.95 * len(references))
    edges = 0.62, 0.5 + LETTER * longest, 0.86, 0.75
    figure, (axes,) = canvas(
        f"{title(table)}: effects at accepted references", subtitle(table), [width], height, edges
    )
    looks = {arm: look(at) for at, arm in enumerate(names, start=1)}
    axes.axhline(0, color=LIGHT["ink"], linewidth=1)
    for arm, part in frame.groupby("arm", sort=False):
        colour, dashes, line = looks[str(arm)]
        axes.plot(
            part["epoch"],
            part["mean"],
            color=colour,
            dashes=dashes,
            linewidth=line,
            marker="o",
            markersize=3,
            clip_on=False,
        )
    for word, (shape, ink) in CHANGES.items():
        changed = frame[(frame["change"] == word) & (frame["epoch"] > 1)]
        axes.scatter(
            changed["epoch"], changed["mean"], 70, LIGHT[ink], marker=shape, edgecolor=LIGHT["card"], zorder=4
        )
    axes.set_xlim(0.8, len(references))
    axes.set_xticks(range(1, len(references) + 1), [f"{date}\n{commit[:9]}" for date, commit in references])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: tick(value)))
    axes.set_ylabel("points against the baseline")
    axes.grid(axis="y", linewidth=0.6)
    axes.spines[["right", "top"]].set_visible(False)
    write_names(axes, frame[["arm", "epoch", "mean"]], names, looks, height)
    return figure
