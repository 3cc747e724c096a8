"""Writes tables, plots and a page from a store: no training, no data, no code of the ablations.

    <out>/effects.csv   one line for each variant of each table
    <out>/ensembles.csv one line for each ensemble, where there are any
    <out>/factors.csv   one line for each cell of a table of two factors, where there are any
    <out>/index.md      the tables, with links to the plots
    <out>/index.html    the same as a page, which loads its plots from plots/ as they are looked at
    <out>/measures.csv  one line for each variant by each measure besides accuracy, and measures.md, if asked for
    <out>/main.tex      the rows that matter, of all tables, or those asked for
    <out>/plots/        each plot as .svg, and as .png and .pdf if asked for
    <out>/tables/       each table as .csv, .md and .tex

The same store gives the same bytes: nothing here looks at a clock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from benchmark.claim import PublishedTables
from benchmark.errors import UsageError
from benchmark.evidence.factors import factors
from benchmark.evidence.log import Log
from benchmark.evidence.measures import Measured, in_words, measured_tables
from benchmark.evidence.sweeps import sweep
from benchmark.evidence.tables import Table, decisions, tables, too_few_runs
from benchmark.evidence.twins import without_twins
from benchmark.report.text import slug
from benchmark.store.files import reporting_write_errors
from benchmark.store.records import Measures, TableRecord
from benchmark.store.store import Store

REMEDY = "give another folder with --out"


def write(
    store: Store,
    out: Path,
    history: Path | None = None,
    more: tuple[str, ...] = (),
    rows: Sequence[str] = (),
    measures: Measures | None = None,
) -> Path:
    """Writes the report into the folder `out` and returns the path of its page.

    `history`: effects of accepted references, as `regress --accept` notes them; else history.csv next to the store.
    `more`: formats of plots besides SVG, of "png" and "pdf". `rows`: the rows of main.tex by their names; those of
    the short lists if there are none. `measures` besides accuracy: those that the store keeps if there are none.
    Raises UsageError if there is nothing to report or a row is not there.
    """
    records = store.records  # once, so that tables and counts are of the same moment
    found = tables(store, records)
    if not found:
        raise UsageError(f"{store.folder} has no tables to report; `make ablate` plans them and trains their runs")
    if not records:
        raise UsageError(f"{store.folder} has no runs to report; `make ablate` trains them")
    # Only now: pandas and seaborn take seconds to import, and the command line imports this module for --help.
    from benchmark.report import dose_plot, elsewhere, gallery, render, shortlists, time_plot, variants, view
    from benchmark.report import history as pasts
    from benchmark.report import measures as measures_view
    from benchmark.report.style import Gallery

    past = pasts.read_history(history, store)
    named = by_name(found)
    asked = measures or store.measures()
    measured = {name: measured_tables([table], store, asked) for name, table in named.items()}
    texts = numbers(named, rows, [line for lines in measured.values() for line in lines])
    with reporting_write_errors(out, REMEDY):
        for folder in ("plots", "tables"):
            (out / folder).mkdir(parents=True, exist_ok=True)
        target = Gallery(out / "plots", more)
        swept = {name: there for name, table in named.items() if (there := sweep(table, store))}
        drawn = gallery.draw_all(named, swept, store, past, target)
        standing = shortlists.candidates(named)
        for path, text in texts.items():
            save(out / path, text)
        overview = view.overview(store, records, named, drawn, swept)
        # What the templates of both formats are filled with, by the names that they use.
        shown: dict[str, Any] = {
            "variants": variants.every(standing, named, overview.ablations),
            "shortlists": shortlists.shortlists(named),
            "figures": time_plot.draw(standing, target),
            "doses": dose_plot.draw(named.values(), target),
            "few": too_few_runs(row for table in named.values() for row in table.rows),
            "unequal": measures_view.unequal(named.values()),
            "measures": measures_view.by_measure(named, measured),
            "elsewhere": elsewhere.tricks_elsewhere(named.values()),
        }
        save(out / "index.md", render.markdown(overview, **shown))
        save(out / "index.html", render.html(overview, **shown))
    return out / "index.html"


def write_papers(
    stores: Sequence[Store], out: Path, known: Mapping[str, PublishedTables] = MappingProxyType({})
) -> Path:
    """Writes the page of all published tables, see `published.find_papers`, into a folder, and returns its path."""
    from benchmark.report import published, render

    found = published.find_papers(stores, known)
    with reporting_write_errors(out, REMEDY):
        out.mkdir(parents=True, exist_ok=True)
        save(out / "index.md", render.papers_markdown(found))
        save(out / "index.html", render.papers_html(found))
    return out / "index.html"


def papers_markdown(stores: Sequence[Store], known: Mapping[str, PublishedTables]) -> str:
    """Returns the page of all published tables, see `published.find_papers`, in Markdown."""
    from benchmark.report import published, render

    return render.papers_markdown(published.find_papers(stores, known))


def write_lists(store: Store, document: Path) -> None:
    """Puts the short lists of a store between the markers of a Markdown document; see `shortlists.replaced`."""
    from benchmark.report import shortlists

    shortlists.write_into(document, by_name(tables(store)))


def by_name(found: Sequence[Table]) -> dict[str, Table]:
    """Returns tables by the names of their files; those with equal recipes are one."""
    shown = without_twins(found)
    return dict(zip(file_names([table.study for table in shown]), shown, strict=True))


def numbers(named: Mapping[str, Table], rows: Sequence[str] = (), measured: Sequence[Measured] = ()) -> dict[str, str]:
    """Returns the files of a report that hold numbers and no pictures: text by path within the report.

    `rows` are those of main.tex, see `write`; `measured` has the lines of measures.csv.
    """
    from benchmark.report import effects, exports, factor_table, shortlists

    found = list(named.values())
    texts = {
        f"tables/{name}.{kind}": text for name, each in named.items() for kind, text in exports.files(each).items()
    }
    texts["effects.csv"] = effects.csv(found)
    texts["main.tex"] = exports.main_table(shortlists.choose_rows(named, rows))
    if made := [decision for table in found for decision in decisions(table)]:
        texts["ensembles.csv"] = effects.ensembles_csv(made)
    if crossed := factors(found):
        texts["factors.csv"] = factor_table.csv(crossed)
    if measured:
        texts["measures.csv"] = effects.measures_csv(measured)
        texts["measures.md"] = in_words(measured)
    return texts


def draw_log(log: Log, name: str, path: Path) -> Path:
    """Writes the figure of one training to `path`.svg and `path`.png and returns the path.

    Raises UsageError if it cannot be written.
    """
    from benchmark.report import sweep_plots

    with reporting_write_errors(path.parent, REMEDY):
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep_plots.draw_log(log, name, path)
    return path


def file_names(studies: Sequence[TableRecord]) -> list[str]:
    """Returns a file name for each table: its ablation and context, its data and budget where there are several."""
    several = len({(study.data, study.budget) for study in studies}) > 1
    parts = [[each.ablation, each.context, *([each.data, each.budget] if several else [])] for each in studies]
    plain = ["-".join(filter(None, map(slug, each))) for each in parts]
    seen: Counter[str] = Counter()
    unique = []
    for name in plain:
        seen[name] += 1
        unique.append(name if seen[name] == 1 else f"{name}--{seen[name]}")  # no slug holds two dashes in a row
    return unique


def save(path: Path, text: str) -> None:
    """Writes a text, the same bytes on every system; what UTF-8 cannot hold becomes a question mark."""
    path.write_bytes(text.encode("utf-8", "replace"))
