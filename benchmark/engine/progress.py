"""A training between two epochs, and its state in plain values and tensors, from which another process can go on.

What goes on from a state ends with the same bits as what was never stopped: weights, optimiser, averages, random
streams and curves are all there. A part that keeps something where this module does not look for it, such as an
optimiser with a dictionary of its own, raises UnkeptError; its training starts from the beginning if it is stopped.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from benchmark.engine.network import Network, tensors
from benchmark.recipe import Validation

ATOMS = (int, float, str, type(None))
HOLDERS = (list, dict, set, bytearray, deque, Tensor, torch.Generator)  # what a layer may change without a buffer
BARE = frozenset(vars(Optimizer([nn.Parameter(torch.empty(0))], {})))  # names that every optimiser has


class UnkeptError(ValueError):
    """A part keeps something that is not found in a state, as its message says."""


class Keeper(Protocol):
    """Keeps the state of one training, so that it can go on after its process has ended."""

    def resume(self, progress: Progress) -> None:
        """Puts a training that has not begun where an earlier one was stopped; does nothing if none was."""

    def offer(self, progress: Progress) -> None:
        """Keeps the state of a training after an epoch, if it is time to."""


@dataclass
class Progress:
    """A training after some epochs: what the coming ones depend on, and what these left."""

    network: Network
    optimiser: Optimizer
    order: torch.Generator  # of the images
    augmentation: torch.Generator
    trained: Network  # what is evaluated: with averaged weights, where the recipe averages, else `network`
    best: Network  # `trained` after the epoch that the recipe keeps
    answers: Tensor = field(default_factory=lambda: torch.empty(0))  # that epoch's logits of the validation images
    kept: dict[int, Network] = field(default_factory=dict)  # by epoch, from 1 on; those whose answers are wanted too
    history: list[Validation] = field(default_factory=list)  # one shorter than the others where the last one diverged
    epoch_losses: list[Tensor] = field(default_factory=list)  # (steps,) float32 of each epoch, on the CPU
    steps: list[int] = field(default_factory=list)  # of each epoch
    batches: list[int] = field(default_factory=list)  # images in each batch of each epoch
    seconds: list[float] = field(default_factory=list)  # of each epoch's training
    accuracies: list[float] = field(default_factory=list)  # of each epoch's batches

    @property
    def losses(self) -> Tensor:
        """Returns the loss of each step, (steps,) float32, on the CPU."""
        return torch.cat(self.epoch_losses)


@dataclass(frozen=True)
class ModuleState:
    """The state of a network."""

    tensors: Sequence[Tensor]  # parameters and buffers, those that its `state_dict` leaves out too
    numbers: Mapping[str, Mapping[str, float]]  # attributes of each layer, by its name


@dataclass(frozen=True)
class OptimiserState:
    """The state of an optimiser. torch's `state_dict` lacks the attributes, among which may be one that it wraps."""

    groups: Sequence[Mapping[str, Any]]  # without their parameters
    of_parameters: Sequence[Mapping[str | int, Any]]  # what is kept for each parameter
    attributes: Mapping[str, Any]  # of its own class


@dataclass(frozen=True)
class State:
    """A `Progress` as values that can be written and read."""

    network: ModuleState
    optimiser: OptimiserState
    trained: ModuleState | None  # None: it is the network
    best: ModuleState | None  # None: it is `trained`
    kept: Mapping[int, ModuleState]
    order: Tensor  # state of its random stream, as those below
    augmentation: Tensor
    layers: Tensor
    on_gpu: Tensor | None
    answers: Tensor
    history: Sequence[tuple[float, float]]  # as `Validation`
    epoch_losses: Sequence[Tensor]
    steps: Sequence[int]
    batches: Sequence[int]
    seconds: Sequence[float]
    accuracies: Sequence[float]


def state_of(progress: Progress) -> State:
    """Returns all that is needed to go on. Raises UnkeptError for a part that cannot be kept."""
    device = progress.augmentation.device
    return State(
        network=module_state(progress.network.module),
        optimiser=optimiser_state(progress.optimiser),
        trained=None if progress.trained is progress.network else module_state(progress.trained.module),
        best=None if progress.best is progress.trained else module_state(progress.best.module),
        kept={epoch: module_state(network.module) for epoch, network in progress.kept.items()},
        order=progress.order.get_state(),
        augmentation=progress.augmentation.get_state(),
        layers=torch.get_rng_state(),
        on_gpu=torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
        answers=progress.answers,
        history=progress.history,
        epoch_losses=progress.epoch_losses,
        steps=progress.steps,
        batches=progress.batches,
        seconds=progress.seconds,
        accuracies=progress.accuracies,
    )


def restore(progress: Progress, state: State) -> None:
    """Puts a training that has not begun into a state that `state_of` gave of the same recipe, seed and data."""
    restore_module(progress.network.module, state.network)
    restore_optimiser(progress.optimiser, state.optimiser)
    if state.trained:
        restore_module(progress.trained.module, state.trained)
    progress.best = with_state(progress.trained, state.best) if state.best else progress.trained
    progress.kept = {epoch: with_state(progress.trained, each) for epoch, each in state.kept.items()}
    progress.order.set_state(state.order)
    progress.augmentation.set_state(state.augmentation)
    torch.set_rng_state(state.layers)
    if state.on_gpu is not None:
        torch.cuda.set_rng_state(state.on_gpu, progress.augmentation.device)
    progress.answers = state.answers
    progress.history = [Validation(*each) for each in state.history]
    progress.epoch_losses = [*state.epoch_losses]
    progress.steps, progress.batches = [*state.steps], [*state.batches]
    progress.seconds, progress.accuracies = [*state.seconds], [*state.accuracies]


def module_state(module: nn.Module) -> ModuleState:
    """Returns the state of a network. Raises UnkeptError for a layer that may keep something elsewhere."""
    layers = dict(module.named_modules())
    for name, layer in layers.items():
        for attribute, value in vars(layer).items():
            if not attribute.startswith("_") and isinstance(value, HOLDERS):
                raise UnkeptError(
                    f"layer {name or type(layer).__name__} has {attribute}, a {type(value).__name__}, which is kept "
                    "only as a parameter or a buffer"
                )
    numbers = {name: {k: v for k, v in vars(layer).items() if is_number(v)} for name, layer in layers.items()}
    return ModuleState([tensor.detach() for tensor in tensors(module)], numbers)


def is_number(value: object) -> bool:
    """Returns whether a layer's attribute is a number that it may count with."""
    return isinstance(value, int | float)


@torch.no_grad()
def restore_module(module: nn.Module, state: ModuleState) -> None:
    """Writes a state over the module's own, in place: optimisers and CUDA graphs hold its tensors."""
    for mine, theirs in zip(tensors(module), state.tensors, strict=True):
        mine.copy_(theirs)
    for name, layer in module.named_modules():
        for attribute, value in state.numbers[name].items():
            setattr(layer, attribute, value)


def with_state(like: Network, state: ModuleState) -> Network:
    """Returns a copy of a network in another state."""
    made = like.copy()
    restore_module(made.module, state)
    return made


def optimiser_state(optimiser: Optimizer) -> OptimiserState:
    """Returns the state of an optimiser. Raises UnkeptError for what it keeps elsewhere or in other types."""
    groups = optimiser.param_groups
    parameters = [parameter for group in groups for parameter in group["params"]]
    if optimiser.state.keys() - set(parameters):
        raise UnkeptError("the optimiser keeps something under another key than its parameters, which cannot be kept")
    return OptimiserState(
        groups=[{k: keepable(v, k) for k, v in group.items() if k != "params"} for group in groups],
        of_parameters=[keepable(dict(optimiser.state.get(each, {})), "state") for each in parameters],
        attributes={
            name: optimiser_state(value) if isinstance(value, Optimizer) else keepable(value, name)
            for name, value in vars(optimiser).items()
            if name not in BARE
        },
    )


@torch.no_grad()
def restore_optimiser(optimiser: Optimizer, state: OptimiserState) -> None:
    """Writes a state over the optimiser's own, in place: one that it wraps may share its groups."""
    for group, kept in zip(optimiser.param_groups, state.groups, strict=True):
        group.update({name: in_place(group.get(name), value) for name, value in kept.items()})
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    for parameter, own in zip(parameters, state.of_parameters, strict=True):
        if own:
            optimiser.state[parameter] = {name: laid_out(value, parameter) for name, value in own.items()}
    for name, value in state.attributes.items():
        mine = getattr(optimiser, name)
        if isinstance(mine, Optimizer):
            restore_optimiser(mine, value)
        else:
            setattr(optimiser, name, in_place(mine, value))


def laid_out(value: Any, like: Tensor) -> Any:
    """Returns a tensor of a parameter's shape in memory as the parameter is; any other value as it is."""
    if isinstance(value, Tensor) and value.shape == like.shape:
        return torch.empty_like(like, dtype=value.dtype, device=value.device).copy_(value)
    return value


def in_place(mine: object, theirs: object) -> object:
    """Returns `mine` with the content of `theirs`: tensors, which others may hold, stay the same objects."""
    if isinstance(mine, Tensor):
        return mine.copy_(cast(Tensor, theirs))
    if isinstance(mine, list | tuple):
        return type(mine)(in_place(a, b) for a, b in zip(mine, cast(Sequence[object], theirs), strict=True))
    return theirs


def keepable(value: Any, name: str) -> Any:
    """Returns a value that consists of numbers, texts, tensors, and lists and dictionaries of them.

    Raises UnkeptError for any other, naming it.
    """
    if isinstance(value, Tensor):
        return value.detach()
    if isinstance(value, ATOMS):
        return value
    if isinstance(value, list | tuple):
        return type(value)(keepable(each, name) for each in value)
    if isinstance(value, Mapping) and all(isinstance(key, str | int) for key in value):
        return {key: keepable(each, f"{name}[{key!r}]") for key, each in value.items()}
    raise UnkeptError(f"the optimiser has {name}, a {type(value).__name__}, which cannot be kept")
