"""Reads a table that a training tool wrote: its columns as numbers, with the number of the line of each row.

Read are tables with a header line, separated by commas, semicolons, tabs, bars (as in Markdown) or blanks, and JSON
with an object on each line; with decimal points or, where commas do not separate or cells are quoted, decimal commas;
with comment lines that begin with #; in UTF-8, UTF-16, UTF-32 or an encoding of one byte. A header that is written
again is skipped, and so are lines above the header and a last line that was cut.
"""

from __future__ import annotations

import ast
import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise
from math import inf, nan
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.types import is_numeric_dtype

from benchmark.errors import UsageError
from benchmark.evidence.log_positions import Doubtful, decimal_signs, has_fractions, like_thousands, thousands_sign

Values = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
SEPARATORS = (",", ";", "\t", "|")
BLANKS = r"\s+"  # separates where nothing else does
MISSING = {"nan", "none", "null", "na", "n/a", "<na>", "-nan", "+nan", "nan(ind)", "-nan(ind)", "undefined"}
MISSING |= {"#n/a", "#nv", "#num!", "#zahl!", "#value!", "#wert!", "#div/0!"}  # of spreadsheets
INFINITE = {"inf", "+inf", "infinity", "+infinity", "∞"}
VISUAL_C = re.compile(r"^-?1\.#(?:(?P<missing>qnan|snan|ind)|inf)0*$")  # as Microsoft's printf wrote them
TENSOR = re.compile(r"^tensor\(([^,)]*)[,)].*$", re.IGNORECASE)  # as print writes a torch.Tensor
DECIMAL_COMMA = re.compile(r"^[+-]?\d*,\d+(e[+-]?\d+)?$", re.IGNORECASE)
THOUSANDS = re.compile(r"^[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?$")
OF_ALL = re.compile(r"^[\[(]?\s*(\d+)\s*/\s*\d+\s*[\])]?$")  # 3/90, an epoch of so many
FRAME = " \t,;|\"'+-:="  # all that a line without content is made of, such as that below the header in Markdown
PREAMBLE = 20  # lines that may stand above the header
ARCHIVES = {
    b"\x1f\x8b": "is compressed; unpack it first",
    b"PK\x03\x04": "is an archive or a workbook; save it as CSV",
}


@dataclass(frozen=True)
class LogTable:
    """The rows of a file below its header."""

    path: Path
    columns: tuple[str, ...]  # as the header names them
    frame: pd.DataFrame  # columns 0, 1, ...; numbers, or text where a cell is no plain number; empty cells are nan
    lines: npt.NDArray[np.int64]  # number of the line of each row, from 1 on
    separator: str
    notes: tuple[str, ...]  # what was left out, in sentences
    texts: Mapping[int, pd.Series] = field(default_factory=dict)  # of columns of numbers such as 1.000, as written

    def filled(self, name: str) -> Mask:
        """Returns which cells of a column hold something."""
        return self.frame[self.columns.index(name)].notna().to_numpy()

    def values(self, name: str) -> Values:
        """Returns a column as numbers: nan where a cell is empty or says so.

        Raises UsageError, naming the line, for a cell that is no number.
        """
        return self.numbers(self.frame[self.columns.index(name)], name)

    def positions(self, name: str, whole: bool) -> tuple[Values, str]:
        """Returns a column of steps or epochs as numbers, and the point or comma that parts their thousands, if any.

        `whole` says that they are steps; a cell may say of how many it is one (3/90). Raises UsageError, naming the
        line, for a cell that is no number, and for one that is one number or another as the sign is read.
        """
        at = self.columns.index(name)
        column = self.texts.get(at, self.frame[at])
        if is_numeric_dtype(column):
            return self.numbers(column, name), ""
        column = column.map(position_text)
        texts = [str(cell) for cell in column.dropna() if str(cell).lower() not in MISSING]
        try:
            sign = thousands_sign(texts, whole, self.decimal_sign(at))
        except Doubtful as reason:
            row = int(np.flatnonzero((column == reason.text).to_numpy())[0])
            raise UsageError(f"{self.place(row, name)}: {reason}") from None
        if sign:
            column = column.map(lambda cell: cell.replace(sign, "") if isinstance(cell, str) else cell)
        return self.numbers(column, name), sign

    def decimal_sign(self, but: int) -> str:
        """Returns the decimal sign of the columns besides one; empty where they do not show a single one."""
        found = set[str]()
        for at in set(range(len(self.columns))) - {but}:
            column = self.frame[at].dropna()
            if not is_numeric_dtype(column):
                found |= decimal_signs([str(cell).strip() for cell in column])
            elif has_fractions(column.to_numpy(np.float64)):
                found.add(".")
        return found.pop() if len(found) == 1 else ""

    def numbers(self, column: pd.Series, name: str) -> Values:
        """Returns a column's cells as numbers. Raises UsageError, naming the line, for one that is none."""
        found = pd.to_numeric(column, errors="coerce").to_numpy(np.float64, copy=True)
        rows = np.flatnonzero(np.isnan(found) & column.notna().to_numpy())
        texts = [str(cell).strip() for cell in column.iloc[rows]]
        commas = has_decimal_commas(texts, self.separator)
        for row, text in zip(rows, texts, strict=True):
            number = number_of(text, commas)
            if number is None:
                raise UsageError(
                    f"{self.place(int(row), name)}: {text!r} is no number; correct it or leave the row out"
                )
            found[row] = number
        return found

    def place(self, row: int, name: str) -> str:
        """Returns where a cell is, in words."""
        return f"{self.path}, line {self.lines[row]}, column {name}"


def has_decimal_commas(texts: Sequence[str], separator: str) -> bool:
    """Returns whether the commas in a column's cells are decimal commas: where they do not separate cells, and in
    quoted cells if some of them cannot part thousands."""
    if separator != ",":
        return True
    found = [text for text in texts if "," in text]
    return all(map(DECIMAL_COMMA.match, found)) and not all(map(THOUSANDS.match, found))


def position_text(cell: object) -> object:
    """Returns the cell of a step or epoch without what follows its number."""
    if not isinstance(cell, str):
        return cell
    of_all = OF_ALL.match(cell)
    return of_all[1] if of_all else cell.strip()


def number_of(text: str, commas: bool) -> float | None:
    """Returns what a cell says that is no plain number (nan, infinity, 40%, 2,5); None where it is none at all.

    `commas`: whether commas are decimal commas.
    """
    text = TENSOR.sub(r"\1", text).strip().lower().rstrip("%").strip()
    if text in MISSING:
        return nan
    if old := VISUAL_C.match(text):
        return nan if old["missing"] else -inf if text.startswith("-") else inf
    if text.lstrip("-") in INFINITE:
        return -inf if text.startswith("-") else inf
    if commas and DECIMAL_COMMA.match(text):
        text = text.replace(",", ".")
    elif THOUSANDS.match(text) and (not commas or "." in text):
        text = text.replace(",", "")
    try:
        return float(text)
    except ValueError:
        return None


def read_table(path: Path) -> LogTable:
    """Returns the table in a file. Raises UsageError, naming the line where there is one, for what is no table."""
    lines = decoded_text(path).split("\n")
    speaking = (number for number, line in enumerate(lines, start=1) if says_something(line))
    first = list(islice(speaking, PREAMBLE))
    if not first:
        raise UsageError(f"{path} is empty; it needs a header line and the rows of a training")
    if lines[first[0] - 1].lstrip().startswith("{"):
        return json_table(path, lines)
    above = lines_above([lines[number - 1] for number in first])
    header = unbarred(lines[first[above] - 1])
    separator = separator_of(header)
    columns = cells_of([header], separator, path)[0]
    notes = [f"line {number} stands above the header and is left out" for number in first[:above]]
    numbers = [n for n, line in enumerate(lines, start=1) if n > first[above] and says_something(line)]
    again = {n for n in numbers if repeats(lines[n - 1], header, columns, separator)}
    notes += [f"line {number} repeats the header and is left out" for number in sorted(again)]
    numbers = [number for number in numbers if number not in again]
    barred = header != lines[first[above] - 1].strip()
    rows = [unbarred(lines[number - 1]) if barred else lines[number - 1] for number in numbers]
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
    frame = frame_of(rows, len(columns), separator, path, {})
    texts = texts_of(frame, rows, separator, path)
    return LogTable(path, tuple(columns), frame, np.array(numbers, np.int64), separator, tuple(notes), texts)


def lines_above(lines: Sequence[str]) -> int:
    """Returns how many of the first lines stand above the header: those that have not the cells of the next line,
    where a later one has, and is no row of numbers."""
    bare = [unbarred(line) for line in lines]
    for at, (line, following) in enumerate(pairwise(bare)):
        separator = separator_of(line)
        names, cells = plain_cells(line, separator), plain_cells(following, separator)
        if at and (separator == BLANKS or len(names) == 1 or any(map(is_number, names))):
            continue
        if len(names) == len(cells) and any(map(is_number, cells)):
            return at
    return 0


def plain_cells(line: str, separator: str) -> list[str]:
    """Returns the cells of a line, as far as no quotes hold separators."""
    return [cell.strip("\ufeff\"' ") for cell in line.split(None if separator == BLANKS else separator)]


def is_number(cell: str) -> bool:
    """Returns whether a cell is a number, or says that it is none."""
    return number_of(cell, commas=True) is not None


def unbarred(line: str) -> str:
    """Returns a line without the bars at both its ends that a table in Markdown has."""
    line = line.strip() if line.lstrip().startswith("|") else line
    return line[1:-1] if len(line) > 1 and line.startswith("|") and line.endswith("|") else line


def repeats(line: str, header: str, columns: Sequence[str], separator: str) -> bool:
    """Returns whether a line is the header again, perhaps with other blanks, quotes or capitals."""
    if line == header:
        return True
    bare = line.lstrip("\ufeff \"'|")
    if not bare[:1].isalpha() and not bare.startswith("_"):
        return False
    names = plain_cells(unbarred(line.lstrip("\ufeff")), separator)
    return [name.lower() for name in names] == [name.lower() for name in columns]


def json_table(path: Path, lines: Sequence[str]) -> LogTable:
    """Returns the table of a file with an object on each line, in JSON or as Python prints a dictionary.

    Names of objects within objects are joined by dots.
    """
    found, numbers, notes = [], [], []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            found.append(dict(ast.literal_eval(line.strip()) if line.lstrip().startswith("{'") else json.loads(line)))
        except (ValueError, SyntaxError, TypeError) as reason:
            if any(map(str.strip, lines[number:])) or not found:
                raise UsageError(f"{path}, line {number} is no JSON: {reason}; write one object on a line") from None
            notes.append(f"line {number}, the last one, is cut and left out")
            continue
        numbers.append(number)
    frame = pd.json_normalize(found)
    columns = tuple(map(str, frame.columns))
    return LogTable(
        path, columns, frame.set_axis(range(len(columns)), axis=1), np.array(numbers, np.int64), ";", tuple(notes)
    )


def says_something(line: str) -> bool:
    """Returns whether a line has content: is no comment, nor Excel's name of a separator, nor a rule in a table."""
    start = line.lstrip()[:4]
    if not start or start[0] == "#" or start.lower() == "sep=":
        return False
    return start[0] not in FRAME or bool(line.strip(FRAME))


def decoded_text(path: Path) -> str:
    """Returns the text of a file with \\n at the ends of its lines. Raises UsageError for what is no text."""
    try:
        found = path.read_bytes()
    except OSError as reason:
        raise UsageError(f"cannot read {path}: {reason.strerror or reason}; name another file") from None
    for start, remedy in ARCHIVES.items():
        if found.startswith(start):
            raise UsageError(f"{path} {remedy}")
    for encoding in encodings_of(found):
        try:
            text = found.decode(encoding).rstrip("\0")  # a power cut leaves zeros at the end
        except UnicodeError:
            continue
        if not re.search(r"[\x00-\x08\x0e-\x1a]", text):
            return text.replace("\r\n", "\n").replace("\r", "\n")
    raise UsageError(f"{path} is no CSV file: it holds bytes that are no text; name a log with a header line")


def encodings_of(content: bytes) -> tuple[str, ...]:
    """Returns the encodings in which a file may be read, the likeliest first.

    Latin-1 reads all bytes: the names and numbers that are needed are of ASCII.
    """
    if content.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff")):
        return ("utf-32",)
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return ("utf-16",)
    even, odd = (content[start:400:2].count(0) for start in (0, 1))
    if max(even, odd) > len(content[:400]) / 4:  # letters of ASCII in two bytes each, without a mark of their order
        return ("utf-16-le",) if odd > even else ("utf-16-be",)
    return ("utf-8-sig", "cp1252", "latin-1")


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
        closed = lines[:-1] if len(lines) > 1 and lines[-1].count('"') % 2 else lines
        widths = [len(cells_of([line], separator, path)[0]) for line in closed]
        return widths + [0] * (len(lines) - len(closed))  # a last line that ends within quotes is cut
    return [line.count(separator) + 1 for line in lines]


def texts_of(frame: pd.DataFrame, rows: Sequence[str], separator: str, path: Path) -> dict[int, pd.Series]:
    """Returns the cells, as they were written, of columns whose numbers may all be thousands with a point."""
    columns = ((at, frame[at].dropna().to_numpy()) for at in range(frame.shape[1]) if frame[at].dtype == np.float64)
    likely = [at for at, found in columns if len(found) and like_thousands(found).all()]
    if not likely:
        return {}
    written = frame_of(rows, len(frame.columns), separator, path, dict.fromkeys(likely, "str"))
    return {at: written[at] for at in likely}


def frame_of(
    rows: Sequence[str], width: int, separator: str, path: Path, kinds: Mapping[int, Literal["str"]]
) -> pd.DataFrame:
    """Returns rows as a frame of columns 0, 1, ...; `kinds` has those that are to stay text."""
    if not rows:
        return pd.DataFrame(columns=range(width))
    try:
        return pd.read_csv(
            io.BytesIO("\n".join(rows).encode()),
            sep=separator,
            names=range(width),
            index_col=False,
            dtype=kinds,
            keep_default_na=False,
            na_values=[""],
            skipinitialspace=True,
            low_memory=False,
        )
    except (pd.errors.ParserError, ValueError, OverflowError) as reason:
        raise UsageError(f"{path} is no CSV file: {reason}; name a log with a header line") from None
