"""Texts and numbers as plots and pages show them."""

from __future__ import annotations

from benchmark.evidence.tables import Table
from benchmark.report.titles import title as table_title
from benchmark.store.records import TableRecord

LONGEST_SLUG = 80  # letters of a slug: file systems allow 255 for a name made of several


def plot_title(table: Table) -> str:
    """Returns what a plot is of: the table's title with its context."""
    return table_title(table.study)


def subtitle(table: Table) -> str:
    """Returns what a table was measured on, and whether it is final."""
    gaps = f"; preliminary: {table.missing} runs missing" if table.missing else ""
    return f"{where(table.study)}{gaps}"


def where(study: TableRecord) -> str:
    """Returns the data set and the budget of a table."""
    synthetic = " (synthetic images)" if study.data == "fractal10" else ""
    return f"{study.data}{synthetic}, {study.budget} budget"


def slug(text: str) -> str:
    """Returns small letters, digits and single dashes, at most LONGEST: a name for files and for places on a page."""
    kept = "".join(letter if letter.isascii() and letter.isalnum() else " " for letter in text.lower())
    return "-".join(kept.split())[:LONGEST_SLUG].strip("-")


def control_name(table: Table) -> str:
    """Returns the control's name, with the variants that it stands for."""
    same = table.study.same
    return f"baseline = {', '.join(same)}" if same else "baseline"


def signed(value: float, digits: int) -> str:
    """Returns a number with its sign, kept where rounding leaves nothing else: an interval to -0.0 excludes zero."""
    return f"{value:+.{digits}f}".replace("-", "\N{MINUS SIGN}") if value else f"{value:.{digits}f}"


def digits_of(margin: float) -> int:
    """Returns how many decimals a reader can use where `margin` is what matters."""
    return 1 if margin >= 1 else 2


def numeral(value: float) -> str:
    """Returns a number without trailing zeros."""
    return f"{value:g}".replace("-", "\N{MINUS SIGN}")


def tick(value: float) -> str:
    """Returns a number of an axis, with its sign."""
    return f"+{numeral(value)}" if value > 0 else numeral(value)


def in_numbers(effect: float | None, low: float | None, high: float | None, digits: int) -> str:
    """Returns an effect with its interval, as far as they are known."""
    if effect is None:
        return ""
    interval = "" if low is None or high is None else f" [{signed(low, digits)}, {signed(high, digits)}]"
    return f"{signed(effect, digits)}{interval}"
