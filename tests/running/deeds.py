"""Tricks that do what they must not, called in worker processes: this module is imported there, and is light."""

from __future__ import annotations

import inspect
import os
import resource
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmark.data.splits import DataSet
from benchmark.engine.training import Result
from benchmark.recipe import Recipe

BAD = 1  # the seed of the run that goes wrong


def trained(**known: Any) -> Result:
    """A result of which nothing matters but what is given."""
    nothing: dict[str, Any] = {field.name: None for field in fields(Result)}
    return Result(
        **nothing | {"status": "done", "snapshots": {}, "parameters": os.getpid(), "train_seconds": 0.0} | known
    )


@dataclass(frozen=True)
class Faulty:
    """Trains nothing; at one seed it does what it must not, and notes the attempt in a folder."""

    deed: Callable[[], object]
    notes: Path

    def __call__(self, recipe: Recipe, seed: int, data: DataSet, device: torch.device) -> Result:
        if seed == BAD:
            self.notes.joinpath(f"{os.getpid()}").touch()
            self.deed()
        return trained()

    @property
    def attempts(self) -> int:
        """Returns how often the run was begun."""
        return len(list(self.notes.iterdir()))


def loop() -> None:
    while True:
        pass


def stop() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def leave_a_child_and_die() -> None:
    if os.fork():
        os._exit(7)
    time.sleep(60)


def answer_in_part(then: Callable[[], object]) -> None:
    frame = inspect.currentframe()
    while frame is not None and "pipe" not in frame.f_locals:
        frame = frame.f_back
    assert frame is not None
    os.write(frame.f_locals["pipe"].fileno(), (10_000).to_bytes(4, "big") + b"x" * 1000)
    then()


def die_amid_the_answer() -> None:
    answer_in_part(lambda: os.kill(os.getpid(), signal.SIGKILL))


def stop_amid_the_answer() -> None:
    answer_in_part(stop)


def patch_a_class() -> None:
    nn.ReLU.forward = lambda self, images: images  # type: ignore[method-assign]


def lower_a_limit() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (500, 500))


def fail_in_double() -> None:
    torch.set_default_dtype(torch.float64)
    raise RuntimeError("no such trick")


def mkldnn_off() -> None:
    torch.backends.mkldnn.enabled = False  # type: ignore[assignment]  # its stub knows no setter


def fork_and_go_on() -> None:
    os.fork()


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise ValueError


def complain_at_length() -> None:
    raise RuntimeError("long \udcff" + "x" * 10**7)


def raise_what_has_no_text() -> None:
    raise Unspeakable


def explode(*_: object) -> None:
    raise RuntimeError("no such trick")
