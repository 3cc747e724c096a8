"""Results on the terminal: a line for a row as soon as it has its runs, and a table of all rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from rich.table import Table as Grid
from rich.text import Text

from benchmark.commands.console import letters
from benchmark.evidence.tables import Row, Table
from benchmark.report.cells import SIGNS
from benchmark.store.records import Finished

STYLES = {"helps": "green", "hurts": "red", "equivalent": "cyan"}
OPEN = "yellow"  # of a verdict that is no answer
ROWS_SHOWN = 15  # rows of a group that are shown
HEAD = "  verdict      effect, points       accuracy  training  trick"


@dataclass(frozen=True)
class ResultRow:
    """A row as the terminal shows it."""

    name: str
    row: Row
    time: float | None  # seconds of training over the control's, medians; None where a side has no run

    @property
    def answered(self) -> bool:
        """Returns whether the row has an answer."""
        return self.row.verdict in STYLES


def result(table: Table, row: Row) -> ResultRow:
    """Returns a row of a table with its training time."""
    return ResultRow(table.study.name.row(row.variant), row, time_ratio(table.arms[row.variant], table.control))


def time_ratio(runs: Sequence[Finished], control: Sequence[Finished]) -> float | None:
    """Returns the median seconds of training over the control's; of an ensemble, its members' sum counts."""
    ours, theirs = ([run.train_seconds for run in each] for each in (runs, control))
    return median(ours) / median(theirs) if ours and theirs and median(theirs) else None


def sign_and_colour(row: Row) -> tuple[str, str]:
    """Returns the sign and the colour of a row's verdict."""
    return SIGNS.get(row.verdict, SIGNS["unresolved"]), STYLES.get(row.verdict, OPEN)


def effect_cell(row: Row) -> str:
    """Returns an effect with its interval, in points."""
    if row.effect is None:
        return ""
    interval = "" if row.ci_low is None or row.ci_high is None else f" [{row.ci_low:+.1f}, {row.ci_high:+.1f}]"
    return f"{row.effect:+.1f}{interval}"


def accuracy_cell(value: float | None) -> str:
    """Returns an accuracy in percent."""
    return "" if value is None else f"{value:.1f} %"


def time_cell(ratio: float | None) -> str:
    """Returns a ratio of times."""
    return "" if ratio is None else f"×{ratio:.2f}"  # noqa: RUF001  the sign of multiplication is meant


def result_line(found: ResultRow) -> Text:
    """Returns the line of a row that has its runs."""
    sign, colour = sign_and_colour(found.row)
    text = Text(letters(f"{sign} {found.row.verdict:<11}"), style=colour)
    text.append(
        letters(f"{effect_cell(found.row):<21}{accuracy_cell(found.row.accuracy):>8}  {time_cell(found.time):<8}  "),
        "default",
    )
    return text.append(letters(found.name), "bold")


def groups(found: Iterable[ResultRow]) -> dict[str, list[ResultRow]]:
    """Returns rows that have runs under what helps, what is not worth it and what is open, each by its effect."""
    sorted_ = sorted((each for each in found if each.row.n), key=lambda each: -(each.row.effect or 0.0))
    return {
        "helps": [each for each in sorted_ if each.row.verdict == "helps"],
        "not worth it": [each for each in sorted_ if each.row.verdict in ("hurts", "equivalent")],
        "open": [each for each in sorted_ if not each.answered],
    }


def summary_table(found: Sequence[ResultRow], title: str) -> Grid:
    """Returns a table of rows in groups, at most MOST of each group."""
    grid = Grid(title=letters(title), title_justify="left", pad_edge=False)
    grid.add_column("", no_wrap=True)
    grid.add_column("trick", overflow="fold")
    for name in ("accuracy", "baseline", "effect, points", "training"):
        grid.add_column(name, justify="right", no_wrap=True)
    for group, rows in groups(found).items():
        for each in rows[:ROWS_SHOWN]:
            sign, colour = sign_and_colour(each.row)
            cells = (
                each.name,
                accuracy_cell(each.row.accuracy),
                accuracy_cell(each.row.accuracy_control),
                effect_cell(each.row),
            )
            shown = [letters(cell) for cell in (*cells, time_cell(each.time))]
            grid.add_row(Text(letters(f"{sign} {each.row.verdict}"), style=colour), *shown)
        if len(rows) > ROWS_SHOWN:
            grid.add_row("", letters(f"… and {len(rows) - ROWS_SHOWN} more: {group}"))
        grid.add_section()
    return grid


def count_in_words(found: Sequence[ResultRow]) -> str:
    """Returns how many rows have an answer, in words."""
    known = {group: len(rows) for group, rows in groups(found).items()}
    later = sum(not each.row.n for each in found)
    text = f"{known['helps']} help, {known['not worth it']} are not worth it, {known['open']} are open"
    return f"{text}, {later} not trained yet" if later else text
