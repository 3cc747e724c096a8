"""Recognises by their names which columns of a training log hold what, as Lightning, Keras, timm and others name them.

A name is taken apart into words: `train_loss_step`, `val/acc`, `eval_top1`, `run-3 - trainLoss` are all understood,
and a word that is not known (`train_box_loss`, `val_acc_top5`) rules a column out. Where two columns could be the same
thing, the user has to say which.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

from benchmark.errors import UsageError, unknown

TRAINING = {"train", "training", "trn", "tr"}
VALIDATION = {"val", "valid", "validation", "eval", "evaluation", "dev", "va", "holdout"}
TESTING = {"test", "testing"}
ACCURACY = {"accuracy", "acc", "top1", "acc1", "prec1"}
LOSS = {"loss", "losses", "nll", "crossentropy", "cost"}
BY_STEP, BY_EPOCH = {"step", "batch", "iter"}, {"epoch"}
NEUTRAL = {"metrics", "mean", "avg", "average", "total", "categorical", "sparse", "binary", "multiclass"}
NEUTRAL |= {"cross", "entropy", "ce", "top", "1", "running", "prec", "lm"}
STEPS: tuple[str, ...] = (
    "step",
    "global_step",
    "trainer_global_step",
    "train_global_step",
    "train_step",
    "iteration",
    "iterations",
)
STEPS += ("iter", "it", "n_iter", "steps", "batch", "batch_idx", "batch_index")  # earlier ones are preferred
EPOCHS: tuple[str, ...] = ("epoch", "epochs", "train_epoch", "trainer_epoch", "current_epoch", "epoch_num")
EPOCHS += ("epoch_idx", "epoch_index", "epoch_number", "ep")


@dataclass(frozen=True)
class Columns:
    """The column, or the columns whose sum, plays each part; empty where there is none."""

    step: tuple[str, ...] = ()
    epoch: tuple[str, ...] = ()
    loss: tuple[str, ...] = ()  # of the training: by step, or by epoch; the rows tell
    epoch_loss: tuple[str, ...] = ()  # of the training by epoch, where there is one by step too
    validation_loss: tuple[str, ...] = ()
    train_accuracy: tuple[str, ...] = ()
    validation_accuracy: tuple[str, ...] = ()
    learning_rate: tuple[str, ...] = ()

    def options(self) -> dict[str, str]:
        """Returns the option of the command line that names each part."""
        return {each.name: "--" + each.name.replace("_", "-") for each in fields(self)}


@dataclass(frozen=True)
class Meaning:
    """What the name of a column says."""

    loss: bool  # else an accuracy
    part: str  # "train", "validation", "test", or "" where the name does not say
    span: str  # "step", "epoch", or ""


def meaning(name: str) -> Meaning | None:
    """Returns what a column's name says; None for one that is neither a plain loss nor a plain accuracy."""
    found = name_words(name)
    kinds = {"train": TRAINING, "validation": VALIDATION, "test": TESTING}
    parts = [part for part, known in kinds.items() if known & set(found)]
    accuracy = bool(ACCURACY & set(found)) or ("1" in found and bool({"top", "prec"} & set(found)))
    loss = not accuracy and (bool(LOSS & set(found)) or {"cross", "entropy"} <= set(found))
    known = NEUTRAL.union(ACCURACY, LOSS, BY_STEP, BY_EPOCH, *kinds.values())
    if not (accuracy or loss) or len(parts) > 1 or not set(found) <= known:
        return None
    if not parts and found[0] == "metrics":
        parts = ["validation"]  # as Ultralytics writes it
    span = "step" if BY_STEP & set(found) else "epoch" if BY_EPOCH & set(found) else ""
    return Meaning(loss, parts[0] if parts else "", span)


def name_words(name: str) -> list[str]:
    """Returns the words of a name in lower case; Weights & Biases writes the run before the name: `run - loss`."""
    bare = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.rsplit(" - ", 1)[-1])
    return [word for word in re.split(r"[^a-z0-9]+", bare.lower()) if word]


def is_rate(name: str) -> bool:
    """Returns whether a column holds the learning rate: `lr`, `lr-SGD`, `lr/pg0`, `learning_rate`."""
    found = name_words(name)
    return "lr" in found or {"learning", "rate"} <= set(found)


def find_columns(columns: Sequence[str], given: Columns, path: Path) -> Columns:
    """Returns which columns play which part: those that the user gave, else those whose names say so.

    Raises UsageError for a given column that is not there, and where two columns could play the same part.
    """
    repeated = [name for name in columns if name and columns.count(name) > 1]
    meanings = {name: found for name in columns if (found := meaning(name)) and name not in repeated}

    def best(part: str, rank: Callable[[Meaning], int | None]) -> tuple[str, ...]:
        if wanted := getattr(given, part):
            return tuple(exact(name, columns, part) for name in wanted)
        ranks = {name: at for name, found in meanings.items() if (at := rank(found)) is not None}
        names = [name for name, at in ranks.items() if at == min(ranks.values())]
        if len(names) > 1:
            raise UsageError(
                f"{path} has {len(names)} columns that could be the {part.replace('_', ' ')}: {', '.join(names)}; "
                f"choose with {given.options()[part]} NAME"
            )
        return tuple(names)

    for name in repeated:
        if meaning(name) or "_".join(name_words(name)) in {*STEPS, *EPOCHS}:
            raise UsageError(f"{path} has the column {name} twice; leave one of them out or rename it")
    loss = best("loss", lambda of: training_rank(of, loss=True, avoid="epoch"))
    chosen = Columns(
        step=best_named("step", STEPS, columns, given),
        epoch=best_named("epoch", EPOCHS, columns, given),
        loss=loss,
        epoch_loss=best("epoch_loss", lambda of: training_rank(of, loss=True) if of.span == "epoch" else None),
        validation_loss=best("validation_loss", lambda of: validation_rank(of, loss=True)),
        train_accuracy=best("train_accuracy", lambda of: training_rank(of, loss=False)),
        validation_accuracy=best("validation_accuracy", lambda of: validation_rank(of, loss=False)),
        learning_rate=given.learning_rate or tuple(name for name in columns if is_rate(name))[:1],
    )
    return special(chosen, columns, path)


def training_rank(of: Meaning, loss: bool, avoid: str = "step") -> int | None:
    """Returns how well a column fits the training's loss or accuracy, 0 the best; None where it does not."""
    if of.loss != loss or of.part not in ("train", "") or (avoid == "epoch" == of.span):
        return None
    preferred = "step" if avoid == "epoch" else "epoch"
    return 10 * (of.part == "") + (0 if of.span == preferred else 1 if not of.span else 2)


def validation_rank(of: Meaning, loss: bool) -> int | None:
    """Returns the same for validation; test images stand in where no column is of validation."""
    if of.loss != loss or of.part not in ("validation", "test"):
        return None
    return 10 * (of.part == "test") + (0 if of.span == "epoch" else 1 if not of.span else 2)


def best_named(part: str, names: Sequence[str], columns: Sequence[str], given: Columns) -> tuple[str, ...]:
    """Returns the column that has the first of some names."""
    if wanted := getattr(given, part):
        return tuple(exact(name, columns, part) for name in wanted)
    by_name = {"_".join(name_words(name)): name for name in reversed(columns)}
    return tuple(by_name[name] for name in names if name in by_name)[:1]


def exact(name: str, columns: Sequence[str], part: str) -> str:
    """Returns the column of a name, in whatever case. Raises UsageError if there is none."""
    for column in columns:
        if column.lower() == name.strip().lower():
            return column
    raise unknown(f"column for --{part.replace('_', '-')}", name, [column for column in columns if column])


def special(found: Columns, columns: Sequence[str], path: Path) -> Columns:
    """Returns the columns with those of TensorBoard (Value), of fastai and of Ultralytics (parts of a loss)."""
    lower = {name.lower(): name for name in columns}
    if {"wall time", "step", "value"} <= lower.keys() and not found.loss:
        of = meaning(re.sub(r"^.*tag[-_]", "", path.stem))
        if of and not of.loss:
            part = "validation_accuracy" if of.part in ("validation", "test") else "train_accuracy"
            return replace(found, **{part: (lower["value"],)})
        part = "validation_loss" if of and of.part in ("validation", "test") else "loss"
        return replace(found, **{part: (lower["value"],)})
    if (
        not found.validation_accuracy
        and found.validation_loss
        and all((of := meaning(name)) and of.part == "train" for name in found.loss)
    ):
        bare = tuple(name for name in found.train_accuracy if (of := meaning(name)) and not of.part)
        if bare and found.loss:  # as fastai writes it, whose metrics are all of the validation
            return replace(found, train_accuracy=(), validation_accuracy=bare)
    if any(name.startswith("metrics/") for name in lower):
        parts = {
            part: tuple(name for name in columns if name.startswith(start) and name.endswith("_loss"))
            for part, start in (("loss", "train/"), ("validation_loss", "val/"))
        }
        return replace(found, **{part: names for part, names in parts.items() if names and not getattr(found, part)})
    return found
