"""Which version of the suite is at work."""

from __future__ import annotations

import subprocess
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CODE = ("benchmark", "ablations", "papers", "pyproject.toml")  # results and documents change no number
DIRTY = "-dirty"  # stands behind the commit of changed code, as git describe writes it


@lru_cache
def commit(root: Path = ROOT) -> str:
    """Returns the commit of this project that runs, with DIRTY where its code was changed since; empty if there is
    none, as where the suite is installed in a folder that belongs to another repository."""
    try:
        git(root, "ls-files", "--error-unmatch", "benchmark/store/provenance.py")
        name = git(root, "rev-parse", "--short=12", "HEAD")
        return name + (DIRTY if git(root, "diff", "--name-only", "HEAD", "--", *CODE) else "")
    except (OSError, subprocess.SubprocessError):
        return ""


def git(root: Path, *arguments: str) -> str:
    """Returns what git prints. Raises CalledProcessError if it fails, and OSError where there is no git."""
    asked = ["git", "-C", str(root), *arguments]
    return subprocess.run(asked, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
