"""The engine: its numbers, its random streams, what it measures, and when it gives up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import sqrt
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from builders import start_of
from conftest import TINY
from torch import Generator, Tensor, nn

from benchmark.baseline import Crop, InTurn, flip
from benchmark.data.splits import DataSet
from benchmark.engine.machine import has_fast_bf16
from benchmark.engine.network import build, fitted, pixels, resident, stream_seed
from benchmark.engine.optimiser import blend, parameter_groups
from benchmark.engine.training import Result, augmented, train
from benchmark.networks import VGG
from benchmark.planning.identity import Run, describe
from benchmark.recipe import Augment, Batch, Moment, Parts, Recipe, Transform, absent, alike, constant, unchanged

CPU = torch.device("cpu")


def logits(result: Result) -> np.ndarray:  # type: ignore[type-arg]  # float16, whatever its shape
    assert result.logits is not None
    return result.logits


def test_the_engine_gives_the_numbers_it_gave(toy: DataSet) -> None:
    """If this fails and the change is meant: raise ENGINE in benchmark/training.py, renew the numbers."""
    golden = [-0.303, -2.713, -3.090, -1.898, -0.388, -2.441, -2.793, -1.752, -1.351, -1.292, -1.178, -1.844]
    assert logits(train(TINY, 0, toy, CPU))[:3].ravel() == pytest.approx(golden, abs=0.02)


def test_same_seed_same_bits_and_another_seed_other_bits(toy: DataSet) -> None:
    first, again, other = (train(TINY, seed, toy, CPU) for seed in (0, 0, 1))
    assert np.array_equal(logits(first), logits(again))
    assert np.array_equal(first.losses, again.losses)
    assert not np.array_equal(logits(first), logits(other))


def draw_and_augment_nothing(images: Tensor, targets: Tensor, rng: Generator) -> Batch:
    torch.rand(5, generator=rng)
    return images, targets


def test_off_is_bit_identical(toy: DataSet) -> None:
    """A variant that replaces a field by the base's own value has the base's key and its logits."""
    same = replace(TINY, augment=InTurn(TINY.augment.parts), learning_rate=0.05)  # type: ignore[attr-defined]
    assert Run(same, 0, "f").key == Run(TINY, 0, "f").key
    assert np.array_equal(logits(train(same, 0, toy, CPU)), logits(train(TINY, 0, toy, CPU)))


def drawing_layers(channels: int) -> nn.Module:
    return nn.Sequential(nn.ReLU(), nn.Dropout(0.5))


def test_an_augmentation_that_draws_shifts_no_other_stream(toy: DataSet) -> None:
    noisy = replace(TINY, activation=drawing_layers)
    drawing, plain = (replace(noisy, augment=each) for each in (draw_and_augment_nothing, unchanged))
    assert np.array_equal(logits(train(drawing, 0, toy, CPU)), logits(train(plain, 0, toy, CPU)))


SEEN: list[Tensor] = []


def look(images: Tensor, targets: Tensor, rng: Generator) -> Batch:
    SEEN.append(images.clone())
    return images, targets


def look_and_flip(images: Tensor, targets: Tensor, rng: Generator) -> Batch:
    SEEN.append(images.clone())
    return TINY.augment(images, targets, rng)


def test_augmentation_leaves_order_and_first_weights_as_they_were(toy: DataSet) -> None:
    batches: list[list[Tensor]] = []
    for augment in (look, look_and_flip):
        SEEN.clear()
        train(replace(TINY, augment=augment), 3, toy, CPU)
        batches.append(list(SEEN))
    assert all(torch.equal(a, b) for a, b in zip(*batches, strict=True))
    first, second = (
        build(replace(TINY, augment=augment), 3, toy, CPU).module.state_dict() for augment in (look, look_and_flip)
    )
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_every_epoch_sees_every_image_once_in_another_order(toy: DataSet) -> None:
    SEEN.clear()
    train(replace(TINY, augment=look, batch_size=36), 0, toy, CPU)  # 216 training images are 6 batches
    epochs = torch.cat(SEEN).reshape(2, 216, -1)
    original = pixels(toy.train.images.permute(0, 3, 1, 2)).reshape(216, -1)
    sums = [each.sum(1).sort().values for each in (*epochs, original)]
    assert torch.allclose(sums[0], sums[2])
    assert torch.allclose(sums[1], sums[2])
    assert not torch.equal(epochs[0], epochs[1])


def test_a_step_is_the_textbook_step(toy: DataSet) -> None:
    """One step of Nesterov's momentum with coupled L2 on weights alone, by hand."""
    recipe = replace(TINY, augment=unchanged, epochs=1, batch_size=216, learning_rate=0.1, schedule=half)
    network = build(recipe, 0, toy, CPU)
    before = {name: p.detach().clone() for name, p in network.module.named_parameters()}
    order = torch.randperm(216, generator=torch.Generator().manual_seed(stream_seed(0, "order")))
    images = pixels(toy.train.images.permute(0, 3, 1, 2)[order])
    network.module.train()
    F.cross_entropy(network(images), toy.train.labels[order]).backward()
    after = trained_weights(recipe, toy)
    for name, p in network.module.named_parameters():
        assert p.grad is not None
        decay = 5e-4 * before[name] if p.ndim > 1 else torch.zeros_like(p)
        gradient = p.grad + decay
        expected = before[name] - 0.1 * 0.5 * (gradient + 0.9 * gradient)
        assert torch.allclose(after[name], expected, atol=1e-6), name


def half(progress: float, history: object) -> float:
    return 0.5


KEPT: list[nn.Module] = []


def keeping(parts: Parts) -> nn.Module:
    KEPT.append(TINY.network(parts))
    return KEPT[-1]


def trained_weights(recipe: Recipe, data: DataSet) -> dict[str, Tensor]:
    train(replace(recipe, network=keeping), 0, data, CPU)
    return {name: p.detach() for name, p in KEPT[-1].named_parameters()}


def test_weight_decay_spares_norms_and_biases(toy: DataSet) -> None:
    module = build(TINY, 0, toy, CPU).module
    decayed, spared = parameter_groups(module, 0.1, alike)
    assert (decayed["weight_decay"], spared["weight_decay"]) == (0.1, 0.0)
    assert len(decayed["params"]) == 3  # type: ignore[arg-type]  # two convolutions and the head
    assert len(spared["params"]) == 5  # type: ignore[arg-type]  # two norms of two, the head's bias


def test_preprocessing_is_fitted_on_training_images_alone(toy: DataSet) -> None:
    transform = fitted(TINY.preprocess, toy, None, CPU)
    images = transform(pixels(toy.train.images.permute(0, 3, 1, 2)))
    deviation, mean = torch.std_mean(images, dim=(0, 2, 3))
    assert torch.allclose(mean, torch.zeros(3), atol=1e-4)
    assert torch.allclose(deviation, torch.ones(3), atol=1e-4)


def test_learns_what_can_be_learned(toy: DataSet) -> None:
    result = train(replace(TINY, epochs=8, learning_rate=0.1), 0, toy, CPU)
    assert result.test_accuracy is not None
    assert result.test_accuracy > 0.9  # tints can be told apart by their mean alone; chance is 0.25


def test_measures_what_it_says(toy: DataSet) -> None:
    result = train(TINY, 0, toy, CPU)
    labels = toy.test.labels.numpy()
    assert result.test_accuracy == (logits(result).argmax(1) == labels).mean()
    assert np.exp(logits(result).astype(float)).sum(1) == pytest.approx(1, abs=0.01)
    assert len(result.losses) == 2 * (216 // 32)
    assert len(result.validation_accuracy) == len(result.epoch_train_accuracy) == 2
    assert result.epoch_train_loss == pytest.approx([each.mean() for each in np.split(result.losses, 2)], rel=1e-5)
    weights = 4 * 3 * 9 + 6 * 4 * 9 + 2 * (4 + 6) + 6 * 4 + 4
    assert result.parameters == weights
    assert result.train_seconds > 0
    assert result.step_ms > 0
    assert result.peak_memory_mb > 10


def test_flops_are_those_counted_by_hand(toy: DataSet) -> None:
    """A multiplication and an addition are two; backward is twice forward, less the gradient of the images."""
    first, second, head = 3 * 4 * 9 * 32 * 32, 4 * 6 * 9 * 16 * 16, 6 * 4
    forward = 2 * 32 * (first + second + head)
    assert train(TINY, 0, toy, CPU).step_flops == 3 * forward - 2 * 32 * first


def never_fires(channels: int) -> nn.Module:
    return nn.Threshold(1e9, 0.0)


def test_dead_units_are_counted(toy: DataSet) -> None:
    assert train(TINY, 0, toy, CPU).dead_units == 0
    assert train(replace(TINY, activation=never_fires), 0, toy, CPU).dead_units == 1


def test_a_loss_that_is_not_finite_ends_the_run(toy: DataSet) -> None:
    result = train(replace(TINY, learning_rate=1e30, epochs=5, norm=absent), 0, toy, CPU)
    assert result.status == "diverged"
    assert "step" in result.reason
    assert result.test_accuracy is None
    assert result.logits is None
    assert len(result.losses) < 5 * (216 // 32)


def test_reduced_data_are_stratified(toy: DataSet) -> None:
    SEEN.clear()
    train(replace(TINY, images=40, augment=look, batch_size=40, epochs=1), 0, toy, CPU)
    assert SEEN[0].shape[0] == 40
    assert toy.train.labels[:40].bincount().tolist() == [10, 10, 10, 10]


def test_schedules_see_validation_and_progress(toy: DataSet) -> None:
    CALLS.clear()
    result = train(replace(TINY, schedule=note), 0, toy, CPU)
    assert [round(progress * 12) for progress, _ in CALLS] == list(range(12))
    assert [accuracies for _, accuracies in CALLS] == [[]] * 6 + [result.validation_accuracy[:1]] * 6


CALLS: list[tuple[float, list[float]]] = []


def note(progress: float, history: list[object]) -> float:
    CALLS.append((progress, [each.accuracy for each in history]))  # type: ignore[attr-defined]
    return 1.0


@pytest.mark.skipif(not has_fast_bf16("cpu"), reason="this processor has no bfloat16 arithmetic")
def test_bf16_is_close_to_fp32_and_not_the_same(toy: DataSet) -> None:
    fp32, bf16 = (train(replace(TINY, precision=p), 0, toy, CPU) for p in ("fp32", "bf16"))  # type: ignore[arg-type]
    assert not np.array_equal(fp32.losses, bf16.losses)
    assert bf16.losses == pytest.approx(fp32.losses, abs=0.1)


# --- the fields that most recipes leave as they are


def twice(channels: int) -> nn.Module:
    return nn.Threshold(-1e9, 0.0)


def wide(inputs: int, outputs: int, bias: bool) -> nn.Module:
    return nn.Conv2d(inputs, outputs, 5, padding=2, bias=bias)


def average_pool(channels: int) -> nn.Module:
    return nn.AvgPool2d(2)


def test_a_network_is_made_of_the_recipes_parts(toy: DataSet) -> None:
    recipe = replace(TINY, convolution=wide, pool=average_pool, after_stage=twice, before_head=drawing_layers)
    kinds = [type(layer).__name__ for layer in build(recipe, 0, toy, CPU).module.modules()]
    assert [kinds.count(kind) for kind in ("AvgPool2d", "MaxPool", "Threshold", "Dropout")] == [2, 0, 2, 1]
    net = build(recipe, 0, toy, CPU).module
    assert {c.kernel_size for c in net.modules() if isinstance(c, nn.Conv2d)} == {(5, 5)}
    assert kinds.index("Dropout") == len(kinds) - 2  # right before the head


def doubled(logits: Tensor, targets: Tensor) -> Tensor:
    return 2 * F.cross_entropy(logits, targets)


def test_the_loss_is_the_recipes(toy: DataSet) -> None:
    plain, other = (train(replace(TINY, loss=each), 0, toy, CPU) for each in (TINY.loss, doubled))
    assert other.losses[0] == pytest.approx(2 * plain.losses[0])
    assert other.test_loss != plain.test_loss
    assert plain.test_loss == pytest.approx(-logits(plain)[np.arange(80), toy.test.labels].mean(), abs=1e-2)


ORDER: list[str] = []


def penalty(parameters: Sequence[nn.Parameter]) -> None:
    ORDER.append("penalty")
    for each in parameters:
        assert each.grad is not None
        each.grad.fill_(2.0)


def clipped(parameters: Sequence[nn.Parameter]) -> None:
    ORDER.append("clip")
    for each in parameters:
        assert each.grad is not None
        assert (each.grad == 2).all()
        each.grad.zero_()


def held(parameters: Sequence[nn.Parameter]) -> None:
    ORDER.append("constrain")
    with torch.no_grad():
        for each in parameters:
            each.clamp_(-0.01, 0.01)


def test_penalty_clip_and_constraint_come_in_their_turn_at_every_step(toy: DataSet) -> None:
    ORDER.clear()
    result = train(replace(TINY, penalise=penalty, clip=clipped, constrain=held), 0, toy, CPU)
    expected = ["penalty", "clip", "constrain"] * len(result.losses)
    assert expected == ORDER
    assert result.largest_norm <= 0.01 * sqrt(4 * 9)  # a unit of the second convolution has most weights
    still = train(replace(TINY, penalise=penalty, clip=clipped, weight_decay=0.0), 0, toy, CPU)
    assert still.train_accuracy != train(TINY, 0, toy, CPU).train_accuracy  # all gradients were zero


def first_weights(step: int, steps: int) -> float:
    return 1.0 if step == 0 else 0.0


def mean_of_all(step: int, steps: int) -> float:
    return 1 / (step + 1)


def test_what_is_evaluated_is_the_average(toy: DataSet) -> None:
    recipe = replace(TINY, epochs=1, batch_size=216)  # one step of the 216 training images
    assert np.array_equal(
        logits(train(recipe, 0, toy, CPU)), logits(train(replace(recipe, average=first_weights), 0, toy, CPU))
    )
    longer = replace(recipe, epochs=3, schedule=constant)
    kept = train(replace(longer, average=first_weights), 0, toy, CPU)
    assert kept.validation_loss == pytest.approx([kept.validation_loss[0]] * 3)
    assert np.array_equal(kept.losses, train(longer, 0, toy, CPU).losses)  # training itself goes on untouched
    assert not np.array_equal(logits(kept), logits(train(replace(longer, average=mean_of_all), 0, toy, CPU)))


def test_blend_is_a_running_mean_of_weights_and_buffers() -> None:
    networks = [nn.BatchNorm1d(2) for _ in range(4)]
    for i, each in enumerate(networks):
        nn.init.constant_(each.weight, 2.0**i)
        assert each.running_mean is not None
        assert each.num_batches_tracked is not None
        each.running_mean.fill_(float(i))
        each.num_batches_tracked.fill_(i)
    average = networks[0]
    for step, newest in enumerate(networks[1:], start=1):
        blend(average, newest, 1 / (step + 1))
    assert average.weight.tolist() == pytest.approx([15 / 4] * 2)
    assert average.running_mean is not None
    assert average.running_mean.tolist() == pytest.approx([6 / 4] * 2)
    assert int(average.num_batches_tracked) == 3  # type: ignore[arg-type]


MOMENTS: list[Moment] = []


def noted(images: Tensor, moment: Moment) -> Tensor:
    MOMENTS.append(moment)
    return F.interpolate(images, size=16)


def test_answers_are_kept_at_the_end_and_at_snapshots_and_change_no_number(toy: DataSet) -> None:
    recipe = replace(TINY, epochs=3)
    plain, watched, shorter = (
        train(each, 0, toy, CPU)
        for each in (recipe, replace(recipe, snapshots=(0.3, 0.7)), replace(recipe, epochs=2, snapshots=(0.1,)))
    )
    assert np.array_equal(logits(plain), logits(watched))
    assert plain.snapshots == {}
    assert list(watched.snapshots) == [
        "snapshot_1",
        "validation_snapshot_1",
        "snapshot_2",
        "validation_snapshot_2",
    ]
    assert list(shorter.snapshots) == ["snapshot_1", "validation_snapshot_1"]
    kept = watched.snapshots["validation_snapshot_2"], watched.validation_logits
    for answers, accuracy in zip(kept, watched.validation_accuracy[1:], strict=True):
        assert answers is not None
        labels = toy.validation.labels.numpy()
        assert (answers.argmax(1) == labels).mean() == pytest.approx(accuracy, abs=1.5 / len(labels))
    assert watched.snapshots["snapshot_2"].shape == logits(watched).shape
    assert not np.array_equal(watched.snapshots["snapshot_2"], logits(watched))


def test_what_depends_on_time_knows_the_epoch_and_each_images_place(toy: DataSet) -> None:
    MOMENTS.clear()
    result = train(replace(TINY, timed=noted), 0, toy, CPU)
    steps = len(result.losses) // 2
    assert [moment.epoch for moment in MOMENTS] == [0] * steps + [1] * steps
    assert [moment.progress for moment in MOMENTS] == pytest.approx(np.arange(2 * steps) / (2 * steps))
    rows = torch.cat([moment.rows for moment in MOMENTS[:steps]])
    assert len(set(rows.tolist())) == len(rows) == 32 * steps
    assert rows.max() < 216


def upside_down(network: Transform, images: Tensor) -> Tensor:
    return network(images.flip(2))


def test_prediction_is_the_recipes_at_evaluation_alone(toy: DataSet) -> None:
    plain, turned = (train(replace(TINY, predict=each), 0, toy, CPU) for each in (TINY.predict, upside_down))
    assert np.array_equal(plain.losses, turned.losses)
    assert not np.array_equal(logits(plain), logits(turned))


class LooksTwice(torch.optim.SGD):
    def step(self, closure: object = None) -> float:  # type: ignore[override]
        first, second = closure(), closure()  # type: ignore[operator]
        assert first == second  # nothing moved in between
        super().step()
        return float(first)


def looks_twice(groups: Iterable[dict[str, Any]]) -> torch.optim.Optimizer:
    return LooksTwice(groups, lr=0.0)


def looks_once(groups: Iterable[dict[str, Any]]) -> torch.optim.Optimizer:
    return torch.optim.SGD(groups, lr=0.0)


def test_an_optimiser_may_look_twice_and_the_first_look_is_recorded(toy: DataSet) -> None:
    recipe = replace(TINY, norm=absent, precision="fp32")
    once, again = (train(replace(recipe, optimiser=each), 0, toy, CPU) for each in (looks_once, looks_twice))
    assert np.array_equal(once.losses, again.losses)
    assert once.epoch_train_accuracy == again.epoch_train_accuracy


def test_weights_near_zero_their_largest_norm_and_the_first_logits_are_measured(toy: DataSet) -> None:
    recipe = replace(TINY, learning_rate=0.0, weight_decay=0.0)
    result, network = train(recipe, 3, toy, CPU), build(recipe, 3, toy, CPU)
    weights = [p.detach() for p in network.module.parameters() if p.ndim > 1]
    near = sum(int((w.abs() < 1e-3).sum()) for w in weights) / sum(w.numel() for w in weights)
    assert result.near_zero == pytest.approx(near)
    assert result.largest_norm == pytest.approx(max(float(row.norm()) for w in weights for row in w.flatten(1)))
    images = pixels(toy.train.images[:32].permute(0, 3, 1, 2))
    network.module.eval()
    assert result.first_deviation == pytest.approx(network(images).detach().std().item(), rel=1e-4)


# --- starting from trained weights


def halving(above: int) -> float:
    return 0.5**above


def head_alone(above: int) -> float:
    return float(above == 0)


def test_rates_fall_from_layer_to_layer_and_a_norm_goes_with_its_convolution(toy: DataSet) -> None:
    network = build(TINY, 0, toy, CPU).module
    factors = {
        parameter: group["factor"]
        for group in parameter_groups(network, 0.1, halving)
        for parameter in group["params"]
    }
    by_name = {name.rsplit(".", 1)[0]: factors[parameter] for name, parameter in network.named_parameters()}
    kinds = {name: type(network.get_submodule(name)).__name__ for name in by_name}
    found = [(kinds[name], factor) for name, factor in by_name.items()]
    assert found == [("Conv2d", 0.25), ("BatchNorm2d", 0.25), ("Conv2d", 0.5), ("BatchNorm2d", 0.5), ("Linear", 1.0)]


def weights_of(result: Result) -> dict[str, Tensor]:
    assert result.weights is not None
    return {name: torch.from_numpy(array) for name, array in result.weights.items()}


def test_frozen_layers_stay_as_they_began_with_their_statistics(toy: DataSet, toy6: DataSet) -> None:
    old = train(replace(TINY, data="toy6"), 0, toy6, CPU)
    recipe = replace(TINY, start_from=replace(TINY, data="toy6"), rates=head_alone)
    start = weights_of(old)
    after = weights_of(train(recipe, 0, toy, CPU, start))
    assert all(torch.equal(after[name], start[name]) for name in after if not name.startswith("head."))
    assert after["head.weight"].shape == (4, 6)
    assert start["head.weight"].shape == (6, 6)
    learning = weights_of(train(replace(recipe, rates=halving), 0, toy, CPU, start))
    assert not any(torch.equal(learning[name], start[name]) for name in start if name.endswith(".weight"))


def test_a_smaller_network_starts_from_the_first_layers(toy: DataSet) -> None:
    start = weights_of(train(TINY, 0, toy, CPU))
    cut = replace(TINY, network=VGG(((4, 1),)), start_from=TINY, rates=head_alone)
    after = weights_of(train(cut, 1, toy, CPU, start))
    assert torch.equal(after["features.0.weight"], start["features.0.weight"])


def test_weights_that_do_not_fit_are_named(toy: DataSet) -> None:
    start = weights_of(train(TINY, 0, toy, CPU))
    wider = replace(TINY, network=VGG(((5, 1), (6, 1))), start_from=TINY)
    with pytest.raises(ValueError, match=r"features\.0\.weight is \(4, 3, 3, 3\) there and \(5, 3, 3, 3\) here"):
        train(wider, 0, toy, CPU, start)
    deeper = replace(TINY, network=VGG(((4, 1), (6, 2))), start_from=TINY)
    with pytest.raises(ValueError, match=r"it lacks .*features\.9\.weight"):
        train(deeper, 0, toy, CPU, start)
    with pytest.raises(ValueError, match="it lacks"):
        train(replace(TINY, start_from=TINY), 0, toy, CPU)


# --- on a GPU


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_gpu_repeats_itself_and_agrees_with_the_cpu(toy: DataSet, precision: str) -> None:
    gpu = torch.device("cuda:0")
    recipe = replace(TINY, precision=precision, augment=unchanged)  # type: ignore[arg-type]
    first, again, there = train(recipe, 0, toy, gpu), train(recipe, 0, toy, gpu), train(TINY, 0, toy, CPU)
    assert np.array_equal(logits(first), logits(again))
    assert first.losses[0] == pytest.approx(train(recipe, 0, toy, CPU).losses[0], abs=0.05)
    assert len(first.losses) == len(there.losses)
    assert first.peak_memory_mb > 0


@pytest.mark.gpu
def test_every_table_trains_on_a_gpu(toy: DataSet) -> None:
    """The last variant of each; speed/gpu_check.py trains every one."""
    from benchmark.planning.discovery import discover
    from benchmark.planning.studies import studies

    for table in studies(discover()[0], TINY)[0]:
        *_, last = table.runs_of(1).values()
        run = train(last.recipe, 0, toy, torch.device("cuda:0"), start_of(last.recipe, toy))
        assert run.status == "done", describe(last.recipe)


@pytest.mark.parametrize("augment", [flip, Crop(2), InTurn((Crop(2), flip))])
def test_moving_bytes_gives_what_moving_floats_gives(augment: Augment, toy: DataSet) -> None:
    images, targets, given = resident(toy, CPU)[0].images[:12], torch.zeros(12, 2), list[torch.dtype]()

    def moved(augment: Augment) -> Tensor:
        return augmented(replace(TINY, augment=augment), images, targets, Generator().manual_seed(5))[0]

    def silent(images: Tensor, targets: Tensor, rng: Generator) -> Batch:
        given.append(images.dtype)
        return augment(images, targets, rng)

    assert augment.takes_bytes  # type: ignore[attr-defined]  # told by all parts of the baseline
    assert torch.equal(moved(augment), moved(silent))
    assert given == [torch.float32]  # who does not say so is given floats
    assert not InTurn((augment, draw_and_augment_nothing)).takes_bytes
