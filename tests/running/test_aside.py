"""Work in a process of its own."""

from __future__ import annotations

import os
import signal

import pytest

from benchmark.errors import UsageError
from benchmark.running import packing
from benchmark.running.aside import aside


def test_it_is_another_process_and_gives_its_answer() -> None:
    assert aside("told its number", os.getpid) != os.getpid()
    assert aside("added", divmod, 7, 2) == (3, 1)


def test_what_is_raised_there_is_raised_here() -> None:
    with pytest.raises(ZeroDivisionError):
        aside("divided", divmod, 1, 0)


def test_a_process_that_dies_is_a_sentence() -> None:
    with pytest.raises(UsageError, match="the process that ended itself died"):
        aside("ended itself", signal.raise_signal, signal.SIGKILL)


def test_the_memory_of_a_gpu_is_asked_for_in_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process opens no CUDA context, which would take memory for as long as it lives."""
    asked: list[object] = []

    def instead(what: str, function: object, device: str) -> tuple[int, int]:
        asked.append((what, function, device))
        return 2, 8

    monkeypatch.setattr(packing, "aside", instead)
    assert packing.memory_in_use("cuda:1") == 0.75
    assert asked == [("asked cuda:1 for its memory", packing.torch.cuda.mem_get_info, "cuda:1")]
    assert packing.memory_in_use("cpu") == 0.0
