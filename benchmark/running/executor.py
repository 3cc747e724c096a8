"""The seam between the runner and whoever trains: runs in, outcomes out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from benchmark.engine.training import Result
from benchmark.planning.identity import Run


@dataclass(frozen=True)
class Outcome:
    """A run that is over, in whatever way."""

    run: Run
    result: Result | None  # None if it raised an error or its worker died
    error: str
    environment: dict[str, str | int]
    started: str  # ISO 8601, UTC
    finished: str
    changed: str = ""  # what the run changed in its process, so that later runs would give other numbers


ATTEMPTS = 2  # at a run whose worker died, took too long or lacked memory: it may have been another's fault


class Trainer(Protocol):
    """Whoever trains: worker processes, or a stand-in in tests."""

    def outcomes(self, runs: Iterator[Run]) -> Iterator[Outcome]:
        """Yields one outcome for each run, as they finish."""
