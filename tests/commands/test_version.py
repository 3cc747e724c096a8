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
