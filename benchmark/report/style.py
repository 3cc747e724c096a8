"""Plots of a table: its effects with their intervals, its learning curves by epoch, its ensembles by their size.

Every colour has a name in INKS and a value for light and for dark pages: files are drawn with the light ones, the
page puts the names in their place.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any, Protocol

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INKS = {  # name: (on light, on dark); all distinguishable with any of the common kinds of colour blindness
    "card": ("#ffffff", "#181c22"),
    "ink": ("#1b1f24", "#e6e9ee"),
    "muted": ("#5f6875", "#9aa4b2"),
    "line": ("#dfe3e8", "#343b45"),
    "band": ("#e9eef4", "#28303a"),
    "helps": ("#0067a5", "#5ab4f0"),
    "hurts": ("#c24e00", "#ff9a56"),
    "equivalent": ("#007a5a", "#4ccfa0"),
    "unresolved": ("#737c89", "#a3adba"),
    "arm0": ("#0173b2", "#4aa8e8"),
    "arm1": ("#de8f05", "#f0ac3c"),
    "arm2": ("#029e73", "#35c79c"),
    "arm3": ("#d55e01", "#f08440"),
    "arm4": ("#cc78bc", "#dd98d0"),
    "arm5": ("#a6761d", "#caa05a"),
    "arm6": ("#6a51a3", "#a48fdb"),
    "arm7": ("#56b4e9", "#8fd0f5"),
}
LIGHT = {name: light for name, (light, _) in INKS.items()}
LIGHT["no verdict"] = LIGHT["unresolved"]
DASHES: list[Any] = [(None, None), (4, 1.5), (1.2, 1.2), (6, 1.5, 1.2, 1.5)]  # one more for every round of the colours
COLOURS = 8  # arm0 to arm7
LINEAR = 2.0  # margins on each side of zero that a wide axis shows at full size
LOG_FROM = 10.0  # margins that an effect must reach for the axis to turn logarithmic
TYPE = 9.0  # points
LETTER = 0.08  # inches: more than the average letter of this size takes
PIXELS = 96  # of an inch on a page
METADATA: dict[str, dict[str, None]] = {  # no dates and no versions: the same plot is the same bytes
    "svg": dict.fromkeys(("Date", "Creator", "Format", "Type")),
    "png": {"Software": None},
    "pdf": dict.fromkeys(("CreationDate", "Creator", "Producer")),
}
SHOWN_RATIO = 1.5  # times the loss of guessing: losses above it do not matter
MatplotlibOptions = dict[str, Any]  # keyword arguments of matplotlib, which types each on its own
STYLE: dict[Any, Any] = {  # matplotlib types its keys one by one
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same widths on every machine
    "font.size": TYPE,
    "text.parse_math": False,  # a dollar in a name is a dollar
    "svg.fonttype": "none",
    "pdf.fonttype": 42,  # TrueType, as journals ask
    "svg.hashsalt": "tricks-on-trial",
    "axes.edgecolor": LIGHT["muted"],
    "axes.labelcolor": LIGHT["muted"],
    "axes.labelsize": TYPE - 0.5,
    "axes.titley": 1.0,  # else matplotlib lays out all ticks once more, to find that titles touch none
    "text.color": LIGHT["ink"],
    "xtick.color": LIGHT["muted"],
    "ytick.color": LIGHT["muted"],
    "xtick.labelsize": TYPE - 0.5,
    "ytick.labelsize": TYPE - 0.5,
    "grid.color": LIGHT["line"],
    "figure.facecolor": LIGHT["card"],
    "axes.facecolor": "none",
    "savefig.facecolor": LIGHT["card"],
}


class Extent(Protocol):
    """What an effect axis has room for."""

    @property
    def effect(self) -> float | None:
        """Returns the effect; None where it is unknown."""

    @property
    def ci_low(self) -> float | None:
        """Returns the lower end of its interval."""

    @property
    def ci_high(self) -> float | None:
        """Returns the upper end of its interval."""


class Effect(Extent, Protocol):
    """A row that a forest plot shows."""

    @property
    def n(self) -> int:
        """Returns the runs of the variant."""

    @property
    def verdict(self) -> str:
        """Returns the verdict's word."""


@dataclass(frozen=True)
class Picture:
    """A plot as SVG, and its size in pixels on a page."""

    svg: str
    width: int
    height: int


@dataclass(frozen=True)
class Gallery:
    """The folder that plots are written to: each as SVG, and in the formats `more`, which are "png" and "pdf"."""

    folder: Path
    more: tuple[str, ...] = ()

    def save(self, figure: Figure, name: str) -> Picture:
        """Writes a figure to NAME.svg and so on, without dates, and returns it."""
        path = self.folder / name
        for kind in self.more:
            figure.savefig(f"{path}.{kind}", dpi=144, metadata=METADATA[kind])
        text = svg(figure)
        path.with_name(f"{name}.svg").write_bytes(dark(text).encode("utf-8", "replace"))
        width, height = (round(PIXELS * inches) for inches in figure.get_size_inches())
        return Picture(text, width, height)


def dark(text: str) -> str:
    """Returns an SVG that takes the dark colours where its reader prefers them, as browsers know."""
    rules = "".join(
        f'[style*="{kind}: {light}"]{{{kind}:{dark}!important}}'
        for light, dark in INKS.values()
        for kind in ("fill", "stroke")
        if f"{kind}: {light}" in text
    )
    start = text.index(">", text.index("<svg")) + 1
    return f"{text[:start]}<style>@media (prefers-color-scheme: dark){{{rules}}}</style>{text[start:]}"


def svg(figure: Figure) -> str:
    """Returns a figure as the text of an SVG file, without a date."""
    buffer = StringIO()
    figure.savefig(buffer, format="svg", metadata=METADATA["svg"])
    return shorter(buffer.getvalue())


def shorter(text: str) -> str:
    """Coordinates to a hundredth of a point, and fonts for machines without matplotlib's."""
    text = re.sub(r' d="[^"]*"', lambda path: re.sub(r"\d+\.\d{3,}", round_coordinate, path[0]), text)
    text = re.sub(r"""(["']?)DejaVu Sans\1""", "'DejaVu Sans', Verdana, Arial, sans-serif", text)
    return re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE)


def round_coordinate(digits: re.Match[str]) -> str:
    """Returns a coordinate with two decimals."""
    return f"{float(digits[0]):.2f}".rstrip("0").rstrip(".")


def inline(svg: str, name: str, label: str) -> str:
    """Returns an SVG to stand within a page: ids of its own, colours by name.

    `name` must be a slug, as it becomes part of ids; `label`, for readers who cannot see it, must be escaped.
    """
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r'\bid="', f'id="{name}.', svg)
    svg = re.sub(r'xlink:href="#', f'href="#{name}.', svg).replace("url(#", f"url(#{name}.")
    svg = re.sub(r'\sxmlns(:xlink)?="[^"]*"', "", svg)
    for ink, colour in LIGHT.items():
        svg = svg.replace(colour, f"var(--{ink})")
    return svg.replace("<svg", f'<svg role="img" aria-label="{label}"', 1).strip()


def canvas(
    heading: str,
    below: str,
    widths: Sequence[float],
    height: float,
    edges: tuple[float, float, float, float],
    between: float = 0.35,
) -> tuple[Figure, list[Axes]]:
    """Returns a figure of panels with given sizes, and edges (left, right, top, bottom) around them; all in inches."""
    left, right, top, bottom = edges
    size = left + sum(widths) + between * (len(widths) - 1) + right, top + height + bottom
    figure = Figure(figsize=size)
    starts = [left + sum(widths[:at]) + between * at for at in range(len(widths))]
    panels = [
        figure.add_axes((start / size[0], bottom / size[1], width / size[0], height / size[1]))
        for start, width in zip(starts, widths, strict=True)
    ]
    at: MatplotlibOptions = {"x": 0.15 / size[0], "va": "top", "in_layout": False}
    figure.text(y=1 - 0.14 / size[1], s=heading, fontsize=TYPE + 2, fontweight="bold", **at)
    figure.text(y=1 - 0.38 / size[1], s=below, color=LIGHT["muted"], **at)
    return figure, panels


def axis_limits(rows: Sequence[Extent], margin: float) -> tuple[float, float]:
    """Returns the lowest and the highest number to show; the band of the margin is always among them."""
    known = [end for row in rows for end in (row.effect, row.ci_low, row.ci_high) if end is not None]
    return min([*known, -1.5 * margin]), max([*known, 1.5 * margin])


def is_logarithmic(rows: Sequence[Extent], margin: float) -> bool:
    """Whether the effect axis turns logarithmic beyond LINEAR margins.

    One broken variant 50 points below the others must not press them into one dot.
    """
    low, high = axis_limits(rows, margin)
    return max(-low, high) > LOG_FROM * margin


def further(end: float, linear: float) -> float:
    """Returns a number a little beyond `end`, on an axis that is logarithmic beyond `linear`."""
    return end * 1.25 if abs(end) > linear else end + np.copysign(0.15 * linear, end)


AT_THE_EDGE = 0.94  # of the panel's width; a line that ends before it is led on faintly
FAINT: MatplotlibOptions = {"linewidth": 0.7, "alpha": 0.35, "zorder": 1}


def line_style(at: int) -> tuple[str, Any, float]:
    """Returns colour, dashes and width of a line: the control's, then the arms' in their order."""
    if at == 0:
        return LIGHT["ink"], DASHES[0], 2.6
    return LIGHT[f"arm{(at - 1) % COLOURS}"], DASHES[(at - 1) // COLOURS % len(DASHES)], 1.5


def write_names(
    axes: Axes, frame: pd.DataFrame, names: dict[str, str], looks: dict[str, tuple[str, Any, float]], height: float
) -> None:
    """Writes each arm's name at the end of its line, moved apart where lines end close together."""
    last_points = frame.groupby("arm", sort=False).last().sort_values("mean", kind="stable")
    ends = axes.transData.transform(last_points[["epoch", "mean"]].to_numpy())
    ends = axes.transAxes.inverted().transform(ends)  # in widths and heights of the panel, whatever its scales
    rooms = [(0.06 + 0.13 * (1 + names[str(arm)].count("\n"))) / height for arm in last_points.index]
    places = spread_labels(list(ends[:, 1]), rooms, 0.0, 1.0)
    for arm, (start, end), place in zip(last_points.index, ends, places, strict=True):
        axes.plot(
            [max(start, AT_THE_EDGE), 1.015, 1.06, 1.09],
            [end, end, place, place],
            color=looks[str(arm)][0],
            linewidth=1.1,
            transform=axes.transAxes,
            clip_on=False,
        )
        if start < AT_THE_EDGE:
            axes.plot([start, AT_THE_EDGE], [end, end], color=looks[str(arm)][0], transform=axes.transAxes, **FAINT)
        weight = "bold" if not arm else "normal"
        style: MatplotlibOptions = {"fontsize": TYPE - 0.5, "fontweight": weight, "linespacing": 1.05}
        axes.text(1.105, place, names[str(arm)], va="center", transform=axes.transAxes, **style)


def spread_labels(values: Sequence[float], rooms: Sequence[float], low: float, high: float) -> list[float]:
    """Returns positions near the rising `values`, each with its room about it, from `low` to `high` if
    they all fit."""
    if not values:
        return []
    shifts = [0.0, *np.cumsum([(a + b) / 2 for a, b in pairwise(rooms)])]  # of neighbours that touch
    blocks: list[list[float]] = []  # values less shifts; those of a block touch
    for value, shift in zip(values, shifts, strict=True):
        blocks.append([value - shift])
        while len(blocks) > 1 and fmean(blocks[-2]) >= fmean(blocks[-1]):
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    starts = [fmean(block) for block in blocks for _ in block]
    most = high - rooms[-1] / 2 - shifts[-1]
    least = low + rooms[0] / 2
    return [max(least, min(most, start)) + shift for start, shift in zip(starts, shifts, strict=True)]
