"""The records of a store, as frozen values: finished runs, ensembles, failed runs, planned tables, costs, calibration.

Each has one way in (`parse_run`, `parse_tables`, ...), which checks types and ranges, fills what older files lack, and
says in one sentence which field is wrong. What a report or a plan must know of a recipe is a field here (`Facts`);
nothing is read back out of a recipe's text.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta

from benchmark.claim import Claim, Published

SCHEMA = 2  # of the files of a store; 1 had no checksums, no facts of recipes, and no `start` of a run

Share = Annotated[float, Meta(ge=0, le=1)]
Amount = Annotated[float, Meta(ge=0)]
Count = Annotated[int, Meta(ge=0)]
Positive = Annotated[int, Meta(ge=1)]
Environment = dict[str, str | int]  # what may change numbers or times: device, cpu, threads, versions, commit
Interim = dict[str, Count]  # runs of each arm and of the control that an interim test has seen
T = TypeVar("T")


def timestamp() -> str:
    """Returns the present time in UTC, ISO 8601 with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def later(moment: str, seconds: float) -> str:
    """Returns the moment so many seconds after another, which no setting of the clock in between changes."""
    return (datetime.fromisoformat(moment) + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")


@dataclass(frozen=True)
class TableName:
    """What makes two plans of a table the same table."""

    ablation: str
    context: str
    data: str
    budget: str

    def __str__(self) -> str:
        """Returns the ablation, with its context where it has one."""
        return f"{self.ablation} ({self.context})" if self.context else self.ablation

    def row(self, variant: str) -> str:
        """Returns the name of a row of this table."""
        return f"{self}: {variant}"


@dataclass(frozen=True)
class About:
    """What goes into every record of a command."""

    data: str
    data_choice: str  # why this data set
    budget: str


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What reports and plans must know of a recipe."""

    learning_rate: Amount  # peak
    batch_size: Positive  # images
    epochs: Positive
    steps: Amount  # of the training, as far as is known without its data
    constant_rate: bool  # whether the rate is the same at every step


@dataclass(frozen=True, kw_only=True)
class Header:
    """What every line of runs.jsonl has."""

    key: str
    status: Literal["done", "diverged", "failed"]
    reason: str  # empty if done
    data: str
    data_choice: str  # why this data set
    budget: str
    fingerprint: str  # of the data set
    seed: Count  # of an ensemble, the number of the replicate
    recipe: str  # text of the recipe or ensemble
    environment: Environment
    started: str  # ISO 8601, UTC
    finished: str

    def __post_init__(self) -> None:
        """Raises ValueError, naming the field, for a moment that is none."""
        for name in ("started", "finished"):
            try:
                zoned = datetime.fromisoformat(getattr(self, name)).tzinfo
            except ValueError:
                zoned = None
            if zoned is None:
                raise ValueError(f"{name} must be a moment in ISO 8601 with a time zone, got {getattr(self, name)!r}")

    @property
    def seconds(self) -> float:
        """Returns how long the run took on its worker, evaluation included, in seconds; 0 if the clock was set."""
        spent = datetime.fromisoformat(self.finished) - datetime.fromisoformat(self.started)
        return max(0.0, spent.total_seconds())

    @property
    def hardware(self) -> str:
        """Returns the model of the GPU that trained, or of the processor where none did; empty if it is not known."""
        device = str(self.environment.get("device", "cpu"))
        return str(self.environment.get("cpu", "")) if device == "cpu" else device


@dataclass(frozen=True, kw_only=True)
class FailedRecord(Header):
    """A run that raised an error or whose worker died; it is tried again by the next command."""

    start: str = ""  # key of the run with whose weights this one began

    def __post_init__(self) -> None:
        """Raises ValueError for another status."""
        super().__post_init__()
        if self.status != "failed":
            raise ValueError(f"status must be 'failed' of a record without measurements, got {self.status!r}")


@dataclass(frozen=True, kw_only=True)
class RunRecord(Header):
    """A finished training; one that diverged has no test accuracy."""

    start: str = ""  # key of the run with whose weights this one began
    facts: Facts | None = None  # None in stores older than schema 2
    fold: tuple[int, int] | None = None  # (k, K) where it is validated on one of K parts and never tested
    test_accuracy: Share | None  # after the last epoch; None if diverged, or validated on a fold
    train_accuracy: Share | None
    validation_accuracy: tuple[Share, ...]  # after each epoch
    validation_loss: tuple[float | None, ...]
    epoch_train_accuracy: tuple[Share | None, ...]
    epoch_train_loss: tuple[float | None, ...]
    levels: tuple[float | None, ...] | None = None  # mean loss of equal parts of the training
    band: float | None = None  # relative width of the band of the last epoch's losses
    train_seconds: Amount
    step_ms: Amount
    peak_memory_mb: Amount
    parameters: Count
    step_flops: Count
    dead_units: Share | None = None
    test_loss: float | None = None
    first_deviation: Amount | None = None
    near_zero: Share | None = None
    largest_norm: Amount | None = None
    digests: dict[str, str] = field(default_factory=dict)  # of the files that belong to the line: `arrays`, `weights`

    def __post_init__(self) -> None:
        """Raises ValueError where the status and the measurements do not fit together."""
        super().__post_init__()
        if self.status == "failed":
            raise ValueError("status must be 'done' or 'diverged' of a record with measurements, got 'failed'")
        if self.status == "diverged" and self.test_accuracy is not None:
            raise ValueError(f"test_accuracy must be null of a run that diverged, got {self.test_accuracy!r}")
        if self.status == "done" and self.test_accuracy is None and self.fold is None:
            raise ValueError("test_accuracy must be a number of a run that is done, got null")
        if self.status == "done" and not self.validation_accuracy:
            raise ValueError("validation_accuracy must have a number for each epoch of a run that is done")

    @property
    def seconds(self) -> float:
        """Returns how long the run took on its worker, in seconds; of one that went on after a stop, at least the
        training before it is in."""
        return max(super().seconds, self.train_seconds)

    @property
    def diverged(self) -> bool:
        """Returns whether the loss left the finite numbers."""
        return self.status == "diverged"


@dataclass(frozen=True, kw_only=True)
class EnsembleRecord(Header):
    """Finished runs that decided together; nothing was trained."""

    members: tuple[str, ...]  # keys of the runs that answered
    test_accuracy: Share
    test_loss: float | None
    calibration_error: Share | None
    gain: float | None  # accuracy over the mean of the members
    gain_over_best: float | None  # accuracy over the member that is best on validation images
    disagreement: Share | None
    error_correlation: float | None
    train_seconds: Amount
    train_flops: Amount
    test_flops: Amount
    evaluations: Positive

    @property
    def diverged(self) -> bool:
        """Returns False: an ensemble is made of runs that did not diverge."""
        return False


Finished = RunRecord | EnsembleRecord
Record = RunRecord | EnsembleRecord | FailedRecord


@dataclass(frozen=True, kw_only=True)
class EnsembleOf:
    """What an ensemble's arm is made of."""

    copies: int | None  # of the control, if of nothing else
    combine: str


@dataclass(frozen=True, kw_only=True)
class ArmRecord:
    """One arm of a planned table, or its control."""

    variant: str
    recipe: str
    seeds: Count
    changes: dict[str, str] = field(default_factory=dict)  # against the control, by field of the recipe
    facts: Facts | None = None  # None for ensembles, and in stores older than schema 2
    kind: str = ""  # of a table of two factors: the kind, such as "similar"
    way: str = ""  # and the way, such as "all, slow"
    ensemble: EnsembleOf | None = None


@dataclass(frozen=True, kw_only=True)
class Dose:
    """How much of something a table's context gives, where its other contexts give more or less of it."""

    of: str  # the field of the recipe, such as "epochs"
    times: Annotated[float, Meta(gt=0)]  # over the base's


@dataclass(frozen=True, kw_only=True)
class TableRecord:
    """A planned table: one ablation on one data set, budget and context."""

    ablation: str
    context: str
    question: str
    sources: tuple[str, ...]
    data: str
    data_choice: str
    fingerprint: str
    classes: Annotated[int, Meta(ge=2)]
    test_images: Positive | None = None  # None in stores older than schema 2
    largest_class: Positive | None = None  # test images of the class that has most; None in older stores
    budget: str
    margin: Amount  # points
    design: str = "add-one"
    tricks: tuple[str, ...] = ()  # of a design of several tricks, as ABLATION: VARIANT
    control: ArmRecord
    same: tuple[str, ...] = ()  # names of arms that are the control itself
    arms: tuple[ArmRecord, ...]
    trained: dict[str, Count] = field(default_factory=dict)  # runs planned, by recipe, members of ensembles included
    claims: tuple[Claim, ...] = ()
    interims: tuple[Interim, ...] = ()  # interim tests so far
    published: dict[str, Published] = field(default_factory=dict)  # what a paper says of its arms, by their names
    remarks: str = ""  # what its readers have to know; of a paper's table: its sources, and how it differs from them
    dose: Dose | None = None  # of the context; None where contexts do not differ by an amount

    def __post_init__(self) -> None:
        """Raises ValueError for two arms of one name."""
        names = [self.control.variant, *(arm.variant for arm in self.arms)]
        if len(set(names)) < len(names):
            raise ValueError(f"arms must have different variants, got {names}")

    @property
    def name(self) -> TableName:
        """Returns what makes two plans of a table the same table."""
        return TableName(self.ablation, self.context, self.data, self.budget)

    def arm(self, variant: str) -> ArmRecord:
        """Returns an arm by its name. Raises KeyError for one that is not there."""
        for arm in (self.control, *self.arms):
            if arm.variant == variant:
                return arm
        raise KeyError(variant)


@dataclass(frozen=True, kw_only=True)
class CostRecord:
    """A variant's step time over its control's, measured alternately."""

    recipe: str
    control: str  # the control's recipe
    ratio: Annotated[float, Meta(gt=0)]  # median
    low: Annotated[float, Meta(gt=0)]  # least and greatest of the pairs measured
    high: Annotated[float, Meta(gt=0)]
    step_ms: Amount
    control_step_ms: Amount
    environment: Environment


@dataclass(frozen=True, kw_only=True)
class Rate:
    """How often something happened, with the 95 % interval of Clopper & Pearson 1934,
    https://doi.org/10.1093/biomet/26.4.404."""

    what: str
    count: Count
    of: Positive
    low: Share
    high: Share
    goal: str

    @property
    def share(self) -> float:
        """Returns the share of trials in which it happened, 0 to 1."""
        return self.count / self.of


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What `calibrate` found."""

    made_of: str
    rates: tuple[Rate, ...]


@dataclass(frozen=True, kw_only=True)
class Truth:
    """The right answers to a data set's test images, which measures besides accuracy need."""

    fingerprint: str  # of the data set
    classes: tuple[str, ...]  # names
    labels: tuple[Count, ...]  # the number of each test image's class

    def __post_init__(self) -> None:
        """Raises ValueError for a label that is no class."""
        if max(self.labels, default=0) >= len(self.classes):
            raise ValueError(f"labels must be below {len(self.classes)}, got {max(self.labels)}")


@dataclass(frozen=True, kw_only=True)
class Measures:
    """The measures besides accuracy that a store's report compares by."""

    names: tuple[str, ...]
    truths: tuple[Truth, ...]  # of each data set with tables


def convert(kind: type[T], value: object) -> T:
    """Returns `value`, JSON already parsed, as `kind`. Raises ValueError with one sentence that names the field."""
    try:
        return msgspec.convert(value, kind, strict=True)
    except (msgspec.ValidationError, RecursionError) as reason:
        text, _, place = str(reason).partition(" - at `$")
        where = place.rstrip("`").lstrip(".")
        raise ValueError(f"{where}: {text}" if where else text) from None
