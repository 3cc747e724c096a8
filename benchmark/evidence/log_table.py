"""Reads a table that a training tool wrote: its columns as numbers, with the number of the line of each row.

Read are tables with a header line, separated by commas, semicolons, tabs, bars or blanks; with decimal points or,
where commas do not separate, decimal commas; with comment lines that begin with #; in UTF-8, UTF-16 or Windows-1252.
A header that is written again is skipped, and so is a last line that was cut.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, nan
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmark.errors import UsageError

Values = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
SEPARATORS = (",", ";", "\t", "|")
BLANKS = r"\s+"  # separates where nothing else does
MISSING = {"nan", "none", "null", "na", "n/a", "<na>", "#n/a", "-nan", "+nan", "nan(ind)", "-nan(ind)", "1.#qnan"}
INFINITE = {"inf", "+inf", "infinity", "+infinity", "1.#inf", "∞"}
TENSOR = re.compile(r"^tensor\(([^,)]*)[,)].*$", re.IGNORECASE)  # as print writes a torch.Tensor
DECIMAL_COMMA = re.compile(r"^[+-]?\d*,\d+(e[+-]?\d+)?$", re.IGNORECASE)


@dataclass(frozen=True)
class LogTable:
    """The rows of a file below its header."""

    path: Path
    columns: tuple[str, ...]  # as the header names them
    frame: pd.DataFrame  # columns 0, 1, ...; numbers, or text where a cell is no plain number; empty cells are nan
    lines: npt.NDArray[np.int64]  # number of the line of each row, from 1 on
    separator: str
    notes: tuple[str, ...]  # what was left out, in sentences

    def filled(self, name: str) -> Mask:
        """Returns which cells of a column hold something."""
        return self.frame[self.columns.index(name)].notna().to_numpy()

    def values(self, name: str) -> Values:
        """Returns a column as numbers: nan where a cell is empty or says so.

        Raises UsageError, naming the line, for a cell that is no number.
        """
        column = self.frame[self.columns.index(name)]
        found = pd.to_numeric(column, errors="coerce").to_numpy(np.float64, copy=True)
        for row in np.flatnonzero(np.isnan(found) & column.notna().to_numpy()):
            text = str(column.iloc[row]).strip()
            number = number_of(text, self.separator)
            if number is None:
                raise UsageError(
                    f"{self.place(int(row), name)}: {text!r} is no number; correct it or leave the row out"
                )
            found[row] = number
        return found

    def place(self, row: int, name: str) -> str:
        """Returns where a cell is, in words."""
        return f"{self.path}, line {self.lines[row]}, column {name}"


def number_of(text: str, separator: str) -> float | None:
    """Returns what a cell says that is no plain number (nan, infinity, 40%, 2,5); None where it is none at all."""
    text = TENSOR.sub(r"\1", text).strip().lower().rstrip("%").strip()
    if text in MISSING:
        return nan
    if text.lstrip("-") in INFINITE:
        return -inf if text.startswith("-") else inf
    if separator != "," and DECIMAL_COMMA.match(text):
        text = text.replace(",", ".")
    try:
        return float(text)
    except ValueError:
        return None


def read_table(path: Path) -> LogTable:
    """Returns the table in a file. Raises UsageError, naming the line where there is one, for what is no table."""
    lines = decoded_text(path).split("\n")
    header = next((line for line in lines if says_something(line)), None)
    if header is None:
        raise UsageError(f"{path} is empty; it needs a header line and the rows of a training")
    separator = separator_of(header)
    columns = cells_of([header], separator, path)[0]
    again = [number for number, line in enumerate(lines, start=1) if line == header][1:]
    notes = [f"line {number} repeats the header and is left out" for number in again]
    numbers = [number for number, line in enumerate(lines, start=1) if line != header and says_something(line)]
    rows = [lines[number - 1] for number in numbers]
    del lines
    widths = widths_of(rows, separator, path)
    if (
        rows
        and len(set(widths)) == 1
        and widths[0] == len(columns) + 1
        and all(row.endswith(separator) for row in rows)
    ):
        rows, widths = [row[: -len(separator)] for row in rows], [len(columns)] * len(rows)
    if rows and widths[-1] < len(columns) and len(rows) > 1:
        notes.append(f"line {numbers[-1]}, the last one, is cut and left out")
        rows, numbers, widths = rows[:-1], numbers[:-1], widths[:-1]
    wrong = next((at for at, width in enumerate(widths) if width != len(columns)), None)
    if wrong is not None:
        raise UsageError(
            f"{path}, line {numbers[wrong]}: {widths[wrong]} cells for {len(columns)} columns; correct the line or "
            "leave it out"
        )
    frame = frame_of(rows, len(columns), separator, path)
    return LogTable(path, tuple(columns), frame, np.array(numbers, np.int64), separator, tuple(notes))


def says_something(line: str) -> bool:
    """Returns whether a line is neither blank nor a comment, nor Excel's name of a separator."""
    start = line.lstrip()[:4]
    return bool(start) and not start.startswith("#") and start.lower() != "sep="


def decoded_text(path: Path) -> str:
    """Returns the text of a file with \\n at the ends of its lines. Raises UsageError for what is no text."""
    try:
        found = path.read_bytes()
    except OSError as reason:
        raise UsageError(f"cannot read {path}: {reason.strerror or reason}; name another file") from None
    encodings = ("utf-16",) if found.startswith((b"\xff\xfe", b"\xfe\xff")) else ("utf-8-sig", "cp1252")
    for encoding in encodings:
        try:
            text = found.decode(encoding).rstrip("\0")  # a power cut leaves zeros at the end
        except UnicodeError:
            continue
        if not re.search(r"[\x00-\x08\x0e-\x1a]", text):
            return text.replace("\r\n", "\n").replace("\r", "\n")
    raise UsageError(f"{path} is no CSV file: it holds bytes that are no text; name a log with a header line")


def separator_of(header: str) -> str:
    """Returns what separates the cells of a header line."""
    counts = {separator: header.count(separator) for separator in SEPARATORS}
    best = max(SEPARATORS, key=counts.__getitem__)
    return best if counts[best] else BLANKS if re.search(r"\S\s+\S", header) and '"' not in header else ","


def cells_of(lines: Sequence[str], separator: str, path: Path) -> list[list[str]]:
    """Returns the cells of lines, without blanks around them."""
    if separator == BLANKS:
        return [line.split() for line in lines]
    try:
        found = csv.reader(lines, delimiter=separator, skipinitialspace=True, strict=True)
        return [[cell.strip() for cell in row] for row in found]
    except csv.Error as reason:
        raise UsageError(f"{path} is no CSV file: {reason}; name a log with a header line") from None


def widths_of(lines: Sequence[str], separator: str, path: Path) -> list[int]:
    """Returns the number of cells of each line."""
    if separator == BLANKS:
        return [len(line.split()) for line in lines]
    if any('"' in line for line in lines):
        return [len(cells_of([line], separator, path)[0]) for line in lines]
    return [line.count(separator) + 1 for line in lines]


def frame_of(rows: Sequence[str], width: int, separator: str, path: Path) -> pd.DataFrame:
    """Returns rows as a frame of columns 0, 1, ..."""
    if not rows:
        return pd.DataFrame(columns=range(width))
    try:
        return pd.read_csv(
            io.BytesIO("\n".join(rows).encode()),
            sep=separator,
            names=range(width),
            index_col=False,
            keep_default_na=False,
            na_values=[""],
            skipinitialspace=True,
            low_memory=False,
        )
    except (pd.errors.ParserError, ValueError, OverflowError) as reason:
        raise UsageError(f"{path} is no CSV file: {reason}; name a log with a header line") from None
