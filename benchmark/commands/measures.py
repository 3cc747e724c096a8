"""Measures besides accuracy for the report: the store's answers against the labels of the test images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from benchmark.claim import CONTROL
from benchmark.errors import UsageError
from benchmark.evidence.measures import Classes, Measured, in_words, majority_answers, measure_run, measured
from benchmark.evidence.tables import Table, tables
from benchmark.report import save
from benchmark.store.records import Finished, RunRecord
from benchmark.store.store import Store


def write_measures(store: Store, measures: Sequence[str], data_dir: Path, out: Path) -> list[Measured]:
    """Writes measures.csv and measures.md into the report's folder; returns their lines.

    Raises UsageError where the data set is not the one that the runs were tested on, or no run's answers were kept.
    """
    lines = [line for table in tables(store) for line in of_table(table, store, measures, data_dir)]
    if not lines:
        raise UsageError(f"{store.folder} has no answers to test images, which --measure needs; `run` keeps them")
    save(out / "measures.md", in_words(lines))
    frame = pd.DataFrame([asdict(line) for line in lines])
    save(out / "measures.csv", frame.to_csv(index=False, float_format="%.6g", lineterminator="\n"))
    return lines


def of_table(table: Table, store: Store, measures: Sequence[str], data_dir: Path) -> list[Measured]:
    """Returns the lines of a table; none if it has no runs whose answers were kept."""
    from benchmark.data.load import load  # only now, as it imports torch

    study = table.study
    images = load(study.data, data_dir)
    if images.fingerprint != study.fingerprint:
        raise UsageError(f"{study.data} in {data_dir} is not what {store.folder} was tested on; name it by --data-dir")
    labels = images.test.labels.numpy()
    arms = {
        name: [measure_run(answers, labels, images.classes, measures) for answers in answers_of(runs, store, labels)]
        for name, runs in {CONTROL: table.control, **table.arms}.items()
    }
    return measured((study.ablation, study.context), arms, study.margin)


def answers_of(runs: Sequence[Finished], store: Store, labels: Classes) -> list[Classes]:
    """Returns the classes that runs and ensembles answered with, of those whose answers were kept."""
    found = []
    for run in runs:
        if run.status == "diverged":
            found.append(majority_answers(labels))
        elif isinstance(run, RunRecord) and (logits := store.arrays(run).get("logits")) is not None:
            found.append(logits.argmax(1).astype(labels.dtype))
    return found
