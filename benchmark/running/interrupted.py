"""States of trainings in files, so that the command that goes on after a stop goes on amid a run.

A run that takes minutes has none. Of a longer one the state after an epoch is written every few minutes, and deleted
once its record is stored. It counts for the same key, and so for the same code, recipe, seed and data, on the same
hardware and libraries: elsewhere the bits would be others, and the run starts from its beginning.
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor

from benchmark.engine.progress import (
    ModuleState,
    OptimiserState,
    Progress,
    State,
    UnkeptError,
    restore,
    state_of,
)
from benchmark.planning.identity import Run
from benchmark.store.files import interrupted_file, make_folder, replace_file
from benchmark.store.keys import digest

EVERY = 300.0  # seconds of training that a stop may cost, and the rest of an epoch
DIGITS = 64  # hexadecimal, of the digest that a file begins with
TEXT = "text"  # name of the JSON text among the tensors of a file
COMMIT = "git_commit"  # of the environment: a run may go on at another, where its key is the same


@dataclass
class StateFile:
    """The file of one run's state, read and written by the worker that trains it."""

    path: Path
    environment: Mapping[str, str | int]
    every: float = EVERY
    written: float = field(default_factory=time.monotonic)  # when it last was, or the run began

    def resume(self, progress: Progress) -> None:
        """Puts a training into the state that the file has. Raises ValueError if it is the state of another one."""
        state = self.read(progress.augmentation.device)
        if state is None:
            return
        try:
            restore(progress, state)
        except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as reason:
            raise ValueError(
                f"{self.path} is not a state of this run ({reason}); delete it, and the run starts from its beginning"
            ) from reason

    def offer(self, progress: Progress) -> None:
        """Writes the state, if the last time was long ago. Where that is not possible the run goes on without."""
        if time.monotonic() - self.written < self.every:
            return
        try:
            content = packed(Kept(self.relevant(), state_of(progress)))
            make_folder(self.path.parent)
            replace_file(self.path, digest(content, DIGITS).encode() + content)
        except (OSError, UnkeptError) as reason:
            warnings.warn(
                f"a run that is stopped will start from its beginning, as its state cannot be kept: {reason}",
                stacklevel=2,
            )
            self.every = float("inf")
        self.written = time.monotonic()

    def read(self, device: torch.device) -> State | None:
        """Returns the state in the file, its tensors on the device where those were that trained; None if there is
        none, or it is damaged or from another machine."""
        try:
            content = self.path.read_bytes()
        except OSError:
            return None
        if digest(content[DIGITS:], DIGITS).encode() != content[:DIGITS]:
            return None
        kept = unpacked(content[DIGITS:], device)
        return kept.state if kept.environment == self.relevant() else None

    def relevant(self) -> dict[str, str | int]:
        """Returns the environment as far as bits depend on it."""
        return {name: value for name, value in self.environment.items() if name != COMMIT}


@dataclass(frozen=True)
class Kept:
    """What a file holds."""

    environment: Mapping[str, str | int]  # as far as bits depend on it
    state: State


MADE = {each.__name__: each for each in (Kept, State, ModuleState, OptimiserState)}


def packed(kept: Kept) -> bytes:
    """Returns the content of a safetensors file: the tensors by number, and as bytes a JSON text that refers to them.

    Tuples become lists, and all tensors contiguous. Unlike a pickle, it can run nothing when it is read.
    """
    tensors: dict[str, Tensor] = {}

    def plain(value: Any) -> Any:
        if isinstance(value, Tensor):
            name = str(len(tensors))
            tensors[name] = value.detach().cpu().clone(memory_format=torch.contiguous_format)
            return {"tensor": name, "on": value.device.type}
        if isinstance(value, Kept | State | ModuleState | OptimiserState):
            values = {each.name: plain(getattr(value, each.name)) for each in fields(value)}
            return {"made": type(value).__name__, "of": values}
        if isinstance(value, Mapping):
            return {"pairs": [[key, plain(each)] for key, each in value.items()]}
        return [plain(each) for each in value] if isinstance(value, list | tuple) else value

    text = json.dumps(plain(kept)).encode()
    return save({**tensors, TEXT: torch.frombuffer(bytearray(text), dtype=torch.uint8)})


def unpacked(content: bytes, device: torch.device) -> Kept:
    """Returns what `packed` took, with tensors on the CPU where they were there, else on the device."""
    tensors = load(content)

    def whole(value: Any) -> Any:
        if isinstance(value, list):
            return [whole(each) for each in value]
        if not isinstance(value, dict):
            return value
        if "made" in value:
            return MADE[value["made"]](**{name: whole(each) for name, each in value["of"].items()})
        if "pairs" in value:
            return {key: whole(each) for key, each in value["pairs"]}
        return tensors[value["tensor"]].to("cpu" if value["on"] == "cpu" else device)

    kept: Kept = whole(json.loads(tensors[TEXT].numpy().tobytes()))
    return kept


def amid(runs: Iterable[Run], store: Path) -> int:
    """Returns how many of the runs have a state in the store, and go on from it."""
    return sum(interrupted_file(store, run.key).exists() for run in runs)
