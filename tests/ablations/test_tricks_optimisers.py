"""The arithmetic of the catalogue's optimisers, schedules and changes of gradients, against torch's and by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import cos, pi, sqrt
from typing import Any

import pytest
import torch
from conftest import TINY
from torch import Tensor, nn
from torch.optim import Optimizer

from ablations import (
    adam_family,
    adaptive_clipping,
    cosine_restarts,
    gradient_centralisation,
    late_decay,
    layerwise_rates,
    lookahead,
    momentum,
    schedule_free,
    value_clipping,
)
from benchmark.baseline import SGD
from benchmark.recipe import Schedule

SHAPES = ((6, 5, 3, 3), (4, 6), (6,))


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def weights(seed: int = 0) -> list[nn.Parameter]:
    """A convolution's, a matrix, a vector."""
    draws = rng(seed)
    return [nn.Parameter(torch.randn(shape, generator=draws)) for shape in SHAPES]


def gradients(step: int) -> list[Tensor]:
    draws = rng(100 + step)
    return [torch.randn(shape, generator=draws) for shape in SHAPES]


def groups(parameters: Iterable[nn.Parameter], decay: float) -> list[dict[str, Any]]:
    parameters = list(parameters)
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]


def moved(
    make: Callable[[Iterable[dict[str, Any]]], Optimizer], decay: float, rates: Iterable[float]
) -> list[nn.Parameter]:
    """The weights after one step at each of the rates, the gradients being those of `gradients`."""
    mine = weights()
    optimiser = make(groups(mine, decay))
    for step, rate in enumerate(rates):
        for group in optimiser.param_groups:
            group["lr"] = rate

        def closure(step: int = step) -> float:
            for weight, gradient in zip(mine, gradients(step), strict=True):
                weight.grad = gradient.clone()
            return 0.0

        optimiser.step(closure)
    return mine


RATES = (0.1, 0.3, 0.2, 0.05)


def test_lars_follows_its_algorithm() -> None:
    theirs = [weight.detach().clone() for weight in weights()]
    momenta = [torch.zeros_like(weight) for weight in theirs]
    for step, rate in enumerate(RATES):
        for weight, gradient, velocity in zip(theirs, gradients(step), momenta, strict=True):
            decay = 0.01 if weight.ndim > 1 else 0.0
            local = 1.0
            if weight.ndim > 1:
                local = 0.001 * weight.norm().item() / (gradient.norm().item() + decay * weight.norm().item())
            velocity.copy_(0.9 * velocity + rate * local * (gradient + decay * weight))
            weight -= velocity
    for mine, expected in zip(moved(layerwise_rates.LARS(), 0.01, RATES), theirs, strict=True):
        torch.testing.assert_close(mine.detach(), expected)


def test_lamb_follows_its_algorithm() -> None:
    """Where a tensor has one dimension it is Adam, which torch has."""
    theirs = [weight.detach().clone() for weight in weights()]
    means, squares = ([torch.zeros_like(weight) for weight in theirs] for _ in range(2))
    for step, rate in enumerate(RATES):
        for i, gradient in enumerate(gradients(step)):
            means[i] = 0.9 * means[i] + 0.1 * gradient
            squares[i] = 0.999 * squares[i] + 0.001 * gradient**2
            change = means[i] / (1 - 0.9 ** (step + 1)) / ((squares[i] / (1 - 0.999 ** (step + 1))).sqrt() + 1e-6)
            if theirs[i].ndim > 1:
                change = change + 0.01 * theirs[i]
                change = change * theirs[i].norm() / change.norm()
            theirs[i] -= rate * change
    made = moved(layerwise_rates.lamb, 0.01, RATES)
    for mine, expected in zip(made, theirs, strict=True):
        torch.testing.assert_close(mine.detach(), expected)
    adam = moved(lambda g: torch.optim.Adam(list(g), lr=0.0, eps=1e-6), 0.0, RATES)
    torch.testing.assert_close(made[2], adam[2])


@pytest.mark.parametrize("make", [layerwise_rates.LARS(), layerwise_rates.lamb, schedule_free.schedule_free])
def test_what_has_no_gradient_stays(make: Callable[[Iterable[dict[str, Any]]], Optimizer]) -> None:
    still, other = nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(2, 2))
    optimiser = make([{"params": [still, other], "weight_decay": 0.1, "lr": 0.1}])

    def closure() -> float:
        other.grad = torch.ones(2, 2)
        return 0.0

    for _ in range(2):
        optimiser.step(closure)
    assert torch.equal(still.detach(), torch.ones(2, 2))
    assert not torch.equal(other.detach(), torch.ones(2, 2))


def test_lookahead_goes_half_of_the_way_after_every_so_many_steps() -> None:
    inner = SGD(0.9, nesterov=True)
    rates = [0.1] * 5
    mine = moved(lookahead.Lookahead(inner, steps=2), 0.01, rates)
    theirs = weights()
    optimiser = inner(groups(theirs, 0.01))
    slow = [weight.detach().clone() for weight in theirs]
    for step, rate in enumerate(rates):
        for group in optimiser.param_groups:
            group["lr"] = rate
        for weight, gradient in zip(theirs, gradients(step), strict=True):
            weight.grad = gradient
        optimiser.step()
        if step % 2 == 1:
            slow = [(old + weight.detach()) / 2 for old, weight in zip(slow, theirs, strict=True)]
            for weight, old in zip(theirs, slow, strict=True):
                weight.data = old.clone()
    torch.testing.assert_close(mine, theirs)


def test_schedule_free_is_the_authors_form() -> None:
    """Their code keeps y, not x: facebookresearch/schedule_free, sgd_schedulefree.py, without warm-up of its own."""
    y = [weight.detach().clone() for weight in weights()]
    z = [weight.clone() for weight in y]
    total = 0.0
    for step, rate in enumerate(RATES):
        total += rate**2
        share = rate**2 / total
        for mine, far, gradient in zip(y, z, gradients(step), strict=True):
            pull = gradient + (0.01 if mine.ndim > 1 else 0.0) * mine
            mine.lerp_(far, share)
            mine.add_(pull, alpha=rate * (0.9 * (1 - share) - 1))
            far.sub_(pull, alpha=rate)
    x = [mine.lerp(far, 1 - 1 / 0.9) for mine, far in zip(y, z, strict=True)]
    for mine, expected in zip(moved(schedule_free.schedule_free, 0.01, RATES), x, strict=True):
        torch.testing.assert_close(mine.detach(), expected)


def test_the_warm_up_rises_and_stays() -> None:
    assert [schedule_free.WarmUp(0.05)(p, ()) for p in (0, 0.025, 0.05, 0.99)] == pytest.approx([0, 0.5, 1, 1])


def test_adams_relatives_are_torchs() -> None:
    classes = {"NAdam": torch.optim.NAdam, "RAdam": torch.optim.RAdam, "RMSprop": torch.optim.RMSprop}
    for name, kind in classes.items():
        arm = adam_family.variants(TINY)[name]
        assert isinstance(arm.optimiser(groups(weights(), 0.01)), kind)
        theirs = moved(lambda g, kind=kind: kind(list(g), lr=0.0), 0.01, RATES)
        torch.testing.assert_close(moved(arm.optimiser, 0.01, RATES), theirs)


def test_momenta_move_as_far_in_the_long_run() -> None:
    for name, arm in momentum.variants(TINY).items():
        assert arm.learning_rate / (1 - float(name)) == pytest.approx(TINY.learning_rate / 0.1)
        assert arm.optimiser == SGD(float(name), nesterov=float(name) > 0)


def torchs(make: Callable[[Optimizer], torch.optim.lr_scheduler.LRScheduler], steps: int) -> list[float]:
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler, rates = make(optimiser), []
    for _ in range(steps):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        scheduler.step()
    return rates


def ours(schedule: Schedule, steps: int) -> list[float]:
    return [schedule(step / steps, ()) for step in range(steps)]


def test_restarts_are_torchs() -> None:
    warm = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts
    assert ours(cosine_restarts.Restarts(4), 40) == pytest.approx(torchs(lambda o: warm(o, 10), 40))
    doubling = cosine_restarts.Restarts(3, growth=2)
    assert ours(doubling, 70) == pytest.approx(torchs(lambda o: warm(o, 10, T_mult=2), 70))


def test_polynomial_and_exponential_are_torchs() -> None:
    polynomial = torchs(lambda o: torch.optim.lr_scheduler.PolynomialLR(o, 20, power=2), 20)
    assert ours(late_decay.quadratic, 20) == pytest.approx(polynomial)
    exponential = torchs(lambda o: torch.optim.lr_scheduler.ExponentialLR(o, 0.01 ** (1 / 20)), 20)
    assert ours(late_decay.exponential, 20) == pytest.approx(exponential)


def test_wsd_rises_holds_and_falls_by_a_root() -> None:
    wsd = late_decay.WSD(0.1, 0.2)
    assert [wsd(p, ()) for p in (0, 0.05, 0.1, 0.5, 0.8)] == pytest.approx([0, 0.5, 1, 1, 1])
    assert [wsd(p, ()) for p in (0.85, 0.95, 1)] == pytest.approx([1 - sqrt(0.25), 1 - sqrt(0.75), 0])


def test_flat_then_cosine() -> None:
    flat = late_decay.FlatCosine(0.75)
    assert [flat(p, ()) for p in (0, 0.75, 0.8, 1)] == pytest.approx([1, 1, (1 + cos(pi * 0.2)) / 2, 0])


def test_gradients_lose_the_mean_of_each_unit() -> None:
    made = weights()
    for weight, gradient in zip(made, gradients(0), strict=True):
        weight.grad = gradient.clone()
    gradient_centralisation.centralise(made)
    for weight, before in zip(made, gradients(0), strict=True):
        expected = before - before.flatten(1).mean(1).view(-1, *[1] * (before.ndim - 1)) if before.ndim > 1 else before
        assert weight.grad is not None
        torch.testing.assert_close(weight.grad, expected)


def test_gradients_are_clipped_by_their_weights() -> None:
    """timm's rule: a unit is a row, of a vector the whole; the last matrix, the classifier's, is left alone."""
    made = weights()
    for weight, gradient in zip(made, gradients(0), strict=True):
        weight.grad = gradient.clone()
    made[0].data[1] *= 1e-9  # its norm counts as 1e-3
    adaptive_clipping.AdaptiveClip(0.1)(made)
    convolution, matrix, vector = gradients(0)
    for unit in range(6):
        bound = 0.1 * max(made[0][unit].norm().item(), 1e-3)
        expected = convolution[unit] * min(1.0, bound / convolution[unit].norm().item())
        assert made[0].grad is not None
        torch.testing.assert_close(made[0].grad[unit], expected)
    assert made[2].grad is not None
    torch.testing.assert_close(made[2].grad, vector * min(1.0, 0.1 * made[2].norm().item() / vector.norm().item()))
    assert made[1].grad is not None
    assert torch.equal(made[1].grad, matrix)


def test_a_small_gradient_is_not_clipped() -> None:
    made = weights()
    for weight, gradient in zip(made, gradients(0), strict=True):
        weight.grad = 1e-6 * gradient
    adaptive_clipping.AdaptiveClip(0.1)(made)
    for weight, gradient in zip(made, gradients(0), strict=True):
        assert weight.grad is not None
        torch.testing.assert_close(weight.grad, 1e-6 * gradient)


def test_every_number_is_clipped_by_itself() -> None:
    made = weights()
    for weight, gradient in zip(made, gradients(0), strict=True):
        weight.grad = gradient.clone()
    value_clipping.ClipValue(0.1)(made)
    for weight, gradient in zip(made, gradients(0), strict=True):
        assert weight.grad is not None
        torch.testing.assert_close(weight.grad, gradient.clamp(-0.1, 0.1))
