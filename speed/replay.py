"""Hands times that were measured alternately to pytest-benchmark, which measures one thing after another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_seconds = [0.0]


def replayed() -> float:
    """Returns the timer for `pytest.mark.benchmark`: a clock that moves only by what `replay` adds."""
    return _seconds[0]


def replay(benchmark: Any, seconds: Sequence[float]) -> None:
    """Make each of `seconds` one round of the fixture `benchmark`."""
    left = iter(seconds)

    def pass_by() -> None:
        _seconds[0] += next(left)

    benchmark.pedantic(pass_by, rounds=len(seconds))
