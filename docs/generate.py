"""Writes options.md, store.md and schemas/ from the commands and the records: `python -m docs.generate`."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmark.commands.app import AS_IT_STANDS, COMMANDS, EXAMPLES, Commands
from benchmark.store import records
from docs.schemas import schemas

HERE = Path(__file__).parent
INTRODUCTION = """# Commands and options

Each command is called as `python -m benchmark COMMAND`, or as `tricks COMMAND` where the package is installed. `make
ablate`, `make plan`, `make report` and `make regress` pass the options in `ARGS` on: `make ablate ARGS="--only
activation --seeds 10"`. This page is generated from the commands.

Exit codes: 0 if all went well; 1 if something failed and the rest went on, or if `regress` or `check` found a change;
2 if the request cannot be carried out; 130 if it was stopped.
"""
STORE = """# What a store holds

`run` writes a folder, `results/DATA-BUDGET` if `--store` names no other:

- `runs.jsonl`: a line of JSON for each run or ensemble
- `studies.json`: the planned tables
- `costs.json`: step times, if `cost` measured them; `calibration.json`: error rates, if `calibrate` estimated them;
  `measures.json`: measures besides accuracy, if `--measure` asked for them, and the classes of the test images
- `arrays/KEY.npz`: the loss of every step, and the logits of test and validation images
- `weights/KEY.safetensors`: the trained weights, where other runs start from them
- `interrupted/KEY.state`: the state of a run that was stopped amid its training, with which the next command goes on;
  every run of more than five minutes has one until it is stored
- `report/`: `index.html`, `index.md`, `effects.csv`, `ensembles.csv`, `factors.csv`, `main.tex`, `plots/` and
  `tables/`; each table as CSV, Markdown and a LaTeX `tabular`

In `effects.csv`, accuracies and effects are in percentage points, and `n` counts runs. `seeds_needed` says how many
more runs of a variant it takes to resolve a difference of the margin. `worth` says how many times the baseline's
training makes it as good as the variant, where `training_length` was run.

Every line ends in a checksum and has the digests of its files. A record that was damaged or changed is named with
its line and field. `python -m benchmark check STORE` checks them all, and whether the report is what they give;
`python -m benchmark migrate STORE` brings a store of an older version to today's format.

JSON Schemas of all these files are on [the page on scripting](scripting.md). The fields of the records are below; this
page is generated from `benchmark/store/records.py`. Accuracies are shares, 0 to 1.
"""


def cell(text: str) -> str:
    """Returns text for a cell of a Markdown table."""
    return text.replace("|", "\\|").replace("\n", " ").strip()


def option_rows(command: Any) -> Iterator[str]:
    """Yields a row of Markdown for each argument and option of a click command."""
    for parameter in command.params:
        argument = parameter.param_type_name == "argument"
        names = str(parameter.name).upper() if argument else ", ".join(parameter.opts)
        text, _, bracket = (getattr(parameter, "help", None) or "").partition(" [")
        shown = getattr(parameter, "show_default", None)
        default = bracket.rstrip("]") or (shown if isinstance(shown, str) else "")
        if not default and parameter.default not in (None, "", False, ()) and not callable(parameter.default):
            default = f"`{parameter.default}`"
        yield f"| `{names}` | {cell(text)} | {cell(default)} |"


def example_block(text: str) -> str:
    """Returns a command's help with its examples as a block of code."""
    words, found, examples = text.partition(f"{AS_IT_STANDS}\n{EXAMPLES}\n")
    return words.rstrip() + f"\n\n```\n{textwrap.dedent(examples)}\n```" if found else words


def options() -> str:
    """Returns the page of commands and options."""
    pages = [INTRODUCTION]
    for name in COMMANDS:
        command = Commands().get_command(None, name)
        heading = f"## `{name}`\n\n{example_block(command.help)}\n"
        rows = "\n".join(option_rows(command))
        pages.append(f"{heading}\n| option | meaning | default |\n|-|-|-|\n{rows}\n")
    return "\n".join(pages)


def comment_of(lines: list[str], number: int) -> str:
    """Returns the comment at the end of a line of source."""
    return lines[number - 1].partition("  # ")[2]


def store() -> str:
    """Returns the page of the records' fields: name, type and comment."""
    source = Path(records.__file__).read_text(encoding="utf-8")
    lines, pages = source.splitlines(), [STORE]
    for node in ast.parse(source).body:
        if not isinstance(node, ast.ClassDef):
            continue
        fields = [each for each in node.body if isinstance(each, ast.AnnAssign)]
        rows = "\n".join(
            f"| `{ast.unparse(each.target)}` | `{cell(ast.unparse(each.annotation))}` "
            f"| {cell(comment_of(lines, each.end_lineno or each.lineno))} |"
            for each in fields
        )
        bases = ", ".join(f"`{ast.unparse(base)}`" for base in node.bases)
        extends = f" It has the fields of {bases} too." if bases else ""
        pages.append(
            f"## {node.name}\n\n{ast.get_docstring(node)}{extends}\n\n| field | type | meaning |\n|-|-|-|\n{rows}\n"
        )
    return "\n".join(pages)


def pages() -> dict[str, str]:
    """Returns the text of each generated file by its path within docs/."""
    return {"options.md": options(), "store.md": store(), **schemas()}


if __name__ == "__main__":
    for page, text in pages().items():
        (HERE / page).parent.mkdir(parents=True, exist_ok=True)
        (HERE / page).write_text(text, encoding="utf-8")
