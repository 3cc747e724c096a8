"""What the templates show of a table of two factors, as plain values, and its file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from benchmark.evidence.factors import FactorCell, Factors, Margin, factor_line
from benchmark.report import spreadsheet
from benchmark.report.text import digits_of, in_numbers


@dataclass(frozen=True)
class Sentence:
    """What is said of the best way."""

    text: str
    resolved: bool


@dataclass(frozen=True)
class ShownFactors:
    """One cell."""

    kind: str
    best: str  # empty without runs
    accuracy: str  # with the runs
    sentences: list[Sentence]
    missing: str  # empty if none is


@dataclass(frozen=True)
class FactorTable:
    """One table of two factors."""

    title: str
    kinds: list[str]
    rows: list[tuple[str, list[ShownFactors]]]  # contexts


def show_factors(table: Factors, several: bool) -> FactorTable:
    """Returns a table, ready to be shown: `several` if the report has several data sets or budgets."""
    about = f" ({table.data}, {table.budget})" if several else ""
    cells = {context: [cell for cell in table.cells if cell.context == context] for context in table.contexts}
    return FactorTable(
        title=f"The best way in each case{about}",
        kinds=table.kinds,
        rows=[(context, [show(cell, table) for cell in there]) for context, there in cells.items()],
    )


def show(cell: FactorCell, table: Factors) -> ShownFactors:
    """Returns one cell in words."""
    digits = digits_of(table.margin)
    control = "training from scratch" if table.scratch else "the baseline"
    said = []
    if cell.second:
        said.append(margin_in_words(cell.second, f"{cell.second.over}, the next best", digits))
    if cell.control:
        said.append(margin_in_words(cell.control, control, digits))
    if cell.behind and not (cell.second and cell.second.over == cell.advised):
        said.append(margin_in_words(cell.behind, f"{cell.advised}, which {cell.source} advises", digits))
    elif cell.advised and cell.best:
        which = "this way" if cell.advised == cell.best else "the next best" if cell.behind else cell.advised
        said.append(Sentence(f"{cell.source} advises {which}", True))
    return ShownFactors(
        kind=cell.kind,
        best=cell.best or "",
        accuracy="" if cell.accuracy is None else f"{cell.accuracy:.{digits}f} % ({runs(cell.n)})",
        sentences=said,
        missing=f"{runs(cell.missing)} missing" if cell.missing else "",
    )


def margin_in_words(margin: Margin, over: str, digits: int) -> Sentence:
    """Returns a margin in numbers."""
    numbers = in_numbers(margin.mean, margin.ci_low, margin.ci_high, digits)
    return Sentence(f"{numbers} over {over} ({runs(margin.n)})", margin.resolved)


def runs(count: int) -> str:
    """Returns how many runs there are."""
    return f"{count} run{'' if count == 1 else 's'}"


def csv(found: Sequence[Factors]) -> str:
    """Returns the text of factors.csv: a line for each cell."""
    frame = pd.DataFrame([factor_line(table, cell) for table in found for cell in table.cells])
    counts = {name: "Int64" for name in frame.columns if name == "n" or name.endswith("_n")}
    whole = frame.astype(counts)  # or a missing value would turn the others into 3.0
    return spreadsheet.csv(whole)
