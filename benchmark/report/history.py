"""Effects over time."""

from __future__ import annotations

from pathlib import Path
from textwrap import wrap

import matplotlib as mpl
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from benchmark.claim import CONTROL
from benchmark.errors import UsageError
from benchmark.evidence.tables import Table
from benchmark.report.style import LETTER, LIGHT, STYLE, Gallery, Picture, canvas, line_style, write_names
from benchmark.report.text import plot_title, subtitle, tick
from benchmark.store.store import Store

PLACE = ["data", "budget", "ablation", "context", "variant"]
HISTORY = ["date", "commit", *PLACE, "effect", "change"]  # columns, as regression.py writes them
CHANGES = {"better": ("^", "helps"), "worse": ("v", "hurts")}


def read_history(path: Path | None, store: Store) -> pd.DataFrame:
    """Returns accepted effects from `path`, or from history.csv next to the store if it is there; else none.

    Raises UsageError if there is no such file or it is no history.
    """
    default = store.folder.resolve().parent / "history.csv"
    if path is None and not default.exists():
        return pd.DataFrame(columns=HISTORY)
    path = path or default
    try:
        noted = pd.read_csv(path, keep_default_na=False, dtype=dict.fromkeys((*HISTORY[:7], "change"), str))
    except OSError as reason:
        raise UsageError(f"cannot read {path}: {reason.strerror}; `regress --accept` writes a history") from reason
    except ValueError as reason:  # pandas' own errors are of this kind
        raise UsageError(f"{path} is no history of accepted effects: {reason}") from reason
    if lacking := [column for column in HISTORY if column not in noted]:
        raise UsageError(f"{path} is no history of accepted effects: it lacks {', '.join(lacking)}")
    return noted


def over_time(table: Table, history: pd.DataFrame, gallery: Gallery, name: str) -> dict[str, Picture]:
    """Write the figure of a table's effects in every accepted reference; nothing where none has two entries."""
    names = [[getattr(name, column) for column in PLACE[:-1]] for name in (table.names[0], table.study.name)]
    here = pd.Series([entry in names for entry in history[PLACE[:-1]].to_numpy().tolist()], history.index, bool)
    noted = history[here & (history["variant"] != CONTROL)]
    repeated = noted[noted.groupby("variant")["effect"].transform("size") > 1]
    if repeated.empty:
        return {}
    with sns.axes_style("ticks"), mpl.rc_context(STYLE):
        return {f"{name}-history": gallery.save(timeline(table, repeated), f"{name}-history")}


def timeline(table: Table, noted: pd.DataFrame) -> Figure:
    """Returns a line for each variant over the references in the order of their acceptance; sure changes
    are marked."""
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
        f"{plot_title(table)}: effects at accepted references", subtitle(table), [width], height, edges
    )
    looks = {arm: line_style(at) for at, arm in enumerate(names, start=1)}
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
