"""The arithmetic of the tricks of training, against torch's own and cases worked out by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import cos, log10, pi, sqrt

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import TINY
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_avg_fn

from ablations import (
    averaging,
    batch_size,
    clipping,
    dropout,
    label_smoothing,
    learning_rate,
    muon,
    optimiser,
    regularisation,
    sam,
    warm_up,
)
from ablations.averaging import Exponential, HeldFrom, MeanFrom
from ablations.clipping import ClipNorm
from ablations.dropout import Dropout
from ablations.label_smoothing import SmoothedCrossEntropy
from ablations.muon import Muon, orthogonal
from ablations.regularisation import L1, MaxNorm
from ablations.sam import SharpnessAware
from ablations.schedule import OneCycle, Plateau, cosine
from benchmark.baseline import SGD, WarmUpAndDecay, baseline, batch_norm, relu
from benchmark.data.splits import DataSet
from benchmark.engine.optimiser import blend
from benchmark.engine.training import train
from benchmark.networks import VGG
from benchmark.planning.identity import changes
from benchmark.recipe import Parts, Recipe, Validation, constant, convolution, max_pool, unchanged

QUICK = baseline("cifar10", "quick")


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def weights(seed: int = 0) -> list[nn.Parameter]:
    """A convolution's in channels-last memory, a matrix, a vector; each with a gradient."""
    draws = rng(seed)
    shapes = ((6, 5, 3, 3), (4, 6), (6,))
    made = [nn.Parameter(torch.randn(shape, generator=draws)) for shape in shapes]
    made[0] = nn.Parameter(made[0].detach().contiguous(memory_format=torch.channels_last))
    for weight in made:
        weight.grad = torch.empty_like(weight).normal_(generator=draws)
    return made


def copies(of: Sequence[nn.Parameter]) -> list[Tensor]:
    return [weight.detach().clone() for weight in of]


def gradients(of: Sequence[nn.Parameter]) -> list[Tensor]:
    found = [weight.grad for weight in of]
    assert all(each is not None for each in found)
    return [each.clone() for each in found if each is not None]


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Plateau(2, 1, "epochs"), r"Plateau\.on must be 'loss' or 'accuracy', got 'epochs'"),  # type: ignore[arg-type]
        (lambda: OneCycle(1.0, 0.1, 0.1), r"OneCycle\.rise must be in \(0, 1\), got 1\.0"),
        (lambda: OneCycle(0.3, -0.1, 0.1), r"OneCycle\.first must be in \[0, 1\], got -0\.1"),
        (lambda: OneCycle(0.3, 0.1, 1.1), r"OneCycle\.last must be in \[0, 1\], got 1\.1"),
        (lambda: L1(-1e-4), r"L1\.factor must be 0 or more, got -0\.0001"),
        (lambda: MaxNorm(0), r"MaxNorm\.bound must be above 0, got 0"),
        (lambda: Dropout(1.0), r"Dropout\.p must be in \[0, 1\), got 1\.0"),
        (lambda: SmoothedCrossEntropy(1.0), r"SmoothedCrossEntropy\.share must be in \[0, 1\), got 1\.0"),
        (lambda: Exponential(0.0), r"Exponential\.window must be in \(0, 1\], got 0\.0"),
        (lambda: MeanFrom(1.0), r"MeanFrom\.start must be in \[0, 1\), got 1\.0"),
        (lambda: HeldFrom(constant, 1.5), r"HeldFrom\.start must be in \[0, 1\], got 1\.5"),
        (lambda: Muon(-1.0), r"Muon\.others must be 0 or more, got -1\.0"),
        (lambda: SharpnessAware(SGD(0.9, True), 0.0), r"SharpnessAware\.rho must be above 0, got 0\.0"),
        (lambda: ClipNorm(-1), r"ClipNorm\.bound must be above 0, got -1"),
    ],
)
def test_parameters_out_of_range_are_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


# --- schedule


def test_one_cycle_is_torchs() -> None:
    steps, rise = 200, 0.3
    ours = OneCycle(rise=rise, first=1 / 25, last=1 / 25e4)
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=1.0, total_steps=steps, cycle_momentum=False)
    top, end = rise * steps - 1, steps - 1  # torch has its peak and its end at these steps
    for step in range(steps):
        progress = rise * step / top if step < top else rise + (1 - rise) * (step - top) / (end - top)
        assert ours(progress, []) == pytest.approx(theirs.get_last_lr()[0], rel=1e-6, abs=1e-12)
        optimiser.step()
        if step < end:
            theirs.step()


@pytest.mark.parametrize("on", ["loss", "accuracy"])
@pytest.mark.parametrize("patience", [1, 2, 3])
@pytest.mark.parametrize("divisor", [2, 5, 10])
def test_plateau_is_torchs_on_a_written_history(on: str, patience: int, divisor: float) -> None:
    losses = [2.0, 1.5, 1.5, 1.6, 1.4, 1.45, 1.41, 1.4, 1.39, 1.5, 1.5, 1.5, 1.5, 1.5, 1.2, 1.3]
    accuracies = [0.2, 0.3, 0.3, 0.35, 0.34, 0.33, 0.32, 0.31, 0.4, 0.4, 0.39, 0.41, 0.4, 0.4, 0.4, 0.4]
    history = [Validation(*pair) for pair in zip(losses, accuracies, strict=True)]
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimiser,
        mode="min" if on == "loss" else "max",
        factor=1 / divisor,
        patience=patience - 1,  # torch's are the bad epochs that it lets pass
        threshold=0.0,
        eps=0.0,
    )
    ours, factors = Plateau(divisor, patience, on), [1.0]  # type: ignore[arg-type]
    for epoch in history:
        theirs.step(getattr(epoch, on))
        factors.append(theirs.get_last_lr()[0])
    assert [ours(0.0, history[:n]) for n in range(len(history) + 1)] == pytest.approx(factors)
    assert factors[-1] < 1


def test_plateau_on_loss_looks_at_the_loss_alone() -> None:
    better_loss = [Validation(1 / (n + 1), 0.5) for n in range(4)]
    better_accuracy = [Validation(1.0, n / 10) for n in range(4)]
    assert [Plateau(2, 1, "loss")(0.0, h) for h in (better_loss, better_accuracy)] == [1, 1 / 8]
    assert [Plateau(2, 1, "accuracy")(0.0, h) for h in (better_loss, better_accuracy)] == [1 / 8, 1]


# --- learning rate, batch size, warm-up


def test_rates_span_four_decades_around_a_tenth_and_nothing_else_changes() -> None:
    arms = learning_rate.variants(QUICK)
    rates = [arm.learning_rate for arm in arms.values()]
    assert log10(max(rates) / min(rates)) >= 4
    assert min(rates) < 0.1 < max(rates)
    assert {name: float(name) for name in arms} == {name: arm.learning_rate for name, arm in arms.items()}
    assert all(changes(arm, QUICK).keys() == {"learning_rate"} for arm in arms.values())


def test_batches_and_rates_in_proportion_by_hand() -> None:
    arms = batch_size.variants(replace(QUICK, batch_size=64, learning_rate=0.2))
    assert {name: (arm.batch_size, arm.learning_rate) for name, arm in arms.items()} == {
        "batch /4": (16, 0.2),
        "batch /4, rate scaled": (16, pytest.approx(0.05)),
        "batch /2": (32, 0.2),
        "batch /2, rate scaled": (32, pytest.approx(0.1)),
        "batch x2": (128, 0.2),
        "batch x2, rate scaled": (128, pytest.approx(0.4)),
        "batch x4": (256, 0.2),
        "batch x4, rate scaled": (256, pytest.approx(0.8)),
        "batch x8": (512, 0.2),
        "batch x8, rate scaled": (512, pytest.approx(1.6)),
    }
    assert batch_size.variants(replace(QUICK, batch_size=1))["batch /4"].batch_size == 1


def test_warm_up_of_a_fifth_is_the_baselines_and_none_begins_at_the_peak() -> None:
    arms = warm_up.variants(QUICK)
    assert arms["20 %"] == QUICK
    assert [arm.schedule(0.0, []) for arm in arms.values()] == [1, 0, 0, 0, 0]
    assert [arm.schedule(0.1, []) for arm in arms.values()] == pytest.approx([0.9, 0.9 / 0.95, 1, 0.5, 0.25])


# --- regularisation


def test_l1_adds_the_gradient_of_its_penalty_and_spares_vectors() -> None:
    ours, theirs = weights(), weights()
    penalty = sum(0.3 * weight.abs().sum() for weight in theirs if weight.ndim > 1)
    assert isinstance(penalty, Tensor)
    penalty.backward()  # on top of the gradients that are there
    L1(0.3)(ours)
    for mine, expected in zip(gradients(ours), gradients(theirs), strict=True):
        assert torch.allclose(mine, expected)
    assert torch.equal(gradients(ours)[2], gradients(weights())[2])


@pytest.mark.parametrize("factor", [0.0, 0.2, 0.5, 1.0])
def test_l1_leads_to_soft_thresholds_and_so_to_sparsity_that_rises_with_it(factor: float) -> None:
    """The minimum of (w - target)^2 / 2 + factor |w| is the target moved towards zero by factor, and no further."""
    target = torch.linspace(-2.05, 2.05, 42)[None]
    weight = nn.Parameter(target.clone())
    for step in range(4000):
        weight.grad = (weight - target).detach()
        L1(factor)([weight])
        with torch.no_grad():
            weight -= 0.1 * (1 - step / 4000) * weight.grad
    expected = target.sign() * (target.abs() - factor).clamp_min(0)
    assert torch.allclose(weight, expected, atol=1e-3)
    assert int((weight.abs() < 1e-3).sum()) == {0.0: 0, 0.2: 4, 0.5: 10, 1.0: 20}[factor]


def test_max_norm_scales_down_what_is_too_long_and_nothing_else() -> None:
    after, before = weights(), copies(weights())
    MaxNorm(2.0)(after)
    for mine, old in zip(after[:2], before[:2], strict=True):
        rows = old.numpy().reshape(len(old), -1)
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        expected = np.where(norms > 2, rows * 2 / norms, rows)
        assert np.allclose(mine.detach().numpy().reshape(len(old), -1), expected, atol=1e-6)
        assert (np.linalg.norm(mine.detach().numpy().reshape(len(old), -1), axis=1) <= 2 + 1e-6).all()
        assert (norms > 2).any()
    assert (np.linalg.norm(before[1].numpy(), axis=1) < 2).any()
    assert torch.equal(after[2], before[2])
    assert after[0].is_contiguous(memory_format=torch.channels_last)


def test_max_norm_holds_after_every_step_of_a_training(toy: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []
    project = MaxNorm.__call__

    def watched(self: MaxNorm, parameters: Sequence[nn.Parameter]) -> None:
        project(self, parameters)
        seen.append(max(p.detach().flatten(1).norm(dim=1).max().item() for p in parameters if p.ndim > 1))

    monkeypatch.setattr(MaxNorm, "__call__", watched)
    result = train(replace(TINY, constrain=MaxNorm(0.5), weight_decay=0.0), 0, toy, torch.device("cpu"))
    assert len(seen) == len(result.losses)
    assert max(seen) == pytest.approx(0.5, abs=1e-6)  # it binds, and holds
    assert result.largest_norm == seen[-1]


@pytest.mark.parametrize("module", [regularisation, dropout])
def test_contexts_show_over_fitting(module: object) -> None:
    contexts: dict[str, Callable[[Recipe], Recipe]] = module.CONTEXTS  # type: ignore[attr-defined]
    plain, few = contexts["no augmentation"](QUICK), contexts["10 % of the data"](QUICK)
    assert plain == replace(QUICK, augment=unchanged)
    assert few == replace(QUICK, images=450, epochs=50)
    assert contexts["10 % of the data"](replace(QUICK, images=3)).images == 1
    assert contexts["10 % of the data"](replace(QUICK, images=None)).images == 4500


def test_arms_of_regularisation_have_the_penalties_they_name() -> None:
    arms = regularisation.variants(QUICK)
    found = {name: (arm.weight_decay, arm.penalise, arm.constrain) for name, arm in arms.items()}
    off = (QUICK.penalise, QUICK.constrain)
    assert found == {
        **{f"L2 {name}": (value, *off) for name, value in (("0", 0), ("1e-4", 1e-4), ("5e-4", 5e-4), ("5e-3", 5e-3))},
        **{f"L1 {name}": (0, L1(value), off[1]) for name, value in (("1e-5", 1e-5), ("1e-4", 1e-4), ("1e-3", 1e-3))},
        "L1 + L2": (5e-4, L1(1e-4), off[1]),
        **{f"max norm {c}": (0, off[0], MaxNorm(c)) for c in (1, 2, 3, 4)},
    }


# --- dropout


@pytest.mark.parametrize("p", [0.1, 0.5, 0.7])
def test_dropout_zeroes_units_and_keeps_the_mean(p: float) -> None:
    layer, x = Dropout(p)(3), torch.ones(40, 3, 16, 16)
    after = layer(x)
    assert after.unique().tolist() == pytest.approx([0, 1 / (1 - p)])
    assert (after == 0).float().mean().item() == pytest.approx(p, abs=4 * sqrt(p * (1 - p) / x.numel()))
    whole = (after == 0).flatten(2).all(2)
    assert not whole.any()  # single values, not channels
    assert torch.equal(layer.eval()(x), x)


def test_dropout_stands_where_its_arm_says() -> None:
    def places(arm: Recipe) -> list[tuple[str, float]]:
        parts = Parts(relu, batch_norm, 10, convolution, max_pool, arm.after_stage, arm.before_head)
        layers = list(VGG(((4, 1), (6, 2), (8, 1)))(parts).named_modules())
        kinds = [type(layer).__name__ for _, layer in layers]
        found = [(i, layer.p) for i, (_, layer) in enumerate(layers) if isinstance(layer, nn.Dropout)]
        assert all(kinds[i - 1] in ("ReLU", "GlobalAverage") for i, _ in found)
        return [(layers[i][0].split(".")[0], p) for i, p in found]

    arms = dropout.variants(QUICK)
    for p in (0.1, 0.3, 0.5, 0.7):
        assert places(arms[f"head {p}"]) == [("before_head", p)]
        assert places(arms[f"stages {p}"]) == [("features", p)] * 3
    for other in ("L1", "max norm"):
        assert places(arms[other]) == []
        assert arms[f"{other} + dropout"] == replace(arms[other], before_head=Dropout(0.5))


def test_what_dropout_is_combined_with_is_the_regularisations_own() -> None:
    ours, theirs = weights(), weights()
    dropout.l1(ours)
    L1(1e-4)(theirs)
    dropout.norm_up_to_3(ours)
    MaxNorm(3)(theirs)
    for mine, expected in zip(ours, theirs, strict=True):
        assert torch.equal(mine, expected)
    for mine, expected in zip(gradients(ours), gradients(theirs), strict=True):
        assert torch.equal(mine, expected)


# --- label smoothing


@pytest.mark.parametrize("share", [0.0, 0.1, 0.2])
def test_smoothed_targets_by_formula_and_by_torch(share: float) -> None:
    logits = 3 * torch.randn(20, 7, generator=rng())
    labels = torch.arange(20) % 7
    one_hot = F.one_hot(labels, 7).float()
    mixed = 0.7 * one_hot + 0.3 * one_hot.roll(1, 0)
    loss = SmoothedCrossEntropy(share)
    assert loss(logits, one_hot).item() == pytest.approx(
        F.cross_entropy(logits, labels, label_smoothing=share).item(), rel=1e-5
    )
    for targets in (one_hot, mixed):
        smooth = targets * (1 - share) + share / 7
        assert torch.allclose(smooth.sum(1), torch.ones(20))
        expected = -(smooth * logits.log_softmax(1)).sum(1).mean()
        assert loss(logits, targets).item() == pytest.approx(expected.item(), rel=1e-5)
    assert {arm.loss for arm in label_smoothing.variants(QUICK).values()} == {
        SmoothedCrossEntropy(0.1),
        SmoothedCrossEntropy(0.2),
    }


# --- averaging


def walk(model: nn.Module, steps: int) -> list[dict[str, Tensor]]:
    """Its weights and buffers, drawn anew at each step."""
    draws, states = rng(3), []
    for _ in range(steps):
        state = {
            name: torch.randn(value.shape, generator=draws) if value.is_floating_point() else value
            for name, value in model.state_dict().items()
        }
        states.append(state)
    return states


def averaged(shares: Callable[[int, int], float], states: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """As the engine does it."""
    average, newest = small(), small()
    for step, state in enumerate(states):
        newest.load_state_dict(state)
        blend(average, newest, shares(step, len(states)))
    return average.state_dict()


def small() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))


def test_swa_is_torchs_averaged_model_over_the_last_quarter() -> None:
    states = walk(small(), 40)
    model = small()
    theirs = AveragedModel(model, use_buffers=True)
    for state in states[30:]:
        model.load_state_dict(state)
        theirs.update_parameters(model)
    ours = averaged(MeanFrom(0.75), states)
    for name, value in theirs.module.state_dict().items():
        assert torch.allclose(ours[name], value, atol=1e-6), name
    assert [MeanFrom(0.75)(step, 40) for step in (0, 29, 30, 31, 39)] == pytest.approx([1, 1, 1, 1 / 2, 1 / 10])


def test_exponential_average_is_the_plain_mean_first_and_torchs_from_there() -> None:
    states = walk(small(), 30)
    early = averaged(Exponential(1.0), states[:10])
    for name in ("0.weight", "1.running_mean"):
        mean = torch.stack([state[name] for state in states[:10]]).mean(0)
        assert torch.allclose(early[name], mean, atol=1e-6)
    model = small()
    model.load_state_dict(early)
    theirs = AveragedModel(model, avg_fn=get_ema_avg_fn(0.9), use_buffers=True)
    theirs.update_parameters(model)  # the first is taken as it is
    for state in states[10:]:
        model.load_state_dict(state)
        theirs.update_parameters(model)
    late = averaged(Exponential(1 / 3), states)  # 10 of 30 steps
    for name, value in theirs.module.state_dict().items():
        assert torch.allclose(late[name], value, atol=1e-6), name


def test_a_held_rate_is_the_schedules_until_then() -> None:
    held = HeldFrom(WarmUpAndDecay(0.2), 0.75)
    assert [held(t, []) for t in (0.1, 0.5, 0.75, 0.9, 0.99)] == pytest.approx([0.5, 0.625, 0.3125, 0.3125, 0.3125])
    arms = averaging.variants(QUICK)
    assert arms["SWA, rate held"].average == arms["SWA"].average
    assert arms["SWA"].schedule == QUICK.schedule


# --- optimisers


def steps_of(make: Callable[[list[dict[str, object]]], torch.optim.Optimizer], rates: Sequence[float]) -> list[Tensor]:
    """Where the weights are after a step at each rate, with gradients drawn anew and weight decay 0.1 on matrices."""
    moved, draws = weights(), rng(5)
    groups: list[dict[str, object]] = [
        {"params": moved[:2], "weight_decay": 0.1},
        {"params": moved[2:], "weight_decay": 0.0},
    ]
    optimiser = make(groups)

    def closure() -> float:
        for weight in moved:
            drawn = torch.randn(weight.shape, generator=draws)
            weight.grad = drawn.contiguous(memory_format=torch.channels_last) if weight.ndim == 4 else drawn
        return 7.0

    for rate in rates:
        for group in optimiser.param_groups:
            group["lr"] = rate
        assert optimiser.step(closure) == 7.0
    return [weight.detach() for weight in moved]


RATES = (0.1, 0.05, 0.2, 0.01)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(optimiser.adam, torch.optim.Adam), (optimiser.adamw, torch.optim.AdamW)],
)
def test_adams_are_torchs_plain_ones(ours: object, theirs: object) -> None:
    plain = steps_of(lambda groups: theirs(groups, lr=0.0, foreach=False), RATES)  # type: ignore[operator]
    for mine, expected in zip(steps_of(ours, RATES), plain, strict=True):  # type: ignore[arg-type]
        assert torch.allclose(mine, expected, atol=1e-5)


def test_lion_by_its_algorithm() -> None:
    """Chen et al. 2023, algorithm 2, in NumPy."""
    draws = rng(5)
    expected = [weight.detach().numpy().copy() for weight in weights()]
    means = [np.zeros_like(w) for w in expected]
    for rate in RATES:
        for i, decay in enumerate((0.1, 0.1, 0.0)):
            gradient = torch.randn(expected[i].shape, generator=draws).numpy()
            update = np.sign(0.9 * means[i] + 0.1 * gradient)
            expected[i] = expected[i] - rate * (update + decay * expected[i])
            means[i] = 0.99 * means[i] + 0.01 * gradient
    for mine, other in zip(steps_of(optimiser.lion, RATES), expected, strict=True):
        assert np.allclose(mine.numpy(), other, atol=1e-5)


def test_decoupled_decay_shrinks_weights_as_the_baseline_does() -> None:
    """Without gradients, over many steps at one rate: momentum 0.9 makes ten of each step."""
    arms = optimiser.variants(QUICK) | muon.variants(QUICK)
    for name in ("AdamW", "Lion", "Muon"):
        assert arms[name].learning_rate * arms[name].weight_decay == pytest.approx(10 * 0.2 * 5e-4)
    assert arms["Nesterov"].optimiser == QUICK.optimiser
    assert all(arms[name].weight_decay == QUICK.weight_decay for name in ("SGD", "momentum", "Nesterov", "Adam"))
    assert arms["momentum"].optimiser == SGD(0.9, False)
    assert arms["SGD"].optimiser == SGD(0.0, False)


@pytest.mark.parametrize("shape", [(8, 30), (30, 8), (16, 16)])
def test_orthogonal_keeps_singular_vectors_and_levels_singular_values(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=rng())
    u, s, v = torch.linalg.svd(matrix, full_matrices=False)
    levelled = u.T @ orthogonal(matrix) @ v.T
    singular = levelled.diagonal()
    kept = s > 0.05 * s.norm()  # what is far smaller needs more than five iterations
    assert ((singular[kept] > 0.6) & (singular[kept] < 1.3)).all()
    assert torch.allclose(levelled - singular.diag(), torch.zeros(len(s), len(s)), atol=1e-4)


@pytest.mark.parametrize("shape", [(8, 5, 3, 3), (40, 2, 3, 3)])
def test_muon_is_torchs_on_the_matrix_of_a_convolution(shape: tuple[int, ...]) -> None:
    first, draws = torch.randn(shape, generator=rng()), rng(1)
    kernel = nn.Parameter(first.clone().contiguous(memory_format=torch.channels_last))
    matrix = nn.Parameter(first.flatten(1).clone())
    ours = Muon(others=3.0)([{"params": [kernel], "weight_decay": 0.1}])
    theirs = torch.optim.Muon([matrix], lr=0.1, momentum=0.95, weight_decay=0.1)
    for _ in range(4):
        gradient = torch.randn(shape, generator=draws)
        kernel.grad = gradient.contiguous(memory_format=torch.channels_last)
        matrix.grad = gradient.flatten(1)
        ours.param_groups[0]["lr"] = 0.1
        ours.step(lambda: 0.0)
        theirs.step()
    moved = (matrix - first.flatten(1)).norm()
    assert (kernel.flatten(1) - matrix).norm() < 0.02 * moved  # torch's iterations are in bfloat16
    assert kernel.is_contiguous(memory_format=torch.channels_last)


def test_muon_leaves_what_is_no_convolution_to_nesterov() -> None:
    def decoupled(groups: list[dict[str, object]]) -> torch.optim.Optimizer:
        plain = [{**group, "weight_decay": 0.0} for group in groups]
        return torch.optim.SGD(plain, lr=0.0, momentum=0.9, nesterov=True)

    rates = [0.1] * 4
    ours = steps_of(lambda groups: Muon(others=3.0)([{**g, "weight_decay": 0.0} for g in groups]), rates)
    theirs = steps_of(decoupled, [0.3] * 4)
    assert torch.allclose(ours[1], theirs[1], atol=1e-5)
    assert torch.allclose(ours[2], theirs[2], atol=1e-5)
    assert not torch.allclose(ours[0], theirs[0], atol=0.1)
    arm = muon.variants(QUICK)["Muon"]
    assert arm.optimiser.others * arm.learning_rate == pytest.approx(QUICK.learning_rate)  # type: ignore[attr-defined]


def test_sharpness_aware_steps_by_hand() -> None:
    """f(w) = (w1^2 + 4 w2^2) / 2 from (3, 1): g = (3, 4), |g| = 5."""
    w = nn.Parameter(torch.tensor([3.0, 1.0]))
    seen: list[list[float]] = []

    def closure() -> float:
        seen.append(w.tolist())
        loss = (w * w * torch.tensor([1.0, 4.0])).sum() / 2
        w.grad = None
        loss.backward()
        return loss.item()

    aware = SharpnessAware(SGD(momentum=0.0, nesterov=False), rho=0.5)([{"params": [w], "weight_decay": 0.1}])
    aware.param_groups[0]["lr"] = 0.1
    assert aware.step(closure) == 6.5  # at w, not where it climbed to
    assert seen == [[3, 1], [pytest.approx(3.3), pytest.approx(1.4)]]
    # the gradient there is (3.3, 5.6); the weight decay is that of w
    assert w.tolist() == pytest.approx([3 - 0.1 * (3.3 + 0.3), 1 - 0.1 * (5.6 + 0.1)])


def test_sharpness_aware_climbs_by_the_norm_over_all_weights_and_keeps_the_inner_momentum() -> None:
    a, b = (nn.Parameter(torch.tensor([[value]])) for value in (3.0, 4.0))
    inner = SGD(momentum=0.9, nesterov=True)
    aware = SharpnessAware(inner, rho=1.0)([{"params": [a]}, {"params": [b]}])
    x, y = (nn.Parameter(torch.tensor([[value]])) for value in (3.0, 4.0))
    plain = inner([{"params": [x]}, {"params": [y]}])

    def closure() -> float:  # f = (a^2 + b^2) / 2
        a.grad, b.grad = a.detach().clone(), b.detach().clone()
        return 0.0

    for rate in (0.1, 0.2, 0.05):
        for group in [*aware.param_groups, *plain.param_groups]:
            group["lr"] = rate
        aware.step(closure)
        norm = sqrt(x.item() ** 2 + y.item() ** 2)
        x.grad, y.grad = x.detach() * (1 + 1 / norm), y.detach() * (1 + 1 / norm)
        plain.step()
        assert (a.item(), b.item()) == pytest.approx((x.item(), y.item()), rel=1e-5)


def test_sharpness_aware_wraps_the_baselines_optimiser() -> None:
    assert [arm.optimiser for arm in sam.variants(QUICK).values()] == [
        SharpnessAware(QUICK.optimiser, 0.05),
        SharpnessAware(QUICK.optimiser, 0.1),
    ]


def test_clipping_bounds_the_norm_of_all_gradients_together_and_keeps_their_direction() -> None:
    after = weights()
    before = np.concatenate([g.numpy().ravel() for g in gradients(after)])
    norm = np.linalg.norm(before)
    ClipNorm(1.0)(after)
    clipped = np.concatenate([g.numpy().ravel() for g in gradients(after)])
    assert np.linalg.norm(clipped) == pytest.approx(1, rel=1e-5)
    assert np.allclose(clipped, before / norm, atol=1e-6)
    untouched = weights()
    ClipNorm(1.01 * norm)(untouched)
    assert all(torch.equal(*pair) for pair in zip(gradients(untouched), gradients(weights()), strict=True))
    contexts = {name: adapt(QUICK) for name, adapt in clipping.CONTEXTS.items()}
    assert contexts == {"rate x1": QUICK, "rate x5": replace(QUICK, learning_rate=1.0)}


def test_one_cycle_by_hand() -> None:
    cycle = OneCycle(rise=0.5, first=0.2, last=0.0)
    assert [cycle(t, []) for t in (0, 0.25, 0.5, 0.75, 1)] == pytest.approx([0.2, 0.6, 1, 0.5, 0])
    assert cycle(0.8, []) == pytest.approx((1 + cos(0.6 * pi)) / 2) == pytest.approx(cosine(0.6, []))
