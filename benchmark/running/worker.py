"""A worker's own life: it trains each run that it is given, in a process and a process group of its own."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load as load_weights

from benchmark.data.load import load
from benchmark.engine.capture import CaptureError, line_of
from benchmark.engine.machine import check_gpu, environment, is_broken, prepare_device
from benchmark.engine.network import Weights, forget_captured
from benchmark.engine.training import Result
from benchmark.errors import UsageError
from benchmark.planning.checkpoints import weights_of
from benchmark.planning.identity import Run, describe, is_marked, module_mark
from benchmark.recipe import Checkpoint
from benchmark.running.executor import Outcome
from benchmark.running.interrupted import EVERY, StateFile
from benchmark.running.state import state
from benchmark.signals import live_with_parent
from benchmark.store.files import interrupted_file, weights_file
from benchmark.store.keys import digest
from benchmark.store.records import later, timestamp
from benchmark.store.store import DIGITS

LATE = "torch._dynamo"  # which the first optimiser of a process would import, 1.3 s, and which replaces functions
LONGEST = 2000  # characters of an error's text that are kept
Training = Callable[..., Result]  # called as `train` is


@dataclass(frozen=True)
class Job:
    """What a worker is given."""

    run: Run
    text: str  # of its recipe, as the process that planned it describes it
    capture: bool = True  # whether its network may run as CUDA graphs


@dataclass(frozen=True)
class Ready:
    """A worker's first word: it has its device and its data."""


@dataclass(frozen=True)
class Lost:
    """A worker's last word, or what is said of one that has none: a run left its process unusable, or ended it."""

    error: str
    captured: bool = True  # False: a failed capture did it


@dataclass(frozen=True)
class Starved:
    """A run for which the GPU had too little memory."""

    error: str


Said = Ready | Outcome | Starved | Lost | UsageError


def work(
    pipe: Connection,
    device: str,
    name: str,
    folder: Path,
    store: Path | None,
    training: Training,
    visible: str | None = None,
    interrupted: Path | None = None,
    every: float = EVERY,
) -> None:
    """Trains each run that it is given, until its parent is gone. What keeps it from starting is sent.

    A store `interrupted` takes the states of its runs, `every` so many seconds, and gives those of earlier stops.

    It ends after a run that changed its process, so that the next run finds one as it should be.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    live_with_parent()
    if visible is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = visible
    try:
        prepare_device(device)
        if device.startswith("cuda"):
            check_gpu(device)
        loaded(name, folder)
    except UsageError as reason:
        pipe.send(reason)
        return
    except Exception as reason:
        pipe.send(UsageError(f"a worker on {device} cannot start: {in_words(reason)}"))
        return
    import_module(LATE)
    before, this = state(), os.getpid()
    pipe.send(Ready())
    while True:
        job = pipe.recv()
        keeper = None
        if interrupted is not None:
            keeper = StateFile(interrupted_file(interrupted, job.run.key), environment(device), every)
        said = outcome_of(job, device, folder, store, training, keeper)
        if os.getpid() != this:
            os._exit(0)  # the trick has forked, and this is the copy: the worker itself answers
        if isinstance(said, Outcome):
            said = replace(said, changed=shortened(before.changes()))
        pipe.send(said)
        if isinstance(said, Starved):
            forget_captured(torch.device(device))
        if isinstance(said, Lost) or (isinstance(said, Outcome) and said.changed):
            os._exit(1)  # at once: what a broken GPU is asked on the way out may never return


def outcome_of(
    job: Job, device: str, folder: Path, store: Path | None, training: Training, keeper: StateFile | None = None
) -> Outcome | Starved | Lost:
    """Trains a run. Whatever a trick raises is recorded, and stops no other run."""
    run, started, clock = job.run, timestamp(), time.monotonic()
    result, error = None, ""
    try:
        compare_code(run, job.text)
        data = loaded(run.recipe.data, folder)
        options: dict[str, Any] = {**beginning(run, store)}  # as `train` has them
        options |= {} if job.capture else {"capture": False}
        options |= {} if keeper is None else {"keeper": keeper}
        result = training(run.recipe, run.seed, data, torch.device(device), **options)
        result = result if run.keeps_weights else replace(result, weights=None)
    except torch.OutOfMemoryError as reason:
        return Starved(in_words(reason))
    except CaptureError as reason:
        return Lost(f"a CUDA graph cannot be captured: {reason}", captured=False)
    except Exception as reason:
        error = in_words(reason)
        if is_broken(device):
            return Lost(f"{error} left the GPU unusable for its process")
    return Outcome(run, result, error, environment(device), started, later(started, time.monotonic() - clock))


loaded = lru_cache(maxsize=2)(load)  # a pre-training and what follows it may be of two data sets


def beginning(run: Run, store: Path | None) -> dict[str, Weights]:
    """Returns the keyword arguments of `train` for the weights that a run starts or learns from, if there are any."""
    start = run.recipe.before
    if isinstance(start, Checkpoint):
        return {"start": weights_of(start)}
    return {"start": stored_weights(weights_file(store, run.start), run.start_digest)} if start and store else {}


def stored_weights(path: Path, expected: str) -> Weights:
    """Returns the trained weights in a file. Raises ValueError if it is not the file that its run wrote."""
    content = path.read_bytes()
    if expected and digest(content, DIGITS) != expected:
        raise ValueError(f"{path.name} is damaged; the same command trains its run anew")
    return load_weights(content)


def compare_code(run: Run, text: str) -> None:
    """Raises RuntimeError if this process describes the run otherwise than the one that planned it."""
    if describe(run.recipe) != text:
        modules = {name for name, module in sys.modules.items() if not hasattr(module, "__path__")}  # no packages
        named = [name for name in sorted(modules) if f"{name}." in text and is_marked(name)]
        changed = [module for module in named if f"@{module_mark(module)}" not in text] or ["the code"]
        raise RuntimeError(
            f"{' and '.join(changed)} changed after the grid was planned; start the same command again, which plans "
            "it with the code as it is now"
        )


def in_words(reason: Exception) -> str:
    """Returns an error and the line outside torch where it was raised."""
    try:
        said = str(reason)
    except Exception as of_text:  # a trick may raise what it likes
        said = f"(its text cannot be made: {type(of_text).__name__})"
    return f"{type(reason).__name__}: {shortened(said)} ({line_of(reason)})"


def shortened(text: str) -> str:
    """Returns a text that a line of a store can hold: of a long one the beginning and the end."""
    text = text.encode("utf-8", "backslashreplace").decode()  # JSON has no lone surrogates
    if len(text) <= LONGEST:
        return text
    return f"{text[: LONGEST // 2]} [... {len(text) - LONGEST:,} characters ...] {text[-LONGEST // 2 :]}"
