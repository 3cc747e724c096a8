"""Reads the log of one training from a table as a tool wrote it: the losses by step, and what was measured by epoch.

Rows of the same epoch are joined, steps that restart in each epoch are counted on, percentages become shares. Whatever
was taken for something, assumed or left out is said in sentences: see `Reading`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmark.errors import UsageError
from benchmark.evidence.log import Log
from benchmark.evidence.log_columns import Columns, find_columns, meaning
from benchmark.evidence.log_table import LogTable, Mask, Values, read_table

FEWEST_STEPS = 20  # the rules speak of twentieths of the training
FEWEST_EPOCHS = 2
FEWEST_RATES = 5  # tell whether the learning rate is constant
SPARSE = 0.5  # empty cells amid the losses, as a share of these: with more, losses are not written at every step
HAIR = 1e-3  # an accuracy above 1 by less than this is 1, rounded in single or half precision
BY_EPOCH = ("epoch_loss", "validation_loss", "train_accuracy", "validation_accuracy")
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Reading:
    """A log, and sentences that say which column was taken for what, and what was assumed or left out."""

    log: Log
    said: tuple[str, ...]


@dataclass(frozen=True)
class Series:
    """One quantity: its values, and the rows of the table that they stand in."""

    columns: tuple[str, ...]
    rows: Rows
    values: Values

    def at(self, order: Rows) -> Series:
        """Returns the same in another order."""
        return Series(self.columns, self.rows[order], self.values[order])

    @property
    def name(self) -> str:
        """Returns its column or columns, in words."""
        return " + ".join(self.columns)


def read_log(path: Path, given: Columns | None = None, classes: int | None = None) -> Reading:
    """Returns the log in a file, in which `given` names columns that their names do not tell.

    `classes` is the number of classes, where it is known. Raises UsageError, naming line, column and remedy, for a
    file that cannot be understood.
    """
    table = read_table(path)
    columns = find_columns(table.columns, given or Columns(), path)
    if not any(getattr(columns, part) for part in ("loss", *BY_EPOCH)):
        raise UsageError(
            f"{path} has no column that is recognised as loss or accuracy; name one with --loss, --train-accuracy, "
            f"--validation-accuracy or --validation-loss; it has: {', '.join(table.columns)}"
        )
    if not len(table.lines):
        raise UsageError(f"{path} has a header and no numbers below it; a diagnosis needs the rows of a training")
    said = list(table.notes)
    epochs = column_position(table, columns.epoch, whole=False, said=said)
    steps = column_position(table, columns.step, whole=True, said=said)
    parts = {part: found for part in ("loss", *BY_EPOCH) if (found := series(table, getattr(columns, part)))}
    for part in ("train_accuracy", "validation_accuracy"):
        if part in parts:
            parts[part] = shares(table, parts[part], said)
    if "loss" in parts:
        parts["loss"] = with_lost(table, parts["loss"], said)
        if is_by_epoch(parts["loss"], epochs):
            parts["epoch_loss"] = parts.get("epoch_loss") or parts["loss"]
            del parts["loss"]
    losses, in_epoch = by_step(table, parts.pop("loss"), steps, epochs, said) if "loss" in parts else (None, None)
    measured, count = by_epoch(table, parts, steps, epochs, said)
    log = Log(
        losses=[] if losses is None else losses.values.tolist(),
        train_loss=measured.get("epoch_loss", ()),
        validation_loss=measured.get("validation_loss", ()),
        train_accuracy=measured.get("train_accuracy", ()),
        validation_accuracy=measured.get("validation_accuracy", ()),
        epochs=in_epoch or count or None,
        constant_rate=constant_rate(table, columns, steps if steps is not None else epochs, said),
        classes=classes,
    )
    return Reading(enough(path, log, said), tuple(said))


def column_position(table: LogTable, names: tuple[str, ...], whole: bool, said: list[str]) -> Values | None:
    """Returns the steps (whole) or epochs of all rows, nan where a row does not say; None without such a column."""
    if not names:
        return None
    found, sign = table.positions(names[0], whole)
    if sign == ".":
        said.append(f"the points in {names[0]} are taken to part thousands")
    return found


def series(table: LogTable, names: tuple[str, ...]) -> Series | None:
    """Returns a column, or the sum of several, over the rows that fill it; None where none does."""
    if not names:
        return None
    rows = np.flatnonzero(np.logical_and.reduce([table.filled(name) for name in names]))
    values = np.sum([table.values(name)[rows] for name in names], axis=0)
    return Series(names, rows, values) if len(rows) else None


def shares(table: LogTable, accuracy: Series, said: list[str]) -> Series:
    """Returns accuracies from 0 to 1; those up to 100 are percentages. Raises UsageError for others."""
    values = accuracy.values
    percent = bool(np.nanmax(values, initial=0) > 1 + HAIR)
    wrong = (values < 0) | (values > (100 if percent else 1) * (1 + HAIR)) | np.isinf(values)
    if percent and np.nanmax(values) < 2:
        wrong |= values > 1 + HAIR  # in percent, less than 2 for a whole training is unlikely
    if wrong.any():
        at = int(np.flatnonzero(wrong)[0])
        raise UsageError(
            f"{table.place(int(accuracy.rows[at]), accuracy.name)}: an accuracy must be from 0 to 1, or from 0 to 100 "
            f"percent, got {values[at]:g}; correct it or name another column"
        )
    if percent:
        said.append(f"{accuracy.name} is taken for percentages")
    return Series(accuracy.columns, accuracy.rows, np.minimum(values / (100 if percent else 1), 1.0))


def with_lost(table: LogTable, loss: Series, said: list[str]) -> Series:
    """Returns the losses with nan where the cell is empty in a row that is otherwise like those that have a loss.

    So does pandas write nan. A row that other columns fill, as Lightning's rows of a validation, lacks no loss. Nor is
    a cell missing where Weights & Biases joined runs of unequal length.
    """
    if any(" - " in name for name in loss.columns):
        return loss
    filled = np.stack(
        [table.filled(name) if name else np.zeros(len(table.lines), bool) for name in columns_once(table)], 1
    )
    losses = np.array(
        [name in loss.columns or bool((of := meaning(name)) and of.loss) for name in columns_once(table)]
    )
    has = np.zeros(len(table.lines), bool)
    has[loss.rows] = True
    whole = {(row[~losses].tobytes(), row[losses].tobytes()) for row in np.unique(filled[has], axis=0)}

    def like_whole(row: Mask) -> bool:
        rest, there = row[~losses].tobytes(), row[losses]
        return any(rest == others and not (there & ~np.frombuffer(kept, bool)).any() for others, kept in whole)

    patterns, which = np.unique(filled[~has], axis=0, return_inverse=True)
    alike = np.array([bool(row.any()) and like_whole(row) for row in patterns], bool)
    lost = np.flatnonzero(~has)[alike[which.reshape(-1)]] if len(patterns) else np.array([], np.int64)
    if not len(lost):
        return loss
    if (lost < loss.rows[-1]).sum() > len(loss.rows) * SPARSE:
        said.append(f"{loss.name} is empty in {len(lost):,} rows; taken for a loss that is not written at every step")
        return loss
    said.append(
        f"{loss.name} is empty in {len(lost):,} rows that are otherwise whole, the first of them line "
        f"{table.lines[lost[0]]}; taken for nan, which many tools write as an empty cell"
    )
    rows = np.concatenate([loss.rows, lost])
    values = np.concatenate([loss.values, np.full(len(lost), np.nan)])
    order = np.argsort(rows, kind="stable")
    return Series(loss.columns, rows[order], values[order])


def columns_once(table: LogTable) -> list[str]:
    """Returns the names of the columns that occur once."""
    return [name for name in table.columns if table.columns.count(name) == 1]


def is_by_epoch(loss: Series, epochs: Values | None) -> bool:
    """Returns whether every loss stands in an epoch of its own."""
    if epochs is None:
        return False
    known = whole_epochs(epochs[loss.rows])
    known = known[np.isfinite(known)]
    return len(known) == len(loss.rows) == len(np.unique(known))


def whole_epochs(epochs: Values) -> Values:
    """Returns the epochs that fractions of epochs belong to: 0.5 and 1.0 to epoch 1, where there are fractions."""
    finite = epochs[np.isfinite(epochs)]
    return np.ceil(np.round(epochs, 6)) if (finite != np.round(finite)).any() else epochs


def by_step(
    table: LogTable, loss: Series, steps: Values | None, epochs: Values | None, said: list[str]
) -> tuple[Series, int | None]:
    """Returns the losses in the order of their steps, and how many epochs they cover, where that is known.

    Raises UsageError for a loss without a step, and for a step that occurs twice.
    """
    said.append(f"loss of each step: {loss.name}, {len(loss.rows):,} values")
    inside = None if epochs is None else filled_forward(whole_epochs(epochs[loss.rows]))
    count = None if inside is None else len(np.unique(inside[np.isfinite(inside)])) or None
    if inside is None or not np.isfinite(inside).all():
        inside = np.zeros(len(loss.rows))
    if steps is None:
        said.append("the rows are taken in their order, as there is no column of steps")
        return loss.at(np.argsort(inside, kind="stable")), count
    at = steps[loss.rows]
    if not np.isfinite(at).all():
        row = int(loss.rows[np.flatnonzero(~np.isfinite(at))[0]])
        raise UsageError(f"{table.path}, line {table.lines[row]}: a loss without a step; add it or leave the row out")
    restarts = np.flatnonzero(np.diff(at) < 0) + 1
    if not count and has_twice(at, inside) and (at[restarts] == at[0]).all():
        inside = np.searchsorted(restarts, np.arange(len(at)), side="right").astype(np.float64)
        count = len(restarts) + 1
    order = np.lexsort((at, inside))
    loss, at, inside = loss.at(order), at[order], inside[order]
    twice = np.flatnonzero((np.diff(at) == 0) & (np.diff(inside) == 0))
    if len(twice):
        line = max(table.lines[loss.rows[twice[0] : twice[0] + 2]])
        raise UsageError(
            f"{table.path}, line {line}: step {at[twice[0]]:g} a second time; leave out the rows that were trained "
            "again, or the other training"
        )
    if (np.diff(at) <= 0).any():
        said.append("the steps restart in each epoch and are counted on")
    elif len(at) > 1 and (gap := float(np.median(np.diff(at)))) > 1:
        said.append(
            f"every {gap:g}th step is there: the word about the batch holds only if each loss is that of one batch, "
            "not a mean over several"
        )
    return loss, count


def has_twice(at: Values, inside: Values) -> bool:
    """Returns whether a step occurs twice in an epoch."""
    return len(np.unique(np.stack([inside, at]), axis=1).T) < len(at)


def filled_forward(values: Values) -> Values:
    """Returns values with each nan replaced by the last number before it, or else by the first behind it."""
    known = np.flatnonzero(np.isfinite(values))
    if not len(known):
        return values
    before = np.searchsorted(known, np.arange(len(values)), side="right") - 1
    return values[known[np.maximum(before, 0)]]


def by_epoch(
    table: LogTable, parts: dict[str, Series], steps: Values | None, epochs: Values | None, said: list[str]
) -> tuple[dict[str, list[float]], int]:
    """Returns what was measured by epoch, one value for each, nan where there is none; and the number of epochs.

    The last validation of an epoch counts, and the mean of training accuracies of single batches. Without a column of
    epochs every validation ends one.
    """
    if not parts:
        return {}, 0
    keys = {part: keys_of(table, found, epochs) for part, found in parts.items()}
    if any(found is None for found in keys.values()):
        where = steps if steps is not None else np.arange(len(table.lines), dtype=np.float64)
        keys = ends(parts, where)
        said.append("there is no column of epochs, so each row with a validation counts as the end of one")
    else:
        for part, found in parts.items():
            refuse_two_trainings(table, found, keys[part])
    known = np.unique(np.concatenate([found for found in keys.values() if found is not None]))
    measured = {}
    for part, found in parts.items():
        key = keys[part]
        at = np.searchsorted(known, np.zeros(0) if key is None else key)
        average = part == "train_accuracy" and len(found.rows) > 2 * len(np.unique(at))
        measured[part] = averages(at, found.values, len(known)) if average else lasts(at, found.values, len(known))
        several = len(found.rows) > len(np.unique(at))
        how = f", {'the mean' if average else 'the last'} of several in an epoch" if several else ""
        said.append(f"{part.replace('epoch_loss', 'train_loss').replace('_', ' ')} of each epoch: {found.name}{how}")
    return measured, len(known)


def keys_of(table: LogTable, found: Series, epochs: Values | None) -> Values | None:
    """Returns the epoch of each value; None where a value has none."""
    if epochs is None:
        return None
    key = whole_epochs(epochs[found.rows])
    return key if np.isfinite(key).all() else None


def ends(parts: dict[str, Series], where: Values) -> dict[str, Values | None]:
    """Returns, for each value, the place of the validation at or after it: each validation ends an epoch."""
    leading = next((parts[part] for part in ("validation_accuracy", "validation_loss") if part in parts), None)
    if leading is None:
        leading = next(iter(parts.values()))
    edges = np.unique(where[leading.rows])
    return {
        part: edges[np.minimum(np.searchsorted(edges, where[found.rows]), len(edges) - 1)]
        for part, found in parts.items()
    }


def refuse_two_trainings(table: LogTable, found: Series, key: Values | None) -> None:
    """Raises UsageError where an epoch comes again after others."""
    if key is None:
        return
    starts = np.flatnonzero(np.diff(key, prepend=np.nan) != 0)
    order = key[starts]
    if len(np.unique(order)) < len(order):
        again = next(at for place, at in enumerate(starts) if order[place] in order[:place])
        raise UsageError(
            f"{table.path}, line {table.lines[found.rows[again]]}: epoch {key[again]:g} a second time; leave out the "
            "rows that were trained again, or the other training"
        )


def lasts(at: Rows, values: Values, count: int) -> list[float]:
    """Returns the last value of each of `count` groups; nan for a group without any."""
    found = np.full(count, np.nan)
    found[at] = values
    return [float(value) for value in found]


def averages(at: Rows, values: Values, count: int) -> list[float]:
    """Returns the mean of each of `count` groups; nan for a group without any."""
    sizes = np.bincount(at, minlength=count)
    return [
        float(total / size) if size else float("nan")
        for total, size in zip(np.bincount(at, values, count), sizes, strict=True)
    ]


def constant_rate(table: LogTable, columns: Columns, where: Values | None, said: list[str]) -> bool | None:
    """Returns whether the learning rate stays above half its peak to the end; None where the table does not tell."""
    found = series(table, columns.learning_rate)
    if found is None or len(found.rows) < FEWEST_RATES or not np.isfinite(found.values).all():
        return None
    order = np.arange(len(found.rows)) if where is None else np.argsort(where[found.rows], kind="stable")
    said.append(f"learning rate: {found.name}")
    return bool(found.values[order][-1] > found.values.max() / 2)


def enough(path: Path, log: Log, said: list[str]) -> Log:
    """Returns the log without what is too short to judge. Raises UsageError where nothing is left."""
    short = 0 < len(log.losses) < FEWEST_STEPS and bool(np.isfinite(log.losses).all())
    single = 0 < log.measured < FEWEST_EPOCHS
    if short and (single or not log.measured):
        raise UsageError(
            f"{path} has {len(log.losses)} losses; a diagnosis needs {FEWEST_STEPS} or more, one for each step"
        )
    if single and not log.losses:
        raise UsageError(f"{path} has a single epoch; a diagnosis needs {FEWEST_EPOCHS} or more")
    if short:
        said.append(f"{len(log.losses)} losses are too few to judge; {FEWEST_STEPS} or more are needed")
        return Log(**{**vars(log), "losses": ()})
    return log
