"""The command line: one module of this package for each command, imported when the command is called.

Exit codes: 0 all well; 1 something failed on the way and the rest went on; 2 the request cannot be carried out;
130 stopped by Ctrl-C. Finished runs are kept in every case.
"""

from __future__ import annotations

import ast
import gc
import inspect
import os
import re
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from benchmark.errors import UsageError
from benchmark.signals import answer_signals, ended_by_signals

COMMANDS = (
    "run",
    "papers",
    "combine",
    "plan",
    "folds",
    "cost",
    "report",
    "export",
    "judge",
    "check",
    "regress",
    "calibrate",
    "diagnose",
    "list",
    "merge",
    "verify",
    "migrate",
)

AS_IT_STANDS = "\b"  # click keeps the lines of the paragraph after it
EXAMPLES = "Examples:"


class Commands(TyperGroup):
    """The commands by name. `--help` reads their docstrings from the files, since importing them takes seconds."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Returns the names in the order of `--help`."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Returns the command, imported now; None for a name that is no command."""
        if cmd_name not in COMMANDS:
            return None
        single = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
        with ended_by_signals():
            command = import_module(f"benchmark.commands.{cmd_name}").command
        single.command(cmd_name, help=laid_out(command.__doc__))(command)
        return typer.main.get_command(single)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Writes the list of commands, each with the first paragraph of its help."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_summary(name)) for name in COMMANDS])


def laid_out(docstring: str) -> str:
    """Returns a command's help with each example on a line of its own, where click would join them to a paragraph."""
    text, found, examples = inspect.cleandoc(docstring).partition("Example")
    lines = [" ".join(each.split()) for each in re.split(r"(?=python -m benchmark)", examples.partition(":")[2])]
    block = "\n".join(f"  {line}" for line in lines if line)
    return f"{text.rstrip()}\n\n{AS_IT_STANDS}\n{EXAMPLES}\n{block}" if found else text


def help_summary(name: str) -> str:
    """Returns the first paragraph of a command's help, read without importing its module."""
    tree = ast.parse(Path(__file__).with_name(f"{name}.py").read_text(encoding="utf-8"))
    found = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "command")
    return " ".join((ast.get_docstring(found) or "").partition("\n\n")[0].split())


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # a traceback of ours should be a plain one that can be pasted into an issue
    rich_markup_mode=None,  # rich would take the brackets in help texts for markup
    help="Measure what each training trick is worth. `run` trains what is missing and writes the report; run it again "
    "to resume.",
    epilog="Example: python -m benchmark run --only activation,schedule --seeds 5",
)


def print_version(asked: bool) -> None:
    """Prints the version and ends, if it was asked for."""
    if asked:
        typer.echo(version("tricks-on-trial"))
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Takes the options of all commands."""


def main() -> None:
    """Runs the command line. Errors of usage are one sentence, with exit code 2."""
    if sys.stdout is None:  # it was closed
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  # for as long as the process lives
    gc.freeze()  # statsmodels collects garbage at every correction: 50 ms each, were torch's objects looked at
    answer_signals()
    try:
        app()
    except UsageError as reason:
        typer.echo(f"error: {reason}", err=True)
        raise SystemExit(2) from None
    except OSError as reason:
        if can_print():
            raise
        typer.echo(f"error: cannot write to the standard output: {reason.strerror}; finished runs are kept", err=True)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else the interpreter tries again at its end
        raise SystemExit(2) from None


def can_print() -> bool:
    """Returns whether the standard output takes what is written to it."""
    try:
        sys.stdout.write("\n")
        sys.stdout.flush()
    except OSError:
        return False
    return True
