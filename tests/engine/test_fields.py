"""The fields of a recipe that do nothing unless they are set: what they do, and that they do nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import TINY
from torch import Generator, Tensor, nn
from torch.optim.swa_utils import update_bn

from benchmark.baseline import Timely, flip, then
from benchmark.data.splits import DataSet, Split
from benchmark.engine.network import build, fitted, learned, long_tailed, pixels
from benchmark.engine.optimiser import parameter_groups, remeasure
from benchmark.engine.progress import Progress
from benchmark.engine.training import fit, train
from benchmark.planning.discovery import Ablation, unadapted
from benchmark.planning.identity import Run, describe
from benchmark.planning.rounds import origins, plan
from benchmark.planning.studies import old_data, study
from benchmark.recipe import Batch, Moment, Recipe, Teacher, Validation, alike, untimed

CPU = torch.device("cpu")
NEW = ("rate_of", "decays", "unfreeze", "growth", "draw", "imbalance", "views", "teacher", "keep", "remeasure")


def fitted_curves(recipe: Recipe, data: DataSet) -> Progress:
    split, network = learned(data, None, CPU, recipe.imbalance), build(recipe, 0, data, CPU)
    validation = Split(split.images[:40], split.labels[:40])
    return fit(recipe, 0, network, split, validation, len(data.classes))


def test_unset_they_are_not_in_the_text() -> None:
    assert {f.name for f in fields(Recipe)} >= set(NEW)
    assert not [name for name in NEW if f"{name}=" in describe(TINY)]


def most_accurate(history: Sequence[Validation]) -> int:
    return int(np.argmax([epoch.accuracy for epoch in history]))


def first_epoch(history: Sequence[Validation]) -> int:
    return 0


def test_the_epoch_that_is_kept_is_tested(toy: DataSet) -> None:
    """The first epoch of two, at a rate that does not depend on the number of epochs, is that of one."""
    one = train(replace(TINY, epochs=1, schedule=halves), 0, toy, CPU)
    kept = train(replace(TINY, epochs=2, schedule=halves, keep=first_epoch), 0, toy, CPU)
    last = train(replace(TINY, epochs=2, schedule=halves), 0, toy, CPU)
    assert one.logits is not None
    assert kept.logits is not None
    assert np.array_equal(one.logits, kept.logits)
    assert np.array_equal(one.validation_logits, kept.validation_logits)
    assert not np.array_equal(last.logits, kept.logits)
    assert kept.validation_accuracy == last.validation_accuracy  # the training goes on
    assert np.array_equal(kept.losses, last.losses)


def halves(progress: float, history: Sequence[Validation]) -> float:
    return 0.5


@dataclass(frozen=True)
class Sum:
    weight: float

    def __call__(self, logits: Tensor, targets: Tensor, taught: Tensor) -> Tensor:
        return self.weight * F.cross_entropy(logits, taught.softmax(1)) + F.cross_entropy(logits, targets)


def test_a_student_sees_what_its_teacher_answers_to_the_batch(toy: DataSet) -> None:
    recipe = replace(TINY, teacher=Teacher(replace(TINY, activation=tanh), Sum(1.0)))
    weights = train(recipe.teacher.recipe, 0, toy, CPU).weights  # type: ignore[union-attr]  # it has one
    assert weights is not None
    start = {name: torch.from_numpy(each) for name, each in weights.items()}
    network = build(recipe, 0, toy, CPU, start)
    images, labels = pixels(learned(toy, None, CPU).images[:8]), F.one_hot(torch.arange(8) % 4, 4).float()
    assert network.teacher is not None
    teacher = network.teacher[0]
    assert not teacher.module.training
    for name, tensor in teacher.module.state_dict().items():
        assert torch.equal(tensor, start[name]), name
    network.module.eval()
    loss, logits = network.step(images, labels)
    torch.testing.assert_close(loss, Sum(1.0)(logits, labels, teacher(images).detach()))
    assert all(parameter.grad is None for parameter in teacher.module.parameters())


def tanh(channels: int) -> nn.Module:
    return nn.Tanh()


def test_a_teacher_of_no_weight_changes_nothing(toy: DataSet) -> None:
    recipe = replace(TINY, teacher=Teacher(TINY, Sum(0.0)))
    start = {name: torch.zeros_like(each) for name, each in build(TINY, 0, toy, CPU).module.state_dict().items()}
    assert np.array_equal(train(recipe, 0, toy, CPU, start).losses, train(TINY, 0, toy, CPU).losses)


def test_a_teacher_is_trained_before_and_its_weights_are_asked_for(toy: DataSet) -> None:
    recipe = replace(TINY, teacher=Teacher(replace(TINY, epochs=5), Sum(1.0)))
    ablation = Ablation("a", "Is it?", ("https://example.org",), {"": unadapted}, lambda *_: {"taught": recipe}, ())
    rounds = plan([study(ablation, "", TINY, TINY)], 1, "f", {"toy": "print of toy"})
    before = Run(replace(TINY, epochs=5), 0, "print of toy", keeps_weights=True)
    assert origins(rounds, {"toy": "print of toy"}) == [before]
    assert next(run for run in rounds[0] if run.recipe == recipe).start == before.key
    assert old_data(recipe) == "toy"
    with pytest.raises(ValueError, match="needs the weights of the teacher's run"):
        train(recipe, 0, toy, CPU)
    with pytest.raises(ValueError, match="start_from and teacher cannot go together"):
        replace(recipe, start_from=TINY)


def by_shape(layer: nn.Module, parameter: nn.Parameter) -> bool:
    return parameter.ndim < 2


def test_what_decays_and_what_learns_how_fast_is_the_recipes(toy: DataSet) -> None:
    module = build(TINY, 0, toy, CPU).module
    groups = parameter_groups(module, 0.1, alike, norm_shifts_twice, by_shape)
    decayed = [p for group in groups if group["weight_decay"] for p in group["params"]]
    assert decayed
    assert all(p.ndim < 2 for p in decayed)
    fast = [p for group in groups if group["factor"] == 2 for p in group["params"]]
    assert [id(p) for p in fast] == [id(m.bias) for m in module.modules() if isinstance(m, nn.BatchNorm2d)]
    assert sum(len(group["params"]) for group in groups) == len(list(module.parameters()))


def norm_shifts_twice(layer: nn.Module, parameter: nn.Parameter) -> float:
    return 2.0 if isinstance(layer, nn.BatchNorm2d) and parameter is layer.bias else 1.0


def head_first(above: int, progress: float) -> float:
    return float(above == 0 or progress >= 0.5)


def test_a_layer_that_is_not_unfrozen_yet_stays(toy: DataSet) -> None:
    recipe = replace(TINY, unfreeze=head_first, weight_decay=0.1)
    early, begun = (
        fitted_curves(replace(recipe, keep=first_epoch), toy).best.module,
        build(recipe, 0, toy, CPU).module,
    )
    late = fitted_curves(recipe, toy).best.module
    for layer, was, will in zip(early.modules(), begun.modules(), late.modules(), strict=True):
        if isinstance(layer, nn.Conv2d | nn.Linear):
            assert isinstance(was, nn.Conv2d | nn.Linear)
            assert isinstance(will, nn.Conv2d | nn.Linear)
            assert torch.equal(layer.weight, was.weight) == isinstance(layer, nn.Conv2d)
            assert not torch.equal(will.weight, was.weight)


def fourfold_later(progress: float) -> int:
    return 4 if progress >= 0.5 else 1


def test_the_batch_grows(toy: DataSet) -> None:
    curves = fitted_curves(replace(TINY, growth=fourfold_later), toy)
    assert (curves.steps, curves.batches) == ([6, 1], [32, 128])  # of 216 images
    grown, plain = train(replace(TINY, growth=fourfold_later), 0, toy, CPU), train(TINY, 0, toy, CPU)
    assert len(grown.losses) == 7
    assert len(grown.epoch_train_loss) == 2
    assert grown.step_flops == pytest.approx(plain.step_flops * (6 * 32 + 128) / (7 * 32))


def twice_the_first(labels: Tensor, size: int, rng: Generator) -> Tensor:
    return torch.arange(size).repeat(2)


def test_an_epoch_goes_through_the_rows_that_are_drawn(toy: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Tensor] = []

    def note(images: Tensor, moment: Moment) -> Tensor:
        seen.append(moment.rows)
        return images

    fitted_curves(replace(TINY, draw=twice_the_first, timed=note), toy)
    assert [rows.tolist() for rows in seen] == [list(range(32))] * 4


def test_a_long_tail_is_a_geometric_series_of_the_first_images_of_each_class(toy: DataSet) -> None:
    whole = learned(toy, None, CPU)
    split = long_tailed(whole, 10.0, 4)
    counts = torch.bincount(split.labels).tolist()
    assert counts == [int(54 * 10 ** (-c / 3)) for c in range(4)]  # 54, 25, 11, 5
    for label, count in enumerate(counts):
        assert torch.equal(split.images[split.labels == label], whole.images[whole.labels == label][:count])
    assert split.images.is_contiguous(memory_format=torch.channels_last)
    assert len(train(replace(TINY, imbalance=10.0), 0, toy, CPU).losses) == 2 * (sum(counts) // 32)


def test_preprocessing_is_fitted_on_the_long_tail_alone(toy: DataSet) -> None:
    tail, whole = (fitted(TINY.preprocess, toy, None, CPU, factor) for factor in (10.0, 1.0))
    x = torch.zeros(1, 3, 32, 32)
    assert not torch.equal(tail(x), whole(x))
    expected = TINY.preprocess(pixels(long_tailed(learned(toy, None, CPU), 10.0, 4).images))
    torch.testing.assert_close(tail(x), expected(x))


def doubled(images: Tensor, targets: Tensor, rng: Generator) -> Batch:
    return torch.cat([images, images.flip(3)]), targets.repeat(2, 1)


def test_views_are_learned_from_together(toy: DataSet) -> None:
    result, plain = train(replace(TINY, augment=doubled, views=2), 0, toy, CPU), train(TINY, 0, toy, CPU)
    assert result.status == "done"
    assert result.step_flops == 2 * plain.step_flops
    with pytest.raises(ValueError, match=r"augment must make 1 images of each.*of 32 it made 64"):
        train(replace(TINY, augment=doubled), 0, toy, CPU)
    with pytest.raises(ValueError, match="augment must make 2 images of each"):
        train(replace(TINY, augment=flip, views=2), 0, toy, CPU)


def test_statistics_are_measured_as_torch_measures_them(toy: DataSet) -> None:
    """torch.optim.swa_utils.update_bn puts all layers into training; there are norms alone here."""
    network = build(TINY, 0, toy, CPU)
    theirs, images = network.copy(), learned(toy, None, CPU).images[:64]
    remeasure(network, images, 16)
    loader = [network.preprocess(pixels(batch)) for batch in images.split(16)]
    update_bn(loader, theirs.module)
    for mine, expected in zip(network.module.buffers(), theirs.module.buffers(), strict=True):
        torch.testing.assert_close(mine, expected)
    assert all(norm.momentum == 0.1 for norm in network.module.modules() if isinstance(norm, nn.BatchNorm2d))


def test_measuring_statistics_changes_no_weight_and_no_order(toy: DataSet) -> None:
    plain, measured = (train(replace(TINY, remeasure=on), 0, toy, CPU) for on in (False, True))
    assert np.array_equal(plain.losses, measured.losses)
    assert not np.array_equal(plain.logits, measured.logits)


def weight_normed(inputs: int, outputs: int, bias: bool) -> nn.Module:
    return nn.utils.parametrizations.weight_norm(nn.Conv2d(inputs, outputs, 3, padding=1, bias=bias))


def test_first_weights_reach_a_convolution_that_computes_its_weight(toy: DataSet) -> None:
    computed = build(replace(TINY, convolution=weight_normed), 0, toy, CPU).module
    plain = build(TINY, 0, toy, CPU).module
    layers = [[m for m in each.modules() if isinstance(m, nn.Conv2d | nn.Linear)] for each in (computed, plain)]
    for mine, expected in zip(*layers, strict=True):
        torch.testing.assert_close(mine.weight, expected.weight)
    assert sum("original" in name for name, _ in computed.named_parameters()) == 4


class Lost(nn.Conv2d):
    """Keeps its weight under another name."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, padding=1, bias=False)
        kept = self.weight
        del self._parameters["weight"]
        self.kept = kept
        self.weight = kept * 1


def lost(inputs: int, outputs: int, bias: bool) -> nn.Module:
    return Lost(inputs, outputs)


def test_first_weights_that_would_be_lost_are_refused(toy: DataSet) -> None:
    with pytest.raises(ValueError, match=r"features.0, a Lost, computes its weight"):
        build(replace(TINY, convolution=lost), 0, toy, CPU)


@pytest.mark.parametrize(("name", "value"), [("imbalance", 0.5), ("views", 0)])
def test_out_of_range_they_are_named(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} must be .*{value}"):
        replace(TINY, **{name: value})  # type: ignore[arg-type]  # the point of the test


def test_two_changes_in_time_come_one_after_the_other() -> None:
    def brighter(images: Tensor, moment: Moment) -> Tensor:
        return images + 1

    def twice(images: Tensor, moment: Moment) -> Tensor:
        return images * 2

    moment = Moment(torch.arange(1), 0, 0.0)
    assert then(untimed, twice) is twice
    assert then(brighter, twice) == Timely(brighter, twice)
    assert then(brighter, twice)(torch.ones(1), moment).item() == 4
