"""Trains what the store lacks: worker processes, one for each core or GPU, and one parent that writes.

Workers are forked from a process that has imported torch. A worker keeps the data on its device; it is given one run
at a time, stage after stage. A worker that dies is replaced and its run tried once more. The parent trains nothing.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from math import inf
from typing import Literal, TypedDict

from benchmark.engine.training import Result
from benchmark.planning.identity import Run, describe
from benchmark.planning.rounds import lacks, longest_first
from benchmark.planning.study_record import facts
from benchmark.planning.times import stored_seconds
from benchmark.running.ended import Ended
from benchmark.running.executor import Outcome, Trainer
from benchmark.running.interrupted import amid
from benchmark.running.observer import Observer
from benchmark.store.numbers import all_rounded, rounded
from benchmark.store.records import About, Environment, FailedRecord, Record, RunRecord
from benchmark.store.store import Store


def complete(
    rounds: Sequence[Sequence[Run]],
    store: Store,
    trainer: Trainer,
    about: About,
    deadline: float = inf,
    observer: Observer | None = None,
    hardware: Collection[str] = (),
) -> Ended:
    """Train what `store` lacks of `rounds`, in their order; needs `store.writing()`.

    The last round starts with its longest runs, so that no worker waits long for the others at the end. `about` goes
    into every record. After `deadline`, as of time.monotonic(), no run is started. `observer` hears of each run that
    begins and ends, and of each round that is done. `hardware` is what trains, as `timed_runs` takes it; without it
    every run is expected to take as long as its images. Ctrl-C ends it within seconds; finished runs are kept.
    """
    observer = observer or Observer()
    missing = [[run for run in planned if lacks(store, run)] for planned in rounds]
    pending = [len(planned) for planned in missing]
    turn = {run.key: n for n, planned in enumerate(missing) for run in planned}
    expected = partial(stored_seconds, store, about, hardware)
    runs = begun((run for run in in_order(missing, expected) if time.monotonic() < deadline), store, observer)
    failed: list[FailedRecord] = []
    done, told, interrupted = set[str](), next((n for n, left in enumerate(pending) if left), len(rounds)), False
    try:
        for outcome in trainer.outcomes(runs):
            if outcome.run.key in done:  # whoever trains may give an outcome twice: the first one counts
                continue
            with uninterrupted():
                record = keep(outcome, store, about)
                failed += [record] if isinstance(record, FailedRecord) else []
                done.add(record.key)
            observer.end(record)
            pending[turn[record.key]] -= 1
            while told < len(rounds) and not pending[told]:
                told += 1
                observer.end_round()
    except KeyboardInterrupt:
        interrupted = True
    left = {run.key: run for planned in missing for run in planned if run.key not in done}
    return Ended(len(done), failed, len(left), interrupted, amid(left.values(), store.folder))


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Puts Ctrl-C and SIGTERM off until the block is over, so that what is stored is counted too."""
    if threading.current_thread() is not threading.main_thread():  # which alone may set handlers
        yield
        return
    came: list[int] = []
    kinds = [kind for kind in (signal.SIGINT, signal.SIGTERM) if callable(signal.getsignal(kind))]
    before = {kind: signal.signal(kind, lambda number, frame: came.append(number)) for kind in kinds}
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
        if came:
            signal.raise_signal(came[0])


def in_order(rounds: Sequence[Sequence[Run]], expected: Callable[[], Mapping[str, float]]) -> Iterator[Run]:
    """Yields runs round by round; the last round that has any, longest first.

    `expected` returns the seconds of a run by recipe text, as they are known when that round begins.
    """
    last = max((n for n, planned in enumerate(rounds) if planned), default=0)
    for n, planned in enumerate(rounds):
        yield from longest_first(planned, expected()) if n == last else planned


def begun(runs: Iterator[Run], store: Store, observer: Observer) -> Iterator[Run]:
    """Yields runs as workers take them, and tells the observer."""
    for run in runs:
        observer.begin(run)
        yield with_digest(run, store)


def with_digest(run: Run, store: Store) -> Run:
    """Returns a run with the digest of the weights that it starts from, for its worker to compare."""
    return replace(run, start_digest=store.weights_digest(run.start)) if run.start else run


def keep(outcome: Outcome, store: Store, about: About) -> Record:
    """Writes an outcome into the store, and returns its record."""
    result = outcome.result
    if result is None:
        return store.add(
            FailedRecord(reason=outcome.error, start=outcome.run.start, **header(outcome, about, "failed"))
        )
    found = {"losses": result.losses, "logits": result.logits, "validation_logits": result.validation_logits}
    arrays = {name: array for name, array in found.items() if array is not None} | result.snapshots
    weights = result.weights if outcome.run.keeps_weights else None
    return store.add(run_record(outcome, result, about), arrays, weights)


def run_record(outcome: Outcome, result: Result, about: About) -> RunRecord:
    """Returns the record of a training that ended; numbers that left the finite ones become None."""
    run = outcome.run
    return RunRecord(
        **header(outcome, about, result.status),
        reason=result.reason,
        start=run.start,
        facts=facts(run.recipe),
        fold=run.recipe.fold,
        test_accuracy=rounded(result.test_accuracy),
        train_accuracy=rounded(result.train_accuracy),
        validation_accuracy=tuple(float(each) for each in all_rounded(result.validation_accuracy) if each is not None),
        validation_loss=all_rounded(result.validation_loss),
        epoch_train_accuracy=all_rounded(result.epoch_train_accuracy),
        epoch_train_loss=all_rounded(result.epoch_train_loss),
        levels=all_rounded(result.levels),
        band=rounded(result.band),
        train_seconds=rounded(result.train_seconds) or 0.0,
        step_ms=rounded(result.step_ms) or 0.0,
        peak_memory_mb=rounded(result.peak_memory_mb) or 0.0,
        parameters=result.parameters,
        step_flops=result.step_flops,
        dead_units=rounded(result.dead_units),
        test_loss=rounded(result.test_loss),
        first_deviation=rounded(result.first_deviation),
        near_zero=rounded(result.near_zero),
        largest_norm=rounded(result.largest_norm),
    )


class HeaderFields(TypedDict):
    """The fields that every record of an outcome has."""

    key: str
    status: Literal["done", "diverged", "failed"]
    data: str
    data_choice: str
    budget: str
    fingerprint: str
    seed: int
    recipe: str
    environment: Environment
    started: str
    finished: str


def header(outcome: Outcome, about: About, status: Literal["done", "diverged", "failed"]) -> HeaderFields:
    """Returns what every record of an outcome has."""
    run = outcome.run
    return HeaderFields(
        key=run.key,
        status=status,
        data=about.data,
        data_choice=about.data_choice,
        budget=about.budget,
        fingerprint=run.fingerprint,
        seed=run.seed,
        recipe=describe(run.recipe),
        environment=outcome.environment,
        started=outcome.started,
        finished=outcome.finished,
    )
