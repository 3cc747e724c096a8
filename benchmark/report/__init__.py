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
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmark.errors import UsageError
from benchmark.evidence.factors import factors
from benchmark.evidence.log import Log
from benchmark.evidence.sweeps import sweep
from benchmark.evidence.tables import Table, decisions, tables
from benchmark.store.files import reporting_write_errors
from benchmark.store.records import TableRecord
from benchmark.store.store import Store

REMEDY = "give another folder with --out"


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
        elsewhere,
        interactions,
        render,
        sweep_plots,
        table_plots,
        variants,
        view,
    )
    from benchmark.report import history as pasts

    past = pasts.read_history(history, store)
    with reporting_write_errors(out, REMEDY):
        for folder in ("plots", "tables"):
            (out / folder).mkdir(parents=True, exist_ok=True)
        named = by_name(found)
        drawn = {name: table_plots.draw(table, out / "plots", name) for name, table in named.items()}
        swept = {name: there for name, table in named.items() if (there := sweep(table, store))}
        for name, there in swept.items():
            drawn[name] |= sweep_plots.draw(named[name], there, store, out / "plots", name)
        for name, table in named.items():
            drawn[name] |= interactions.interactions(table, out / "plots", name)
            drawn[name] |= pasts.over_time(table, past, out / "plots", name)
        for path, text in numbers(named).items():
            save(out / path, text)
        overview = view.overview(store, named, drawn, swept)
        more: dict[str, Any] = {
            "variants": variants.every(named, overview.ablations),
            "figures": cost_plot.cost(found, out / "plots"),
            "elsewhere": elsewhere.tricks(found),
        }
        save(out / "index.md", render.markdown(overview, **more))
        save(out / "index.html", render.html(overview, **more))
    return out / "index.html"


def by_name(found: Sequence[Table]) -> dict[str, Table]:
    """Returns tables by the names of their files."""
    return dict(zip(names([table.study for table in found]), found, strict=True))


def numbers(named: Mapping[str, Table]) -> dict[str, str]:
    """Returns the files of a report that hold numbers and no pictures: text by path within the report."""
    from benchmark.report import effects, exports, factor_table

    found = list(named.values())
    texts = {
        f"tables/{name}.{kind}": text for name, each in named.items() for kind, text in exports.files(each).items()
    }
    texts["effects.csv"] = effects.csv(found)
    if made := [decision for table in found for decision in decisions(table)]:
        texts["ensembles.csv"] = effects.ensembles_csv(made)
    if crossed := factors(found):
        texts["factors.csv"] = factor_table.csv(crossed)
    return texts


def draw_log(log: Log, name: str, path: Path) -> Path:
    """Write the figure of one training to `path`.svg and `path`.png; the path. Raises UsageError if it cannot be."""
    from benchmark.report import sweep_plots

    with reporting_write_errors(path.parent, REMEDY):
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep_plots.draw_log(log, name, path)
    return path


def names(studies: Sequence[TableRecord]) -> list[str]:
    """One file name for each table: its ablation and context, its data and budget where there are several."""
    several = len({(study.data, study.budget) for study in studies}) > 1
    parts = [[each.ablation, each.context, *([each.data, each.budget] if several else [])] for each in studies]
    plain = ["-".join(filter(None, map(slug, each))) for each in parts]
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
