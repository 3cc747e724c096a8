"""Writes the pages of the committed results, and their figure: `python -m docs.results`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmark import report
from benchmark.budgets import BUDGETS
from benchmark.evidence.doses import DoseResponse, dose_responses
from benchmark.evidence.lengths import Trick, Turn, budgets_of, by_budget, turns
from benchmark.evidence.statements import Comparison, Place, counts, statements, verdict
from benchmark.evidence.tables import Row, Table, tables
from benchmark.evidence.twins import without_twins
from benchmark.planning.discovery import discover
from benchmark.report.cells import NOTHING
from benchmark.report.dose_plot import file_of, in_words
from benchmark.report.length_plot import draw, name_of
from benchmark.report.markdown import plain_cell
from benchmark.report.text import digits_of, in_numbers, numeral
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

LENGTHS = """# Effects by length of training

What is a trick worth in a training of ten short epochs, and in one of forty long ones? Every trick that the committed
runs have at three budgets or more on CIFAR-10, against the baseline of the same budget, with the number of its runs in
brackets. The budgets differ in length, in the number of images and in the network ([budgets](budgets.md)), so that not
all of a difference is the length's: further down nothing but the length differs. `quick` was trained on a CPU on
CIFAR-10, all else on an NVIDIA H200, but for a few of the runs of `small`: each store's report counts its runs by
machine. `python -m docs.results` writes this page from `results/reference`.

![Effect of each trick by budget](lengths.svg)

"""
DOSES = """
## {data}: one network and the same images, trained longer

The network and the images of `{budget}`, for its epochs and for a multiple of them; the schedule is stretched with the
training. {said}

![Effect of each trick by epochs]({picture})

{lines}
"""


def stores() -> list[Store]:
    """Returns the committed stores."""
    return [Store(lines.parent, ENGINE) for lines in sorted(REFERENCES.glob("*/runs.jsonl"))]


def pages(committed: Sequence[Store]) -> dict[str, str]:
    """Returns the text of each page by its name."""
    found = catalogue_tables(committed)
    tricks = by_budget(found, "cifar10")
    return {
        "papers-measured.md": papers_page(committed),
        "trial.md": trial_page(found),
        "lengths.md": lengths_page(tricks) + "".join(map(doses_of, committed)),
        "lengths.svg": draw(tricks, "cifar10"),
    }


def catalogue_tables(committed: Sequence[Store]) -> list[Table]:
    """Returns the tables of ablations, those of papers left out."""
    found = [table for store in committed for table in without_twins(tables(store))]
    return [each for each in found if BUDGETS[each.study.budget].package == "ablations"]


def lengths_page(tricks: dict[Trick, dict[str, Row]]) -> str:
    """Returns the page of tricks at several budgets."""
    budgets, turned = budgets_of(tricks), turns(tricks)
    lines = [
        " ".join(["Resolved effects of opposite signs:", *map(turn_in_words, turned)])
        if turned
        else "No trick has resolved effects of opposite signs at two budgets.",
        "",
        effects_table(
            [f"{name}, {BUDGETS[name].images_seen:,} images seen" for name in budgets],
            {name_of(trick): [places.get(name) for name in budgets] for trick, places in tricks.items()},
        ),
    ]
    return LENGTHS + "\n".join(lines) + "\n"


def effects_table(columns: Sequence[str], tricks: Mapping[str, Sequence[Row | None]]) -> str:
    """Returns the effects of each trick at several lengths of training, each a column."""
    lines = [f"| trick | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
    for name, rows in tricks.items():
        cells = [effect_in_words(row) if row else NOTHING for row in rows]
        lines.append(f"| {' | '.join(map(plain_cell, [name, *cells]))} |")
    return "\n".join(lines)


def doses_of(store: Store) -> str:
    """Returns the parts of the page about a budget that one store has trained for several times its epochs."""
    plots = f"../results/reference/{store.folder.name}/report/plots"
    return "".join(doses_section(each, plots) for each in dose_responses(catalogue_tables([store])))


def doses_section(found: DoseResponse, plots: str) -> str:
    """Returns one part; `plots` is the folder of the store's figures."""
    study = found.study
    times = sorted({point.times for points in found.curves.values() for point in points})
    rows = {name: {point.times: point.row for point in points} for name, points in found.curves.items()}
    return DOSES.format(
        data=study.data,
        budget=study.budget,
        said=plain_cell(in_words(found)),
        picture=f"{plots}/{file_of(found)}.svg",
        lines=effects_table(
            [f"×{numeral(each)}" for each in times],  # noqa: RUF001  times
            {name: [at.get(each) for each in times] for name, at in rows.items()},
        ),
    )


def turn_in_words(turn: Turn) -> str:
    """Returns a change of sign as a sentence."""
    ends = [f"{effect_in_words(row)} at {row.budget}" for row in (turn.before, turn.after)]
    return f"{name_of(turn.trick)}, {' and '.join(ends)}."


def effect_in_words(row: Row) -> str:
    """Returns an effect with its interval, its verdict and the runs of the variant."""
    numbers = in_numbers(row.effect, row.ci_low, row.ci_high, digits_of(BUDGETS[row.budget].margin))
    return f"{numbers}, {row.verdict} ({row.n})"


def papers_page(committed: Sequence[Store]) -> str:
    """Returns the page of all papers, its anchors as MyST has them."""
    known = {each.name: each.published for each in discover()[0]}
    return re.sub(r'<a id="([^"]+)"></a>', r"(\1)=", report.papers_markdown(committed, known))


def trial_page(found: Sequence[Table]) -> str:
    """Returns the page of the article's statements."""
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
