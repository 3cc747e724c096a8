"""How long a run may take before its worker is ended: far longer than it is expected to."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from statistics import median

from benchmark.planning.identity import Run, describe
from benchmark.planning.rounds import images_seen
from benchmark.running.executor import Outcome

FACTOR = 20  # times what a run is expected to take
LEAST = 600.0  # seconds that every run may take, whatever is expected
UNKNOWN = 0.1  # seconds an image may take where no run has ended yet: a hundred times what a core takes on CIFAR-10
OVERTIME = 2  # times what a run is expected to take, that it may take where the command's time is over
SHORT = 10.0  # seconds that it may take even then
STARTING = 600.0  # seconds that a worker may take until it is ready


@dataclass
class Limits:
    """Says how many seconds each run may take, and learns from the runs that ended."""

    deadline: float = inf  # as of time.monotonic(); no attempt at a run starts after it
    fixed: float | None = None  # seconds that every run may take, in the place of what is worked out
    known: Mapping[str, float] = field(default_factory=dict)  # seconds of earlier runs by the text of their recipe
    began: float = field(default_factory=time.monotonic)
    _paces: list[float] = field(default_factory=list)  # seconds an image, of the runs that ended
    _seen: dict[str, float] = field(default_factory=dict)  # the slowest run by the text of its recipe, seconds

    def note(self, outcome: Outcome, seconds: float) -> None:
        """Takes a run that ended well, and the seconds that it took, as far as its parent was there to count them."""
        if outcome.result is not None:
            seconds = max(seconds, outcome.result.train_seconds)
            text = describe(outcome.run.recipe)
            self._paces.append(seconds / images_seen(outcome.run.recipe))
            self._seen[text] = max(seconds, self._seen.get(text, 0.0))

    def expected(self, run: Run) -> float | None:
        """Returns the seconds that a run is expected to take; None if no run has ended yet."""
        text = describe(run.recipe)
        if (known := self._seen.get(text, self.known.get(text))) is not None:
            return known
        return median(self._paces) * images_seen(run.recipe) if self._paces else None

    def limit(self, run: Run) -> float:
        """Returns the seconds that a run may take."""
        if self.fixed is not None:
            return self.fixed
        expected = self.expected(run)
        return max(LEAST, UNKNOWN * images_seen(run.recipe) if expected is None else FACTOR * expected)

    def is_over(self) -> bool:
        """Returns whether the deadline has passed."""
        return time.monotonic() >= self.deadline

    def overtime(self, run: Run) -> float:
        """Returns the seconds that a run may take once the deadline has passed."""
        expected = self.expected(run)
        return max(SHORT, self.deadline - self.began if expected is None else OVERTIME * expected)


def limits(deadline: float, minutes: float | None, known: Mapping[str, float]) -> Limits:
    """Returns the limits of a command that trains; `minutes` take the place of what is worked out.

    `known` has the seconds of earlier runs on this hardware by recipe text.
    """
    return Limits(deadline, None if minutes is None else 60 * minutes, known)
