"""Logs as training tools write them: what is read, what is said of it, and what is refused."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from math import isnan
from pathlib import Path

import pytest
from builders import BOTH

from benchmark.errors import UsageError
from benchmark.evidence.diagnosis import diagnose
from benchmark.evidence.log_columns import Columns, Meaning, meaning
from benchmark.evidence.log_files import Reading, read_log

STEPS = 200
LOSSES = [round(0.4 + 2.2 * math.exp(-step / 60), 4) for step in range(STEPS)]
TRAIN, VALIDATION = (0.4, 0.55, 0.66, 0.74, 0.8), (0.42, 0.54, 0.62, 0.66, 0.68)
TRAIN_LOSS, VALIDATION_LOSS = (1.5, 1.3, 1.1, 0.9, 0.7), (1.4, 1.3, 1.2, 1.1, 1.0)
EACH = STEPS // len(TRAIN)  # steps of an epoch
Read = Callable[..., Reading]


@pytest.fixture
def reading(tmp_path: Path) -> Read:
    """Reads a text as a file of a name."""

    def of(text: str | bytes, name: str = "log.csv", **given: str) -> Reading:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_log(path, Columns(**{part: (column,) for part, column in given.items()}))

    return of


def lines(header: str, rows: Sequence[str]) -> str:
    """Returns a table."""
    return "\n".join([header, *rows]) + "\n"


def by_step(form: str = "{step},{loss}") -> list[str]:
    """Returns a row for each step."""
    return [form.format(step=step, loss=loss, epoch=step // EACH) for step, loss in enumerate(LOSSES)]


def by_epoch(form: str) -> list[str]:
    """Returns a row for each epoch."""
    numbers = enumerate(zip(TRAIN_LOSS, VALIDATION_LOSS, TRAIN, VALIDATION, strict=True))
    return [
        form.format(epoch=epoch, tl=a, vl=b, ta=c, va=d, tp=100 * c, vp=100 * d) for epoch, (a, b, c, d) in numbers
    ]


def lightning(train: str, validation: str) -> list[str]:
    """Returns rows as Lightning's CSVLogger writes them: steps, then the validation, then the training of an epoch."""
    rows = []
    for epoch, (t, v) in enumerate(zip(TRAIN, VALIDATION, strict=True)):
        steps = range(epoch * EACH, (epoch + 1) * EACH)
        rows += [f"{epoch},{LOSSES[step]},{step},," for step in steps]
        rows += [validation.format(epoch, steps[-1], v), train.format(epoch, steps[-1], t)]
    return rows


def expect(found: Reading, losses: bool = True, train: bool = True, validation: bool = True) -> None:
    """Compares a reading with what was written."""
    assert list(found.log.losses) == (pytest.approx(LOSSES) if losses else [])
    assert list(found.log.train_accuracy) == (pytest.approx(TRAIN) if train else [])
    assert list(found.log.validation_accuracy) == (pytest.approx(VALIDATION) if validation else [])


def test_lightning_writes_training_and_validation_of_an_epoch_in_two_rows(reading: Read) -> None:
    rows = lightning("{},,{},{},", "{},,{},,{}")
    for names in ("loss,step,train_accuracy,validation_accuracy", "train_loss,step,train_acc,val_acc"):
        found = reading(lines(f"epoch,{names}", rows))
        expect(found)
        assert found.log.epochs == 5
    assert f"loss of each step: train_loss, {STEPS} values" in found.said
    assert "validation accuracy of each epoch: val_acc" in found.said


def test_lightning_with_both_spans_rates_and_the_row_of_the_sanity_check(reading: Read) -> None:
    header = "epoch,lr-SGD,step,train_loss_epoch,train_loss_step,val_acc,val_loss_epoch,val_loss_step"
    rows = ["0,,0,,,0.11,2.5,"]  # of the sanity check: before the first epoch's own validation
    for epoch in range(5):
        for step in range(epoch * EACH, (epoch + 1) * EACH):
            rows += [f",{0.1 - step / 2000},{step},,,,,", f"{epoch},,{step},,{LOSSES[step]},,,"]
        rows += [f"{epoch},,{step},,,,,9", f"{epoch},,{step},,,{VALIDATION[epoch]},{VALIDATION_LOSS[epoch]},"]
        rows += [f"{epoch},,{step},{TRAIN_LOSS[epoch]},,,,"]
    found = reading(lines(header, rows))
    expect(found, train=False)
    assert list(found.log.train_loss) == list(TRAIN_LOSS)
    assert list(found.log.validation_loss) == list(VALIDATION_LOSS)
    assert found.log.constant_rate is False


@pytest.mark.parametrize(
    ("name", "text", "train"),
    [
        ("keras", lines("epoch,accuracy,loss,val_accuracy,val_loss", by_epoch("{epoch},{ta},{tl},{va},{vl}")), True),
        ("usual", lines("epoch,train_loss,val_loss,train_acc,val_acc", by_epoch("{epoch},{tl},{vl},{ta},{va}")), True),
        (
            "timm",
            lines("epoch,train_loss,eval_loss,eval_top1,eval_top5,lr", by_epoch("{epoch},{tl},{vl},{vp},99,0.1")),
            False,
        ),
        (
            "ultralytics",
            lines(
                "epoch,time,train/loss,metrics/accuracy_top1,metrics/accuracy_top5,val/loss,lr/pg0,lr/pg1",
                by_epoch("{epoch},1.5,{tl},{va},0.99,{vl},0.1,0.1"),
            ),
            False,
        ),
        (
            "camel",
            lines("Epoch\ttrainLoss\tvalLoss\ttrainAcc\tvalAcc", by_epoch("{epoch}\t{tl}\t{vl}\t{ta}\t{va}")),
            True,
        ),
        (
            "test",
            lines("epoch,train loss,train acc,test loss,test acc", by_epoch("{epoch},{tl},{ta},{vl},{va}")),
            True,
        ),
        ("signs", lines("epoch;loss;val_loss;acc;val_acc", by_epoch("{epoch};{tl};{vl};{tp} %;{vp} %")), True),
        ("blanks", lines("epoch  loss val_loss acc  val_acc", by_epoch("{epoch}   {tl} {vl} {ta} {va}")), True),
    ],
)
def test_tables_of_epochs(reading: Read, name: str, text: str, train: bool) -> None:
    found = reading(text)
    expect(found, losses=False, train=train)
    assert list(found.log.train_loss) == pytest.approx(TRAIN_LOSS)
    assert list(found.log.validation_loss) == pytest.approx(VALIDATION_LOSS)
    assert found.log.epochs == 5


def test_the_parts_of_a_detectors_loss_are_added(reading: Read) -> None:
    header = "epoch,train/box_loss,train/cls_loss,metrics/mAP50(B),val/box_loss,val/cls_loss"
    found = reading(lines(header, by_epoch("{epoch},{tl},1,0.5,{vl},2")))
    assert list(found.log.train_loss) == pytest.approx([1 + loss for loss in TRAIN_LOSS])
    assert list(found.log.validation_loss) == pytest.approx([2 + loss for loss in VALIDATION_LOSS])
    assert "train loss of each epoch: train/box_loss + train/cls_loss" in found.said


@pytest.mark.parametrize(
    "text",
    [
        lines('"Step","run-1 - loss","run-1 - loss__MIN","run-1 - loss__MAX"', by_step('"{step}","{loss}","0","9"')),
        lines("Wall time,Step,Value", by_step("1700000000.5,{step},{loss}")),
        lines("step;loss", [row.replace(".", ",") for row in by_step("{step};{loss}")]),
        lines("\ufeff,step , loss", by_step("{step},{step}, {loss}")).replace("\n", "\r\n"),
        lines("step\tloss", by_step("{step}\t{loss}")),
        lines("# run 17, lr=0.1\nstep,loss", by_step()),
        lines("sep=;\nstep;loss", by_step("{step};{loss}")),
        lines("global_step,train/loss", by_step()),
        lines("loss", by_step("{loss}")),
        lines("step,loss", by_step("{step},{loss},")),
        lines("step,loss", by_step("{step},tensor({loss}, device='cuda:0')"))
        .replace("tensor", '"tensor')
        .replace(")\n", ')"\n'),
        lines("step,loss", by_step()) + "\0" * 64,
        lines("step,loss,note", by_step("{step},{loss},é")).encode("cp1252"),
        lines("step,loss", by_step()).encode("utf-16"),
        lines("step,loss", [*by_step()[:50], "step,loss", *by_step()[50:]]),
        lines("step,loss", list(reversed(by_step()))),
        lines("step,loss", by_step()).encode("utf-16-le"),  # without the mark of its order
        lines("step,loss", by_step()).encode("utf-16-be"),
        lines("step,loss", by_step()).encode("utf-32"),
        lines("step,loss,memo", by_step("{step},{loss},表")).encode("shift_jis"),
        lines("| step | loss |\n|-----:|------|", by_step("| {step} | {loss} |")),
        lines('"step","loss"', [row.replace(".", ",") for row in by_step('"{step}","{loss}"')]),
        lines("step;loss", [f"{1000 * step:,};{loss}" for step, loss in enumerate(LOSSES)]),
        lines("step,loss", [*by_step()[:50], '"Step", "Loss"', *by_step()[50:]]),
        lines("step,loss", [*by_step()[:50], "\ufeffstep,loss", *by_step()[50:]]),
        lines("Run 17 of Tuesday\nstarted 10:00\n\nstep,loss", by_step()),
        lines("step,tr_loss", by_step()),
        lines("time,step,cost", by_step("2026-11-25 10:00:00,{step},{loss}")),
        lines("step,loss", by_step()) + ",\n",
        lines("", by_step('{{"step": {step}, "loss": {loss}}}')),
        lines("", by_step("{{'loss': {loss}, 'grad_norm': 1.5}}")),
    ],
    ids=range(31),
)
def test_tables_of_steps(reading: Read, text: str | bytes) -> None:
    expect(reading(text), train=False, validation=False)


def test_steps_that_restart_in_each_epoch(reading: Read) -> None:
    rows = [f"{step // EACH},{step % EACH},{loss}" for step, loss in enumerate(LOSSES)]
    for text in (lines("epoch,batch,loss", rows), lines("batch,loss", [row.split(",", 1)[1] for row in rows])):
        found = reading(text)
        expect(found, train=False, validation=False)
        assert found.log.epochs == 5
        assert "the steps restart in each epoch and are counted on" in found.said


def test_validation_in_every_second_epoch(reading: Read) -> None:
    rows = [f"{epoch},{train},{VALIDATION[epoch] if epoch % 2 else ''}" for epoch, train in enumerate(TRAIN)]
    found = reading(lines("epoch,train_acc,val_acc", rows)).log
    assert list(found.train_accuracy) == list(TRAIN)
    assert [isnan(each) for each in found.validation_accuracy] == [True, False, True, False, True]


def grouped(step: int, sign: str = ".") -> str:
    """Returns a step with its thousands parted."""
    return f"{step:,}".replace(",", sign)


def decimal_comma(number: float) -> str:
    """Returns a number with a decimal comma."""
    return str(number).replace(".", ",")


@pytest.mark.parametrize(
    ("text", "points"),
    [
        (lines("step,loss", [f"{grouped(50 * at)},{loss}" for at, loss in enumerate(LOSSES)]), True),
        (lines("step,loss", [f"{grouped(900 + at)},{loss}" for at, loss in enumerate(LOSSES)]), True),
        (lines("step,loss", [f"{grouped(900 + at)},{loss}" for at, loss in enumerate(LOSSES)][::-1]), True),
        (lines("step,loss", [f"{grouped(1000 + 500 * at)},{loss}" for at, loss in enumerate(LOSSES)]), True),
        (lines("step,loss", [f"{grouped(10_000 * (99 + at))},{loss}" for at, loss in enumerate(LOSSES)]), True),
        (lines("step;loss", [f"{1 + at}.000;{decimal_comma(loss)}" for at, loss in enumerate(LOSSES)]), True),
        (lines("step,loss", [f'"{grouped(1000 + 1000 * at, ",")}",{loss}' for at, loss in enumerate(LOSSES)]), False),
        (lines("step,loss", [f"{at}.000,{loss}" for at, loss in enumerate(LOSSES)]), False),
        (lines("step,loss", [f"{at / 1000:.3f},{loss}" for at, loss in enumerate(LOSSES)]), False),
        (lines("step,loss", [f"{1 + at}.0,{loss}" for at, loss in enumerate(LOSSES)]), False),
        (lines("step,loss", [f"{900 + at}.000,{loss}" for at, loss in enumerate(LOSSES)]), False),
    ],
)
def test_points_in_steps_part_thousands_where_that_is_certain(reading: Read, text: str, points: bool) -> None:
    found = reading(text)
    expect(found, train=False, validation=False)
    assert ("the points in step are taken to part thousands" in found.said) == points


def test_the_gap_between_steps_is_that_of_thousands(reading: Read) -> None:
    found = reading(lines("step,loss", [f"{grouped(1000 + 500 * at)},{loss}" for at, loss in enumerate(LOSSES)]))
    assert any(said.startswith("every 500th step is there") for said in found.said)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            lines("step,loss", [f"{1 + at}.000,{loss}" for at, loss in enumerate(LOSSES)]),
            "line 2, column step: '1.000' may be 1 or 1,000, and no other number tells which; "
            "write the column's numbers as 1000 or as 1.0000",
        ),
        (
            lines("iteration;loss", [f"{1 + at},000;{decimal_comma(loss)}" for at, loss in enumerate(LOSSES)]),
            "line 2, column iteration: '1,000' may be 1 or 1,000, and no other number tells which; "
            "write the column's numbers as 1000 or as 1,0000",
        ),
        (
            lines("step,loss", [f"{1 + at}{'' if at < 9 else '.000'},{loss}" for at, loss in enumerate(LOSSES)]),
            "line 11, column step: '10.000' may be 10 or 10,000",
        ),
        (
            lines("epoch,loss", [f"{1 + at / 200:.3f},{loss}" for at, loss in enumerate(LOSSES)]),
            "line 2, column epoch: '1.000' may be 1 or 1,000",
        ),
    ],
)
def test_steps_that_may_be_thousands_or_ones_are_refused(reading: Read, text: str, sentence: str) -> None:
    with pytest.raises(UsageError) as found:
        reading(text)
    assert sentence in str(found.value)
    remedied = text.replace(".000", ".0000").replace(",000;", ",0000;")
    if remedied != text:
        assert reading(remedied).log.losses == pytest.approx(LOSSES)


@pytest.mark.parametrize(
    ("form", "values"),
    [
        ("{:.3f}", [0.5, 1.0, 1.5, 2.0]),  # of epochs, as decimals
        ("{:.3f}", [1.0, 2.0, 3.0, 4.0]),
        ("{:.3f}", [0.001, 0.002, 1.0, 2.0]),
        ("{:g}", [1, 1.333, 1.667, 2]),
    ],
)
def test_epochs_with_three_decimals_stay_what_they_are(reading: Read, form: str, values: Sequence[float]) -> None:
    for sign, separator in ((".", ","), (",", ";")):
        rows = [separator.join([form.format(epoch), f"{0.1 * at:.2f}"]) for at, epoch in enumerate(values)]
        text = lines(
            separator.join(["epoch", "val_acc"]), rows if sign == "." else [r.replace(".", ",") for r in rows]
        )
        assert reading(text).log.epochs == len(set(map(math.ceil, values)))


def test_fractions_of_epochs_and_validations_by_step(reading: Read) -> None:
    header = "step,epoch,loss,eval_loss,eval_accuracy"  # as the history of Hugging Face's Trainer
    rows = []
    for step, loss in enumerate(LOSSES, start=1):
        rows += [f"{step},{step / EACH},{loss},,"]
        rows += [f"{step},{step / EACH},,1.0,{VALIDATION[step // EACH - 1]}"] if step % EACH == 0 else []
    found = reading(lines(header, rows))
    expect(found, train=False)
    assert found.log.epochs == 5
    without = [",".join([row.split(",")[0], *row.split(",")[2:]]) for row in rows]
    expect(reading(lines("step,loss,eval_loss,eval_accuracy", without)), train=False)


def test_training_accuracies_of_single_batches_are_averaged(reading: Read) -> None:
    rows = [f"{step // 50},{step},{0.5 + 0.1 * (step % 2)},{'' if step % 50 != 49 else 0.6}" for step in range(100)]
    found = reading(lines("epoch,step,train_acc,val_acc", rows))
    assert list(found.log.train_accuracy) == pytest.approx([0.55, 0.55])
    assert "train accuracy of each epoch: train_acc, the mean of several in an epoch" in found.said


@pytest.mark.parametrize("text", ["", "nan", "NaN", "inf", "tensor(nan)", "None", "N/A", "-nan(ind)", "1e400"])
def test_a_loss_that_is_no_number_any_more(reading: Read, text: str) -> None:
    rows = [f"{step},{loss if step < 100 else text}" for step, loss in enumerate(LOSSES)]
    found = reading(lines("step,loss", rows))
    assert len(found.log.losses) == STEPS
    assert [math.isfinite(loss) for loss in found.log.losses] == [step < 100 for step in range(STEPS)]
    assert bool(text) or any("empty in 100 rows" in each and "line 102" in each for each in found.said)


def test_an_epoch_whose_losses_are_empty_diverged(reading: Read) -> None:
    rows = [*by_epoch("{epoch},{ta},{tl},{va},{vl}")[:3], "3,0.1,,0.1,", "4,0.1,,0.1,"]
    found = reading(lines("epoch,accuracy,loss,val_accuracy,val_loss", rows)).log
    assert [math.isfinite(loss) for loss in found.train_loss] == [True, True, True, False, False]


def test_cells_are_not_lost_where_losses_are_written_now_and_then_or_runs_end(reading: Read) -> None:
    now_and_then = [f"{step},{loss if step % 5 == 0 else ''}" for step, loss in enumerate(LOSSES)]
    found = reading(lines("step,loss", now_and_then))
    assert list(found.log.losses) == LOSSES[::5]
    assert any("not written at every step" in each for each in found.said)
    assert any("every 5th step" in each for each in found.said)
    shorter = [f"{step},{loss if step < 90 else ''},{loss}" for step, loss in enumerate(LOSSES)]
    found = reading(lines("Step,a - loss,b - loss", shorter), loss="a - loss")
    assert list(found.log.losses) == LOSSES[:90]


def test_a_last_line_that_is_cut_is_left_out(reading: Read) -> None:
    found = reading(lines("step,loss,note", by_step("{step},{loss},x")) + "200,0.3")
    expect(found, train=False, validation=False)
    assert f"line {STEPS + 2}, the last one, is cut and left out" in found.said
    found = reading(lines("step,loss,note", by_step('{step},{loss},"x"')) + '200,0.3,"x')
    expect(found, train=False, validation=False)
    assert f"line {STEPS + 2}, the last one, is cut and left out" in found.said
    objects = by_step('{{"step": {step}, "loss": {loss}}}')
    found = reading(lines(objects[0], objects[1:]) + '{"step": 200')
    expect(found, train=False, validation=False)
    assert f"line {STEPS + 1}, the last one, is cut and left out" in found.said


def test_what_stands_above_the_header_or_repeats_it_is_said(reading: Read) -> None:
    found = reading(lines("Run 17\nstep,loss", [*by_step()[:50], "step, loss", *by_step()[50:]]))
    assert "line 1 stands above the header and is left out" in found.said
    assert "line 53 repeats the header and is left out" in found.said


def test_epochs_that_say_how_many_there_are(reading: Read) -> None:
    rows = [f"{epoch}/5,{accuracy},{accuracy}" for epoch, accuracy in enumerate(VALIDATION, start=1)]
    assert list(reading(lines("epoch,train_acc,val_acc", rows)).log.validation_accuracy) == list(VALIDATION)


def test_the_accuracy_of_fastai_is_of_the_validation(reading: Read) -> None:
    rows = [f"{epoch},0.5,0.6,{accuracy},00:12" for epoch, accuracy in enumerate(VALIDATION)]
    found = reading(lines("epoch,train_loss,valid_loss,accuracy,time", rows)).log
    assert (list(found.validation_accuracy), list(found.train_accuracy)) == (list(VALIDATION), [])
    found = reading(lines("epoch,loss,val_loss,accuracy,took", rows)).log  # as Keras without validation accuracy
    assert (list(found.validation_accuracy), list(found.train_accuracy)) == ([], list(VALIDATION))


@pytest.mark.parametrize("text", ["#NUM!", "#DIV/0!", "-1.#IND", "1.#QNAN0", "1.#INF00", "undefined"])
def test_other_spellings_of_what_is_no_number(reading: Read, text: str) -> None:
    found = reading(lines("step,loss", [*by_step()[:100], *(f"{step},{text}" for step in range(100, STEPS))]))
    assert diagnose(found.log)["learning rate"].word == "too high"


def test_accuracies_a_hair_above_one(reading: Read) -> None:
    found = reading(lines("epoch,train_acc,val_acc", ["0,0.9,0.8", "1,1.0000001192092896,0.9"])).log
    assert list(found.train_accuracy) == [0.9, 1.0]


def test_columns_named_by_the_user(reading: Read) -> None:
    rows = [f"{step},{loss},{9 - loss},{step / STEPS}" for step, loss in enumerate(LOSSES)]
    found = reading(lines("t,objective,train_loss,hits", rows), loss="Objective", step="t", train_accuracy="hits")
    assert list(found.log.losses) == LOSSES
    with pytest.raises(UsageError, match="unknown column for --loss 'objectiv'; did you mean objective"):
        reading(lines("t,objective,train_loss,hits", rows), loss="objectiv")
    with pytest.raises(UsageError, match=r"2 columns that could be the loss: train_loss, train/loss; .*--loss NAME"):
        reading("step,train_loss,train/loss\n1,2,3\n")


def test_the_value_of_tensorboard_is_what_its_file_says(reading: Read) -> None:
    text = lines("Wall time,Step,Value", [f"1,{epoch},{value}" for epoch, value in enumerate(VALIDATION)])
    assert list(reading(text, "run-a-tag-val_acc.csv").log.validation_accuracy) == list(VALIDATION)
    assert list(reading(text, "run-a-tag-val_loss.csv").log.validation_loss) == list(VALIDATION)


def test_what_names_say() -> None:
    assert meaning("train_loss_step") == Meaning(True, "train", "step")
    assert meaning("epoch_val_acc") == Meaning(False, "validation", "epoch")
    assert meaning("sparse_categorical_accuracy") == Meaning(False, "", "")
    assert meaning("my run - valid/loss") == Meaning(True, "validation", "")
    assert meaning("valAcc@1") == Meaning(False, "validation", "")
    for other in ("loss__MIN", "eval_top5", "train/box_loss", "lossless", "accumulate", "train_val_loss", "", "f1"):
        assert meaning(other) is None


def test_a_log_of_steps_and_epochs(reading: Read) -> None:
    found = reading(BOTH).log
    assert (len(found.losses), found.losses[0], found.losses[-1]) == (100, 1.99, 1.0)
    assert found.train_accuracy == pytest.approx([0.4, 0.5, 0.6, 0.7, 0.8])
    assert found.validation_accuracy == pytest.approx([0.3 + step / 230 for step in (20, 40, 60, 80, 100)])
    assert found.constant_rate is None


def test_the_learning_rate_tells_whether_it_falls(reading: Read) -> None:
    rows = [f"x, {step}, {step / 10},{0.1 if step < 50 else 0.0}" for step in range(100)]
    assert reading(lines("note, Step, LOSS, learning_rate", rows)).log.constant_rate is False
    constant = [row.replace(",0.0", ",0.1") for row in rows]
    assert reading(lines("note,step,loss,learning_rate", constant)).log.constant_rate is True


MANY = "".join(f"{step},1.0\n" for step in range(50))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("step,loss\n", "a header and no numbers"),
        ("a,b\n1,2\n", "no column that is recognised.*--loss.*has: a, b"),
        ("Once upon a time.\n", "no column that is recognised"),
        ("loss\n1\n", "has 1 losses"),
        ("step,loss,loss\n1,2,3\n", "column loss twice"),
        (f"step,loss\n{MANY}50,fast\n", "line 52, column loss: 'fast' is no number"),
        (f"step,loss\n{MANY},2.0\n", "line 52: a loss without a step"),
        (f"step,loss\n{MANY}nan,2.0\n", "line 52: a loss without a step"),
        (f"step,loss\n{MANY}7,2.0\n", "line 52: step 7 a second time"),
        (f"step,loss\n{MANY}50,1,1\n", "line 52: 3 cells for 2 columns"),
        (f"step,loss\n7\n{MANY}", "line 2: 1 cells for 2 columns"),
        ("step,loss\n1,2\n2,1\n", "has 2 losses; a diagnosis needs 20"),
        ("epoch,train_accuracy,validation_accuracy\n1,0.5,0.5\n", "single epoch"),
        ("epoch,train_accuracy,validation_accuracy\n1,0.5,0.5\n2,1.5,0.5\n", "line 3.*from 0 to 1"),
        ("epoch,train_accuracy,validation_accuracy\n1,0.5,0.5\n2,-1,0.5\n", "line 3.*from 0 to 1"),
        ("epoch,train_accuracy,validation_accuracy\n1,0.5,0.5\n2,51,50\n1,1,1\n", "line 4: epoch 1 a second time"),
        ('step,loss\n1,"2', "is no CSV file"),
    ],
)
def test_a_log_that_cannot_be_understood(reading: Read, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as raised:
        reading(text)
    assert "\n" not in str(raised.value)


def test_what_is_no_text_and_what_is_not_there(reading: Read, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no CSV file"):
        reading(b"\x89PNG\r\n\xff\xfe\x00\x01")
    with pytest.raises(UsageError, match=r"cannot read .*No such file"):
        read_log(tmp_path / "none.csv")


def test_a_long_log(reading: Read) -> None:
    found = reading(lines("step,loss", [f"{step},{2 - step / 100_000}" for step in range(100_000)])).log
    assert len(found.losses) == 100_000
