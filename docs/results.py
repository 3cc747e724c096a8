"""Writes papers-measured.md and trial.md from the committed results: `python -m docs.results`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmark import report
from benchmark.budgets import BUDGETS
from benchmark.evidence.statements import Comparison, Place, counts, statements, verdict
from benchmark.evidence.tables import Table, tables
from benchmark.evidence.twins import without_twins
from benchmark.planning.discovery import discover
from benchmark.report.cells import NOTHING
from benchmark.report.markdown import plain_cell
from benchmark.report.text import digits_of
from benchmark.report.titles import of_ablation
from benchmark.report.view import with_unit
from benchmark.store.store import Store
from benchmark.store.version import ENGINE

HERE = Path(__file__).parent
REFERENCES = HERE.parent / "results" / "reference"
TRIAL = """# The article on trial

Wei 2015, [Must know tips/tricks in deep neural
networks](http://lamda.nju.edu.cn/weixs/project/CNNTricks/CNNTricks.html): every statement of the article that the
suite carries out, and what the committed runs say of it. [The article's statements](article.md) has the places of the
quotations. In brackets: how many comparisons support the statement, contradict it, and do neither. A statement is
*supported* or *contradicted* if all comparisons that say something say the same, and goes *both ways* if they do not:
it then depends on what is compared, which the table below it shows. Tests are at 5 %, corrected over the claims of
each table (Holm); a difference below the budget's margin decides nothing. `python -m docs.results` writes this page
from `results/reference`.

"""


def stores() -> list[Store]:
    """Returns the committed stores."""
    return [Store(lines.parent, ENGINE) for lines in sorted(REFERENCES.glob("*/runs.jsonl"))]


def pages(committed: Sequence[Store]) -> dict[str, str]:
    """Returns the text of each page by its name."""
    return {"papers-measured.md": papers_page(committed), "trial.md": trial_page(committed)}


def papers_page(committed: Sequence[Store]) -> str:
    """Returns the page of all papers, its anchors as MyST has them."""
    known = {each.name: each.published for each in discover()[0]}
    return re.sub(r'<a id="([^"]+)"></a>', r"(\1)=", report.papers_markdown(committed, known))


def trial_page(committed: Sequence[Store]) -> str:
    """Returns the page of the article's statements."""
    found: list[Table] = []
    for store in committed:
        found += [t for t in without_twins(tables(store)) if BUDGETS[t.study.budget].package == "ablations"]
    judged = statements(found)
    places = list(dict.fromkeys(place for by_place in judged.values() for place in by_place))
    words = quotations()
    return TRIAL + "\n".join([*summary(judged, places, words), "", *details(judged, words)]) + "\n"


def quotations() -> dict[str, str]:
    """Returns the article's words by the numbers of its statements, from article.md."""
    rows = [line.strip("|").split("|") for line in (HERE / "article.md").read_text(encoding="utf-8").splitlines()]
    return {row[0].strip(): row[1].strip() for row in rows if re.fullmatch(r"S\d+\.\d+", row[0].strip())}


def summary(
    judged: dict[str, dict[Place, list[Comparison]]], places: Sequence[Place], words: dict[str, str]
) -> Iterator[str]:
    """Yields the table of all statements: a line each, a column for each data set and budget."""
    yield f"| statement | the article's words | {' | '.join(f'{place.data}, {place.budget}' for place in places)} |"
    yield f"|---|---|{'---|' * len(places)}"
    for name, quotation in words.items():
        cells = [in_short(judged.get(name, {}).get(place, [])) for place in places]
        shown = f"[{name}](#{anchor(name)})" if name in judged else name
        yield f"| {shown} | {quotation} | {' | '.join(cells)} |"


def in_short(comparisons: Sequence[Comparison]) -> str:
    """Returns the word of a statement in one place, with its counts."""
    return f"**{verdict(comparisons)}** ({'/'.join(map(str, counts(comparisons)))})" if comparisons else NOTHING


def details(judged: dict[str, dict[Place, list[Comparison]]], words: dict[str, str]) -> Iterator[str]:
    """Yields a table for each statement: a line for each comparison, with its runs."""
    for name, by_place in judged.items():
        yield f"({anchor(name)})="
        yield f"## {name}\n"
        yield f"{words.get(name, '')}\n"
        yield "| comparison | in | difference [95 % interval] | judgement | runs |"
        yield "|---|---|---:|---|---|"
        for place, comparisons in by_place.items():
            yield from (line(place, each) for each in comparisons)
        yield ""


def anchor(name: str) -> str:
    """Returns the name of a statement's place on the page."""
    return f"statement-{name.lower().replace('.', '-')}"


def line(place: Place, each: Comparison) -> str:
    """Returns one comparison."""
    said = each.judgement
    where = ", ".join(filter(None, (of_ablation(each.table.ablation), each.table.context)))
    note = f" ({said.note})" if said.note else ""
    runs = ", ".join(f"{arm} {count}" for arm, count in each.runs.items())
    cells = [
        said.comparison,
        f"{where}; {place.data}, {place.budget}",
        with_unit(said, digits_of(each.margin)) or NOTHING,
        f"{said.word}{note}",
        runs,
    ]
    return f"| {' | '.join(map(plain_cell, cells))} |"


if __name__ == "__main__":
    for page, text in pages(stores()).items():
        (HERE / page).write_text(text, encoding="utf-8")
