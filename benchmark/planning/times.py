"""How long runs take, by those that the store has from the hardware that trains now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from statistics import median_low

from benchmark.store.records import About, Record, RunRecord
from benchmark.store.store import Store

# Times what its operations usually take. Of the 474 recipes of cifar10-catalogue (quick, AMD EPYC) the dearest took
# 8.8 times as long by the median of its 3 runs; a run of cifar10-small that the machine disturbed took 26 times as
# long as the two others of its recipe.
OUT_OF_LINE = 10.0


@dataclass(frozen=True)
class TimedRun:
    """What a finished run took."""

    recipe: str  # its text
    seconds: float  # on its worker, evaluation included
    images: float  # that it was trained on, each counted as often as it was seen; 0 in stores older than schema 2
    operations: float  # floating point operations of all its steps; 0 in stores older than schema 2


def timed(record: Record) -> TimedRun | None:
    """Returns what a record says of its run's time; None if the run did not end well, or a clock was set meanwhile."""
    if not isinstance(record, RunRecord) or record.status != "done" or not record.seconds:
        return None
    steps, batch = (record.facts.steps, record.facts.batch_size) if record.facts else (0.0, 0)
    return TimedRun(record.recipe, record.seconds, steps * batch, steps * record.step_flops)


def timed_runs(results: Store, about: About, hardware: Collection[str]) -> list[TimedRun]:
    """Returns the stored runs of a data set and budget that were trained on any of `hardware`.

    `hardware` has models of GPUs, or of the processor where no GPU trains, as `Header.hardware` gives them. Runs of
    other hardware say nothing of its speed.
    """
    ours = [
        timed(record)
        for record in (results.records.values() if hardware else ())
        if (record.data, record.budget) == (about.data, about.budget) and record.hardware in hardware
    ]
    return [each for each in ours if each]


def stored_seconds(results: Store, about: About, hardware: Collection[str]) -> dict[str, float]:
    """Returns the seconds that a run of each recipe takes by the runs that `timed_runs` returns, by its text."""
    return usual_seconds(timed_runs(results, about, hardware))


def usual_seconds(runs: Iterable[TimedRun]) -> dict[str, float]:
    """Returns the seconds that a run of each recipe takes, by the text of the recipe.

    They are the median of the recipe's runs, and of an even number the shorter one of the two in the middle, since
    whatever disturbs a run makes it longer. The run of a recipe that has a single one is not trusted if, measured by
    images x operations of an image, it took more than OUT_OF_LINE times as long as the recipe in the middle: such a
    recipe is expected to take what the recipe in the middle takes for as many operations.
    """
    each: dict[str, list[TimedRun]] = defaultdict(list)
    for run in runs:
        each[run.recipe].append(run)
    seconds = {text: median_low(run.seconds for run in found) for text, found in each.items()}
    work = {text: found[0].operations for text, found in each.items() if found[0].operations}
    pace = median_low(seconds[text] / work[text] for text in work) if work else 0.0
    for text, operations in work.items():
        if len(each[text]) == 1 and seconds[text] > OUT_OF_LINE * pace * operations:
            seconds[text] = pace * operations
    return seconds
