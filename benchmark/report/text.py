"""Texts and numbers as plots and pages show them."""

from __future__ import annotations

from benchmark.evidence.tables import Table


def title(table: Table) -> str:
    """What a plot is of."""
    return str(table.study.name).capitalize()


def subtitle(table: Table) -> str:
    """On what, and whether it is final."""
    gaps = f"; preliminary: {table.missing} runs missing" if table.missing else ""
    synthetic = " (synthetic images)" if table.study.data == "fractal10" else ""
    return f"{table.study.data}{synthetic}, {table.study.budget} budget{gaps}"


def control_name(table: Table) -> str:
    """The control, by the variants that it stands for."""
    same = table.study.same
    return f"baseline = {', '.join(same)}" if same else "baseline"


def signed(value: float, digits: int) -> str:
    """With a sign, which stays where rounding leaves nothing else: an interval that ends at -0.0 leaves out zero."""
    return f"{value:+.{digits}f}".replace("-", "\N{MINUS SIGN}") if value else f"{value:.{digits}f}"


def digits_of(margin: float) -> int:
    """Decimals that a reader can use where `margin` is what matters."""
    return 1 if margin >= 1 else 2


def number(value: float) -> str:
    """Without digits that say nothing."""
    return f"{value:g}".replace("-", "\N{MINUS SIGN}")


def tick(value: float) -> str:
    """A tick's number, with its sign."""
    return f"+{number(value)}" if value > 0 else number(value)


def in_numbers(effect: float | None, low: float | None, high: float | None, digits: int) -> str:
    """An effect with its interval, as far as they are known."""
    if effect is None:
        return ""
    interval = "" if low is None or high is None else f" [{signed(low, digits)}, {signed(high, digits)}]"
    return f"{signed(effect, digits)}{interval}"
