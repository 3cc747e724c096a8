"""The tables by themselves: CSV, Markdown, LaTeX."""

from __future__ import annotations

import re
import shutil
import subprocess
from io import StringIO
from pathlib import Path

import pandas as pd
import pytest
from builders import EFFECTS, fill, record, study

from benchmark.evidence.tables import Table, table, tables
from benchmark.report import exports

BASELINE = [65.0, 65.2, 64.8, 65.1, 64.9]
GOOD = [70.0, 70.1, 69.9, 70.2]


def made(**arms: list[float]) -> Table:
    """A table of these accuracies in percent, 4 runs planned for each arm and 5 for the baseline."""
    scores = {"baseline": BASELINE} | arms
    runs = {
        ("f", f"-{arm}"): [record(arm, seed, score / 100) for seed, score in enumerate(there)]
        for arm, there in scores.items()
    }
    return table(study("pooling", "", list(arms)), runs, {})


@pytest.mark.parametrize(
    ("arms", "best"),
    [
        ({"good": GOOD, "worse": [60.0, 60.1, 59.9, 60.2]}, "good"),
        ({"good": GOOD, "nearly": [69.9, 70.0, 69.8, 70.1]}, None),  # equivalent to each other
        ({"good": GOOD, "vague": [66.0, 60.0, 72.0, 64.0]}, None),  # perhaps the better one
        ({"good": GOOD, "once": [60.0]}, None),  # a single run has no interval
        ({"good": GOOD, "absent": []}, None),
        ({"worse": [60.0, 60.1, 59.9, 60.2]}, None),  # the baseline is the best, and never bold
        ({"same": [65.1, 64.9, 65.0, 65.1]}, None),
    ],
)
def test_the_best_is_bold_where_it_surely_is(arms: dict[str, list[float]], best: str | None) -> None:
    there = made(**arms)
    assert exports.surely_best(there) == best
    bold = [line.split(" & ")[0] for line in exports.latex(there).splitlines() if r"\textbf" in line]
    assert bold == ([best] if best else [])


def test_latex_prints_names_as_they_are() -> None:
    assert exports.escaped(r"5 % of $x_1^2$ & {a}~#\n") == (
        r"5 \% of \$x\_1\textasciicircum{}2\$ \& \{a\}\textasciitilde{}\#\textbackslash{}n"
    )
    assert exports.escaped("\N{MINUS SIGN}1 ± 2") == r"$-$1 $\pm$ 2"
    assert exports.escaped("[0, 1]") == "{}[0, 1]"  # else it is an argument of the \\ before it
    assert exports.escaped("two\nlines") == "two lines"


def test_every_row_of_the_tabular_has_its_columns(tmp_path: Path) -> None:
    for there in tables(fill(tmp_path)):
        text = exports.latex(there)
        assert text.isascii()
        rows = [line for line in text.splitlines() if line.endswith(r"\\")]
        assert len(rows) == 2 + len(there.rows)  # headings, baseline
        assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {len(exports.ALIGNED) - 1}
        assert len(re.findall(r"(?<!\\){", text)) == len(re.findall(r"(?<!\\)}", text))
        assert text.count("rule\n") == 4


def test_the_numbers_of_a_table_are_those_of_its_rows(tmp_path: Path) -> None:
    there = tables(fill(tmp_path))[0]
    read = pd.read_csv(StringIO(exports.csv(there)))
    assert list(read.columns) == list(exports.COLUMNS)
    assert list(read["variant"]) == ["baseline = ReLU", *EFFECTS["activation", ""]]
    assert list(read["effect"][1:]) == pytest.approx([row.effect for row in there.rows], rel=1e-5)
    assert list(read["n"]) == [5, 4, 4, 4]
    assert pd.isna(read["effect"][0])
    assert read["std"].between(0.01, 5).all()
    last = exports.markdown(there).splitlines()[4]
    assert re.fullmatch(r"\| a\\\|b \\<i\\>x\\_\$ \| 4 \| \d\d\.\d ± 0\.\d \| \+\d.* \| helps \| ≈ ×1.00 \|", last)  # noqa: RUF001


def test_what_is_missing_is_said() -> None:
    there = made(good=GOOD, absent=[])
    assert "preliminary: 4 runs missing" in exports.latex(there)
    assert "| absent | 0 of 4 |" in exports.markdown(there)


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="there is no pdflatex")
def test_a_paper_can_input_it(tmp_path: Path) -> None:
    there = tables(fill(tmp_path / "store"))[0]
    (tmp_path / "table.tex").write_text(exports.latex(there))
    paper = r"\documentclass{article}\usepackage{booktabs}\begin{document}\input{table}\end{document}"
    (tmp_path / "paper.tex").write_text(paper)
    subprocess.run(["pdflatex", "-halt-on-error", "paper"], cwd=tmp_path, check=True, capture_output=True)
