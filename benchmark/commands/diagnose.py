"""The command `diagnose`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmark import report as reports
from benchmark.commands.answers import DiagnoseAnswer, show_answer
from benchmark.commands.say import AsJson, say
from benchmark.errors import UsageError
from benchmark.evidence.diagnosis import diagnose
from benchmark.evidence.log_columns import Columns
from benchmark.evidence.log_files import read_log
from benchmark.evidence.sweeps import log_of
from benchmark.store.store import Store
from benchmark.store.version import ENGINE


def column(what: str, *names: str) -> Any:
    """Returns the option that names a column of a log."""
    return typer.Option(*names, metavar="COLUMN", help=f"{what}. [found by its name]", rich_help_panel="Columns")


def command(
    log: Annotated[
        Path | None, typer.Argument(help="A CSV file as Lightning, Keras, timm, W&B, TensorBoard or you wrote it.")
    ] = None,
    run: Annotated[str, typer.Option("--run", help="Key of a stored run, or its beginning, instead of a log.")] = "",
    store: Annotated[Path | None, typer.Option("--store", help="Folder of the results, with --run.")] = None,
    classes: Annotated[
        int | None,
        typer.Option("--classes", min=2, help="Number of classes, from which the accuracy of guessing follows."),
    ] = None,
    schedule: Annotated[
        str, typer.Option("--schedule", help="falling or constant, where the log has no learning rate.")
    ] = "",
    step: Annotated[str, column("The number of the step", "--step")] = "",
    epoch: Annotated[str, column("The number of the epoch", "--epoch")] = "",
    loss: Annotated[str, column("The loss of the training", "--loss", "--train-loss")] = "",
    validation_loss: Annotated[str, column("The validation loss", "--validation-loss")] = "",
    train_accuracy: Annotated[str, column("The accuracy in training", "--train-accuracy")] = "",
    validation_accuracy: Annotated[str, column("The validation accuracy", "--validation-accuracy")] = "",
    learning_rate: Annotated[str, column("The learning rate", "--learning-rate")] = "",
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder of the picture. [next to the log, or STORE]")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Diagnose one training from its curves: learning rate, batch size and fit; and draw them.

    Examples: python -m benchmark diagnose log.csv --out /tmp/diagnosis
    python -m benchmark diagnose metrics.csv --loss train_nll --classes 10 --schedule falling
    """
    if (log is None) == (not run) or bool(run) != (store is not None):
        raise UsageError("diagnose takes either a LOG.csv, or --run KEY with the --store that it is in")
    if schedule not in ("", "falling", "constant"):
        raise UsageError(f"--schedule must be falling or constant, got {schedule!r}")
    if log:
        names = {"step": step, "epoch": epoch, "loss": loss, "validation_loss": validation_loss}
        names |= {"train_accuracy": train_accuracy, "validation_accuracy": validation_accuracy}
        names |= {"learning_rate": learning_rate}
        reading = read_log(log, Columns(**{part: (name,) for part, name in names.items() if name}), classes)
        name, curves, place, said = log.stem, reading.log, log.parent, reading.said
        if not as_json:
            say("\n".join(["read:", *(f"  {sentence}" for sentence in said)]))
    else:
        results = Store(Path(store or ""), ENGINE)
        found = [record for key, record in results.records.items() if key.startswith(run)]
        if len(found) != 1:
            raise UsageError(
                f"{len(found)} runs in {store} have a key that begins with {run!r}; `runs.jsonl` has them"
            )
        name, curves, place, said = found[0].key, log_of(found[0], results), results.folder, ()
        curves = replace(curves, classes=classes or curves.classes)
    if schedule:
        curves = replace(curves, constant_rate=schedule == "constant")
    findings = diagnose(curves)
    if not findings:
        raise UsageError(
            f"{name} holds neither a loss nor a validation accuracy; without one there is nothing to diagnose"
        )
    picture = reports.draw_log(curves, name, (out or place) / f"{name}-diagnosis")
    answer = DiagnoseAnswer(name=name, read=said, findings=findings, picture=str(picture))
    show_answer(answer, as_json, lambda: in_words(answer, bool(run)))


def in_words(answer: DiagnoseAnswer, stored: bool) -> str:
    """Returns the answer in sentences; `stored` says whether it is about a run of a store."""
    lines = [f"{about}: {each.word}\n  {each.numbers}\n  {each.remedy}" for about, each in answer.findings.items()]
    if stored:
        lines.append("The last training accuracy is on images without augmentation, the others on augmented batches.")
    return "\n".join([*lines, f"picture: {answer.picture}.png, .svg"])
