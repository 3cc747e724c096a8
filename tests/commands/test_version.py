"""The options of the command line as a whole."""

from __future__ import annotations

import tomllib
from pathlib import Path

from typer.testing import CliRunner

from benchmark.commands.app import app


def test_the_version_is_that_of_the_package() -> None:
    about = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    found = CliRunner().invoke(app, ["--version"])
    assert (found.exit_code, found.output.strip()) == (0, about["version"])


def test_completion_of_the_shell_can_be_shown() -> None:
    assert "--show-completion" in CliRunner().invoke(app, ["--help"]).output


def test_help_has_each_example_on_a_line_of_its_own() -> None:
    said = CliRunner().invoke(app, ["judge", "--help"]).output.splitlines()
    assert said[said.index("  Examples:") + 1 :][:2] == [
        "    python -m benchmark judge results.csv --out results/mine",
        "    python -m benchmark judge new.csv --against reference.csv --json",
    ]


def test_help_keeps_its_brackets() -> None:
    said = " ".join(CliRunner().invoke(app, ["run", "--help"]).output.split())
    for text in ("[results/DATA-BUDGET]", "[one for each core or GPU]", "[STORE/report]"):
        assert text in said
