"""The plots of a report, drawn by several processes where there are many tables."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import active_children, get_context

import pandas as pd

from benchmark.evidence.sweeps import Sweep
from benchmark.evidence.tables import Table
from benchmark.report import history, interactions, sweep_plots, table_plots
from benchmark.report.style import Gallery, Picture
from benchmark.signals import live_with_parent, without_ctrl_c
from benchmark.store.store import Store

FEW = 16  # tables: starting a process takes as long as drawing some of them
MOST_PROCESSES = 8  # processes
Pictures = dict[str, Picture]  # by the names of their files


def draw_all(
    named: Mapping[str, Table], swept: Mapping[str, Sweep], store: Store, past: pd.DataFrame, gallery: Gallery
) -> dict[str, Pictures]:
    """Writes the plots of tables that have runs and returns them by the names of their tables."""
    there = {name: table for name, table in named.items() if any(table.arms.values())}
    count = min(MOST_PROCESSES, cores())
    if count < 2 or len(there) < FEW:
        drawn = {name: draw_table(table, past, gallery, name) for name, table in there.items()}
        return {name: each | draw_sweep(name, named, swept, store, gallery) for name, each in drawn.items()}
    with process_pool(count) as pool:
        with without_ctrl_c():
            waiting = {name: pool.submit(draw_table, table, past, gallery, name) for name, table in there.items()}
        sweeps = {name: draw_sweep(name, named, swept, store, gallery) for name in there}
        return {name: future.result() | sweeps[name] for name, future in waiting.items()}


@contextmanager
def process_pool(count: int) -> Iterator[ProcessPoolExecutor]:
    """Yields processes that end with this one, and at once where it is stopped: a pool alone would finish its work."""
    with ProcessPoolExecutor(count, get_context("spawn"), live_with_parent) as pool:
        try:
            yield pool
        except KeyboardInterrupt:
            for process in active_children():
                process.kill()
            raise


def draw_table(table: Table, past: pd.DataFrame, gallery: Gallery, name: str) -> Pictures:
    """Writes the plots of one table but for those of a sweep, which need the store."""
    return (
        table_plots.draw(table, gallery, name)
        | interactions.interactions(table, gallery, name)
        | history.over_time(table, past, gallery, name)
    )


def draw_sweep(
    name: str, named: Mapping[str, Table], swept: Mapping[str, Sweep], store: Store, gallery: Gallery
) -> Pictures:
    """Writes the figure of a table that is a sweep; nothing for others."""
    return sweep_plots.draw(named[name], swept[name], store, gallery, name) if name in swept else {}


def cores() -> int:
    """Returns how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
