"""The command `diagnose`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmark import report as reports
from benchmark.commands.say import say
from benchmark.errors import UsageError
from benchmark.evidence import log as logs
from benchmark.evidence.diagnosis import diagnose
from benchmark.evidence.sweeps import log_of
from benchmark.store.store import Store
from benchmark.store.version import ENGINE


def command(
    log: Annotated[
        Path | None, typer.Argument(help="CSV: step, loss; epoch, train_accuracy, validation_accuracy.")
    ] = None,
    run: Annotated[str, typer.Option("--run", help="Key of a stored run, or its beginning, instead of a log.")] = "",
    store: Annotated[Path | None, typer.Option("--store", help="Folder of the results, with --run.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder of the picture. [beside the log, or STORE]")
    ] = None,
) -> None:
    """Say what the curves of one training tell of its learning rate, batch and fit, and draw them.

    Example: python -m benchmark diagnose log.csv --out /tmp/diagnosis
    """
    if (log is None) == (not run) or bool(run) != (store is not None):
        raise UsageError("diagnose takes either a LOG.csv, or --run KEY with the --store that it is in")
    if log:
        name, curves, place = log.stem, logs.read(log), log.parent
    else:
        results = Store(Path(store or ""), ENGINE)
        found = [record for key, record in results.records.items() if key.startswith(run)]
        if len(found) != 1:
            raise UsageError(
                f"{len(found)} runs in {store} have a key that begins with {run!r}; `runs.jsonl` has them"
            )
        name, curves, place = found[0]["key"], log_of(found[0], results), results.folder
    for about, finding in diagnose(curves).items():
        say(f"{about}: {finding.word}\n  {finding.numbers}\n  {finding.remedy}")
    if curves.losses and curves.constant_rate is None:
        say(
            "The learning rate is taken to fall towards zero: the log has no column learning_rate that says otherwise."
        )
    if curves.losses and curves.constant_rate:
        say("Under a constant learning rate the shape of the loss does not tell a low rate from a high one.")
    if run:
        say("The last training accuracy is that on the images as they are, the others those of the augmented batches.")
    say(f"picture: {reports.draw_log(curves, name, (out or place) / f'{name}-diagnosis')}.png, .svg")
