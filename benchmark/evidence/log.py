"""The log of one training, as any training loop can write it: losses by step, accuracies by epoch.

A CSV file with a header line; further columns do not matter, nor does the order of the columns or the rows.

    step, loss                                   the mean loss of one batch; not an average over several batches
    epoch, train_accuracy, validation_accuracy   shares from 0 to 1, after or over each epoch
    learning_rate                                beside step and loss; not needed, and used if every step has it

Either part will do, or both: in rows of their own, with the cells of the other part left empty, or in common ones.
A loss of nan or inf says that the training diverged there.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from benchmark.errors import UsageError

STEPS = ("step", "loss")
RATES = ("step", "learning_rate")
EPOCHS = ("epoch", "train_accuracy", "validation_accuracy")
FEWEST_STEPS = 20  # the rules speak of tenths of the training, and a tenth has to be more than one step
FEWEST_EPOCHS = 2
Cells = tuple[int, dict[str, str]]  # number of the line, and what stands in it by column


@dataclass(frozen=True)
class Log:
    """What the rules look at. Either part may be empty."""

    losses: Sequence[float] = ()  # of each step, in order; one that is not finite: the training diverged there
    train_accuracy: Sequence[float] = ()  # of each epoch, 0 to 1
    validation_accuracy: Sequence[float] = ()  # of each epoch, 0 to 1
    constant_rate: bool | None = None  # whether the learning rate stays above half its peak; None if that is not told


def read(path: Path) -> Log:
    """The log in a CSV file. Raises UsageError, naming line and column, for one that cannot be understood."""
    columns, rows = table(path)
    parts = [part for part in (STEPS, EPOCHS) if has(part, columns, path)]
    if not parts:
        raise UsageError(
            f"{path} has no columns that tell of a training; it needs step and loss, or epoch, train_accuracy and "
            f"validation_accuracy, and has: {', '.join(columns)}"
        )
    steps = numbers(rows, STEPS, path) if STEPS in parts else []
    rates = numbers(rows, RATES, path) if STEPS in parts and RATES[1] in columns else []
    epochs = numbers(rows, EPOCHS, path) if EPOCHS in parts else []
    if not steps and not epochs:
        raise UsageError(f"{path} has a header and no numbers below it; a diagnosis needs the rows of a training")
    if 0 < len(steps) < FEWEST_STEPS and all(isfinite(loss) for _, loss in steps):
        raise UsageError(
            f"{path} has {len(steps)} losses; a diagnosis needs {FEWEST_STEPS} or more, one for each step"
        )
    if 0 < len(epochs) < FEWEST_EPOCHS:
        raise UsageError(f"{path} has a single epoch; a diagnosis needs {FEWEST_EPOCHS} or more")
    return Log(
        losses=[loss for _, loss in steps],
        train_accuracy=[train for _, train, _ in epochs],
        validation_accuracy=[validation for _, _, validation in epochs],
        constant_rate=rates[-1][1] > max(rate for _, rate in rates) / 2 if len(rates) >= len(steps) > 0 else None,
    )


def table(path: Path) -> tuple[list[str], list[Cells]]:
    """The columns, and the rows below them with the numbers of their lines.

    Raises UsageError for what is no table.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file, strict=True)
            rows = [(lines.line_num, [cell.strip() for cell in row]) for row in lines if any(row)]
    except OSError as reason:
        raise UsageError(f"cannot read {path}: {reason.strerror or reason}") from None
    except (csv.Error, UnicodeDecodeError) as reason:
        raise UsageError(f"{path} is no CSV file: {reason}") from None
    if not rows:
        raise UsageError(f"{path} is empty; it needs a header line and the rows of a training")
    columns = [name.lower() for name in rows[0][1]]
    for name in {*STEPS, *RATES, *EPOCHS}:
        if columns.count(name) > 1:
            raise UsageError(f"{path} has the column {name} twice; leave one of them out")
    for line, cells in rows[1:]:
        if len(cells) != len(columns):
            raise UsageError(f"{path}, line {line}: {len(cells)} cells for {len(columns)} columns")
    return columns, [(line, dict(zip(columns, cells, strict=True))) for line, cells in rows[1:]]


def has(part: Sequence[str], columns: Sequence[str], path: Path) -> bool:
    """Whether the table has this part. Raises UsageError if it has the numbers of it and not all of the columns."""
    lacking = [name for name in part if name not in columns]
    if there := [name for name in part[1:] if lacking and name in columns]:
        raise UsageError(f"{path} has no column {' and no '.join(lacking)}, which {there[0]} goes with")
    return not lacking


def numbers(rows: Sequence[Cells], part: Sequence[str], path: Path) -> list[tuple[float, ...]]:
    """The rows that fill this part, in the order of its first column.

    Raises UsageError for a row that fills it half, for a cell that is no number, and for a step or epoch twice.
    """
    found: dict[float, tuple[float, ...]] = {}
    for line, cells in rows:
        if not any(cells[name] for name in part[1:]):
            continue  # a row of the other part
        values = tuple(number(cells[name], name, f"{path}, line {line}, column {name}") for name in part)
        if values[0] in found:
            raise UsageError(f"{path}, line {line}: {part[0]} {values[0]:g} a second time; one training to a file")
        found[values[0]] = values
    return [found[at] for at in sorted(found)]


def number(text: str, name: str, place: str) -> float:
    """A cell's number. Raises UsageError, naming its place, unless it is one that can stand there."""
    try:
        value = float(text)
    except ValueError:
        said = f"{text!r} is no number" if text else "nothing there"
        raise UsageError(f"{place}: {said}") from None
    if name != "loss" and not isfinite(value):
        raise UsageError(f"{place}: {text!r} is no finite number")
    if name.endswith("accuracy") and not 0 <= value <= 1:
        raise UsageError(f"{place}: an accuracy must be from 0 to 1, got {text}")
    return value
