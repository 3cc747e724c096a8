"""A store as a data set for others: Parquet files, and what they are in Croissant, https://docs.mlcommons.org/croissant.

    <out>/runs.parquet     one line for each run or ensemble, with its curves
    <out>/effects.parquet  one line for each variant of each table, as effects.csv
    <out>/croissant.json   what each file and column is, who may use it, how it was made and what it does not tell

The same store gives the same bytes, of one version of pyarrow.
"""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, is_dataclass
from hashlib import sha256
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pandas as pd

from benchmark.errors import UsageError
from benchmark.evidence.tables import COLUMNS, Row, Table, tables
from benchmark.store.files import reporting_write_errors
from benchmark.store.records import EnsembleRecord, Header, Record, RunRecord
from benchmark.store.store import Store

Json = dict[str, Any]  # an object of JSON, whose values may be of any kind
NAME = "tricks-on-trial-results"
LEFT_OUT = {"facts", "digests", "environment", "fold", "members"}  # no plain numbers or texts
MACHINE = ("device", "cpu", "threads", "torch", "python", "git_commit")  # of an environment
TYPES: dict[type, str] = {int: "sc:Integer", float: "sc:Float", bool: "sc:Boolean"}
CONTEXT: Json = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}  # as the specification prescribes it, https://docs.mlcommons.org/croissant/docs/croissant-spec.html


def write_dataset(store: Store, out: Path) -> Path:
    """Writes a store's records and effects into the folder `out`, and returns the path of what describes them.

    Raises UsageError if there are no runs, pyarrow is missing, or the folder cannot be written to.
    """
    records = [record for _, record in sorted(store.records.items()) if isinstance(record, RunRecord | EnsembleRecord)]
    if not records:
        raise UsageError(f"{store.folder} has no runs to export; `make ablate` trains them")
    found = tables(store)
    frames = {"runs": frame_of_runs(records), "effects": frame_of_effects(found)}
    files = {name: parquet(frame) for name, frame in frames.items()}
    described = croissant(records, frames, files)
    with reporting_write_errors(out, "give another folder with --out"):
        out.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (out / f"{name}.parquet").write_bytes(content)
        (out / "croissant.json").write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")
    return out / "croissant.json"


def frame_of_runs(records: Sequence[Record]) -> pd.DataFrame:
    """Returns one line for each record: its plain fields, its curves as lists, and the machine it was made on."""
    names = [name for name in {**columns_of(RunRecord), **columns_of(EnsembleRecord)} if name not in LEFT_OUT]
    lines: list[Json] = []
    for record in records:
        line: Json = {"kind": "ensemble" if isinstance(record, EnsembleRecord) else "run"}
        line |= {name: plain(getattr(record, name, None)) for name in names}
        line |= {f"machine_{name}": text(record.environment.get(name)) for name in MACHINE}
        lines.append(line)
    return whole_numbers(pd.DataFrame(lines))


def frame_of_effects(found: Sequence[Table]) -> pd.DataFrame:
    """Returns one line for each variant of each table."""
    return whole_numbers(pd.DataFrame([asdict(row) for table in found for row in table.rows], columns=COLUMNS))


def whole_numbers(frame: pd.DataFrame) -> pd.DataFrame:
    """Returns a frame whose columns of whole numbers stay such, where a missing value would make them 3.0."""
    counts = [name for name, kind in kinds().items() if kind == "sc:Integer" and name in frame]
    return frame.astype(dict.fromkeys(counts, "Int64"))


def plain(value: object) -> object:
    """Returns a tuple as a list, which Parquet has."""
    return list(value) if isinstance(value, tuple) else value


def text(value: object) -> str | None:
    """Returns a value of an environment as text: some are numbers in one record and words in another."""
    return None if value is None else str(value)


def parquet(frame: pd.DataFrame) -> bytes:
    """Returns a frame as a Parquet file. Raises UsageError if pyarrow is missing."""
    buffer = BytesIO()
    try:
        frame.to_parquet(buffer, engine="pyarrow", index=False)
    except ImportError:
        raise UsageError("Parquet needs pyarrow: pip install 'tricks-on-trial[parquet]'") from None
    return buffer.getvalue()


def columns_of(kind: type) -> dict[str, object]:
    """Returns the declared type of each field of a dataclass."""
    hints = get_type_hints(kind)
    return {each.name: hints[each.name] for each in fields(kind)} if is_dataclass(kind) else {}


def kinds() -> dict[str, str]:
    """Returns the Croissant type of each column, by its declared type; of a curve, that of its numbers."""
    declared = {**columns_of(EnsembleRecord), **columns_of(RunRecord), **columns_of(Row)}
    more = dict.fromkeys(["kind", *(f"machine_{name}" for name in MACHINE)], "sc:Text")
    return {name: kind_of(hint) for name, hint in declared.items()} | more


def kind_of(hint: object) -> str:
    """Returns the Croissant type of a declared type: that of its first part that is no text, or text."""
    if isinstance(hint, type) and hint in TYPES:
        return TYPES[hint]
    parts = () if get_origin(hint) is Literal else get_args(hint)
    return next((kind for part in parts if (kind := kind_of(part)) != "sc:Text"), "sc:Text")


def comments(kind: type) -> dict[str, str]:
    """Returns the comment behind each field of a dataclass, those that it inherits included."""
    said: dict[str, str] = {}
    for each in reversed(kind.__mro__):
        if is_dataclass(each):
            source = textwrap.dedent(inspect.getsource(each))
            (body,) = (node.body for node in ast.parse(source).body if isinstance(node, ast.ClassDef))
            for node in (node for node in body if isinstance(node, ast.AnnAssign)):
                line = source.splitlines()[(node.end_lineno or node.lineno) - 1]
                said[ast.unparse(node.target)] = line.partition("  # ")[2]
    return said


def croissant(records: Sequence[Header], frames: Mapping[str, pd.DataFrame], files: Mapping[str, bytes]) -> Json:
    """Returns the description of the files, as JSON-LD."""
    sets, budgets = (sorted({getattr(each, name) for each in records}) for name in ("data", "budget"))
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "name": NAME,
        "description": "What each training trick of deep learning is worth: runs of small networks on "
        f"{', '.join(sets)} ({', '.join(budgets)}), one thing changed at a time against a baseline, several seeds of "
        "each.",
        "conformsTo": ["http://mlcommons.org/croissant/1.0", "http://mlcommons.org/croissant/RAI/1.0"],
        "license": "https://opensource.org/license/mit",
        "url": "https://pypi.org/project/tricks-on-trial/",
        "version": version("tricks-on-trial"),
        "datePublished": max(each.finished for each in records)[:10],
        "citeAs": "Tricks on Trial: what each training trick of deep learning is worth, version "
        + version("tricks-on-trial"),
        "creator": {"@type": "sc:Organization", "name": "The authors of Tricks on Trial"},
        "rai:dataCollection": "Each line was measured by training one network from one seed with the suite; a record "
        "names the recipe in full, the software, the machine and the fingerprint of the images.",
        "rai:dataUseCases": "Comparing training tricks, planning numbers of seeds, studying the spread of runs.",
        "rai:dataLimitations": "Networks and trainings are small: signs and sizes of effects may differ for long "
        "trainings, large networks and other images. Seconds depend on what else the machine did.",
        "rai:dataBiases": "The tricks were chosen from an article of 2015 and from what is used since; the images are "
        "photographs of 32 pixels in which classes are balanced.",
        "rai:personalSensitiveInformation": "None: the data set holds numbers about trainings, and no images.",
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": f"{name}.parquet",
                "name": f"{name}.parquet",
                "contentUrl": f"{name}.parquet",
                "encodingFormat": "application/x-parquet",
                "contentSize": f"{len(content)} B",
                "sha256": sha256(content).hexdigest(),
            }
            for name, content in files.items()
        ],
        "recordSet": [record_set(name, frame) for name, frame in frames.items()],
    }


def record_set(name: str, frame: pd.DataFrame) -> Json:
    """Returns the description of one file's columns."""
    known, said = kinds(), comments(EnsembleRecord) | comments(RunRecord) if name == "runs" else comments(Row)
    lists = {column for column in map(str, frame) if frame[column].map(lambda cell: isinstance(cell, list)).any()}
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{name}/{column}",
                "name": column,
                "description": said.get(column) or column.replace("_", " "),
                "dataType": known[column],
                "source": {"fileObject": {"@id": f"{name}.parquet"}, "extract": {"column": column}},
                **({"repeated": True} if column in lists else {}),
            }
            for column in map(str, frame)
        ],
    }
