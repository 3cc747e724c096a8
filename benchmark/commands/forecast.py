"""How long a plan will take."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.budgets import BUDGETS
from benchmark.commands.say import duration
from benchmark.planning.identity import Run, describe
from benchmark.planning.requests import Request
from benchmark.planning.rounds import expected_seconds
from benchmark.store.store import Store


def expected(asked: Request, left: Sequence[Run], results: Store) -> str:
    """How long the runs that are left will take."""
    known = results.seconds()
    seconds = sum(expected_seconds(left, known, BUDGETS[asked.budget].run_seconds))
    timed = {describe(run.recipe) for run in left} & known.keys()
    source = f"from runs of {len(timed)} of these recipes" if timed else "by the budget's reference figure"
    return f"{duration(seconds / len(asked.devices))} ({source})"
