"""The records of a store."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any


def timestamp() -> str:
    """Now, in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


Record = dict[str, Any]  # one line of runs.jsonl; README.md lists the fields


def table_name(study: dict[str, Any]) -> tuple[str, str, str, str]:
    """What makes two plans of a table the same table."""
    return study["ablation"], study["context"], study["data"], study["budget"]
