"""What is measured of the machine, in processes of their own: the settings are a process's."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from benchmark.engine.machine import glibc

SETTLED = """
import resource, torch
from benchmark.machine import peak_memory_mb, reset_peak_memory, settle
settle("cpu")
here = torch.device("cpu")
"""


def printed(code: str) -> float:
    """What a new, settled process prints."""
    done = subprocess.run([sys.executable, "-c", SETTLED + code], capture_output=True, text=True, check=True)
    return float(done.stdout)


@pytest.mark.skipif(not glibc(), reason="only glibc is told to keep memory")
def test_freed_memory_is_kept_for_the_next_step() -> None:
    """By itself glibc trims its heap after each of these: 390,000 faults were counted, and 9,000 with it."""
    faults = printed("""
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def step():
    [torch.ones(1_000_000) for _ in range(40)]
step()
before = faults()
for _ in range(10):
    step()
print(faults() - before)
""")
    assert faults < 100_000


@pytest.mark.skipif(
    not (glibc() and os.access("/proc/self/clear_refs", os.W_OK)), reason="needs glibc, and leave to reset the peak"
)
def test_a_large_run_leaves_no_mark_on_the_peak_of_the_next() -> None:
    """400 MB are taken in pieces that the process would keep, and dropped."""
    assert (
        printed("""
small = peak_memory_mb(here)
large = [torch.ones(1_000_000) for _ in range(100)]
before = peak_memory_mb(here)
del large
reset_peak_memory(here)
print(before - peak_memory_mb(here))
""")
        > 380
    )
