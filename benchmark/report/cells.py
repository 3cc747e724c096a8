"""Cells and lines of a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import stdev

from benchmark.evidence.judgements import more_seeds
from benchmark.evidence.tables import Row, Table, points
from benchmark.report.text import control_name, in_numbers
from benchmark.store.records import ArmRecord

SIGNS = {"helps": "▲", "hurts": "▼", "equivalent": "■", "unresolved": "●", "no verdict": "◇"}
NOTHING = "–"  # noqa: RUF001  the dash of an empty cell


@dataclass(frozen=True)
class Cell:
    """A text, and what it is sorted by."""

    text: str
    order: float | str = ""


@dataclass(frozen=True)
class Line:
    """One variant, or the baseline, of a table."""

    variant: str
    changes: str
    runs: Cell
    accuracy: Cell
    effect: Cell
    p: Cell
    verdict: str
    detail: str  # what stands after the verdict
    step: Cell
    diverged: int


def baseline(table: Table, digits: int) -> Line:
    """Returns the control's line."""
    scores = points(table.control, table.study)
    return Line(
        variant=control_name(table),
        changes=NOTHING,
        runs=runs(len(scores), table.study.control.seeds, 0),
        accuracy=accuracy(scores, digits),
        effect=Cell(NOTHING, 0.0),
        p=Cell(NOTHING),
        verdict="baseline",
        detail="",
        step=Cell("×1.00" if scores else NOTHING, 1.0),  # noqa: RUF001  the sign of multiplication is meant
        diverged=sum(record.diverged for record in table.control),
    )


def line(row: Row, arm: ArmRecord, table: Table, digits: int) -> Line:
    """Returns a variant's line."""
    word, detail = verdict(row)
    return Line(
        variant=row.variant,
        changes="; ".join(f"{field}: {value}" for field, value in arm.changes.items()),
        runs=runs(row.n, arm.seeds, row.failed),
        accuracy=accuracy(points(table.arms[row.variant], table.study), digits),
        effect=Cell(in_numbers(row.effect, row.ci_low, row.ci_high, digits) or NOTHING, ordered(row.effect)),
        p=Cell(p_value(row.p_adjusted), ordered(row.p_adjusted)),
        verdict=word,
        detail=detail,
        step=Cell(step(row), ordered(row.step_ms_ratio)),
        diverged=row.diverged,
    )


def verdict(row: Row) -> tuple[str, str]:
    """Returns the verdict's word and its details."""
    if row.effect is None and row.n:
        return "not compared", "no runs of the baseline"
    if row.verdict != "unresolved":
        return row.verdict, "; ".join(filter(None, [untested(row), row.caution]))
    needed = more_seeds(row.seeds_needed) if row.seeds_needed else ""
    return row.verdict, "; ".join(filter(None, [needed, untested(row), row.caution]))


def untested(row: Row) -> str:
    """Returns how many runs a row got since its last interim test; empty if none."""
    return f"{row.unseen} run{'' if row.unseen == 1 else 's'} since its last test" if row.unseen else ""


def runs(there: int, planned: int, failed: int) -> Cell:
    """Returns how many runs there are and how many are missing."""
    text = f"{there} of {planned}" if there < planned else str(there)
    return Cell(f"{text}, {failed} failed" if failed else text, there)


def accuracy(scores: Sequence[float], digits: int) -> Cell:
    """Returns the mean and the standard deviation over runs, in percent."""
    if not scores:
        return Cell(NOTHING)
    mean = sum(scores) / len(scores)
    return Cell(f"{mean:.{digits}f}" + (f" ± {stdev(scores):.{digits}f}" if len(scores) > 1 else ""), mean)


def p_value(p: float | None) -> str:
    """Returns a p value with the digits that matter."""
    if p is None:
        return NOTHING
    return "<0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def times(ratio: float | None) -> str:
    """Returns a ratio of step times."""
    return NOTHING if ratio is None else f"×{ratio:.2f}"  # noqa: RUF001  the sign of multiplication is meant


def step(row: Row) -> str:
    """Returns the step time over the baseline's, marked if it is only a ratio of medians of runs."""
    return f"{'' if row.step_in_turns or row.step_ms_ratio is None else '≈ '}{times(row.step_ms_ratio)}"


def ordered(value: float | None) -> float | str:
    """Returns a key for sorting: what is not known goes last."""
    return "" if value is None else value
