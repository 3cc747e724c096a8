"""What is measured of the machine, in processes of their own: the settings are a process's."""

from __future__ import annotations

import os
import subprocess
import sys
from math import ceil, inf
from pathlib import Path

import pytest
import torch

from benchmark.engine import machine
from benchmark.engine.machine import check_gpu, devices, environment, glibc, has_fast_bf16, unused_gpu
from benchmark.errors import UsageError

SETTLED = """
import resource, torch
from benchmark.engine.machine import peak_memory_mb, prepare_device, reset_peak_memory
prepare_device("cpu")
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


class Properties:
    total_memory = 16_900_000_000
    multi_processor_count = 80


V100 = {
    "get_device_name": lambda device: "Tesla V100-SXM2-16GB",
    "get_device_capability": lambda device: (7, 0),
    "get_arch_list": lambda: ["sm_75", "sm_80", "sm_90"],
    "get_device_properties": lambda device: Properties,
}


@pytest.fixture
def v100(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, stand in V100.items():
        monkeypatch.setattr(torch.cuda, name, stand)


@pytest.mark.usefixtures("v100")
def test_a_gpu_that_torch_has_no_kernels_for_is_named_with_those_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_kernel(*_: object, **__: object) -> None:
        raise torch.AcceleratorError("CUDA error: no kernel image is available for execution on the device\nAdvice")

    monkeypatch.setattr(torch, "ones", no_kernel)
    with pytest.raises(UsageError) as reason:
        check_gpu("cuda:1")
    said = str(reason.value)
    assert said.startswith(
        "cuda:1 (Tesla V100-SXM2-16GB, compute capability 7.0) cannot be used: CUDA error: no kernel"
    )
    assert "is built for sm_75, sm_80, sm_90" in said
    assert "--device takes another GPU or the CPU" in said
    assert "Advice" not in said


def test_a_device_that_can_be_used_is_not_remarked_on() -> None:
    check_gpu("cpu")  # the same convolution


def test_a_driver_that_torch_cannot_use_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def too_old() -> None:
        raise RuntimeError("The NVIDIA driver on your system is too old (found version 11040).\nPlease update")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(machine, "NVIDIA", tmp_path / "absent")
    assert unused_gpu() == ""
    monkeypatch.setattr(machine, "NVIDIA", tmp_path)
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "init", too_old)
    assert unused_gpu().endswith("cannot use it: The NVIDIA driver on your system is too old (found version 11040).")
    assert devices("auto") == ["cpu"]
    with pytest.raises(UsageError, match="too old"):
        devices("cuda")
    monkeypatch.setattr(torch.version, "cuda", None)
    assert "is built without CUDA" in unused_gpu()


def test_bfloat16_is_asked_of_the_device_that_is_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"cuda:0": (9, 0), "cuda:1": (7, 5)}
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: known[device])
    assert has_fast_bf16("cuda:0")
    assert not has_fast_bf16("cuda:1")


@pytest.mark.usefixtures("v100")
def test_a_gpus_record_has_what_its_numbers_depend_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "driver", lambda: "580.65.06")
    found = environment.__wrapped__("cuda:0")
    assert (found["device"], found["capability"], found["driver"]) == ("Tesla V100-SXM2-16GB", "7.0", "580.65.06")
    assert (found["gpu_memory_mb"], found["multiprocessors"]) == (16_900, 80)
    assert {"cuda", "cudnn", "torchvision", "numpy", "os", "cpu_capability"} <= found.keys()
    assert "driver" not in environment("cpu")


def test_float32_is_float32_on_a_gpu() -> None:
    """By itself torch lets cuDNN convolve in TF32, whose significand has 10 bits."""
    settings = """
torch.cuda.set_device = lambda device: None
before = torch.backends.cudnn.allow_tf32
prepare_device("cuda:0")
print(10 * before + torch.backends.cudnn.allow_tf32 + torch.backends.cuda.matmul.allow_tf32)
"""
    assert printed(settings) == 10


@pytest.mark.parametrize(
    ("groups", "files", "cores"),
    [
        ("0::/", {"cpu.max": "150000 100000"}, 1.5),  # version 2, as in a container
        ("0::/a/b", {"a/cpu.max": "100000 100000", "a/b/cpu.max": "max 100000"}, 1.0),  # a group above has the limit
        ("0::/docker/gone", {"cpu.max": "200000 100000"}, 2.0),  # the host's path, not to be seen in the container
        (
            "4:cpu,cpuacct:/a",
            {f"cpu,cpuacct/a/cpu.cfs_{n}_us": v for n, v in (("quota", "50000"), ("period", "100000"))},
            0.5,
        ),
        ("1:cpu:/", {f"cpu/cpu.cfs_{n}_us": v for n, v in (("quota", "-1"), ("period", "100000"))}, inf),
        ("2:cpuset:/a\n0::/", {}, inf),
    ],
)
def test_a_container_has_the_cores_of_its_quota(
    groups: str, files: dict[str, str], cores: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "groups").write_text(groups)
    for name, text in files.items():
        (file := tmp_path / "mounted" / name).parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n")
    assert machine.quota(tmp_path / "groups", tmp_path / "mounted") == cores
    monkeypatch.setattr(machine, "quota", lambda: cores)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(64), raising=False)
    assert machine.cores() == (64 if cores == inf else ceil(cores))
