"""What a run is measured on: devices, cores, clocks, memory, and their description for the record."""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Iterable
from functools import lru_cache
from importlib.metadata import version
from math import ceil, inf
from pathlib import Path

import numpy as np
import torch

from benchmark.errors import UsageError
from benchmark.store.provenance import commit

NVIDIA = Path("/proc/driver/nvidia")  # there where NVIDIA's driver is loaded


def cores() -> int:
    """Returns how many processor cores this process may use: no more than its container's share."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, ceil(min(allowed, quota())))


def quota(groups: Path = Path("/proc/self/cgroup"), mounted: Path = Path("/sys/fs/cgroup")) -> float:
    """Returns the share of processor time that control groups leave this process, in cores; infinite without limits.

    Versions 1 and 2: https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu, and cgroup-v1. A limit of a group holds
    for all groups within it.
    """
    shares = [inf]
    for line in groups.read_text().splitlines() if groups.exists() else ():
        _, controllers, place = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        for root in {mounted / controllers, mounted / "cpu"} if controllers else {mounted, mounted / "unified"}:
            inside = root / place.lstrip("/")
            shares += [share_of(folder) for folder in (inside, *inside.parents) if folder.is_relative_to(root)]
    return min(shares)


def share_of(group: Path) -> float:
    """Returns the cores that one control group may use; infinite without a limit."""
    try:
        if (file := group / "cpu.max").exists():
            given, period = file.read_text().split()
        else:
            given, period = ((group / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        cores = float(given) / float(period)
    except (OSError, ValueError):  # no such file, or "max"
        return inf
    return cores if cores > 0 else inf  # -1: no limit


def devices(wanted: str) -> list[str]:
    """Returns the devices to train on: "cpu", "cuda" (all GPUs), "cuda:1", or "auto".

    Raises UsageError if a GPU is asked for where there is none.
    """
    found = [f"cuda:{i}" for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    if wanted == "auto":
        return found or ["cpu"]
    if wanted == "cpu":
        return ["cpu"]
    if wanted == "cuda" and found:
        return found
    if wanted in found:
        return [wanted]
    if wanted.split(":")[0] == "cuda":
        there = f"it sees {', '.join(found)}" if found else unused_gpu() or "it sees no GPU"
        raise UsageError(
            f"device {wanted!r} is not available: torch {torch.__version__} says {there}; try --device cpu"
        )
    raise UsageError(f"unknown device {wanted!r}; there are: auto, cpu, cuda, cuda:0, cuda:1, ...")


def unused_gpu() -> str:
    """Returns why torch sees no GPU although an NVIDIA driver is there; empty if it sees one, or there is none."""
    if torch.cuda.is_available() or not NVIDIA.exists():
        return ""
    if torch.version.cuda is None:
        return f"an NVIDIA GPU is there, but torch {torch.__version__} is built without CUDA"
    try:
        torch.cuda.init()
    except (RuntimeError, AssertionError) as reason:
        return f"an NVIDIA GPU is there, but torch cannot use it: {str(reason).splitlines()[0]}"
    return "an NVIDIA driver is there, but it shows this process no GPU (CUDA_VISIBLE_DEVICES may hide it)"


def check_gpu(device: str) -> None:
    """Raises UsageError if a GPU that torch sees cannot run a convolution, which every training needs."""
    try:
        images = torch.ones(1, 3, 8, 8, device=device)
        torch.nn.functional.conv2d(images, images).sum().item()
    except RuntimeError as reason:
        name, made_for = torch.cuda.get_device_name(device), ", ".join(torch.cuda.get_arch_list())
        said = str(reason).splitlines()[0]
        raise UsageError(
            f"{device} ({name}, compute capability {capability(device)}) cannot be used: {said}. This torch"
            f" {torch.__version__} is built for {made_for or 'no GPU'}. Another process may hold the GPU exclusively"
            " (nvidia-smi shows it), or another build of torch may suit it (https://pytorch.org/get-started/locally);"
            " --device takes another GPU or the CPU"
        ) from reason


def is_broken(device: str) -> bool:
    """Whether a GPU does nothing any more for this process, as after an illegal access to its memory.

    Every later call of the process then fails too: cudaErrorIllegalAddress,
    https://docs.nvidia.com/cuda/cuda-runtime-api.
    """
    if not device.startswith("cuda"):
        return False
    try:
        torch.cuda.synchronize(device)
        torch.ones(8, device=device).sum().item()
    except torch.OutOfMemoryError:
        return False
    except RuntimeError:
        return True
    return False


def capability(device: str) -> str:
    """Returns the compute capability of a GPU, such as 8.0 of an A100: https://developer.nvidia.com/cuda-gpus."""
    return ".".join(map(str, torch.cuda.get_device_capability(device)))


def has_fast_bf16(device: str) -> bool:
    """Whether bfloat16 arithmetic is done by the hardware; elsewhere it is emulated, and slow.

    NVIDIA's GPUs have it from compute capability 8.0 on: https://docs.nvidia.com/cuda/ampere-compatibility-guide.
    """
    if device.startswith("cuda"):
        return torch.version.hip is not None or torch.cuda.get_device_capability(device) >= (8, 0)
    check = getattr(torch.cpu, "_is_avx512_bf16_supported", None)  # no public name as of torch 2.14
    return bool(check and check())


def prepare_device(device: str) -> None:
    """Make this process deterministic, and single-threaded: a worker has one core, a run one order of sums."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)  # numbers below 1e-38 cost a hundred times as much, and mean nothing
    keep_memory()
    if device.startswith("cuda"):
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # else cuBLAS may choose another order of sums
        torch.cuda.set_device(device)
        torch.backends.cudnn.deterministic = True
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.allow_tf32 = False  # else convolutions in "fp32" keep 10 bits of the significand's 23
        torch.backends.cuda.matmul.allow_tf32 = False


def keep_memory() -> None:
    """Lets this process keep the memory of freed tensors for the next step, if the C library is glibc.

    By itself it gives large blocks back to the system and asks for them again, a thousand page faults a step.
    """
    least_mapped, least_trimmed = -3, -1  # M_MMAP_THRESHOLD and M_TRIM_THRESHOLD of mallopt(3)
    if libc := glibc():
        libc.mallopt(least_mapped, 32 << 20)  # bytes; the most that glibc takes on 64 bits
        libc.mallopt(least_trimmed, 1 << 30)


def glibc() -> ctypes.CDLL | None:
    """Returns the C library of this process, where it is glibc."""
    return ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None


def now(device: torch.device) -> float:
    """Returns the seconds on a clock, once the device has finished all that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def reset_peak_memory(device: torch.device) -> None:
    """Starts a new measurement of peak memory, if the system allows it; memory that an earlier run left is
    given back."""
    if libc := glibc():
        libc.malloc_trim(0)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif (clear := Path("/proc/self/clear_refs")).exists():
        try:
            clear.write_text("5")  # resets VmHWM, see man 5 proc
        except OSError:
            return  # some containers forbid it: the peak is then that of the process so far


def peak_memory_mb(device: torch.device) -> float:
    """Returns the peak memory in MB since `reset_peak_memory`: of tensors on a GPU, of the whole process on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def hardware(devices: Iterable[str]) -> frozenset[str]:
    """Returns the models of GPUs, and of the processor for "cpu", as `Header.hardware` names what trained a run."""
    return frozenset(
        torch.cuda.get_device_name(each) if each.startswith("cuda") else processor() for each in set(devices)
    )


@lru_cache
def environment(device: str) -> dict[str, str | int]:
    """Returns what a result depends on besides its recipe, for the record."""
    on_gpu = device.startswith("cuda")
    return {
        "torch": str(torch.__version__),
        "torchvision": version("torchvision"),
        "numpy": np.__version__,
        "python": platform.python_version(),
        "os": platform.platform(),
        "device": torch.cuda.get_device_name(device) if on_gpu else "cpu",
        "cpu": processor(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),  # the instructions that torch's kernels take
        "threads": torch.get_num_threads(),
        "git_commit": commit(),
        **(gpu(device) if on_gpu else {}),
    }


def gpu(device: str) -> dict[str, str | int]:
    """Returns what a GPU's numbers depend on besides its name."""
    return {
        "cuda": torch.version.cuda or f"ROCm {torch.version.hip}",
        "cudnn": torch.backends.cudnn.version() or 0,
        "driver": driver(),
        "capability": capability(device),
        "gpu_memory_mb": torch.cuda.get_device_properties(device).total_memory // 10**6,
        "multiprocessors": torch.cuda.get_device_properties(device).multi_processor_count,
    }


def driver() -> str:
    """Returns the version of NVIDIA's driver; empty if nvidia-smi does not report it."""
    asked = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        answer = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=10).stdout
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.partition("\n")[0].strip()


def processor() -> str:
    """Returns the name of the processor."""
    info = Path("/proc/cpuinfo")
    names = (
        [line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        if info.exists()
        else []
    )
    return names[0] if names else platform.processor() or platform.machine()
