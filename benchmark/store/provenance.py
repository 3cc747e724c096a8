"""Which version of the suite is at work."""

from __future__ import annotations

import subprocess
from functools import lru_cache
from pathlib import Path


@lru_cache
def commit() -> str:
    """Returns the commit of this project that runs, "-dirty" where its code was changed since; empty if
    there is none."""
    root = Path(__file__).resolve().parent.parent
    asked = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        return subprocess.run(asked, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
