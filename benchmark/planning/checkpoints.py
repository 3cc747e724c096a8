"""A start from weights of the user's own: a file of tensors by name, put in the place of pre-training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load

from benchmark.engine.network import Weights, assembled, begin_with
from benchmark.errors import UsageError
from benchmark.planning.studies import Study, kind_and_way
from benchmark.recipe import Checkpoint, Recipe
from benchmark.store.keys import digest

DIGITS = 16  # hexadecimal, that tell one file from another
KIND = "weights"  # of the arms that start from the file; as in `KIND: WAY`


def checkpoint(file: Path) -> Checkpoint:
    """Returns the weights in a file. Raises UsageError if it cannot be read or is no .safetensors."""
    try:
        content = file.read_bytes()
    except OSError as reason:
        raise UsageError(
            f"--weights {file} cannot be read: {reason.strerror or reason}; give a .safetensors file"
        ) from None
    try:
        load(content)
    except SafetensorError as reason:
        raise UsageError(
            f"--weights {file} is no .safetensors file ({reason}); safetensors.torch.save_file(model.state_dict(), "
            "FILE) writes one"
        ) from None
    return Checkpoint(digest(content, DIGITS), str(file))


def weights_of(start: Checkpoint) -> Weights:
    """Returns the tensors by name. Raises ValueError if the file changed since it was given."""
    content = Path(start.file).read_bytes()
    if digest(content, DIGITS) != start.digest:
        raise ValueError(f"{start.file} changed since the runs were planned; give the same file, or start again")
    return load(content)


def with_weights(tables: Sequence[Study], start: Checkpoint, classes: int) -> list[Study]:
    """Returns `tables` with one kind of arms more, `weights: WAY`: those of the first kind that starts from a
    training.

    Raises UsageError if no arm does, or if the weights do not fit, naming the tensors.
    """
    further = [arms_from(start, table) for table in tables]
    if not any(further):
        raise UsageError(
            "--weights takes the place of pre-training, which none of these ablations has; --only fine_tuning"
        )
    weights = weights_of(start)
    for arm in (arm for arms in further for arm in arms.values()):
        try:
            begin_with(assembled(arm, classes, []), weights)
        except ValueError as reason:
            raise UsageError(
                f"--weights {start.file}: {reason}; its tensors must be those of the baseline's network at this "
                "budget, all but the classifier's"
            ) from None
    return [
        replace(
            table,
            arms={**table.arms, **arms},
            factors={**table.factors, **{name: kind_and_way(name) for name in arms}},
        )
        for table, arms in zip(tables, further, strict=True)
    ]


def arms_from(start: Checkpoint, table: Study) -> dict[str, Recipe]:
    """Returns the arms `KIND: WAY` of the first kind that start from a training, with `start` in its place."""
    trained = {
        table.factors[name]: arm
        for name, arm in table.arms.items()
        if name in table.factors and isinstance(arm, Recipe) and isinstance(arm.start_from, Recipe)
    }
    first = next(iter(trained), ("",))[0]
    return {f"{KIND}: {way}": replace(arm, start_from=start) for (kind, way), arm in trained.items() if kind == first}
