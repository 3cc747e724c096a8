"""What `judge` writes of results that other programs made: tables, a forest plot with every run, and a paragraph."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, log10
from pathlib import Path
from statistics import fmean, median, stdev
from textwrap import wrap

import matplotlib as mpl
import numpy as np
import seaborn as sns
from matplotlib.figure import Figure

from benchmark.evidence.judgements import more_seeds
from benchmark.evidence.own import Judged, OwnRow, OwnTable, frame_of
from benchmark.evidence.power import LEAST
from benchmark.report import spreadsheet
from benchmark.report.cells import NOTHING, p_value
from benchmark.report.exports import escaped
from benchmark.report.markdown import plain_cell
from benchmark.report.style import LETTER, LIGHT, LINEAR, STYLE, TYPE, canvas, is_logarithmic, svg
from benchmark.report.table_plots import PANEL, draw_intervals, set_scale, write_columns
from benchmark.report.text import digits_of, in_numbers, numeral
from benchmark.store.files import reporting_write_errors

ALIGNED = "lrrrrl"  # columns: words to the left, numbers to the right
DOT = 0.09  # inches that dots of one row stand apart at most, on each side


@dataclass(frozen=True)
class Point:
    """A run that the axis must have room for."""

    effect: float
    ci_low: float | None = None
    ci_high: float | None = None


def write(judged: Judged, folder: Path) -> list[str]:
    """Writes all files to a folder; returns their names, that of the page first."""
    from benchmark.report.own_page import distributions, page  # which builds on this module

    texts = {"effects.csv": csv(judged), "table.md": markdown(judged), "table.tex": latex(judged)}
    texts["paragraph.md"] = paragraph(judged)
    drawn: dict[str, list[str]] = {"forest": [], "runs": []}
    pictures: list[str] = []
    with reporting_write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for table, name in zip(judged.tables, plot_names(judged), strict=True):
            for kind, draw in (("forest", forest), ("runs", distributions)):
                with sns.axes_style("ticks"), mpl.rc_context(STYLE):
                    figure = draw(judged, table)
                    drawn[kind].append(svg(figure))
                    figure.savefig(folder / f"{kind}{name}.pdf", metadata={"CreationDate": None})
                (folder / f"{kind}{name}.svg").write_bytes(drawn[kind][-1].encode())
                pictures += [f"{kind}{name}.svg", f"{kind}{name}.pdf"]
        files = [*texts, *pictures]
        texts["index.html"] = page(judged, drawn["forest"], drawn["runs"], files)
        for name, text in texts.items():
            (folder / name).write_bytes(text.encode("utf-8", "replace"))
    return ["index.html", *files]


def plot_names(judged: Judged) -> list[str]:
    """Returns what the files of each table's plots end in, without the suffix; no two are alike."""
    if len(judged.tables) == 1:
        return [""]
    short = [re.sub(r"[^A-Za-z0-9.]+", "-", table.group).strip("-.") for table in judged.tables]
    return [f"-{name}" if name and short.count(name) == 1 else f"-{at}" for at, name in enumerate(short, start=1)]


def csv(judged: Judged) -> str:
    """Returns the numbers as they are, a line for each variant."""
    return spreadsheet.csv(frame_of(judged.rows))


def decimals(judged: Judged) -> int:
    """Returns the decimals that a reader can use: those of the margin, or two digits of the spread of single runs."""
    if judged.results.points and judged.margin:
        return digits_of(judged.margin)
    spreads = [row.std for row in judged.rows if row.std]
    return min(8, max(0, 1 - floor(log10(median(spreads))))) if spreads else 2


def headings(judged: Judged) -> list[str]:
    """Returns the names of the columns."""
    score = f"{judged.results.score}, % ± std" if judged.results.points else f"{judged.results.score} ± std"
    return ["variant", "runs", score, "effect [95 % interval]", "p (Holm)", "verdict"]


def lines(judged: Judged, table: OwnTable) -> list[list[str]]:
    """Returns the cells of a table, the control first."""
    digits = decimals(judged)
    control = table.arms[table.control].scores
    spread = stdev(control) if len(control) > 1 else None
    first = [table.control, str(len(control)), level(fmean(control), spread, digits), NOTHING, NOTHING, "control"]
    return [first, *(cells(row, digits) for row in table.rows)]


def cells(row: OwnRow, digits: int) -> list[str]:
    """Returns the cells of a variant."""
    effect = in_numbers(row.effect, row.ci_low, row.ci_high, digits)
    return [
        row.variant,
        str(row.n),
        level(row.score, row.std, digits),
        effect,
        p_value(row.p_adjusted),
        said(row),
    ]


def level(mean: float, spread: float | None, digits: int) -> str:
    """Returns a mean with the standard deviation of single runs, where it has one."""
    return f"{mean:.{digits}f}" + ("" if spread is None else f" ± {spread:.{digits}f}")


def said(row: OwnRow) -> str:
    """Returns a verdict with what belongs to it."""
    more = more_seeds(row.seeds_needed) if row.seeds_needed else ""
    return ": ".join(part for part in (row.verdict, "; ".join(filter(None, [more, row.reason]))) if part)


def text(judged: Judged) -> str:
    """Returns the tables for a terminal."""
    parts = []
    for table in judged.tables:
        rows = [headings(judged), *lines(judged, table)]
        widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
        shown = [
            "  ".join(
                cell.ljust(width) if side == "l" else cell.rjust(width)
                for cell, width, side in zip(row, widths, ALIGNED, strict=True)
            ).rstrip()
            for row in rows
        ]
        parts.append("\n".join([*([f"{table.group}:"] if table.group else []), *shown]))
    return "\n\n".join(parts)


def markdown(judged: Judged) -> str:
    """Returns the tables in GitHub's Markdown."""
    parts = []
    for table in judged.tables:
        sides = [":--" if side == "l" else "--:" for side in ALIGNED]
        rows = [
            list(map(plain_cell, headings(judged))),
            sides,
            *(list(map(plain_cell, row)) for row in lines(judged, table)),
        ]
        heading = f"### {plain_cell(table.group)}\n\n" if table.group else ""
        parts.append(heading + "".join(f"| {' | '.join(row)} |\n" for row in rows))
    return "\n".join(parts)


def latex(judged: Judged) -> str:
    """Returns a tabular of booktabs for each table, without caption or label, which are the paper's."""
    parts = []
    for table in judged.tables:
        head, first, *rest = (
            f"{' & '.join(map(escaped, row))} \\\\\n" for row in [headings(judged), *lines(judged, table)]
        )
        about = f" {' '.join(table.group.split())}." if table.group else ""
        parts.append(
            f"%{about} Needs \\usepackage{{booktabs}}.\n\\begin{{tabular}}{{{ALIGNED}}}\n\\toprule\n"
            f"{head}\\midrule\n{first}\\midrule\n{''.join(rest)}\\bottomrule\n\\end{{tabular}}\n"
        )
    return "\n".join(parts)


def forest(judged: Judged, table: OwnTable) -> Figure:
    """Returns a line for each variant: each run less the control's mean as a dot, the effect and its interval."""
    sign = -1.0 if judged.results.lower_is_better else 1.0
    rows = sorted(table.rows, key=lambda row: sign * row.effect, reverse=True)
    labels = ["\n".join(wrap(name, 30)) for name in (*(row.variant for row in rows), table.control)]
    heights = [0.38 + 0.15 * label.count("\n") for label in labels]
    places = [sum(heights[:at]) + heights[at] / 2 for at in range(len(labels))]
    left = 0.25 + LETTER * max(len(line) for label in labels for line in label.split("\n"))
    columns = (1.95, 0.55, 1.1)
    name = judged.results.score
    counted = f"dots: single runs; {len(table.arms[table.control].scores)} of {table.control}"
    below = f"{table.group}; {counted}" if table.group else counted
    figure, (axes,) = canvas(f"Effect on {name}", below, [PANEL], sum(heights), (left, sum(columns), 0.86, 0.62))
    axes.set_ylim(sum(heights), 0)
    axes.set_yticks(places, labels, color=LIGHT["ink"], fontsize=TYPE)
    axes.tick_params(axis="y", length=0, pad=8)
    axes.spines[["left", "right", "top"]].set_visible(False)
    centre = fmean(table.arms[table.control].scores)
    arms = (*(row.variant for row in rows), table.control)
    dots = [[score - centre for score in table.arms[arm].scores] for arm in arms]
    extents: list[OwnRow | Point] = [*rows, *(Point(dot) for of_row in dots for dot in of_row)]
    margin = judged.margin or max(abs(each.effect) for each in extents) / 5 or 1.0
    set_scale(axes, extents, margin)
    if judged.margin:
        axes.axvspan(-margin, margin, color=LIGHT["band"], linewidth=0, zorder=0)
    axes.axvline(0, color=LIGHT["ink"], linewidth=1, zorder=1)
    colours = [*(LIGHT[row.verdict] for row in rows), LIGHT["ink"]]
    for colour, of_row, place in zip(colours, dots, places, strict=True):
        apart = place + np.linspace(-DOT, DOT, len(of_row)) if len(of_row) > 1 else [place]
        axes.scatter(of_row, apart, s=12, color=colour, alpha=0.45, linewidth=0, zorder=2)
    draw_intervals(axes, rows, places[:-1])
    write_columns(axes, rows, places[:-1], columns, decimals(judged))
    scale = f"linear within ±{numeral(LINEAR * margin)}, logarithmic beyond" if is_logarithmic(extents, margin) else ""
    axes.set_xlabel(f"{better_in_words(judged, table)}\n{scale}".strip(), linespacing=1.4)
    return figure


def better_in_words(judged: Judged, table: OwnTable) -> str:
    """Returns the name of an axis of effects: their unit, and in which direction they are better."""
    better = "lower is better" if judged.results.lower_is_better else "higher is better"
    unit = f"{judged.results.unit} against" if judged.results.unit else "difference from"
    return f"{unit} {table.control}; {better}"


def paragraph(judged: Judged) -> str:
    """Returns methods and results in sentences that a paper can take."""
    return "\n\n".join([methods(judged), *(found(judged, table) for table in judged.tables)]) + "\n"


def methods(judged: Judged) -> str:
    """Returns what was done."""
    unit = f" {judged.results.unit}" if judged.results.unit else ""
    direction = "lower" if judged.results.lower_is_better else "higher"
    sentences = [
        f"The measure is {judged.results.score}{' (in percent)' if judged.results.points else ''}, of which "
        f"{direction} is better.",
        "Differences of means from the control were tested with Welch's t-test (two-sided, 5 %), in which no variance "
        "is taken as smaller than the larger of the median variance of all variants and that of the control (for "
        "intervals: than the median), and one that is raised counts up to twice its degrees of freedom.",
    ]
    if judged.margin:
        sentences.append(
            f"Equivalence within {numeral(judged.margin)}{unit} was tested with two one-sided tests (Schuirmann 1987)."
        )
    sentences.append(
        "The p values of each table were corrected by Holm's method (1979), those of difference and those of "
        "equivalence as a family each; intervals are 95 % and uncorrected. A variant with fewer than "
        f"{LEAST} runs gets no verdict."
    )
    if any(table.correlation for table in judged.tables):
        sentences.append(
            "Where runs of a variant and of the control have the same seed, the covariance of their scores, estimated "
            "over all variants and shrunk, was taken off the variance of the difference."
        )
    return " ".join(sentences)


def found(judged: Judged, table: OwnTable) -> str:
    """Returns what was found in one table."""
    digits, unit = decimals(judged), f" {judged.results.unit}" if judged.results.unit else ""
    control = table.arms[table.control].scores
    start = f"On {table.group}, " if table.group else ""
    many = len(table.rows)
    opening = (
        f"{start}{many} variant{'s' if many > 1 else ''} ({counts([row.n for row in table.rows])} each) "
        f"{'were' if many > 1 else 'was'} compared with {table.control} ({len(control)} runs, "
        f"{level(fmean(control), stdev(control) if len(control) > 1 else None, digits)}, mean ± standard deviation)."
    )
    if table.correlation:
        opening += f" The correlation of runs with the same seed was estimated as {table.correlation:.2f}."
    return " ".join([opening, *(sentence(row, table.control, digits, unit) for row in table.rows)])


def counts(numbers: Sequence[int]) -> str:
    """Returns the range of numbers of runs, in words."""
    low, high = min(numbers), max(numbers)
    return f"{low if low == high else f'{low} to {high}'} run{'' if high == 1 else 's'}"


def sentence(row: OwnRow, control: str, digits: int, unit: str) -> str:
    """Returns the sentence on a variant."""
    size = in_numbers(row.effect, row.ci_low, row.ci_high, digits)
    known = row.p_adjusted is not None
    p = f", p {'' if row.p_adjusted is not None and row.p_adjusted < 0.001 else '= '}{p_value(row.p_adjusted)}"
    numbers = f"({size.replace(' [', f'{unit} [')}{p if known else ''})"
    match row.verdict:
        case "helps" | "hurts":
            word = "better" if row.verdict == "helps" else "worse"
            return f"{row.variant} is {word} than {control} {numbers}."
        case "equivalent":
            return f"{row.variant} is equivalent to {control} within the margin {numbers}."
    more = f"; {more_seeds(row.seeds_needed)} may decide it" if row.seeds_needed else ""
    reason = f", since {row.reason}" if row.reason else ""
    return f"The difference of {row.variant} from {control} is unresolved{reason} {numbers}{more}."
