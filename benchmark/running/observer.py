"""The seam between the runner and whoever shows how far it is."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.planning.identity import Run
from benchmark.store.records import Record


class Observer:
    """Receives what happens while runs are trained. This one shows nothing; others override what they need."""

    def expect(self, runs: Sequence[Run]) -> None:
        """Takes the runs that are going to be trained, before the first of them."""

    def begin(self, run: Run) -> None:
        """Takes a run that a worker begins with."""

    def end(self, record: Record) -> None:
        """Takes the record of a run that ended, in whatever way."""

    def end_round(self) -> None:
        """Is called each time that a round is done."""
