"""Ensembles of stored runs: from a plan and a store to records. Trains nothing.

The record of an ensemble is a line of runs.jsonl like a run's, marked by `kind`: its recipe is the ensemble's text,
its seed the number of the replicate. `train_flops` are those of its runs, each counted once, those that were not
chosen among them; `test_flops` are of one image, forward and backward, as a run's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from benchmark.data.splits import DataSet
from benchmark.engine.training import snapshot_names
from benchmark.ensembles import measures
from benchmark.errors import UsageError
from benchmark.planning.identity import Combination, Run, describe
from benchmark.planning.rounds import Planned, steps
from benchmark.recipe import Labels, Member, Scores
from benchmark.store.numbers import rounded
from benchmark.store.records import About, EnsembleRecord, Record, RunRecord, timestamp
from benchmark.store.store import Store

FLOOR = -1e4  # of log-probabilities: half precision writes what is lower as minus infinity


class Unmade(Exception):
    """Why an ensemble cannot be made of what is stored."""


def combine(planned: Planned, store: Store, data: DataSet, about: About) -> list[str]:
    """Make what `store` lacks of `planned`; needs `store.writing()`. `about` goes into every record.

    Gives a sentence for each arm of which something could not be made.
    """
    records = store.records
    sentences = []
    for name, replicates in planned.items():
        reasons: dict[int, Unmade] = {}
        for each in replicates:
            if each.key not in store:
                try:
                    store.add(record(each, records, store, data, about))
                except Unmade as reason:
                    reasons[each.replicate] = reason
        if reasons:
            first = min(reasons)
            made = f"{len(replicates) - len(reasons)} of {len(replicates)} ensembles made"
            sentences.append(f"{name}: {made}; not replicate {first}: {reasons[first]}")
    return sentences


def check_ensembles(planned: Planned, store: Store) -> None:
    """Raises UsageError if there is nothing to combine."""
    if not any(planned.values()):
        raise UsageError("these ablations have no ensembles; `list` names them, --only chooses")
    runs = {run.key for replicates in planned.values() for each in replicates for run in each.runs}
    if not any(key in store for key in runs):
        raise UsageError(
            f"{store.folder} holds none of the {len(runs)} runs that these ensembles are made of; `run` trains them"
        )


def record(
    combination: Combination, records: Mapping[str, Record], store: Store, data: DataSet, about: About
) -> EnsembleRecord:
    """Returns the record of one ensemble. Raises Unmade if a member is missing, diverged or without its answers."""
    started = timestamp()
    ensemble, runs = combination.ensemble, combination.runs
    found = finished(runs, records)
    accuracies = [validation_accuracy_of(member, run) for member, run in zip(ensemble.members, found, strict=True)]
    chosen = list(ensemble.choose(accuracies))
    best = max(range(len(chosen)), key=lambda place: accuracies[chosen[place]])
    kept = [answers(ensemble.members[place], found[place], store) for place in chosen]
    members, labels = np.stack([test for test, _ in kept]), data.test.labels.numpy()
    try:
        whole = ensemble.combine(members, *validation([each for _, each in kept], data))
    except ValueError as reason:
        raise Unmade(str(reason)) from None
    trained = {run.key: (run.recipe, of) for run, of in zip(runs, found, strict=True)}
    measured = {name: rounded(value) for name, value in measures(members, whole, labels, best).items()}
    return EnsembleRecord(
        key=combination.key,
        status="done",
        reason="",
        data=about.data,
        data_choice=about.data_choice,
        budget=about.budget,
        fingerprint=combination.fingerprint,
        seed=combination.replicate,
        recipe=describe(ensemble),
        members=tuple(runs[place].key for place in chosen),
        test_accuracy=measured["test_accuracy"] or 0.0,
        test_loss=measured["test_loss"],
        calibration_error=measured["calibration_error"],
        gain=measured["gain"],
        gain_over_best=measured["gain_over_best"],
        disagreement=measured["disagreement"],
        error_correlation=measured["error_correlation"],
        train_seconds=sum(of.train_seconds for _, of in trained.values()),
        train_flops=sum(of.step_flops * steps(recipe) for recipe, of in trained.values()),
        test_flops=sum(found[place].step_flops / runs[place].recipe.batch_size for place in chosen),
        evaluations=len(chosen),
        environment=found[0].environment,
        started=started,
        finished=timestamp(),
    )


def finished(runs: Sequence[Run], records: Mapping[str, Record]) -> list[RunRecord]:
    """Returns the record of each run. Raises Unmade if one is missing or diverged."""
    distinct = list(dict.fromkeys(runs))
    there = {run.key: found for run in distinct if isinstance(found := records.get(run.key), RunRecord)}
    if len(there) < len(distinct):
        raise Unmade(f"of its {len(distinct)} runs {len(there)} are stored")
    for found in there.values():
        if found.diverged:
            raise Unmade(f"its run {found.key} (seed {found.seed}) diverged")
    return [there[run.key] for run in runs]


def validation_accuracy_of(member: Member, run: RunRecord) -> float:
    """Returns a member's accuracy on the validation images at its time, 0 to 1."""
    return run.validation_accuracy[member.recipe.epoch(member.at) - 1]


def answers(member: Member, run: RunRecord, store: Store) -> tuple[Scores, Scores]:
    """Returns log-probabilities on test and validation images; none of the latter where they were not kept."""
    arrays = store.arrays(run)
    at_end = member.at == 1
    names = ("logits", "validation_logits") if at_end else snapshot_names(member.recipe.epoch(member.at))
    if names[0] not in arrays:
        raise Unmade(
            f"arrays/{run.key}.npz with its {names[0]} is not there: a store without its arrays can be reported, "
            "but makes no new ensemble; train its runs again in another --store"
        )
    test = np.maximum(arrays[names[0]].astype(np.float64), FLOOR)
    return test, np.maximum(arrays.get(names[1], test[:0]).astype(np.float64), FLOOR)


def validation(kept: Sequence[Scores], data: DataSet) -> tuple[Scores, Labels]:
    """Returns what all members answered on the validation images that each of them saw, and the labels of these."""
    count = min(map(len, kept))
    return np.stack([each[:count] for each in kept]), data.validation.labels[:count].numpy()
