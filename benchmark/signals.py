"""When processes end: the program by Ctrl-C and SIGTERM, at once, and its processes with it."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import forkserver, parent_process

AGAIN = 0.02  # seconds after which an interruption that was swallowed is raised anew
PR_SET_PDEATHSIG = 1  # of prctl(2): the signal that a process gets when the one that started it has ended
ENDING = (signal.SIGINT, signal.SIGTERM)


def answer_signals() -> None:
    """Has SIGINT, unless it is ignored, and SIGTERM raise KeyboardInterrupt."""
    signal.signal(signal.SIGTERM, stop)  # ends as Ctrl-C does, also where that is ignored
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, stop)
    sys.unraisablehook = raise_again


def stop(number: int, frame: object) -> None:
    """Answers at once, whatever the program is at, and raises KeyboardInterrupt."""
    os.write(2, b"\nstopping: finished runs are kept\n")  # not through Python's buffers, which may be at work
    raise KeyboardInterrupt


def raise_again(unraisable: sys.UnraisableHookArgs) -> None:
    """Raises a KeyboardInterrupt anew that came while a finaliser ran, where Python swallows whatever is raised."""
    if not issubclass(unraisable.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(unraisable)
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)  # the answer is printed already
    main = threading.main_thread().ident or 0
    threading.Timer(AGAIN, signal.pthread_kill, (main, signal.SIGINT)).start()  # which also wakes one that waits


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Has signals end the process at once where nothing has begun.

    An exception that a handler raises amid torch's import aborts the process.
    """
    with handlers({number: signal.SIG_DFL for number in ENDING if signal.getsignal(number) is not signal.SIG_IGN}):
        yield


@contextmanager
def without_ctrl_c() -> Iterator[None]:
    """Has processes started that ignore Ctrl-C: this one decides what it means."""
    with handlers({signal.SIGINT: signal.SIG_IGN}):
        yield


@contextmanager
def handlers(wanted: dict[signal.Signals, signal.Handlers]) -> Iterator[None]:
    """Sets handlers for a while; in the main thread alone, as no other may set them."""
    ours = wanted if threading.current_thread() is threading.main_thread() else {}
    before = {number: signal.signal(number, handler) for number, handler in ours.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def live_with_parent() -> None:
    """Makes this process end when its parent does, even one that is stopped or in C code, where Linux does that.

    It leads a process group of its own, so that it can be ended together with what its tricks started.
    """
    if hasattr(os, "setpgid"):
        with suppress(OSError):
            os.setpgid(0, 0)
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    with suppress(OSError, TypeError, AttributeError):  # what it was forked from lives while this is open anywhere
        os.close(forkserver._forkserver._forkserver_alive_fd)  # type: ignore[attr-defined]  # there is no public way
        forkserver._forkserver._forkserver_alive_fd = None  # type: ignore[attr-defined]
    threading.Thread(target=end_with_parent, daemon=True).start()


def end_with_parent() -> None:
    """Ends this process with its parent: one killed by SIGKILL must not leave others that hold cores and memory."""
    parent = parent_process()
    if parent:
        parent.join()
    os._exit(1)
