"""Tables, plots and a page, from a store alone: no training, no data, no code of the ablations.

    <out>/effects.csv   one line for each variant of each table
    <out>/ensembles.csv one line for each ensemble, where there are any
    <out>/factors.csv   one line for each cell of a table of two factors, where there are any
    <out>/index.md      the tables, with links to the plots
    <out>/index.html    the same in one file that needs no other
    <out>/plots/        each plot as .svg and .png
    <out>/tables/       each table as .csv, .md and .tex

The same store gives the same bytes: nothing here looks at a clock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmark.errors import UsageError
from benchmark.evidence.log import Log
from benchmark.evidence.sweeps import sweep
from benchmark.evidence.tables import decisions, tables
from benchmark.store.store import Store


def write(store: Store, out: Path, history: Path | None = None) -> Path:
    """Write the report into the folder `out`; the path of its page. Raises UsageError if there is nothing to tell.

    `history`: effects of accepted references, as `regress --accept` notes them; else history.csv beside the store.
    """
    found = tables(store)
    if not found:
        raise UsageError(f"{store.folder} has no tables to report; `make ablate` plans them and trains their runs")
    if not store.records:
        raise UsageError(f"{store.folder} has no runs to report; `make ablate` trains them")
    # Only now: pandas and seaborn take seconds to import, and the command line imports this module for --help.
    from benchmark.report import (
        cost_plot,
        effects,
        elsewhere,
        exports,
        factor_table,
        interactions,
        render,
        sweep_plots,
        table_plots,
        variants,
        view,
    )
    from benchmark.report import history as pasts

    past = pasts.read_history(history, store)
    with told(out):
        for folder in ("plots", "tables"):
            (out / folder).mkdir(parents=True, exist_ok=True)
        named = dict(zip(names([table.study for table in found]), found, strict=True))
        drawn = {name: table_plots.draw(table, out / "plots", name) for name, table in named.items()}
        swept = {name: there for name, table in named.items() if (there := sweep(table, store))}
        for name, there in swept.items():
            drawn[name] |= sweep_plots.draw(named[name], there, store, out / "plots", name)
        for name, table in named.items():
            drawn[name] |= interactions.interactions(table, out / "plots", name)
            drawn[name] |= pasts.over_time(table, past, out / "plots", name)
            for kind, text in exports.files(table).items():
                save(out / "tables" / f"{name}.{kind}", text)
        save(out / "effects.csv", effects.csv(found))
        if made := [decision for table in found for decision in decisions(table)]:
            save(out / "ensembles.csv", effects.ensembles_csv(made))
        overview = view.overview(store, named, drawn, swept)
        if overview.crossed:
            save(out / "factors.csv", factor_table.csv(overview.crossed))
        more: dict[str, Any] = {
            "variants": variants.every(named, overview.ablations),
            "figures": cost_plot.cost(found, out / "plots"),
            "elsewhere": elsewhere.tricks(found),
        }
        save(out / "index.md", render.markdown(overview, **more))
        save(out / "index.html", render.html(overview, **more))
    return out / "index.html"


def draw_log(log: Log, name: str, path: Path) -> Path:
    """Write the figure of one training to `path`.svg and `path`.png; the path. Raises UsageError if it cannot be."""
    from benchmark.report import sweep_plots

    with told(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep_plots.draw_log(log, name, path)
    return path


def names(studies: Sequence[dict[str, Any]]) -> list[str]:
    """One file name for each table: its ablation and context, its data and budget where there are several."""
    several = len({(study["data"], study["budget"]) for study in studies}) > 1
    parts = ["ablation", "context", *(["data", "budget"] if several else [])]
    plain = ["-".join(slug(study[part]) for part in parts if slug(study[part])) for study in studies]
    seen: Counter[str] = Counter()
    unique = []
    for name in plain:
        seen[name] += 1
        unique.append(name if seen[name] == 1 else f"{name}--{seen[name]}")  # no slug holds two dashes in a row
    return unique


def slug(text: str) -> str:
    """Small letters, digits and single dashes."""
    kept = "".join(letter if letter.isascii() and letter.isalnum() else " " for letter in text.lower())
    return "-".join(kept.split())


def save(path: Path, text: str) -> None:
    """The same bytes on every system."""
    path.write_bytes(text.encode())


@contextmanager
def told(folder: Path) -> Iterator[None]:
    """An error of the file system as a sentence that names the folder."""
    try:
        yield
    except OSError as reason:
        raise UsageError(
            f"cannot write to {folder}: {reason.strerror or reason}; give another folder with --out"
        ) from reason
