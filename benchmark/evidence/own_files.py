"""Reads results that other programs wrote: a table with a row for each run, or with a column for each variant."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import isfinite, isnan
from pathlib import Path
from typing import Any

import pandas as pd

from benchmark.errors import UsageError, hint
from benchmark.evidence.log_table import has_decimal_commas, number_of, read_table

VARIANT_NAMES = (
    *("variant", "method", "model", "config", "configuration", "arm", "treatment", "condition", "setting"),
    *("algorithm", "name"),
)
SEED_NAMES = (
    "seed",
    "random_seed",
    "rng_seed",
    "random_state",
    "rng",
    "replicate",
    "repeat",
    "repetition",
    "trial",
    "fold",
    "run",
)
PERCENT_NAMES = ("accuracy", "acc", "top1", "f1", "precision", "recall", "auc", "auroc")  # shares of 1, or percent
LOSS_NAMES = (
    *("loss", "error", "err", "nll", "mse", "rmse", "mae", "perplexity", "ppl", "wer", "cer", "fid", "bpb"),
    *("seconds", "time", "latency", "duration"),
)
TIME_NAMES = ("seconds", "time", "latency", "duration")  # beside another score, what a run took
RECORD_NAMES = {"timestamp", "date", "datetime", "created", "created_at", "start_time", "end_time", "wall_time"}
RECORD_NAMES |= {"elapsed", "runtime", "epoch", "epochs", "step", "steps", "global_step", "iteration", "run_id", "id"}
SUMMARY_NAMES = {"mean", "avg", "average", "median", "std", "sd", "sem", "min", "max", "total", "sum"}
REPEAT = re.compile(r"^(?:seed|run|repeat|replicate|rep|trial|fold)?_*\d+$")  # a column for each run of a variant
OTHER_NAMES = ("score", "metric", "value", "result", "reward", "bleu", "return", "map", "miou", "dice")
SCORE_NAMES = (*PERCENT_NAMES, *LOSS_NAMES, *OTHER_NAMES, "top_1", "f1_score", "balanced_accuracy")
SCORE_PREFIXES = (
    "test",
    "val",
    "valid",
    "validation",
    "eval",
    "final",
    "best",
    "mean",
    "macro",
    "micro",
)  # before a score
CONTROL_NAMES = ("baseline", "control", "base", "vanilla", "reference", "default", "none")
INDEX_NAMES = ("", "index", "unnamed_0")  # pandas' row numbers
LARGEST = 1e100  # of a score; the squares of larger ones are no numbers any more
JSON_LINES, JSON, PARQUET = (".jsonl", ".ndjson"), (".json",), (".parquet", ".pq")


@dataclass(frozen=True)
class Asked:
    """What a user says of a table; None is found by itself."""

    variant: str | None = None
    seed: str | None = None
    score: str | None = None
    group: tuple[str, ...] = ()
    percent: bool | None = None  # whether the scores are accuracies in percent, or shares that are shown so
    lower_is_better: bool | None = None
    control: str | None = None  # only a hint here: a column of this name makes a table a wide one


@dataclass(frozen=True)
class Runs:
    """The runs of one variant."""

    scores: tuple[float, ...]
    seeds: tuple[str, ...] = ()  # in the order of the scores; empty where the table has none


Group = tuple[str, ...]  # values of the group columns
Arms = dict[str, Runs]  # by variant, in the order of the file


@dataclass(frozen=True)
class Results:
    """What a table holds: the runs of each variant, in each group."""

    name: str  # of the file
    score: str  # what is measured, as the file names it
    points: bool  # whether scores are in percent, and their differences in points
    lower_is_better: bool
    groups: dict[Group, Arms]
    group_names: tuple[str, ...] = ()
    said: tuple[str, ...] = ()  # what was taken for what, in sentences

    @property
    def seeded(self) -> bool:
        """Returns whether it is known which runs share a seed."""
        return all(runs.seeds for arms in self.groups.values() for runs in arms.values())

    @property
    def unit(self) -> str:
        """Returns the unit of differences; empty where it is not known."""
        return "points" if self.points else ""


@dataclass(frozen=True)
class Source:
    """A table as it was read, before its columns have a meaning."""

    name: str
    frame: pd.DataFrame
    places: Sequence[str]  # of each row, in words
    separator: str = ","
    notes: tuple[str, ...] = ()
    columns: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Raises UsageError for an empty table and for two columns of one name."""
        object.__setattr__(self, "columns", tuple(map(str, self.frame.columns)))
        if not len(self.frame):
            raise UsageError(f"{self.name} is empty; it needs a header line and a row for each run")
        for column, count in Counter(self.columns).items():
            if count > 1:
                raise UsageError(f"{self.name} has {count} columns named {column!r}; rename all but one")

    def cells(self, column: str) -> list[Any]:
        """Returns a column's cells."""
        return list(self.frame.iloc[:, self.columns.index(column)])

    def place(self, row: int, column: str) -> str:
        """Returns where a cell is, in words."""
        return f"{self.name}, {self.places[row]}, column {column}"

    def numbers(self, column: str) -> list[float | None]:
        """Returns a column as numbers, None where a cell is empty. Raises UsageError for a cell that is no number."""
        found: list[float | None] = []
        cells = self.cells(column)
        commas = has_decimal_commas([str(cell) for cell in cells if not is_empty(cell)], self.separator)
        for row, cell in enumerate(cells):
            number = None if is_empty(cell) else number_of(str(cell), commas)
            if not is_empty(cell) and (number is None or not isfinite(number) or abs(number) > LARGEST):
                size = f"too large (above {LARGEST:g})" if number and isfinite(number) else "no finite number"
                raise UsageError(
                    f"{self.place(row, column)}: {str(cell)!r} is {size}; give the score that counts for "
                    "this run, or leave the run out"
                )
            found.append(number)
        return found

    def labels(self, column: str) -> list[str]:
        """Returns a column as names. Raises UsageError for an empty cell."""
        cells = self.cells(column)
        for row, cell in enumerate(cells):
            if is_empty(cell):
                raise UsageError(f"{self.place(row, column)} is empty; fill it in, or leave the row out")
        return [label(cell) for cell in cells]

    def has_numbers(self, column: str) -> bool:
        """Returns whether any cell of a column is a number."""
        return any(number_of(str(cell), commas=True) is not None for cell in self.cells(column) if not is_empty(cell))


def is_empty(cell: Any) -> bool:
    """Returns whether a cell holds nothing."""
    return cell is None or cell is pd.NA or (isinstance(cell, float) and isnan(cell)) or not str(cell).strip()


def label(cell: Any) -> str:
    """Returns a cell as a name; a whole number has no decimals."""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell).strip()


def source_of(given: Path | str | pd.DataFrame) -> Source:
    """Returns the table in a file, or a frame as such a table. Raises UsageError for what is none."""
    if isinstance(given, pd.DataFrame):
        return Source("the frame", given, [f"row {row}" for row in range(len(given))])
    path = Path(given)
    if not path.is_file():
        raise UsageError(f"there is no file {path}; name a CSV, TSV, JSON-lines or Parquet file")
    if not path.stat().st_size:
        raise UsageError(f"{path} is empty; it needs a header line and a row for each run")
    if path.suffix.lower() in PARQUET:
        return parquet(path)
    if path.suffix.lower() in (*JSON_LINES, *JSON):
        return json_rows(path)
    table = read_table(path)
    frame = table.frame.set_axis(list(table.columns), axis=1)
    return Source(str(path), frame, [f"line {line}" for line in table.lines], table.separator, table.notes)


def parquet(path: Path) -> Source:
    """Returns the table in a Parquet file."""
    try:
        frame = pd.read_parquet(path)
    except ImportError:
        raise UsageError(
            f"{path}: reading Parquet takes pyarrow; pip install 'tricks-on-trial[parquet]', or save it as CSV"
        ) from None
    except (OSError, ValueError) as reason:
        raise UsageError(f"{path} is no Parquet file: {reason}; save it anew, or as CSV") from None
    return Source(str(path), frame, [f"row {row}" for row in range(len(frame))])


def json_rows(path: Path) -> Source:
    """Returns the table in a file with a JSON object on each line, or with a list of them."""
    rows, places = [], []
    try:
        text = path.read_text(encoding="utf-8-sig")
        if text.lstrip().startswith("["):
            rows = json.loads(text)
            places = [f"entry {at}" for at in range(1, len(rows) + 1)]
        else:
            for number, line in enumerate(text.splitlines(), start=1):
                if line.strip():
                    rows.append(json.loads(line))
                    places.append(f"line {number}")
    except (ValueError, RecursionError) as reason:
        where = f", line {len(rows) + 1}" if rows else ""
        raise UsageError(f"{path}{where} is no JSON: {reason}; write one object on a line") from None
    wrong = next((place for row, place in zip(rows, places, strict=True) if not isinstance(row, dict)), None)
    if wrong:
        raise UsageError(f"{path}, {wrong}: no JSON object; write one object with names and values for each run")
    try:
        json.dumps(rows, ensure_ascii=False).encode()
        return Source(str(path), pd.json_normalize(rows), places)
    except UnicodeEncodeError as reason:
        half = reason.object[reason.start]
        raise UsageError(
            f"{path} has {half!r}, which is half of a character; write it whole, or leave it out"
        ) from None
    except RecursionError:
        raise UsageError(
            f"{path} has objects within objects too many times; write one flat object on a line"
        ) from None


def column_key(column: str) -> str:
    """Returns a column's name to look for: small letters, underscores, without MLflow's and W&B's prefixes."""
    name = re.sub(r"^(metrics|params|tags|summary|config|data)[./]", "", column.strip(), flags=re.IGNORECASE)
    return re.sub(r"[^a-z0-9]+", "_", name.lower().replace("%", "")).strip("_")


def bare(column: str) -> str:
    """Returns the name of a score without what it was measured on: test_accuracy is accuracy."""
    name = column_key(column)
    while (parts := name.split("_", 1))[0] in SCORE_PREFIXES and len(parts) > 1:
        name = parts[1]
    return name


def given_column(source: Source, name: str, option: str) -> str:
    """Returns a column that the user named. Raises UsageError with near names where there is none."""
    if name in source.columns:
        return name
    raise UsageError(f"{source.name} has no column {name!r}, which {option} names; {hint(name, source.columns)}")


def first_named(source: Source, names: Iterable[str]) -> str | None:
    """Returns the column with the earliest of `names`."""
    return next((column for name in names for column in source.columns if column_key(column) == name), None)


def has_variant_columns(source: Source, asked: Asked, variant: str | None) -> bool:
    """Returns whether each variant has a column: where nothing names variants or scores, or the control has one."""
    if asked.variant or asked.score:
        return False
    if asked.control in source.columns:
        return True
    if variant is not None:
        return False
    return any(column_key(column) in CONTROL_NAMES for column in source.columns) or not score_columns(source)


def score_columns(source: Source) -> list[str]:
    """Returns the columns whose names are those of scores."""
    return [column for column in source.columns if bare(column) in SCORE_NAMES]


def results(given: Path | str | pd.DataFrame, asked: Asked) -> Results:
    """Returns the runs in a table. Raises UsageError, in a sentence with the remedy, for what cannot be judged."""
    source = source_of(given)
    group = tuple(given_column(source, name, "--group") for name in asked.group)
    seed = given_column(source, asked.seed, "--seed-column") if asked.seed else first_named(source, SEED_NAMES)
    if asked.variant:
        variant: str | None = given_column(source, asked.variant, "--variant-column")
    else:
        variant = first_named(source, VARIANT_NAMES)
    taken = {*group, seed, variant}
    if variant is None:
        variant = only_names(source, asked, taken)
    if variant is not None and not asked.score and (columns := repeat_columns(source, {*taken, variant})):
        return from_rows(source, asked, group, variant, columns)
    if has_variant_columns(source, asked, variant):
        return from_wide(source, asked, group, seed)
    if variant is None:
        raise UsageError(
            f"{source.name} has no column that names the variants; name it with --variant-column; there are: "
            f"{', '.join(source.columns)}"
        )
    return from_long(source, asked, group, seed, variant)


def from_long(source: Source, asked: Asked, group: tuple[str, ...], seed: str | None, variant: str) -> Results:
    """Returns the results in a table with a row for each run."""
    score = score_column(source, asked, {*group, seed, variant})
    values = source.numbers(score)
    for row, value in enumerate(values):
        if value is None:
            raise UsageError(
                f"{source.place(row, score)} is empty; give the score that counts for this run, or leave the run out"
            )
    names = source.labels(variant)
    seeds = source.labels(seed) if seed else None
    rows = [
        (key, names[row], seeds[row] if seeds else None, float(value or 0.0), source.places[row])
        for row, (key, value) in enumerate(zip(keys(source, group), values, strict=True))
    ]
    said = [f"variant: column {variant}", f"score: column {score}"]
    return gathered(source, asked, rows, score, group, [*said, seed_said(seed)])


def value_columns(source: Source, taken: set[str | None]) -> list[str]:
    """Returns the columns of numbers that may be scores by what they are not called."""
    return [
        column
        for column in source.columns
        if column not in taken and not is_of_record(column) and source.has_numbers(column)
    ]


def is_of_record(column: str) -> bool:
    """Returns whether a column says when or where a run was, and not what came out."""
    key = column_key(column)
    return key in INDEX_NAMES or key in RECORD_NAMES or key in TIME_NAMES


def only_names(source: Source, asked: Asked, taken: set[str | None]) -> str | None:
    """Returns the one column of words that repeat, next to a column of scores; None where there is not just one.

    Such a column names the variants, whatever it is called.
    """
    controls = [column for column in source.columns if column_key(column) in CONTROL_NAMES or column == asked.control]
    words = [
        column
        for column in source.columns
        if column not in taken and not is_of_record(column) and not source.has_numbers(column)
    ]
    cells = source.cells(words[0]) if len(words) == 1 else []
    repeated = 1 < len(set(map(str, cells))) < len(cells)
    scored = len(value_columns(source, taken)) == 1 or score_columns(source)
    return words[0] if repeated and scored and not controls else None


def repeat_columns(source: Source, taken: set[str | None]) -> list[str]:
    """Returns the columns of a table with a row for each variant and a column for each of its runs."""
    columns = [name for name in source.columns if name not in taken and not is_of_record(name)]
    return columns if len(columns) > 1 and all(REPEAT.match(column_key(name)) for name in columns) else []


def score_column(source: Source, asked: Asked, taken: set[str | None]) -> str:
    """Returns the column of the scores. Raises UsageError where none or several could be it."""
    if asked.score:
        return given_column(source, asked.score, "--score-column")
    found = [column for column in score_columns(source) if column not in taken]
    if len(found) == 1:
        return found[0]
    tested = [column for column in found if column_key(column).startswith("test_")]
    if len(tested) == 1:
        return tested[0]
    if len(untimed := [column for column in found if bare(column) not in TIME_NAMES]) == 1:
        return untimed[0]
    if not found and len(numbers := value_columns(source, taken)) == 1:
        return numbers[0]
    if found:
        raise UsageError(
            f"{source.name} has {len(found)} columns that may be the score: {', '.join(found)}; choose one with "
            "--score-column"
        )
    raise UsageError(
        f"{source.name} has no column with a usual name of a score; name it with --score-column; there are: "
        f"{', '.join(source.columns)}"
    )


def from_rows(source: Source, asked: Asked, group: tuple[str, ...], variant: str, columns: Sequence[str]) -> Results:
    """Returns the results in a table with a row for each variant and a column for each of its runs."""
    names, groups = source.labels(variant), keys(source, group)
    rows = [
        (groups[row], names[row], column, value, source.places[row])
        for column in columns
        for row, value in enumerate(source.numbers(column))
        if value is not None
    ]
    said = [f"variant: column {variant}", f"runs: columns {', '.join(columns)}"]
    return gathered(source, asked, rows, "score", group, said)


def from_wide(source: Source, asked: Asked, group: tuple[str, ...], seed: str | None) -> Results:
    """Returns the results in a table with a column for each variant."""
    others = {*group, seed}
    columns = [
        column
        for column in source.columns
        if column not in others and not is_of_record(column) and source.has_numbers(column)
    ]
    left = [column for column in source.columns if column not in others and column not in columns]
    seeds = source.labels(seed) if seed else None
    rows = [
        (key, column, seeds[row] if seeds else None, value, source.places[row])
        for column in columns
        for row, (key, value) in enumerate(zip(keys(source, group), source.numbers(column), strict=True))
        if value is not None
    ]
    said = [f"variants: columns {', '.join(columns)}", *([f"left out: columns {', '.join(left)}"] if left else [])]
    return gathered(source, asked, rows, "score", group, [*said, seed_said(seed)])


def seed_said(seed: str | None) -> str:
    """Returns what pairs runs, in words."""
    return f"seed: column {seed}" if seed else "seed: no column, so that no two runs are taken to share one"


def keys(source: Source, group: tuple[str, ...]) -> list[Group]:
    """Returns the group of each row."""
    if not group:
        return [()] * len(source.places)
    return list(zip(*(source.labels(column) for column in group), strict=True))


def gathered(
    source: Source,
    asked: Asked,
    rows: Sequence[tuple[Group, str, str | None, float, str]],
    score: str,
    group: tuple[str, ...],
    said: Sequence[str],
) -> Results:
    """Returns the results of rows (group, variant, seed, score, place)."""
    if not rows:
        raise UsageError(f"{source.name} has no scores; it needs a number for each run")
    refuse_summaries(source, rows)
    refuse_twice(source, rows)
    points, factor = scale_of(source, asked, score, [value for _, _, _, value, _ in rows])
    lower = asked.lower_is_better
    lower = any(part in LOSS_NAMES for part in column_key(score).split("_")) if lower is None else lower
    groups: dict[Group, dict[str, list[tuple[str | None, float]]]] = {}
    for key, variant, seed, value, _ in rows:
        groups.setdefault(key, {}).setdefault(variant, []).append((seed, factor * value))
    found = {
        key: {
            variant: Runs(tuple(value for _, value in runs), tuple(seed for seed, _ in runs if seed is not None))
            for variant, runs in arms.items()
        }
        for key, arms in groups.items()
    }
    shown = "in percent" if points and factor == 1 else "shares of 1, shown in percent" if points else "as they stand"
    direction = "lower is better" if lower else "higher is better"
    sentences = (*source.notes, *said, f"scores: {shown}; {direction}")
    return Results(source.name, score, points, lower, found, group, sentences)


def refuse_summaries(source: Source, rows: Sequence[tuple[Group, str, str | None, float, str]]) -> None:
    """Raises UsageError for a row that says mean or the like where others have the number of a seed."""
    seeds = {seed for _, _, seed, _, _ in rows if seed}
    if any(seed.isdigit() for seed in seeds):
        for _, variant, seed, _, place in rows:
            if seed and seed.strip().lower() in SUMMARY_NAMES:
                raise UsageError(
                    f"{source.name}, {place}: {variant!r} has the seed {seed!r}, which is no run of its own; leave "
                    "the row out"
                )


def refuse_twice(source: Source, rows: Sequence[tuple[Group, str, str | None, float, str]]) -> None:
    """Raises UsageError where a variant has two runs of one seed."""
    seen: dict[tuple[Group, str, str], str] = {}
    for key, variant, seed, _, place in rows:
        if seed is None:
            continue
        if (key, variant, seed) in seen:
            where = f" of {', '.join(key)}" if key else ""
            hint = "keep one of them" if key else "keep one of them, or tell tables apart with --group"
            raise UsageError(
                f"{source.name}: {variant!r}{where} has seed {seed} twice, in {seen[key, variant, seed]} and {place}; "
                f"{hint}"
            )
        seen[key, variant, seed] = place


def scale_of(source: Source, asked: Asked, score: str, values: Sequence[float]) -> tuple[bool, float]:
    """Returns whether scores are percentages, and the factor that makes them so.

    Raises UsageError where some are shares and others percentages.
    """
    key = column_key(score)
    usual = any(name in PERCENT_NAMES for name in (*key.split("_"), key.replace("_", "")))
    if asked.percent is False or (asked.percent is None and not usual):
        return False, 1.0
    if max(values) <= 1 and min(values) >= 0:
        return True, 100.0
    if asked.percent is None and any(0 < value <= 1 for value in values):
        low, high = min(value for value in values if value > 0), max(values)
        raise UsageError(
            f"{source.name}: column {score} has shares and percentages ({low:g} and {high:g}); write all alike, or "
            "say --percent if all are percentages"
        )
    return True, 1.0
