"""JSON Schemas, draft 2020-12, of what a store holds and of what the commands answer, made from their dataclasses."""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Any, get_args, get_type_hints

import msgspec

from benchmark.commands.answers import ANSWER_TYPES
from benchmark.evidence.tables import Row
from benchmark.store.lines import OF_LINE
from benchmark.store.records import SCHEMA, Calibration, CostRecord, Measures, Record, TableRecord

DRAFT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]  # JSON Schema is an object of JSON

OF_FILE: Schema = {  # what a line or file has besides its records
    "engine": {
        "type": "integer",
        "description": "version of the training code",
    },
    "schema": {"const": SCHEMA, "description": "version of the file's fields"},
    "sum": {"type": "string", "description": "CRC-32 of all that stands before this field, 8 hexadecimal digits"},
}


def dataclasses_of(kind: object, found: dict[str, type] | None = None) -> dict[str, type]:
    """Returns all dataclasses that a type is made of, itself included, by name."""
    found = {} if found is None else found
    if isinstance(kind, type) and is_dataclass(kind):
        if kind.__name__ not in found:
            found[kind.__name__] = kind
            for hint in get_type_hints(kind).values():
                dataclasses_of(hint, found)
    else:
        for part in get_args(kind):
            dataclasses_of(part, found)
    return found


def comments(kind: type) -> dict[str, str]:
    """Returns the comment of each field of a dataclass, inherited ones included."""
    said: dict[str, str] = {}
    for each in reversed(kind.__mro__):
        if not is_dataclass(each):
            continue
        source = textwrap.dedent(inspect.getsource(each))
        lines = source.splitlines()
        (body,) = (node.body for node in ast.parse(source).body if isinstance(node, ast.ClassDef))
        for node in body:
            if isinstance(node, ast.AnnAssign):
                comment = lines[(node.end_lineno or node.lineno) - 1].partition("  # ")[2]
                said |= {ast.unparse(node.target): comment} if comment else {}
    return said


def schema(*kinds: Any) -> Schema:
    """Returns the schema of a value of one of some types; the fields' comments are their descriptions."""
    made, definitions = msgspec.json.schema_components(kinds, ref_template="#/$defs/{name}")
    known = dataclasses_of(tuple[kinds])
    for name, definition in definitions.items():
        definition["description"] = " ".join(definition["description"].split())
        for field, comment in comments(known[name]).items() if name in known else ():
            definition["properties"][field]["description"] = comment
    return {**(made[0] if len(made) == 1 else {"oneOf": list(made)}), "$defs": definitions}


def sealed(content: Mapping[str, Schema]) -> Schema:
    """Returns the schema of a file whose one object has some fields besides those of every file."""
    definitions: Schema = {}
    for each in content.values():
        definitions |= each.pop("$defs", {})
    properties = OF_FILE | {name: {key: each[key] for key in each} for name, each in content.items()}
    return {"type": "object", "properties": properties, "required": list(properties), "$defs": definitions}


def line() -> Schema:
    """Returns the schema of a line of runs.jsonl."""
    made = schema(*get_args(Record))
    of_line = OF_FILE | {"kind": {"enum": ["run", "ensemble"], "description": "ensembles have their own fields"}}
    for name in (each.__name__ for each in get_args(Record)):
        definition = made["$defs"][name]
        definition["properties"] = of_line | definition["properties"]
        definition["required"] = [*OF_LINE, *definition["required"]]
        definition["additionalProperties"] = False
        statuses = {"FailedRecord": ["failed"], "EnsembleRecord": ["done"]}.get(name, ["done", "diverged"])
        definition["properties"]["status"] = {"enum": statuses}
        definition["properties"]["kind"] = {"const": "ensemble" if name == "EnsembleRecord" else "run"}
    return made


def schemas() -> dict[str, str]:
    """Returns the text of each schema by the name of its file."""
    calibration = schema(Calibration)
    fields = calibration["$defs"]["Calibration"]["properties"]
    measures = schema(Measures)
    asked = measures["$defs"]["Measures"]["properties"]
    found: dict[str, Schema] = {
        "store/runs-line": line(),
        "store/studies": sealed({"tables": schema(tuple[TableRecord, ...])}),
        "store/costs": sealed({"costs": schema(tuple[CostRecord, ...])}),
        "store/calibration": sealed({**fields, "made_of": fields["made_of"] | {"$defs": calibration["$defs"]}}),
        "store/measures": sealed({**asked, "names": asked["names"] | {"$defs": measures["$defs"]}}),
        "effect": schema(Row),
        **{f"commands/{name}": schema(kind) for name, kind in ANSWER_TYPES.items()},
    }
    titles = {"effect": "A row of effects.csv, as JSON has it", "store/runs-line": "A line of runs.jsonl"}
    titles |= {f"store/{name}": f"{name}.json of a store" for name in ("studies", "costs", "calibration", "measures")}
    titles |= {f"commands/{name}": f"python -m benchmark {name} --json" for name in ANSWER_TYPES}
    return {
        f"schemas/{name}.json": json.dumps({"$schema": DRAFT, "title": titles[name], **each}, indent=1) + "\n"
        for name, each in found.items()
    }
