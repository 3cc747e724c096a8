"""Tensors that say they lie on a GPU and hold CPU memory, and stand-ins for `torch.cuda`'s streams and graphs.

Every operation passes `operate`, below autograd and autocast, which take such a tensor for one of an accelerator.
There the rules of a GPU are kept: tensors of two devices do not mix, a generator belongs to its tensor's device, and
what the host must wait for is noted with its line in the source; while a graph is captured, and where
torch.cuda.set_sync_debug_mode says "error", a wait raises, as CUDA does. Captured operations are kept on a tape and
replayed on the same memory, so that Python does not run again.

What it cannot show: the kernels themselves (values, determinism, supported types), memory, streams, and
`torch.inference_mode`, which refuses views of such tensors.

It takes private parts of torch (`torch._C._acc`, `_only_lift_cpu_tensors`), seen to work with torch 2.14.1. To be
imported in a process of its own: a registered accelerator breaks the backward pass on a real GPU in that process.
https://github.com/pytorch/pytorch/issues/161129
"""

from __future__ import annotations

import sys
import sysconfig
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from builders import once
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_map_only
from torch.utils.backend_registration import _DummyBackendModule, _setup_privateuseone_for_python_backend

aten = torch.ops.aten
WAITS = {  # operations whose CUDA kernels wait for the device, or whose result's shape the host must know
    *(aten.nonzero, aten.masked_select, aten._unique2, aten.unique_dim, aten.equal, aten.is_nonzero),
    *(aten.linalg_eigh, aten._linalg_eigh, aten.linalg_qr, aten._linalg_svd, aten.linalg_svd, aten.linalg_inv_ex),
    *(aten.histc, aten.bincount, aten._assert_async),
}
CAST = ("conv2d", "linear", "matmul", "mm", "bmm", "addmm", "prelu")  # what CUDA's autocast does in bfloat16
decomposed = once(aten._linalg_svd.default)
NOT_THE_CALLER = (str(Path(torch.__file__).parent), sysconfig.get_path("stdlib"), __file__)


class Hooks(torch._C._acc.PrivateUse1Hooks):  # type: ignore[misc]
    """Answers what torch asks of an accelerator."""

    def is_available(self) -> bool:
        return True

    def has_primary_context(self, index: int) -> bool:
        return True

    def is_built(self) -> bool:
        return True


class Module(_DummyBackendModule):
    """What torch looks for under `torch.gpu`."""

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16]


def in_bfloat16(operation: Any) -> Callable[..., Any]:
    """Returns `operation` as autocast runs it: float32 inputs are cast first."""

    def cast(x: torch.Tensor) -> torch.Tensor:
        return x.to(torch.bfloat16) if x.dtype is torch.float32 else x

    def kernel(*args: Any, **kwargs: Any) -> Any:
        with torch._C._ExcludeDispatchKeyGuard(torch._C.DispatchKeySet(torch._C.DispatchKey.AutocastPrivateUse1)):
            return operation(*tree_map_only(torch.Tensor, cast, args), **tree_map_only(torch.Tensor, cast, kwargs))

    return kernel


def register() -> tuple[torch.device, list[torch.library.Library]]:
    """Registers the accelerator "gpu", once a process: "cuda" has no backward pass where there is no GPU."""
    _setup_privateuseone_for_python_backend("gpu", hook=Hooks(), backend_module=Module())
    lowered = torch.library.Library("aten", "IMPL", "AutocastPrivateUse1")
    for name in CAST:
        lowered.impl(name, in_bfloat16(getattr(aten, name).default))
    others = torch.library.Library("_", "IMPL", "AutocastPrivateUse1")
    others.fallback(torch.library.fallthrough_kernel)
    return torch.device("gpu:0"), [lowered, others]


GPU, _libraries = register()  # the kernels live as long as these objects


@dataclass
class Log:
    """What happened on the device since the log was cleared."""

    zone: str = ""  # the part of the training that runs, as whoever watches it says
    waits: Counter[tuple[str, str, str]] = field(default_factory=Counter)  # zone, reason, line in the source
    draws: Counter[tuple[str, str]] = field(default_factory=Counter)  # zone, line that drew from torch's own stream
    launches: Counter[str] = field(default_factory=Counter)  # by zone; views launch no kernel
    tape: list[Any] | None = None  # while a graph is captured
    waiting_raises: bool = False  # as torch.cuda.set_sync_debug_mode("error") asks for

    def clear(self) -> None:
        self.waits.clear()
        self.draws.clear()
        self.launches.clear()


log = Log()


def caller() -> str:
    """Returns the innermost line that is neither torch's nor Python's own, as `file.py:12 function`."""
    frame = sys._getframe(1)
    while frame:
        if not frame.f_code.co_filename.startswith(NOT_THE_CALLER) and frame.f_code.co_filename[:1] != "<":
            return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno} {frame.f_code.co_name}"
        frame = frame.f_back  # type: ignore[assignment]
    return ""


def wait(reason: str) -> None:
    """Notes that the host waits; raises RuntimeError where it may not."""
    log.waits[log.zone, reason, caller()] += 1
    if log.tape is not None:
        raise RuntimeError(f"CUDA error: operation not permitted when stream is capturing ({reason})")
    if log.waiting_raises:
        raise RuntimeError("called a synchronizing CUDA operation")


class Pretended(torch.Tensor):
    """A tensor of the device, around one in CPU memory."""

    inner: torch.Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, inner: torch.Tensor) -> Pretended:
        return torch.Tensor._make_wrapper_subclass(  # type: ignore[no-any-return]
            cls,
            inner.shape,
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            layout=inner.layout,
            device=GPU,
            requires_grad=False,
        )

    def __init__(self, inner: torch.Tensor) -> None:
        self.inner = inner

    def __repr__(self, **_: object) -> str:  # type: ignore[override]
        return f"Pretended({tuple(self.shape)}, {self.dtype})"

    def __deepcopy__(self, memo: dict[int, Any]) -> torch.Tensor:
        copied: torch.Tensor = Pretended(self.inner.clone())
        if isinstance(self, nn.Parameter):
            copied = nn.Parameter(copied, self.requires_grad)
        memo[id(self)] = copied
        return copied

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return operate(func, args, kwargs or {})


class Everywhere(TorchDispatchMode):
    """Lets `operate` see operations that make a tensor of the device out of none."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return operate(func, args, kwargs or {})


def inside(x: Any) -> Any:
    """Returns `x` with tensors of the device as their CPU memory."""
    if isinstance(x, Pretended):
        return x.inner
    return type(x)(map(inside, x)) if type(x) in (list, tuple) else x


def outside(x: Any) -> Any:
    """Returns `x` with tensors as tensors of the device."""
    if isinstance(x, torch.Tensor):
        return Pretended(x)
    return type(x)(map(outside, x)) if type(x) in (list, tuple) else x


def leaves(x: Any) -> Iterator[Any]:
    """Yields the tensors and generators within `x`."""
    if type(x) in (list, tuple):
        for each in x:
            yield from leaves(each)
    elif isinstance(x, torch.Tensor | torch._C.Generator):
        yield x


@cache
def traits(func: Any) -> tuple[bool, bool, bool]:
    """Returns whether an operation is made of others, whether it gives a view or an argument, and whether it draws."""
    has = torch._C._dispatch_has_kernel_for_dispatch_key
    own = has(func.name(), "CUDA") or has(func.name(), "CompositeExplicitAutograd")
    composite = has(func.name(), "CompositeImplicitAutograd") and not own
    aliases = any(r.alias_info is not None for r in func._schema.returns)
    return composite, aliases, torch.Tag.nondeterministic_seeded in func.tags


def operate(func: Any, args: Any, kwargs: Any) -> Any:
    """Runs one operation by the rules of a GPU. Raises RuntimeError where one is broken."""
    composite, aliases, draws = traits(func)
    if composite:
        with Everywhere():  # as the layer of autograd would have done; in inference mode there is none
            return func.decompose(*args, **kwargs)
    given = [*leaves(list(args)), *leaves(list(kwargs.values()))]
    there = [x for x in given if isinstance(x, Pretended)]
    asked = torch.device(kwargs["device"]) if kwargs.get("device") is not None else None
    to_gpu = asked.type == "gpu" if asked is not None else bool(there)
    if not there and not to_gpu:
        return func(*args, **kwargs)
    packet = func.overloadpacket
    look_for_waits(func, packet, args, there, to_gpu)
    refuse_mixtures(func, packet, given, there, to_gpu)
    if draws and kwargs.get("generator") is None:
        log.draws[log.zone, caller()] += 1
    if not aliases or func._schema.is_mutable:
        log.launches[log.zone] += 1
    if packet is aten._local_scalar_dense:
        return func(inside(args[0]))
    memory, named = inside(args), {key: inside(value) for key, value in kwargs.items()}
    if asked is not None:
        named["device"] = torch.device("cpu")
    made = (decomposed if packet is aten._linalg_svd else func)(*memory, **named)
    if packet is aten._to_copy:
        if not to_gpu:
            return made
        made = made.clone() if made is memory[0] else made
    if packet is aten.copy_ and not isinstance(args[0], Pretended):
        return args[0]
    if log.tape is not None:
        remember(func, memory, named, made, there)
    wrapped = outside(made)
    return return_and_correct_aliasing(func, args, kwargs, wrapped) if aliases else wrapped


def look_for_waits(func: Any, packet: Any, args: Any, there: list[Any], to_gpu: bool) -> None:
    """Calls `wait` if the host has to, before the operation runs."""
    if packet is aten._local_scalar_dense:
        wait("a number is read from the device, as .item(), float() and bool() do")
    if packet in WAITS or (packet is aten.repeat_interleave and "Tensor" in str(func)):
        wait(f"{packet} needs numbers from the device")
    if packet in (aten.index, aten.index_put, aten.index_put_, aten._index_put_impl_):
        indices = [i for i in args[1] if isinstance(i, torch.Tensor)]
        if any(i.dtype in (torch.bool, torch.uint8) for i in indices):
            wait("indexing by a mask counts it")
        if any(not isinstance(i, Pretended) and i.numel() > 1 for i in indices):
            wait("indices are copied to the device")
    elif packet is aten.copy_ and isinstance(args[0], Pretended) != isinstance(args[1], Pretended):
        if args[1].numel() > 1 or isinstance(args[1], Pretended):
            wait("a copy between host and device")
    elif packet is aten._to_copy and to_gpu != bool(there):
        wait("a copy to the device" if to_gpu else "a copy to the host")


def refuse_mixtures(func: Any, packet: Any, given: list[Any], there: list[Any], to_gpu: bool) -> None:
    """Raises RuntimeError, as torch does, if tensors or generators are of two devices."""
    copies = packet in (aten.copy_, aten._to_copy, aten.index, aten.index_put, aten.index_put_, aten._index_put_impl_)
    here = [x for x in given if isinstance(x, torch.Tensor) and not isinstance(x, Pretended)]
    if there and not copies and any(x.dim() for x in here):
        raise RuntimeError(f"Expected all tensors to be on the same device, but found cuda:0 and cpu ({packet})")
    for x in given:
        if isinstance(x, torch._C.Generator) and (GENERATORS.get(x._cdata) == "gpu") != to_gpu:
            raise RuntimeError(f"Expected a 'cuda' device type for generator but found 'cpu' ({packet})")


def remember(func: Any, memory: Any, named: Any, made: Any, there: list[Any]) -> None:
    """Puts an operation on the tape, with those of its results that are memory of their own."""
    homes = {x.inner.untyped_storage().data_ptr() for x in there}
    new = list(leaves([made]))
    own = [i for i, x in enumerate(new) if x.numel() and x.untyped_storage().data_ptr() not in homes]
    if log.tape is not None and (own or func._schema.is_mutable):
        log.tape.append((func, memory, named, new, own))


class Graph:
    """Stands for torch.cuda.CUDAGraph."""

    def __init__(self) -> None:
        self.tape: list[Any] = []

    def replay(self) -> None:
        assert log.tape is None, "a graph is captured just now"
        with torch.no_grad(), torch._C._DisableTorchDispatch():
            for func, memory, named, results, own in self.tape:
                made = list(leaves([func(*memory, **named)]))
                for i in own:
                    results[i].copy_(made[i])


@contextmanager
def capture_into(graph: Graph, **_: object) -> Iterator[None]:
    """Stands for torch.cuda.graph."""
    assert log.tape is None, "a graph is captured already"
    log.tape = graph.tape
    try:
        yield
    finally:
        log.tape = None


GENERATORS: dict[int, str] = {}  # their devices; an operation is given another object for the same generator


class Generator(torch.Generator):
    """Stands for torch.Generator, which makes none for this device."""

    where: torch.device

    def __new__(cls, device: str | torch.device = "cpu") -> Generator:
        made = super().__new__(cls)
        made.where = torch.device(device)
        GENERATORS[made._cdata] = made.where.type
        return made

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return GPU if self.where.type == "gpu" else self.where


class Stream:
    """Stands for torch.cuda.Stream; everything runs at once here."""

    def __init__(self, device: object = None) -> None: ...

    def wait_stream(self, other: object) -> None: ...


def moved(module: nn.Module, *args: Any, **kwargs: Any) -> nn.Module:
    """Stands for nn.Module.to, which puts one tensor's memory into another tensor: not into one of another kind."""
    with torch.no_grad():
        for layer in module.modules():
            for name, parameter in layer._parameters.items():
                if parameter is not None:
                    layer._parameters[name] = nn.Parameter(sent(parameter, *args, **kwargs), parameter.requires_grad)
            for name, buffer in layer._buffers.items():
                if buffer is not None:
                    layer._buffers[name] = sent(buffer, *args, **kwargs)
    return module


def sent(tensor: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
    """Returns `tensor` on another device, or in the memory format that `kwargs` name if it has four dimensions."""
    return tensor.detach().to(*args, **(kwargs if tensor.dim() == 4 else {})) if args or tensor.dim() == 4 else tensor


def set_sync_debug_mode(mode: int | str) -> None:
    """Stands for torch.cuda.set_sync_debug_mode, of which "warn" is not pretended."""
    log.waiting_raises = mode in (2, "error")


@contextmanager
def present(patch: pytest.MonkeyPatch) -> Iterator[torch.device]:
    """Gives the device, in a block in which `torch.cuda` and torch's operations know it."""
    stands: dict[str, Any] = {
        "_lazy_init": lambda: None,
        "synchronize": lambda device=None: None,
        "CUDAGraph": Graph,
        "graph": capture_into,
        "Stream": Stream,
        "current_stream": lambda device=None: Stream(),
        "stream": lambda stream: nullcontext(),
        "get_rng_state": lambda device=None: torch.get_rng_state(),
        "set_rng_state": lambda state, device=None: torch.set_rng_state(state),
        "reset_peak_memory_stats": lambda device=None: None,
        "max_memory_allocated": lambda device=None: 10**6,
        "is_current_stream_capturing": lambda: log.tape is not None,
        "get_sync_debug_mode": lambda: 2 * log.waiting_raises,
        "set_sync_debug_mode": set_sync_debug_mode,
    }
    for name, stand in stands.items():
        patch.setattr(torch.cuda, name, stand)
    patch.setattr(torch, "Generator", Generator)
    patch.setattr(nn.Module, "to", moved)
    before = torch._C._only_lift_cpu_tensors()
    torch._C._set_only_lift_cpu_tensors(True)  # torch.tensor(..., device=...) then shows its copy to the device
    try:
        with Everywhere():
            yield GPU
    finally:
        torch._C._set_only_lift_cpu_tensors(before)
