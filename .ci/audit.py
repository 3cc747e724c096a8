"""Looks up known vulnerabilities of the installed direct dependencies: `make audit`, which `make check` includes.

Exit code 1 if there is one. Where the index cannot be reached, or does not know a package, a sentence says so, and
that is no failure. Options go to pip-audit: `--ignore-vuln ID` accepts one that has no remedy yet.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

PROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"
LIMIT = 60  # seconds for all packages: an index that does not answer must not hold up the checks


def pinned(project: dict[str, Any]) -> list[str]:
    """Returns NAME==VERSION of the direct dependencies, those of extras too, that are installed."""
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    names = {Requirement(each).name for requirements in lists for each in requirements} - {project["name"]}
    found = []
    for name in sorted(names):
        try:
            found.append(f"{name}=={version(name).partition('+')[0]}")  # an index knows no local builds such as +cpu
        except PackageNotFoundError:  # of an extra that is not installed
            continue
    return found


def answered(requirements: Sequence[str], options: Sequence[str]) -> list[dict[str, Any]]:
    """Returns what pip-audit says of each package. Raises ConnectionError if the index cannot be reached."""
    with tempfile.TemporaryDirectory() as folder:
        (file := Path(folder) / "requirements.txt").write_text("\n".join(requirements))
        command = [sys.executable, "-m", "pip_audit", "-r", str(file), "--no-deps", "--disable-pip"]
        command += ["--progress-spinner", "off", "--format", "json", *options]
        try:
            ended = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False)
        except subprocess.TimeoutExpired:
            raise ConnectionError(f"no answer within {LIMIT} seconds") from None
    try:
        dependencies: list[dict[str, Any]] = json.loads(ended.stdout)["dependencies"]
    except ValueError:
        raise ConnectionError((ended.stderr.strip() or "pip-audit said nothing").splitlines()[-1]) from None
    return dependencies


def judge(dependencies: Sequence[dict[str, Any]]) -> tuple[list[str], int]:
    """Returns what to print of the packages that were looked up, and the exit code."""
    unknown = [each["name"] for each in dependencies if "skip_reason" in each]
    said = [
        f"{each['name']} {each['version']}: {found['id']}; fixed in {', '.join(found['fix_versions']) or 'no version'}"
        for each in dependencies
        for found in each.get("vulns", ())
    ]
    known = f"{len(said) or 'no'} known vulnerabilit{'y' if len(said) == 1 else 'ies'}"
    counted = f"{len(dependencies) - len(unknown)} of {len(dependencies)} direct dependencies were audited: {known}"
    left = [f"not audited, as the index does not answer for them: {', '.join(unknown)}"] if unknown else []
    return [*said, counted, *left], int(bool(said))


def main() -> int:
    """Prints what was found; returns the exit code."""
    try:
        said, code = judge(answered(pinned(tomllib.loads(PROJECT.read_text())["project"]), sys.argv[1:]))
    except ConnectionError as reason:
        said, code = [f"not audited, as the index of vulnerabilities cannot be reached: {reason}"], 0
    print("\n".join(said))
    return code


if __name__ == "__main__":
    sys.exit(main())
