"""Sentences that commands print."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import typer

from benchmark.running.ended import Ended

if TYPE_CHECKING:  # SciPy and statsmodels take a second to import, and `list` needs neither
    from benchmark.evidence.tables import Table
    from benchmark.planning.requests import Request


def duration(seconds: float) -> str:
    """Minutes and seconds, or hours and minutes."""
    if seconds < 3600:
        return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"
    return f"{seconds // 3600:.0f} h {seconds % 3600 / 60:.0f} min"


def opening(asked: Request) -> str:
    """The first line of what a command says."""
    from benchmark.engine.machine import unused_gpu  # here, as torch takes seconds to import

    what = f"data {asked.data} ({asked.data_choice}); budget {asked.budget}"
    idle = unused_gpu()
    return f"{what}; {workers(asked)}; results in {asked.store}{f'; no GPU is used: {idle}' if idle else ''}"


def workers(asked: Request) -> str:
    """How many workers on what."""
    kinds = Counter(asked.devices)
    return ", ".join(f"{count} worker{'s' if count > 1 else ''} on {device}" for device, count in kinds.items())


def verdicts(rounds: int, found: Sequence[Table]) -> str:
    """Where the verdicts stand, a line for each table."""
    return "\n".join([f"after round {rounds}:", *(f"  {standing(table)}" for table in found)])


def standing(table: Table) -> str:
    """Which variants help, hurt and are equivalent so far, and how many are open."""
    words: dict[str, list[str]] = {}
    for row in table.rows:
        effect = "" if row.effect is None else f" {row.effect:+.1f}"
        words.setdefault(row.verdict, []).append(row.variant + effect)
    shown = [f"{word} {', '.join(words[word])}" for word in ("helps", "hurts", "equivalent") if word in words]
    open_ = len(table.rows) - sum(len(words.get(word, [])) for word in ("helps", "hurts", "equivalent"))
    return f"{table.study.name}: " + "; ".join([*shown, *([f"{open_} unresolved"] if open_ else [])])


def leave(ended: Ended, broken: Mapping[str, str]) -> None:
    """Say what went wrong, last, and exit accordingly. `broken` has a sentence for each module left out."""
    for record in ended.failed:
        say(f"failed: seed {record.seed} of {record.recipe[:200]}: {record.reason}")
    if ended.interrupted:
        for sentence in broken.values():
            say(sentence)
        say(f"stopped; {ended.trained} runs finished and kept, {ended.left} left: the same command goes on from here")
        raise typer.Exit(130)
    if ended.left:
        say(f"{ended.left} runs left: the same command goes on from here")
    leave_out(broken)
    if ended.failed:
        raise typer.Exit(1)


def leave_out(broken: Mapping[str, str]) -> None:
    """Say why each module had to be left out, and exit with 1 if any was."""
    for sentence in broken.values():
        say(sentence)
    if broken:
        raise typer.Exit(1)


def say(text: str) -> None:
    """To the terminal, at once."""
    typer.echo(text)
    sys.stdout.flush()
