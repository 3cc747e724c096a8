"""Lines of runs.jsonl and sealed JSON files: text with a checksum on the way out, checked values on the way in."""

from __future__ import annotations

import zlib
from dataclasses import fields

import msgspec

from benchmark.errors import UsageError
from benchmark.store.keys import run_key
from benchmark.store.older import Json
from benchmark.store.records import SCHEMA, EnsembleRecord, FailedRecord, Record, RunRecord, convert

SUM = b',"sum":"'  # stands before the checksum, which is the last field of a line or file
END = b'"}'
DECODER = msgspec.json.Decoder()
OF_LINE = ("engine", "schema", "sum", "kind")  # fields that belong to the line, not to the record
KNOWN = {kind: {*OF_LINE, *(f.name for f in fields(kind))} for kind in (RunRecord, EnsembleRecord, FailedRecord)}


def seal(content: Json, indent: int = -1) -> bytes:
    """Returns a JSON object as text, with the CRC-32 of all before it as its last field; one line without `indent`."""
    text = msgspec.json.format(msgspec.json.encode(content), indent=indent)
    body = text[: text.rindex(b"}")].rstrip()
    return body + SUM + f"{zlib.crc32(body):08x}".encode() + END


def unseal(text: bytes) -> Json:
    """Returns the object of a sealed text without its checksum. Raises ValueError if it was damaged or cut.

    Text older than schema 2 has no checksum and is returned as it is; newer than this version's is an error of usage.
    """
    try:
        content = DECODER.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as reason:
        raise ValueError(f"it is no JSON: {reason}") from None
    if not isinstance(content, dict):
        raise ValueError("it is no JSON object")
    schema = content.get("schema", 1)
    if not isinstance(schema, int) or isinstance(schema, bool):
        raise ValueError(f"schema: must be a whole number, got {schema!r}")
    if schema > SCHEMA:
        raise UsageError(
            f"written in schema {schema} of the store, and this version reads up to {SCHEMA}; install a newer version"
        )
    if schema > 1 or SUM in text:  # a flip in the version itself must not pass for an older file
        body, there, given = text.strip().rpartition(SUM)
        if not there or given != f"{zlib.crc32(body):08x}".encode() + END:
            raise ValueError("its checksum does not fit: it was changed or damaged after it was written")
        content.pop("sum", None)
    return content


def encode(record: Record, engine: int) -> bytes:
    """Returns a record as a line of runs.jsonl, without its newline.

    Raises ValueError for a record that could not be read again, such as one with a nan, which JSON does not know.
    """
    kind = "ensemble" if isinstance(record, EnsembleRecord) else "run"
    content: Json = {"engine": engine, "schema": SCHEMA, "kind": kind}
    line = seal(content | msgspec.to_builtins(record))
    if decode(line) != (engine, record):
        raise ValueError(f"run {record.key} has numbers that JSON does not know: {record}")
    return line


def decode(line: bytes) -> tuple[int, Record]:
    """Returns the engine that wrote a line, and its record.

    Raises ValueError with a sentence about what is wrong: the text, the checksum, a field, or a key that does not fit.
    """
    content = unseal(line)
    engine, schema = content.get("engine"), content.get("schema", 1)
    if not isinstance(engine, int) or isinstance(engine, bool):
        raise ValueError(f"engine: must be a whole number, got {engine!r}")
    if schema == 1:
        content = upgraded(content)
    kind = kind_of(content)
    record = convert(kind, {name: value for name, value in content.items() if name not in OF_LINE})
    if unknown := content.keys() - KNOWN[kind]:
        raise ValueError(f"{sorted(unknown)[0]}: there is no such field")
    start = "" if isinstance(record, EnsembleRecord) else record.start
    if record.key != run_key(record.fingerprint, record.seed, record.recipe, start, engine) and not (
        schema == 1 and STARTED in record.recipe
    ):
        raise ValueError("key: it does not fit the fingerprint, seed and recipe of the run")
    return engine, record


def kind_of(content: Json) -> type[RunRecord] | type[EnsembleRecord] | type[FailedRecord]:
    """Returns the class of a line's record."""
    if content.get("kind", "run") not in ("run", "ensemble"):
        raise ValueError(f"kind: must be 'run' or 'ensemble', got {content['kind']!r}")
    if content.get("status") == "failed":
        return FailedRecord
    return EnsembleRecord if content.get("kind") == "ensemble" else RunRecord


STARTED = "start_from=benchmark.recipe.Recipe("  # schema 1 kept the start of a run in its key only
FOLD = "fold=("  # and the fold in the text only


def upgraded(content: Json) -> Json:
    """Returns a line of schema 1 with what it kept in the recipe's text only."""
    recipe = content.get("recipe")
    if not isinstance(recipe, str) or FOLD not in recipe or content.get("status") == "failed":
        return content
    fold = recipe.partition(FOLD)[2].partition(")")[0].split(",")
    return content | {"fold": [int(part) if part.strip().isdigit() else part for part in fold]}
