"""Work that is done in a process of its own, which gives back what it held of a GPU when it ends."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from multiprocessing import Pipe, get_context
from multiprocessing.connection import Connection
from typing import ParamSpec, TypeVar

from benchmark.errors import UsageError
from benchmark.running.preload import preload
from benchmark.signals import live_with_parent

P = ParamSpec("P")
T = TypeVar("T")


def aside(what: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Returns what a function returns, or raises what it raises, in a process of its own.

    `what` names it in the UsageError of a process that died.
    """
    preload()
    ours, theirs = Pipe()
    process = get_context("forkserver").Process(
        target=answer, args=(theirs, partial(function, *args, **kwargs)), daemon=True
    )
    process.start()
    theirs.close()  # so that the pipe ends when the process does
    try:
        answered = ours.recv()
    except EOFError:
        raise UsageError(f"the process that {what} died; --device names another device") from None
    process.join()
    if isinstance(answered, Exception):
        raise answered
    found: T = answered
    return found


def answer(pipe: Connection, function: Callable[[], object]) -> None:
    """Sends what a function returns or raises."""
    live_with_parent()
    try:
        pipe.send(function())
    except Exception as reason:
        pipe.send(reason)
