"""A table by itself, to take elsewhere: CSV, Markdown, and a `tabular` of booktabs that a paper can \\input."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict
from statistics import fmean, stdev
from typing import Any

import pandas as pd

from benchmark.evidence.comparison import judge_pairs
from benchmark.evidence.tables import Table, points
from benchmark.report import spreadsheet
from benchmark.report.cells import NOTHING, baseline, line, p_value
from benchmark.report.counts import heading
from benchmark.report.markdown import plain_cell
from benchmark.report.shortlists import Candidate, accuracy_text, effect_text, time
from benchmark.report.text import control_name, digits_of

HEADINGS = ("variant", "runs", "accuracy, % ± std", "effect [95 % interval]", "p (Holm)", "verdict", "step time")
ALIGNED = "lrrrrlr"  # columns of the tabular: words to the left, numbers to the right
MATHS = {  # what text fonts of LaTeX lack
    "\N{MINUS SIGN}": "$-$",
    "\N{MULTIPLICATION SIGN}": r"$\times$",
    "±": r"$\pm$",
    "≈": r"$\approx$",
    "≤": r"$\leq$",
    "→": r"$\rightarrow$",
    "<": "$<$",
    ">": "$>$",
    "|": "$|$",
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    NOTHING: "--",
} | {letter: f"\\{letter}" for letter in "{}$&#%_"}


MAIN_HEADINGS = ("trick", "runs", "accuracy, %", "effect [95 % interval]", "p (Holm)", "verdict", "training time")
COLUMNS = ("variant", "n", "accuracy", "std", "effect", "ci_low", "ci_high", "p_adjusted", "verdict", "step_ms_ratio")


def files(table: Table) -> dict[str, str]:
    """Returns the text of a table's files by the ends of their names."""
    return {"csv": csv(table), "md": markdown(table), "tex": latex(table)}


def csv(table: Table) -> str:
    """Numbers as they are, accuracies and effects in points: the baseline, then the variants in the table's order."""
    control = points(table.control, table.study)
    # Columns are of many types; pandas takes them by name.
    rows: list[dict[str, Any]] = [{"variant": control_name(table), "n": len(control), "verdict": "baseline"}]
    rows[0] |= {"accuracy": fmean(control), "step_ms_ratio": 1.0} if control else {}
    rows += [asdict(row) for row in table.rows]
    for row, runs in zip(
        rows, (control, *(points(table.arms[row.variant], table.study) for row in table.rows)), strict=True
    ):
        row["std"] = stdev(runs) if len(runs) > 1 else None
    frame = pd.DataFrame(rows, columns=COLUMNS)
    return spreadsheet.csv(frame)


def lines(table: Table) -> list[list[str]]:
    """Returns the rows as texts for readers, under HEADINGS."""
    digits = digits_of(table.study.margin)
    arms = {arm.variant: arm for arm in table.study.arms}
    found = [baseline(table, digits), *(line(row, arms[row.variant], table, digits) for row in table.rows)]
    return [
        [each.variant, each.runs.text, each.accuracy.text, each.effect.text, each.p.text, each.verdict, each.step.text]
        for each in found
    ]


def markdown(table: Table) -> str:
    """Returns a table of GitHub's Markdown."""
    sides = [":--" if side == "l" else "--:" for side in ALIGNED]
    rows = [list(HEADINGS), sides, *([plain_cell(text) for text in each] for each in lines(table))]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def latex(table: Table) -> str:
    """Returns a tabular without caption or label, which are the paper's. The best accuracy is bold where
    it is significantly better."""
    best, rows = surely_best(table), []
    for row, each in zip([None, *table.rows], lines(table), strict=True):
        cells = [escaped(text) for text in each]
        if row and row.variant == best:
            cells[2] = rf"\textbf{{{cells[2]}}}"
        rows.append(f"{' & '.join(cells)} \\\\\n")
    study = table.study
    gaps = f"; preliminary: {table.missing} runs missing" if table.missing else ""
    about = " ".join(f"{heading(study)}, {study.data}, {study.budget}{gaps}".split())
    return (
        f"% {about}. Needs \\usepackage{{booktabs}}.\n"
        f"\\begin{{tabular}}{{{ALIGNED}}}\n\\toprule\n"
        f"{' & '.join(map(escaped, HEADINGS))} \\\\\n\\midrule\n{rows[0]}\\midrule\n{''.join(rows[1:])}"
        "\\bottomrule\n\\end{tabular}\n"
    )


def main_table(groups: Sequence[Sequence[Candidate]]) -> str:
    """Returns one tabular over rows of several tables, with a rule between groups; empty groups are left out."""
    blocks = [
        "".join(f"{' & '.join(map(escaped, cells(each)))} \\\\\n" for each in group) for group in groups if group
    ]
    return (
        "% Rows of several tables, each against its own baseline. Needs \\usepackage{booktabs}.\n"
        f"\\begin{{tabular}}{{{ALIGNED}}}\n\\toprule\n{' & '.join(map(escaped, MAIN_HEADINGS))} \\\\\n\\midrule\n"
        + "\\midrule\n".join(blocks)
        + "\\bottomrule\n\\end{tabular}\n"
    )


def cells(each: Candidate) -> list[str]:
    """Returns what a line of the main table says."""
    digits, row = digits_of(each.study.margin), each.row
    numbers = [
        accuracy_text(each, digits).removesuffix(" %"),
        effect_text(each, digits) or NOTHING,
        p_value(row.p_adjusted),
    ]
    return [each.title, str(row.n), *numbers, row.verdict, time(row)]


def surely_best(table: Table) -> str | None:
    """Returns the variant that helps and is significantly better than every other row and the baseline; None without
    one.

    As the verdicts: tests at 5 %, Holm's correction over these comparisons, more than the margin can hide.
    A row without runs could be better still, so that there is no best before all have some.
    """
    arms = {name: points(runs, table.study) for name, runs in table.arms.items()}
    if not arms or not all(arms.values()) or not table.control:
        return None
    best = max(arms, key=lambda name: fmean(arms[name]))
    others = [points(table.control, table.study), *(scores for name, scores in arms.items() if name != best)]
    verdicts = judge_pairs([(arms[best], each) for each in others], table.study.margin)
    helps = any(row.variant == best and row.verdict == "helps" for row in table.rows)
    return best if helps and all(each.word == "helps" for each in verdicts) else None


def escaped(text: str) -> str:
    """Returns text that LaTeX prints as it stands; a bracket at the start of a line would be an argument of the one
    before."""
    marked = "".join(MATHS.get(letter, letter) for letter in " ".join(text.split()))
    return re.sub(r"^(?=[\[*])", "{}", marked)
