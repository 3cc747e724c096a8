"""The command `report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmark import report as reports
from benchmark.commands.answers import ReportAnswer, show_answer
from benchmark.commands.console import console
from benchmark.commands.measures import MeasureNames, with_labels
from benchmark.commands.options import BudgetName, Data, DataDir, StoreDir, opened, settle_request
from benchmark.commands.say import AsJson
from benchmark.errors import UsageError
from benchmark.evidence.measures import in_words, measured_tables, parse_measures
from benchmark.evidence.tables import tables


def command(
    data: Data = "auto",
    data_dir: DataDir = Path("data"),
    budget: BudgetName = "auto",
    store: StoreDir = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the report. [STORE/report]")] = None,
    history: Annotated[
        Path | None,
        typer.Option("--history", help="CSV of past accepted effects, drawn over time. [history.csv next to STORE]"),
    ] = None,
    measure: MeasureNames = "",
    pdf: Annotated[bool, typer.Option("--pdf", help="Write each plot as PDF too, for papers.")] = False,
    png: Annotated[bool, typer.Option("--png", help="Write each plot as PNG too.")] = False,
    rows: Annotated[
        list[str] | None,
        typer.Option(
            "--rows", help="A row of main.tex as ABLATION:VARIANT, once for each. [those of the short lists]"
        ),
    ] = None,
    readme: Annotated[
        Path | None,
        typer.Option(
            "--readme", help="Write no report; put the short lists between the markers of this Markdown file."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write tables and plots from a store: nothing is trained, and only a new --measure needs the data set.

    Examples: python -m benchmark report --store results/reference/cifar10-catalogue --out /tmp/report
    python -m benchmark report --store results/flowers@64-quick --measure balanced-accuracy,per-class
    """
    names = parse_measures(measure)
    store = store or settle_request(data, data_dir, budget, None, None, "1", "auto", 1).store
    results, own = opened(store), out is None
    out = out or store / "report"
    asked = with_labels(results, names, results.tables(), data_dir) if measure else results.measures()
    if measure and own and asked:
        results.save_measures(asked)
    page = None
    if readme:
        reports.write_lists(results, readme)
    else:
        more = tuple(kind for kind, wanted in (("pdf", pdf), ("png", png)) if wanted)
        with console(as_json).status("writing the report"):
            page = reports.write(results, out, history, more, rows or (), asked)
    measured = measured_tables(reports.by_name(tables(results)).values(), results, asked) if names else []
    if names and not measured:
        raise UsageError(f"{results.folder} has no answers to test images, which --measure needs; `run` keeps them")
    answer = ReportAnswer(
        store=str(store),
        page=str(page) if page else None,
        readme=str(readme) if readme else None,
        effects=tuple(row for table in tables(results) for row in table.rows) if as_json else (),
        measures=tuple(measured),
    )

    def words() -> str:
        lines = [f"report: {page}" if page else f"short lists: {readme}"]
        if measured:
            lines += [in_words(measured), f"measures: {out / 'measures.csv'}, {out / 'measures.md'}"]
        return "\n".join(lines)

    show_answer(answer, as_json, words)
