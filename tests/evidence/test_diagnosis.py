"""The diagnosis of curves, on curves made by formula; logs; the figures, on a small made-up store."""

from __future__ import annotations

from dataclasses import replace
from math import exp, inf, nan, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import BOTH, arm, record, study

from benchmark import report
from benchmark.claim import CONTROL
from benchmark.commands.app import main
from benchmark.evidence.curves import band, last_epoch, levels
from benchmark.evidence.diagnosis import (
    REMEDIES,
    UNSURE,
    batch,
    chance_accuracy,
    climb,
    diagnose,
    early_rise,
    half_way,
    judge_fit,
    judge_rate,
    late_fall,
    learnt,
)
from benchmark.evidence.log import Log
from benchmark.evidence.sweeps import SweepArm, outcomes, sweep
from benchmark.evidence.tables import tables
from benchmark.report.sweep_plots import extremes, running
from benchmark.store.files import Arrays
from benchmark.store.records import Facts, RunRecord
from benchmark.store.store import Store
from speed.diagnosis_trainings import judged

ROOT = Path(__file__).resolve().parents[2]
STEPS = 700
# Under a rate that falls in a line, the rate's sum reaches t (2 - t) at the share t of the training.
CURVES = {
    "low": lambda t: 1.8 + 0.7 * exp(-2 * t * (2 - t)),  # follows the sum of its rates, which is done early
    "good": lambda t: 0.9 + 1.3 * (1 - t),  # falls to the end
    "high": lambda t: 1.3 + 0.9 * (1 - t**4),  # sticks until the rate is small
    "too high": lambda t: 2.3 + 3 * exp(-((t - 0.25) ** 2) / 0.01),  # is thrown back, ends at guessing
}


def curve(word: str, noise: float = 0.1) -> list[float]:
    """Losses of STEPS batches, with noise that a seed made."""
    drawn = np.random.default_rng(0).normal(0, noise, STEPS)
    return [CURVES[word](at / STEPS) + float(drawn[at]) for at in range(STEPS)]


@pytest.mark.parametrize("word", CURVES)
def test_the_shape_of_the_loss_tells_the_learning_rate(word: str) -> None:
    for losses in (curve(word), levels(curve(word))):
        found = judge_rate(losses)
        assert found
        said = UNSURE if word == "good" else word
        assert (found.word, found.remedy) == (said, REMEDIES[said])


def test_a_loss_that_leaves_the_finite_numbers() -> None:
    for broken in (nan, inf):
        found = judge_rate([2.3, 2.4, 9.0, broken, 2.0])
        assert found
        assert (found.word, found.numbers) == ("too high", "the loss left the finite numbers at loss 4 of 5")


def test_a_loss_that_does_not_move() -> None:
    for known, word in ((False, "nothing learned"), (None, "nothing learned"), (True, "cannot tell")):
        found = judge_rate([2.3] * STEPS, learnt=known)
        assert found
        assert found.word == word


def test_chance_is_a_word_of_its_own() -> None:
    # Falls like a good rate's curve, but ends at ln(10) = 2.30, or with validation at chance.
    falling = [4.0 - 1.7 * at / 700 for at in range(700)]
    for log in (
        Log(falling, classes=10, constant_rate=False),
        Log(curve("good"), validation_accuracy=[0.1, 0.11], classes=10, constant_rate=False),
        Log(curve("low"), validation_accuracy=[0.1, 0.14], classes=10),
        Log(train_loss=[2.31, 2.30], classes=10),
        Log(train_accuracy=[0.1, 0.1], validation_accuracy=[0.1, 0.1], classes=10),
    ):
        found = diagnose(log)
        assert list(found) == ["learning rate"]
        assert found["learning rate"].word == "nothing learned"
    assert diagnose(Log(curve("too high"), classes=10))["learning rate"].word == "too high"
    assert (learnt(Log(curve("good"), classes=10)), learnt(Log(curve("good")))) == (True, None)
    assert learnt(Log(curve("good"), validation_accuracy=[0.56])) is True
    assert chance_accuracy(10) == pytest.approx(0.15)
    assert (chance_accuracy(2), chance_accuracy(100)) == (0.55, 0.015)


@pytest.mark.parametrize(
    ("losses", "word"),
    [
        ([0.0] * 200, "loss of zero"),
        ([0.5] * 80 + [0.0] * 40 + [0.5] * 80, "loss of zero"),
        ([0.0] * 20 + [0.1] * 180, "loss of zero"),
        ([-0.5 - at / 70 for at in range(200)], "cannot tell"),
        ([2.0] * 100 + [1e308] * 100, "too high"),
        ([1e308] * 200, "too high"),
        ([2.0, -inf] + [2.0] * 198, "too high"),
    ],
)
def test_losses_that_are_zero_negative_or_huge(losses: list[float], word: str) -> None:
    found = diagnose(Log(losses, classes=10, constant_rate=False))
    assert found["learning rate"].word == word


def test_a_rate_of_which_the_schedule_is_not_known_is_not_judged() -> None:
    found = judge_rate(curve("good"), constant=None)
    assert found
    assert found.word == "cannot tell"
    assert "good or high, if the rate falls to zero" in found.numbers


def test_the_fit_by_losses() -> None:
    rising = diagnose(Log(train_loss=[2.0, 1.0, 0.5], validation_loss=[1.5, 1.0, 1.2]))["fit"]
    assert (rising.word, rising.numbers[:43]) == ("over-fitting", "the validation loss is lowest, 1.00, after ")
    assert diagnose(Log(train_loss=[2.0, 1.0], validation_loss=[1.5, 1.05]))["fit"].word == "cannot tell"
    assert "fit" not in diagnose(Log(train_loss=[2.0, 1.0], validation_loss=[1.5]))


def test_early_rise_and_late_fall_by_hand() -> None:
    losses = [1.0, 1.0, 1.0, 2.0, 3.0, 3.0, 1.0, *[0.5] * 193]
    assert early_rise(losses) == pytest.approx((1 + 2 + 3 + 3 + 1) / 5)
    assert [early_rise(each) for each in ([1.0] * 99, [0.0] * 100, [1.0, nan, *losses], [1e308] * 200)] == [None] * 4
    assert late_fall([9.0] * 8 + [3.0, 2.0, 4.0] + [9.0] * 7 + [1.0, 2.0]) == pytest.approx((3 - 1.5) / 1.5)
    risen = judge_rate(curve("good"), rise=1.2)
    stalled = judge_rate([2.0 + (at < 200) for at in range(700)], constant=True)
    assert (risen and risen.word, stalled and stalled.word) == ("high", "high")


def test_the_kept_trainings_are_judged_as_the_notes_say() -> None:
    """The thresholds were fitted on the first 112 and have not seen the others."""
    found = judged(ROOT / "speed" / "reference" / "diagnosis.csv")
    at_chance = [each.word for each in found if each.truth == "at chance"]
    assert (len(found), len(at_chance)) == (336, 113)
    assert set(at_chance) == {"too high", "nothing learned"}
    for purpose, right, among in (("fit", 58, 61), ("test", 90, 107)):
        falling = [each for each in found if each.purpose == purpose and each.schedule != "constant"]
        known = [each for each in falling if each.truth != "at chance"]
        told = [UNSURE if each.word == UNSURE and each.truth in ("good", "high") else each.truth for each in known]
        assert (sum(each.word == word for each, word in zip(known, told, strict=True)), len(known)) == (right, among)
        assert "good" not in {each.word for each in known}
    constant = [each.word for each in found if each.schedule == "constant" and each.truth != "at chance"]
    assert set(constant) == {"cannot tell", "high"}


def test_running_mean_and_extremes_by_hand() -> None:
    values = np.array([1.0, 2.0, nan, 4.0, 9.0])
    mean, deviation = running(values, np.array([0, 2, 4]), 2)
    assert mean == pytest.approx([1.5, 3.0, 6.5])
    assert deviation == pytest.approx([0.5, 1.0, 2.5])
    assert extremes(np.array([3.0, 1.0, 2.0, nan, nan, nan, 5.0, 9.0, 7.0]), 3).tolist() == [0, 1, 3, 6, 7]
    assert extremes(values, 3).tolist() == [0, 1, 2, 3, 4]


def test_what_a_loss_does_not_tell() -> None:
    assert judge_rate([]) is None
    found = judge_rate(curve("good"), constant=True)
    assert found
    assert found.word == "cannot tell"
    assert batch(None) is None
    assert band([1.0]) is None
    assert band([1.0, nan]) is None
    assert diagnose(Log()) == {}


def test_levels_share_and_climb_by_hand() -> None:
    assert levels([float(at // 2) for at in range(40)]) == list(range(20))
    assert levels([3.0, 1.0]) == [3.0, 1.0]
    line = [20.0 - at for at in range(20)]
    # from 19 to the mean of 12, 11, 10 in the middle, and of 2, 1 at the end
    assert half_way(line) == pytest.approx((19 - 11) / (19 - 1.5))
    assert climb([2.0, 1.0, 1.5, 0.5, 0.6]) == pytest.approx(0.5)
    assert climb([2.3]) == 0.0  # of a training of one step


def test_the_band_by_hand() -> None:
    # differences 2, -2, 2: mean square 4, halved 2; mean loss 2
    assert band([1.0, 3.0, 1.0, 3.0]) == pytest.approx(sqrt(2) / 2)


def test_the_band_leaves_out_the_course_of_the_loss() -> None:
    noise = np.random.default_rng(1).normal(0, 0.2, 5000)
    falling = [float(each) for each in 3 - np.arange(5000) / 5000 + noise]
    found = band(falling)
    assert found == pytest.approx(0.2 / 2.5, rel=0.05)


def test_the_last_epoch() -> None:
    assert last_epoch(list(range(12)), 4) == [9, 10, 11]
    assert last_epoch(list(range(100)), None) == list(range(90, 100))


def test_a_wide_band_is_a_small_batch() -> None:
    words = [batch(width) for width in (0.3, 0.1)]
    assert [found.word for found in words if found] == ["too small", "large enough"]


@pytest.mark.parametrize(
    ("train", "validation", "word"),
    [(0.99, 0.65, "over-fitting"), (0.40, 0.39, "under-fitting"), (0.95, 0.93, "neither"), (0.73, 0.65, "neither")],
)
def test_fit(train: float, validation: float, word: str) -> None:
    assert judge_fit(train, validation).word == word


def test_the_outcome_of_a_sweep_says_what_its_rates_are() -> None:
    accuracies = {0.001: 0.34, 0.03: 0.60, 0.1: 0.64, 0.3: 0.65, 1.0: 0.63, 3.0: 0.5, 10.0: 0.1}
    arms = [SweepArm(f"{value}", value, [record("x", 0, accuracy)], [None]) for value, accuracy in accuracies.items()]
    assert outcomes(arms, 10) == ["low", "low", "good", "good", "good", "high", "too high"]
    diverged = SweepArm("30", 30.0, [record("x", 0, None)], [None])
    assert outcomes([*arms, diverged], 10)[-1] == "too high"


def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: object) -> tuple[int, str]:
    """`diagnose` in this process: its exit code and all that it said."""
    monkeypatch.setattr("sys.argv", ["benchmark", "diagnose", *map(str, words)])
    with pytest.raises(SystemExit) as raised:
        main()
    said = capsys.readouterr()
    return int(raised.value.code or 0), said.out + said.err


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "log.csv").write_text(BOTH)
    code, said = call(capsys, monkeypatch, tmp_path / "log.csv", "--out", tmp_path / "new" / "out")
    assert code == 0
    assert "loss of each step: loss" in said
    assert "learning rate: cannot tell" in said
    assert "fit: neither" in said
    assert "--schedule" in said
    names = sorted(path.name for path in (tmp_path / "new" / "out").iterdir())
    assert names == ["log-diagnosis.png", "log-diagnosis.svg"]


def test_the_command_asked_for_what_cannot_be(
    made: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "log.csv").write_text(BOTH)
    for words, part in (
        ((), "either a LOG.csv, or --run"),
        ((tmp_path / "log.csv", "--run", "a", "--store", made.folder), "either a LOG.csv, or --run"),
        (("--run", "nobody", "--store", made.folder), "0 runs in"),
        ((tmp_path / "none.csv",), "cannot read"),
        ((tmp_path / "log.csv", "--out", tmp_path / "log.csv"), "give another folder with --out"),
    ):
        code, said = call(capsys, monkeypatch, *words)
        assert code == 2
        assert part in said
        assert "Traceback" not in said


def run_of(name: str, seed: int, word: str, noise: float, **changes: Any) -> tuple[RunRecord, Arrays]:
    """A stored run whose loss has the shape of a learning rate."""
    accuracy = {"low": 0.3, "good": 0.6, "high": 0.5, "too high": 0.1}[word]
    losses = np.array(curve(word, noise), dtype=np.float32)
    more: dict[str, Any] = {
        "train_accuracy": accuracy + 0.05,
        "epoch_train_loss": tuple(float(part.mean()) for part in losses.reshape(5, -1)),
        "epoch_train_accuracy": tuple(accuracy + at / 50 for at in range(5)),
        "validation_accuracy": (accuracy,) * 5,
        "validation_loss": (None,) * 5,
    }
    return record(name, seed, accuracy, **(more | changes)), {"losses": losses}


def facts(**changes: Any) -> Facts:
    """The facts of a recipe whose rate falls to zero."""
    plain = {"learning_rate": 0.1, "batch_size": 64, "epochs": 5, "steps": STEPS, "constant_rate": False}
    return Facts(**(plain | changes))


@pytest.fixture
def made(tmp_path: Path) -> Store:
    """Three sweeps: of the learning rate, with a run that diverged and old runs; of the batch; of the network."""
    store = Store(tmp_path / "store", 1)
    planned = []
    runs: list[tuple[RunRecord, Arrays]] = []
    for field, values, words in (
        ("learning_rate", (0.001, 0.1, 3.0, 10.0), ("low", "good", "high", "too high")),
        ("batch_size", (16, 64, 256), ("good", "good", "good")),
        ("network", (1, 2, 3), ("low", "good", "good")),
    ):
        there = [facts() if field == "network" else facts(**{field: value}) for value in values]
        arms = [
            arm(f"{value}", f"{field} {value}", changes={field: f"{value}"}, seeds=2, facts=known)
            for value, known in zip(values, there, strict=True)
        ]
        control = replace(arms[1], variant=CONTROL, changes={})
        planned.append(replace(study(field, "", [""], control=control, claims=()), arms=(arms[0], *arms[2:])))
        for at, (each, word) in enumerate(zip(arms, words, strict=True)):
            for seed in (0, 1):
                more = {"parameters": 1000 * 3**at, "facts": each.facts} | (
                    {"band": 0.6 / 2**at, "levels": tuple(levels(curve(word)))} if seed else {}
                )
                noise = 0.4 / 2**at if field == "batch_size" else 0.1
                runs.append(run_of(each.recipe, seed, word, noise, **more))
    broken = {"status": "diverged", "reason": "the loss left the finite numbers at step 9", "test_accuracy": None}
    gone = {"train_accuracy": None, "validation_accuracy": (), "validation_loss": (), "levels": (2.0, None)}
    gone |= {"band": None, "epoch_train_accuracy": (0.1,), "epoch_train_loss": (None,)}
    run, arrays = runs[7]
    runs[7] = replace(run, **(broken | gone)), arrays
    with store.writing():
        store.save_tables(planned)
        for run, arrays in runs:
            store.add(run, arrays)
    return store


def test_tables_that_are_sweeps(made: Store) -> None:
    found = [sweep(table, made) for table in tables(made)]
    assert [each.field for each in found if each] == ["learning_rate", "batch_size", "network"]
    first = found[0]
    assert first
    assert [arm.value for arm in first.arms] == [0.001, 0.1, 3.0, 10.0]
    assert list(first.truth.values()) == ["low", "good", "high", "too high"]
    assert first.hits() == (8, 8)
    assert [arm.majority and arm.majority[1] for arm in first.arms] == [2, 2, 2, 2]


def test_a_report_draws_each_sweep_and_says_what_it_tells(made: Store, tmp_path: Path) -> None:
    folder = report.write(made, tmp_path / "report").parent
    for text in ((folder / "index.html").read_text(), (folder / "index.md").read_text()):
        for expected in (
            "the loss is",
            "8 of 8 runs (100%)",
            "too small",
            "under-fitting",
            "raise the learning rate",
        ):
            assert expected in text
    for name, parts in (
        ("learning-rate", ("3: high", "0.1: good or high")),
        ("batch-size", ("batches of 256", "width of the band")),
        ("network", ("3,000 weights", "validation")),
    ):
        svg = (folder / "plots" / f"{name}-figure.svg").read_text()
        assert all(part in svg for part in parts)
        assert "nan" not in svg
        assert "mathdefault" not in svg


def test_a_store_without_the_losses_still_tells(made: Store, tmp_path: Path) -> None:
    for path in (made.folder / "arrays").iterdir():
        path.unlink()
    report.write(made, tmp_path / "report")
    first = sweep(tables(made)[0], made)
    assert first
    assert first.hits() == (4, 4)  # of the runs that have levels, and the one that diverged


def test_tables_that_are_none(tmp_path: Path) -> None:
    store = Store(tmp_path / "store", 1)
    with store.writing():
        store.save_tables([study("activation", "", ["tanh", "leaky"])])
        for name in ("baseline", "tanh", "leaky"):
            store.add(record(f"-{name}", 0, 0.5))
    assert [sweep(table, store) for table in tables(store)] == [None]
