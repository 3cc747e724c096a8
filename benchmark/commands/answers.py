"""What the commands that read answer, as values: a command prints its answer in sentences, or with --json as JSON.

docs/schemas/ has a JSON Schema of each, made from these classes.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import typer

from benchmark.commands.say import say
from benchmark.evidence.diagnosis import Finding
from benchmark.evidence.measures import Measured
from benchmark.evidence.own import Against, OwnRow
from benchmark.evidence.regression import CostChange, EffectChange
from benchmark.evidence.tables import Row
from benchmark.evidence.verified import Verified
from benchmark.store.records import CostRecord, Rate


def show_answer(answer: object, as_json: bool, words: Callable[[], str]) -> None:
    """Prints an answer: one JSON object, or what `words` returns. A number that is not finite becomes null."""
    if as_json:
        typer.echo(json.dumps(msgspec.json.decode(msgspec.json.encode(answer)), indent=1))
    else:
        say(words())


@dataclass(frozen=True, kw_only=True)
class Listed:
    """One ablation."""

    name: str
    question: str
    sources: tuple[str, ...]  # links
    variants: tuple[str, ...] | None = None  # null without --variants
    contexts: tuple[str, ...] | None = None  # adaptations of the baseline; null without --variants


@dataclass(frozen=True, kw_only=True)
class ListAnswer:
    """What `list` answers."""

    ablations: tuple[Listed, ...]
    left_out: dict[str, str]  # modules that cannot be used, each with the reason


@dataclass(frozen=True, kw_only=True)
class PlannedTable:
    """A table that a plan has."""

    ablation: str
    context: str  # empty for the baseline as it is
    runs: dict[str, int]  # seeds of each variant, the control included


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """How much computing is left, and how long it takes on this machine."""

    images: int  # images passed through the network in training, an image once for each epoch
    flops_per_image: float  # floating point operations of one image of the baseline, forward and backward
    seconds: float  # with the workers that were asked for
    source: str  # what the seconds rest on
    h200_seconds: float | None  # on one NVIDIA H200; null if a GPU trains, or for a short training
    h200_source: str | None  # what these seconds rest on

    @property
    def pflop(self) -> float:
        """Returns the operations that are left, 10^15."""
        return self.images * self.flops_per_image / 1e15


@dataclass(frozen=True, kw_only=True)
class PlanAnswer:
    """What `plan` answers."""

    data: str
    data_choice: str  # why this data set
    budget: str
    store: str  # folder
    shard: str | None  # the part of the plan that --shard names, as 3/8
    workers: dict[str, int]  # by device
    tables: tuple[PlannedTable, ...]
    runs: int  # distinct runs of all tables
    to_train: int  # runs that the store lacks
    forecast: Forecast | None  # null if nothing is left to train
    notes: tuple[str, ...]  # sentences about what is not planned, or can have no verdict
    left_out: dict[str, str]  # modules that cannot be used, each with the reason


@dataclass(frozen=True, kw_only=True)
class CostAnswer:
    """What `cost` answers."""

    data: str
    data_choice: str  # why this data set
    budget: str
    store: str  # folder, whose costs.json holds the costs now
    device: str
    costs: tuple[CostRecord, ...]  # those that were measured now
    left_out: dict[str, str]  # modules that cannot be used, each with the reason


@dataclass(frozen=True, kw_only=True)
class ReportAnswer:
    """What `report` answers."""

    store: str  # folder
    page: str | None  # the file index.html; null with --readme, which writes no page
    readme: str | None  # the file that --readme names
    effects: tuple[Row, ...]  # the rows of effects.csv
    measures: tuple[Measured, ...]  # with --measure


@dataclass(frozen=True, kw_only=True)
class Compared:
    """Results of yours compared with earlier ones, as --against asks for."""

    verdict: str  # the worst news of all variants
    variants: tuple[Against, ...]


@dataclass(frozen=True, kw_only=True)
class JudgeAnswer:
    """What `judge` answers."""

    read: tuple[str, ...]  # which column was taken for what, in sentences
    unit: str  # of the scores and effects: points, or empty
    margin: float  # in that unit; 0 if none is known
    rows: tuple[OwnRow, ...]  # empty with --against, unless --out asks for them too
    compared: Compared | None  # with --against
    files: tuple[str, ...]  # written into the folder --out


@dataclass(frozen=True, kw_only=True)
class CheckAnswer:
    """What `check` answers."""

    store: str  # folder
    records: int  # all of them whole: with a damaged one the command ends with an error
    tables: int
    report: str | None  # its folder; null if there is none
    stale: tuple[str, ...]  # files of the report that differ from what the records give


@dataclass(frozen=True, kw_only=True)
class RegressAnswer:
    """What `regress` answers. Of each pair, the reference comes first and the store second."""

    reference: str  # folder
    store: str  # folder
    changed: int  # effects that are better or worse, beyond chance
    changes: tuple[EffectChange, ...]  # every effect that was compared
    costs: tuple[CostChange, ...]  # step times that changed
    untrained: tuple[str, ...]  # rows that were asked for and have no runs in the store
    unknown: tuple[str, ...]  # rows of the store that have no runs in the reference
    gone: tuple[str, ...]  # rows of the reference that the store's tables do not plan
    others: int  # rows of the reference that were not asked for
    recoded: tuple[str, ...]  # rows compared by their names, since their code changed
    shared_runs: int  # runs that both sides have
    same_runs: int  # those of them that gave the same numbers
    differing: tuple[str, ...]  # those that gave other numbers, in words
    environments: tuple[tuple[str, ...], tuple[str, ...]]
    commits: tuple[tuple[str, ...], tuple[str, ...]]
    accepted: bool  # whether the store is the reference now


@dataclass(frozen=True, kw_only=True)
class VerifyAnswer:
    """What `verify` answers."""

    store: str  # folder
    stored: int  # runs with measurements, of the rows that were asked for
    tolerance: float  # points
    runs: tuple[Verified, ...]  # that were trained again
    unplanned: tuple[Verified, ...]  # that no table plans any more
    unchecked: tuple[Verified, ...]  # that take a data set which is not available
    missing: dict[str, str]  # data sets that those take, with the reason and the remedy in a sentence
    left: int  # runs that were to be trained again and were not: interrupted, or what they start from failed
    counts: dict[str, int]  # runs by word


@dataclass(frozen=True, kw_only=True)
class CalibrateAnswer:
    """What `calibrate` answers."""

    store: str  # folder, whose calibration.json holds this now
    made_of: str  # the simulated tables, in words
    rates: tuple[Rate, ...]


@dataclass(frozen=True, kw_only=True)
class DiagnoseAnswer:
    """What `diagnose` answers."""

    name: str  # of the log, or the key of the run
    read: tuple[str, ...]  # which column was taken for what, in sentences; empty for a stored run
    findings: dict[str, Finding]  # by what they are about: learning rate, batch, fit
    picture: str  # the file without its ending, of which .png and .svg are written


ANSWER_TYPES: dict[str, type] = {
    "list": ListAnswer,
    "plan": PlanAnswer,
    "cost": CostAnswer,
    "report": ReportAnswer,
    "judge": JudgeAnswer,
    "check": CheckAnswer,
    "regress": RegressAnswer,
    "verify": VerifyAnswer,
    "calibrate": CalibrateAnswer,
    "diagnose": DiagnoseAnswer,
}
