"""States of trainings in files, so that the command that goes on after a stop goes on amid a run.

A run that takes minutes has none. Of a longer one the state after an epoch is written every few minutes, and deleted
once its record is stored. It counts for the same key, and so for the same code, recipe, seed and data, on the same
hardware and libraries: elsewhere the bits would be others, and the run starts from its beginning.
"""

from __future__ import annotations

import io
import time
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch

from benchmark.engine.progress import Progress, State, UnkeptError, restore, state_of
from benchmark.planning.identity import Run
from benchmark.store.files import interrupted_file, make_folder, replace_file
from benchmark.store.keys import digest

EVERY = 300.0  # seconds of training that a stop may cost, and the rest of an epoch
DIGITS = 64  # hexadecimal, of the digest that a file begins with
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
        state = self.read()
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
            content = io.BytesIO()
            torch.save({"environment": self.told(), "state": state_of(progress)}, content)
            make_folder(self.path.parent)
            replace_file(self.path, digest(content.getvalue(), DIGITS).encode() + content.getvalue())
        except (OSError, UnkeptError) as reason:
            warnings.warn(
                f"a run that is stopped will start from its beginning, as its state cannot be kept: {reason}",
                stacklevel=2,
            )
            self.every = float("inf")
        self.written = time.monotonic()

    def read(self) -> State | None:
        """Returns the state in the file; None if there is none, or it is damaged or from another machine."""
        try:
            content = self.path.read_bytes()
        except OSError:
            return None
        if digest(content[DIGITS:], DIGITS).encode() != content[:DIGITS]:
            return None
        kept = torch.load(io.BytesIO(content[DIGITS:]), weights_only=True, map_location="cpu")
        state: State = kept["state"]
        return state if kept["environment"] == self.told() else None

    def told(self) -> dict[str, str | int]:
        """Returns the environment as far as bits depend on it."""
        return {name: value for name, value in self.environment.items() if name != COMMIT}


def interrupted(runs: Iterable[Run], store: Path) -> int:
    """Returns how many of the runs an earlier command was stopped amid, with their states kept."""
    return sum(interrupted_file(store, run.key).exists() for run in runs)
