"""Ctrl-C ends the program whatever it is at, and its processes end with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _ctrl_c_is_heard() -> Iterator[None]:
    """A shell that starts the tests in the background has them ignore Ctrl-C, and the processes that they start."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


SWALLOWED = """
import os, signal, time
from benchmark.signals import answer_signals

class Interrupted:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0)  # the handler runs here, and Python swallows what it raises

answer_signals()
object_ = Interrupted()
del object_
time.sleep(30)
print("went on")
"""

IGNORED = """
import os, signal
from benchmark.signals import ended_by_signals

signal.signal(signal.SIGINT, signal.SIG_IGN)
with ended_by_signals():
    os.kill(os.getpid(), signal.SIGINT)
print("went on")
"""

AT_ONCE = """
import os, signal
from benchmark.signals import answer_signals, ended_by_signals

answer_signals()
with ended_by_signals():
    os.kill(os.getpid(), signal.{name})
print("went on")
"""

AFTERWARDS = """
import signal
from benchmark.signals import answer_signals, ended_by_signals, stop, without_ctrl_c

answer_signals()
with ended_by_signals(), without_ctrl_c():
    signal.raise_signal(signal.SIGINT)
assert signal.getsignal(signal.SIGINT) is stop
assert signal.getsignal(signal.SIGTERM) is stop
print("went on")
"""


def outcome(program: str) -> tuple[int, str, str]:
    """Runs a program and returns its exit code and what it wrote."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=25)
    return done.returncode, done.stdout, done.stderr


def test_an_interruption_that_a_finaliser_swallows_is_raised_anew() -> None:
    code, printed, said = outcome(SWALLOWED)
    assert code == -signal.SIGINT
    assert printed == ""
    assert said.count("stopping: finished runs are kept") == 1
    assert "Exception ignored" not in said


def test_where_nothing_has_begun_signals_end_the_process_without_a_word() -> None:
    for name in ("SIGINT", "SIGTERM"):
        assert outcome(AT_ONCE.format(name=name)) == (-getattr(signal, name), "", "")


def test_an_ignored_ctrl_c_stays_ignored() -> None:
    assert outcome(IGNORED) == (0, "went on\n", "")


def test_handlers_are_put_back() -> None:
    assert outcome(AFTERWARDS) == (0, "went on\n", "")


PARENT = """
from benchmark.report.gallery import process_pool
import os, time

if __name__ == "__main__":
    with process_pool(1) as pool:
        print(pool.submit(os.getpid).result(), flush=True)
        pool.submit(time.sleep, 60).result()
"""


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT])
def test_processes_that_draw_end_with_the_report(sent: signal.Signals, tmp_path: Path) -> None:
    if not Path("/proc/self/stat").exists():
        pytest.skip("this system does not say whether a process is alive")
    (tmp_path / "parent.py").write_text(PARENT)
    within = os.environ | {"PYTHONPATH": os.getcwd()}
    words = [sys.executable, str(tmp_path / "parent.py")]
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # it would inherit that Ctrl-C is ignored
    try:
        parent = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=within)
    finally:
        signal.signal(signal.SIGINT, before)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert is_alive(child)
    parent.send_signal(sent)
    parent.communicate(timeout=20)
    deadline = time.monotonic() + 10
    while is_alive(child):
        assert time.monotonic() < deadline, "it outlives its parent"
        time.sleep(0.05)


def is_alive(pid: int) -> bool:
    """Returns whether a process is there, and is not one that only waits to be asked how it ended."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
