"""The command `judge`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.commands.say import AsJson, say

if TYPE_CHECKING:
    from benchmark.commands.answers import Compared
    from benchmark.evidence.own import Against, Judged

COLUMN_PANEL = "Columns"


def command(
    results: Annotated[Path, typer.Argument(help="CSV, TSV, JSON lines or Parquet: a row for each run.")],
    control: Annotated[str | None, typer.Option("--control", help="The variant to compare with. [baseline]")] = None,
    variant: Annotated[
        str | None,
        typer.Option(
            "--variant-column", help="Column of the variants. [found by its name]", rich_help_panel=COLUMN_PANEL
        ),
    ] = None,
    seed: Annotated[
        str | None,
        typer.Option(
            "--seed-column", help="Column of the seeds. [found by its name, or none]", rich_help_panel=COLUMN_PANEL
        ),
    ] = None,
    score: Annotated[
        str | None,
        typer.Option("--score-column", help="Column of the scores. [found by its name]", rich_help_panel=COLUMN_PANEL),
    ] = None,
    group: Annotated[
        str, typer.Option("--group", help="Columns whose values make separate tables, separated by commas.")
    ] = "",
    percent: Annotated[
        bool | None,
        typer.Option("--percent/--no-percent", help="Scores are accuracies, in percent or shares. [by the name]"),
    ] = None,
    lower: Annotated[
        bool | None,
        typer.Option(
            "--lower-is-better/--higher-is-better", help="Which direction is good. [by the name of the score]"
        ),
    ] = None,
    margin: Annotated[
        float | None,
        typer.Option("--margin", help="A difference that does not matter. [0.5 points; none for other scores]"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "--store", help="Folder for page, tables, plots and paragraph.")
    ] = None,
    against: Annotated[Path | None, typer.Option("--against", help="Compare each variant with this file's.")] = None,
    as_json: AsJson = False,
) -> None:
    """Judge results of your own: verdicts, tables, a plot and a paragraph from a table of variants, seeds and scores.

    With --against, each variant that both files have is called better, worse, equal within the margin, or not enough
    runs; the exit code is 1 if any is worse.
    Examples: python -m benchmark judge results.csv --out results/mine
    python -m benchmark judge new.csv --against reference.csv --json
    """
    from benchmark.commands.answers import (  # only now: SciPy and pandas take a second
        Compared,
        JudgeAnswer,
        show_answer,
    )
    from benchmark.evidence import own
    from benchmark.evidence.own_files import Asked
    from benchmark.evidence.own_files import results as read

    groups = tuple(name.strip() for name in group.split(",") if name.strip())
    asked = Asked(variant, seed, score, groups, percent, lower, control)
    found = read(results, asked)
    if not as_json:
        say("\n".join(["read:", *(f"  {sentence}" for sentence in found.said), ""]))
    compared = None
    if against:
        variants = tuple(own.against(found, read(against, asked), margin))
        compared = Compared(verdict=overall(variants), variants=variants)
    judged = own.judge_results(found, control, margin) if out or not against else None
    answer = JudgeAnswer(
        read=found.said,
        unit=found.unit,
        margin=own.margin_for(found, margin),
        rows=tuple(judged.rows) if judged else (),
        compared=compared,
        files=tuple(write(judged, out)) if judged and out else (),
    )

    def words() -> str:
        verdicts = compared_in_words(compared, found.unit) if compared else verdicts_in_words(judged) if judged else ""
        page = f"\n\npage: {(out / answer.files[0]).resolve().as_uri()}" if out and answer.files else ""
        return verdicts + page + (f"\n{out}: {', '.join(answer.files)}" if answer.files else "")

    show_answer(answer, as_json, words)
    if compared and compared.verdict == "worse":
        raise typer.Exit(1)


def write(judged: Judged, out: Path) -> list[str]:
    """Writes the files; returns their names."""
    from benchmark.report.own import write as write_files  # matplotlib and seaborn take a second

    return write_files(judged, out)


def verdicts_in_words(judged: Judged) -> str:
    """Returns the tables for a terminal."""
    from benchmark.report.own import text

    unit = f" {judged.results.unit}" if judged.results.unit else ""
    note = (
        f"margin: {judged.margin:g}{unit}"
        if judged.margin
        else "margin: none, so that nothing is equivalent and no number of seeds is worked out; give --margin"
    )
    return f"{text(judged)}\n\n{note}"


def overall(compared: Sequence[Against]) -> str:
    """Returns the worst news of all variants."""
    words = {each.word for each in compared}
    order = ("worse", "not enough runs", "better", "equal within the margin")
    return next(word for word in order if word in words)


def compared_in_words(compared: Compared, unit: str) -> str:
    """Returns a line for each variant."""
    lines = []
    for each in compared.variants:
        name = f"{each.group}: {each.variant}" if each.group else each.variant
        more = f": {each.more} more" if each.more else ""
        interval = "" if each.ci_low is None else f" [{each.ci_low:+.3g}, {each.ci_high:+.3g}]"
        numbers = f"{each.reference:.5g} -> {each.now:.5g}, {each.change:+.3g}{interval} {unit}".rstrip()
        lines.append(f"{name}: {each.word}{more} ({numbers})")
    return "\n".join([*lines, f"overall: {compared.verdict}"])
