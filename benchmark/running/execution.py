"""Trains what the store lacks: worker processes, one for each core or GPU, and one parent that writes.

Workers are forked from a process that has imported torch. A worker keeps the data on its device; it is given one run
at a time, stage after stage. A worker that dies is replaced and its run tried once more. The parent trains nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from math import inf

from tqdm import tqdm

from benchmark.planning.identity import Run, describe
from benchmark.planning.rounds import lacks, longest_first
from benchmark.running.ended import Ended
from benchmark.running.executor import Outcome, Trainer
from benchmark.store.numbers import finite
from benchmark.store.records import Record
from benchmark.store.store import Store


def complete(
    rounds: Sequence[Sequence[Run]],
    store: Store,
    trainer: Trainer,
    about: Record,
    deadline: float = inf,
    after_round: Callable[[int], str] = lambda done: "",
) -> Ended:
    """Train what `store` lacks of `rounds`, in their order; needs `store.writing()`.

    The last round starts with its longest runs, so that no worker waits long for the others at the end. `about` goes
    into every record. After `deadline`, as of time.monotonic(), no run is started. `after_round(n)` gives a text to
    print once the first n rounds are done. Ctrl-C ends it within seconds; finished runs are kept.
    """
    missing = [[run for run in planned if lacks(store, run)] for planned in rounds]
    pending = [len(planned) for planned in missing]
    turn = {run.key: n for n, planned in enumerate(missing) for run in planned}
    runs = (run for run in in_order(missing, store) if time.monotonic() < deadline)
    failed: list[Record] = []
    done, told, interrupted = 0, next((n for n, left in enumerate(pending) if left), len(rounds)), False
    with tqdm(total=len(turn), unit="run", desc="training", disable=not turn, dynamic_ncols=True) as bar:
        try:
            for outcome in trainer.outcomes(runs):
                record = keep(outcome, store, about)
                failed += [record] if record["status"] == "failed" else []
                done += 1
                bar.update()
                pending[turn[record["key"]]] -= 1
                while told < len(rounds) and not pending[told]:
                    told += 1
                    if text := after_round(told):
                        bar.write(text)
        except KeyboardInterrupt:
            interrupted = True
    return Ended(done, failed, len(turn) - done, interrupted)


def in_order(rounds: Sequence[Sequence[Run]], store: Store) -> Iterator[Run]:
    """Round by round; the last that has any, longest first by what `store` knows when it begins."""
    last = max((n for n, planned in enumerate(rounds) if planned), default=0)
    for n, planned in enumerate(rounds):
        yield from longest_first(planned, store.seconds()) if n == last else planned


def keep(outcome: Outcome, store: Store, about: Record) -> Record:
    """Write an outcome into the store, and give its record."""
    run, result = outcome.run, outcome.result
    record: Record = {"key": run.key, "status": "failed", "reason": outcome.error, **about}
    record |= {"fingerprint": run.fingerprint, "seed": run.seed, "recipe": describe(run.recipe)}
    arrays, weights = {}, None
    if result:
        measured = dict(vars(result))
        weights = measured.pop("weights")
        found = {name: measured.pop(name) for name in ("losses", "logits", "validation_logits")}
        found |= measured.pop("snapshots")
        arrays = {name: array for name, array in found.items() if array is not None}
        # JSON knows no infinity: a curve that left the finite numbers is written with null in their place
        record |= {name: finite(value) for name, value in measured.items()}
    record |= {"environment": outcome.environment, "started": outcome.started, "finished": outcome.finished}
    store.add(record, arrays, weights if run.keeps_weights else None)
    return record
