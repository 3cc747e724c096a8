"""The heat map of a table of pairs."""

from __future__ import annotations

from textwrap import wrap

import matplotlib as mpl
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from benchmark.claim import Additive
from benchmark.evidence.comparison import ANSWERS
from benchmark.evidence.judgements import Judgement, judgements
from benchmark.evidence.tables import Table
from benchmark.report.style import LETTER, LIGHT, STYLE, TYPE, Gallery, MatplotlibOptions, Picture, canvas
from benchmark.report.text import digits_of, signed, subtitle

CELL = 1.15  # inches, of a heat map


def interactions(table: Table, gallery: Gallery, name: str) -> dict[str, Picture]:
    """Writes the heat map of a table of the design `pairs` and returns it by the name of its file, or nothing."""
    if table.study.design != "pairs":
        return {}
    judged = {
        (claim.holds.first, claim.holds.second): said
        for claim, said in zip(table.study.claims, judgements(table), strict=True)
        if isinstance(claim.holds, Additive)
    }
    if not any(said.effect is not None for said in judged.values()):
        return {}
    with sns.axes_style("ticks"), mpl.rc_context(STYLE):
        return {f"{name}-interactions": gallery.save(heat_map(table, judged), f"{name}-interactions")}


def heat_map(table: Table, judged: dict[tuple[str, str], Judgement]) -> Figure:
    """Returns a heat map: effects of single tricks on the diagonal, interactions below it."""
    tricks = list(dict.fromkeys(trick for pair in judged for trick in pair))
    rows = {row.variant: row for row in table.rows}
    labels = ["\n".join(wrap(trick, 18)) for trick in tricks]
    left = 0.3 + LETTER * max(len(line) for label in labels for line in label.split("\n"))
    room = CELL * len(tricks)
    figure, (axes,) = canvas("Effects, and interactions", subtitle(table), [room], room, (left, 1.2, 0.8, 0.75))
    sizes = [row.effect for row in rows.values()] + [said.effect for said in judged.values()]
    most = max((abs(size) for size in sizes if size is not None), default=1.0) or 1.0
    digits = digits_of(table.study.margin)
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
    """Draws a cell: coloured by its verdict, deeper if it is larger; dashed and grey if unresolved."""
    effect, low, high = found
    answered = effect is not None and word in ANSWERS
    colour = LIGHT.get(word, LIGHT["unresolved"])
    style: MatplotlibOptions = {"facecolor": "none", "edgecolor": LIGHT["unresolved"], "linestyle": (0, (3, 2))}
    if answered:
        depth = 0.15 + 0.5 * abs(effect or 0.0) / most
        axes.add_patch(Rectangle((across + 0.04, down + 0.04), 0.92, 0.92, facecolor=colour, alpha=depth, linewidth=0))
        style = {"facecolor": "none", "edgecolor": colour}
    axes.add_patch(Rectangle((across + 0.04, down + 0.04), 0.92, 0.92, linewidth=1, **style))
    ink = LIGHT["ink"] if answered else LIGHT["muted"]
    middle: MatplotlibOptions = {"ha": "center", "va": "center"}
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
