"""What one run can change in its process so that later runs of the process give other numbers, or fail.

Watched are settings of torch and of the process, and the functions and classes of torch, of this suite and of its
ablations. What cannot be seen here: data that a module keeps, and the insides of compiled libraries.
"""

from __future__ import annotations

import gc
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from torch.nn.modules import module as hooks
from torch.utils import _python_dispatch as dispatch

OURS = ("benchmark", "ablations", "papers")
TORCHS = ("torch.nn", "torch.optim", "torch.autograd", "torch.linalg", "torch.fft", "torch.special")
UNUSED = (".intrinsic", ".qat", ".quantizable", ".quantized", ".parallel")
OTHERS = ("torch", "math", "random")
SAID = 3  # replaced functions that are named

RESOURCES = {number: name for name, number in sorted(vars(resource).items(), reverse=True) if "RLIMIT_" in name}
SETTINGS: dict[str, Callable[[], object]] = {
    "default dtype": torch.get_default_dtype,
    "default device": torch.get_default_device,
    "gradients": torch.is_grad_enabled,
    "inference mode": torch.is_inference_mode_enabled,
    "anomaly detection": torch.is_anomaly_enabled,
    "autocast": lambda: [torch.is_autocast_enabled(device) for device in ("cpu", "cuda")],
    "threads": torch.get_num_threads,
    "threads between operations": torch.get_num_interop_threads,
    "flush of denormal numbers": lambda: torch.tensor([1e-40], device="cpu").mul(1.0).item() == 0.0,
    "deterministic algorithms": lambda: (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    ),
    "precision of products": lambda: (
        torch.get_float32_matmul_precision(),
        torch.backends.cuda.matmul.allow_tf32,
        torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction,
        torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction,
    ),
    "cuDNN": lambda: (
        torch.backends.cudnn.enabled,
        torch.backends.cudnn.deterministic,
        torch.backends.cudnn.benchmark,
        torch.backends.cudnn.allow_tf32,
    ),
    "oneDNN": lambda: torch.backends.mkldnn.enabled,
    "attention": lambda: (
        torch.backends.cuda.flash_sdp_enabled(),
        torch.backends.cuda.mem_efficient_sdp_enabled(),
        torch.backends.cuda.math_sdp_enabled(),
    ),
    "hooks of all modules": lambda: [
        len(each) for name, each in sorted(vars(hooks).items()) if name.startswith("_global") and hasattr(each, "keys")
    ],
    "modes of torch": lambda: (len(dispatch._get_current_dispatch_mode_stack()), torch._C._len_torch_function_stack()),
    "errors of numpy": np.geterr,
    "limits of the process": lambda: {name: resource.getrlimit(number) for number, name in RESOURCES.items()},
    "cores": lambda: sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
    "priority": lambda: os.getpriority(os.PRIO_PROCESS, 0),
    "folder": os.getcwd,
    "environment": lambda: dict(os.environ),
    "timer": lambda: signal.getitimer(signal.ITIMER_REAL)[0] > 0,
    "garbage collection": gc.isenabled,
    "recursion": sys.getrecursionlimit,
    "threads of Python": threading.active_count,
    "child processes": lambda: len(list(children())),
}


@dataclass(frozen=True, slots=True)
class Part:
    """A function or class, where it is found, and what could be replaced in it."""

    name: str
    namespace: Mapping[str, object]
    attribute: str
    value: object
    code: object
    defaults: object

    def is_as_it_was(self) -> bool:
        """Returns whether the same function or class is found in the same place, unchanged."""
        value = self.namespace.get(self.attribute)
        if value is not self.value and unwrapped(value) is not self.value:
            return False
        of = self.value  # most have no code, and this is done thousands of times
        return self.code is None or (
            getattr(of, "__code__", None) is self.code and getattr(of, "__defaults__", None) is self.defaults
        )


@dataclass(frozen=True)
class State:
    """What a process was like at a moment."""

    settings: dict[str, object]
    parts: tuple[Part, ...] = field(repr=False)  # thousands
    classes: dict[type, frozenset[str]] = field(repr=False)  # their attributes: a new one may hide an inherited one

    def changes(self) -> str:
        """Returns what is different in this process now, in words; "" if nothing is. New functions do not count."""
        now = settings()
        changed = [f"{name}: {in_words(was, now[name])}" for name, was in self.settings.items() if was != now[name]]
        replaced = [f"{part.name} was replaced" for part in self.parts if not part.is_as_it_was()]
        grown = (of for of, names in self.classes.items() if len(vars(of)) > len(names))
        replaced += [
            f"{of.__name__}.{name} is new"
            for of in grown
            for name, value in vars(of).items()
            if name not in self.classes[of] and callable(value)
        ]
        return "; ".join([*changed, *replaced[:SAID]])


def in_words(was: object, now: object) -> str:
    """Returns a change in words: of named values only those that changed."""
    if isinstance(was, dict) and isinstance(now, dict):
        names = sorted(name for name in was.keys() | now.keys() if was.get(name) != now.get(name))
        return ", ".join(f"{name} {in_words(was.get(name), now.get(name))}" for name in names)
    return f"{was} became {now}"


def state() -> State:
    """Returns what this process is like now."""
    found = tuple(parts())
    own = {value for each in found if isinstance(value := each.value, type) and is_watched(value.__module__)}
    patched = torch.optim.Optimizer  # its subclasses get a `step` of their own at their first instance
    return State(settings(), found, {of: frozenset(vars(of)) for of in own if not issubclass(of, patched)})


def settings() -> dict[str, object]:
    """Returns all settings; of one that cannot be read, as in a mode of torch that refuses it, the error."""
    found: dict[str, object] = {}
    for name, read in SETTINGS.items():
        try:
            found[name] = read()
        except Exception as reason:
            found[name] = type(reason).__name__
    return found


def parts() -> Iterator[Part]:
    """Yields the functions and classes that runs are made of."""
    for name, module in list(sys.modules.items()):
        if isinstance(module, ModuleType) and is_watched(name):
            for attribute, value in list(vars(module).items()):
                if callable(value):
                    yield part(f"{name}.{attribute}", vars(module), attribute)
                if isinstance(value, type) and (value.__module__ == name or value is torch.Tensor):
                    for member, inside in list(vars(value).items()):
                        if callable(inside) or isinstance(inside, property | staticmethod | classmethod):
                            yield part(f"{name}.{attribute}.{member}", vars(value), member)


def part(name: str, namespace: Mapping[str, object], attribute: str) -> Part:
    """Returns what is found in a namespace."""
    value = unwrapped(namespace[attribute])
    code, defaults = getattr(value, "__code__", None), getattr(value, "__defaults__", None)
    return Part(name, namespace, attribute, value, code, defaults)


def unwrapped(value: object) -> object:
    """Returns a function without what torch.optim wraps about `step` of each class at its first instance."""
    return getattr(value, "__wrapped__", value) if getattr(value, "hooked", False) is True else value


def is_watched(module: str) -> bool:
    """Returns whether the functions and classes of a module are watched."""
    return (
        module in OTHERS
        or module.partition(".")[0] in OURS
        or (module.startswith(TORCHS) and not any(each in module for each in UNUSED))
    )


def children() -> Iterator[int]:
    """Yields the processes that this one started and that are still there, where Linux says so."""
    for path in Path("/proc/self/task").glob("*/children"):
        try:
            yield from map(int, path.read_text().split())
        except OSError:  # the thread ended meanwhile
            continue
