"""How a training of several runs ended."""

from __future__ import annotations

from dataclasses import dataclass

from benchmark.store.records import FailedRecord


@dataclass(frozen=True)
class Ended:
    """How a call of `complete` ended."""

    trained: int
    failed: list[FailedRecord]
    left: int  # runs not started, or lost to an interruption
    interrupted: bool
    amid: int = 0  # of those left: the next command goes on amid their training
