"""Sentences that commands print."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.commands.console import letters
from benchmark.running.ended import Ended

if TYPE_CHECKING:  # SciPy and statsmodels take a second to import, and `list` needs neither
    from benchmark.planning.requests import Request


AsJson = Annotated[
    bool, typer.Option("--json", help="Print the answer as JSON; docs/scripting.md says what it holds.")
]


def duration(seconds: float) -> str:
    """Returns a duration in minutes and seconds, or in hours and minutes."""
    if seconds < 3600:
        return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"
    return f"{seconds // 3600:.0f} h {seconds % 3600 / 60:.0f} min"


def opening(asked: Request) -> str:
    """Returns the first line of what a command says."""
    from benchmark.engine.machine import unused_gpu  # here, as torch takes seconds to import

    what = f"data {asked.data} ({asked.data_choice}); budget {asked.label}"
    idle = unused_gpu()
    return f"{what}; {workers(asked)}; results in {asked.store}{f'; no GPU is used: {idle}' if idle else ''}"


def workers(asked: Request) -> str:
    """Returns how many workers run on which devices."""
    kinds = Counter(asked.devices)
    return ", ".join(f"{count} worker{'s' if count > 1 else ''} on {device}" for device, count in kinds.items())


def say_preparation(asked: Request) -> None:
    """Says what is waited for, where a data set is to be prepared for the first time."""
    from benchmark.data.cache import cache_file  # here, for the same reason

    if not cache_file(asked.data, asked.data_dir).exists():
        say(f"preparing {asked.data} in {asked.data_dir / '.cache'} (once; up to a minute)")


def say_link(what: str, path: Path) -> None:
    """Says where a file is, as an address that terminals make a link of."""
    say(f"{what}: {path.resolve().as_uri()}")


def leave(ended: Ended, broken: Mapping[str, str]) -> None:
    """Say what went wrong, last, and exit accordingly. `broken` has a sentence for each module left out."""
    for record in ended.failed:
        say(f"failed: seed {record.seed} of {record.recipe[:200]}: {record.reason}")
    if ended.interrupted:
        for sentence in broken.values():
            say(sentence)
        say(
            f"stopped; {ended.trained} runs finished and kept, {in_words(ended)}: run the same command again to resume"
        )
        raise typer.Exit(130)
    if ended.left:
        say(f"{in_words(ended, 'runs ')}: run the same command again to resume")
    leave_out(broken)
    if ended.failed:
        raise typer.Exit(1)


def in_words(ended: Ended, what: str = "") -> str:
    """Returns how many runs are left, and how many of these are kept amid their training."""
    return f"{ended.left} {what}left" + (f", {ended.amid} of them kept amid training" if ended.amid else "")


def leave_out(broken: Mapping[str, str], said: bool = False) -> None:
    """Says why each module had to be left out, unless an answer has said so, and exits with 1 if any was."""
    for sentence in () if said else broken.values():
        say(sentence)
    if broken:
        raise typer.Exit(1)


def say(text: str) -> None:
    """Writes a text to the terminal, at once, in the letters that it has."""
    typer.echo(letters(text))
    sys.stdout.flush()
