"""A paper's table and ours, in words and cells; and the page of all papers, in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from shlex import join

from benchmark.budgets import BUDGETS, FULL, REDUCED
from benchmark.claim import CONTROL, PublishedTables
from benchmark.errors import UsageError
from benchmark.evidence.judgements import CONTRADICTED, SUPPORTED, Judgement, judgements
from benchmark.evidence.published import UNRESOLVED, Fate, PublishedRow, RankAgreement, fate, order, published_rows
from benchmark.evidence.tables import Table, tables
from benchmark.report import titles
from benchmark.report.cells import NOTHING
from benchmark.report.counts import distinct, machine, records_of
from benchmark.report.text import digits_of, in_numbers, signed
from benchmark.store.records import TableName, TableRecord
from benchmark.store.store import Store

TRUST = {"read": "", "quoted": " (quoted)", "recalled": " (from memory)"}
CATALOGUE = "the paper's rows on our baseline"


@dataclass(frozen=True)
class ShownPaper:
    """A published table, ready to be shown."""

    title: str
    lines: list[dict[str, str]]  # by the names of its columns
    order: str  # how far the two tables agree in order; empty where that is not known
    command: str  # that trains all of it again
    row_command: str  # that trains one row again, and the control
    claims: list[tuple[Judgement, str]]  # with the difference in numbers
    machines: list[str]  # that trained its runs; the same seeds give the same numbers on each of them alone


@dataclass(frozen=True)
class Paper:
    """All tables of one module on one budget."""

    name: str  # of its place on the page
    title: str
    form: str  # reduced, full, or that it is the catalogue's own table
    question: str
    remarks: str
    sources: tuple[str, ...]
    fate: Fate
    signs: str  # of the published differences: supported/contradicted/unresolved
    order: str  # tau and pairs of its tables
    tables: list[ShownPaper]

    @property
    def word(self) -> str:
        """Returns what became of its claims, in words."""
        found = self.fate
        return f"{found.word} ({found.supported} of {found.claims} claims)" if found.claims else found.word


def lines(table: Table) -> list[dict[str, str]]:
    """Returns a paper's table and ours, line by line, by the names of the columns; none if none is published."""
    digits = digits_of(table.study.margin)
    return [published_line(each, digits) for each in published_rows(table)]


def published_line(each: PublishedRow, digits: int) -> dict[str, str]:
    """Returns one line."""
    spread = "" if each.deviation is None else f" ± {each.deviation:.{digits}f}"
    return {
        "row": each.arm,
        "published, %": f"{each.published.accuracy:.2f}{TRUST[each.published.trust]}",
        "measured, % ± std": NOTHING if each.accuracy is None else f"{each.accuracy:.{digits}f}{spread}",
        "runs": str(each.runs),
        "published difference": NOTHING if each.published_effect is None else signed(each.published_effect, 2),
        "measured difference [95 % interval]": in_numbers(each.effect, each.ci_low, each.ci_high, digits) or NOTHING,
        "the sign": each.sign or NOTHING,
    }


def order_in_words(found: RankAgreement | None) -> str:
    """Returns how far two tables agree in order, in words; empty where nothing is known of it."""
    if found is None:
        return ""
    said = ", ".join(f"{count} {word}" for word, count in found.pairs.items())
    return (
        f"Order of {found.rows} rows: Kendall's tau {found.tau:.2f} (a random order gives as much with probability "
        f"{found.chance:.2g}); of {sum(found.pairs.values())} pairs that the paper tells apart, {said}."
    )


def signs(tables: Iterable[Table]) -> str:
    """Returns how many of the published signs are supported, contradicted and unresolved, for a line of a list."""
    found = [each.sign for table in tables for each in published_rows(table)]
    counts = [found.count(word) for word in (SUPPORTED, CONTRADICTED, UNRESOLVED)]
    return "/".join(map(str, counts)) if any(counts) else NOTHING


def brief(tables: Iterable[Table]) -> str:
    """Returns tau and pairs of each of several tables, for a line of a list."""
    found = [each for each in map(order, tables) if each]
    return "; ".join(
        f"tau {each.tau:.2f}, pairs {'/'.join(str(count) for count in each.pairs.values())}" for each in found
    )


def find_papers(stores: Sequence[Store], known: Mapping[str, PublishedTables]) -> list[Paper]:
    """Returns all published tables in `stores`; of a table that several have, the first with runs counts.

    `known` has what papers say of the catalogue's tables, by ablation, for those that were stored before that was
    stated. Raises UsageError if there is none.
    """
    first: dict[TableName, Table] = {}
    for table in (table for store in stores for table in tables(store)):
        if table.control or any(table.arms.values()):
            first.setdefault(table.study.name, with_published(table, known.get(table.study.ablation, {})))
    found = papers(list(first.values()))
    if not found:
        raise UsageError("there are no published tables with runs yet; `python -m benchmark papers` trains them")
    return found


def papers(found: Sequence[Table]) -> list[Paper]:
    """Returns the papers of which there are tables: those of papers/ first, then the catalogue's."""
    groups: dict[tuple[str, str], list[Table]] = {}
    for table in found:
        if table.study.published or is_paper(table.study):
            groups.setdefault((table.study.ablation, table.study.budget), []).append(table)
    made = [paper(tables) for tables in groups.values()]
    return sorted(made, key=lambda each: (each.form not in (FULL, REDUCED), each.form != FULL, each.title))


def with_published(table: Table, known: PublishedTables) -> Table:
    """Returns a table with what is `known` to be published of its arms, if it was stored without."""
    study = table.study
    if study.published or study.tricks:
        return table
    there = {CONTROL, *study.same, *(arm.variant for arm in study.arms)}
    values = {name: value for name, value in known.get((study.data, study.context), {}).items() if name in there}
    return replace(table, study=replace(study, published=values))


def is_paper(study: TableRecord) -> bool:
    """Returns whether a table is of a module in papers/."""
    return study.budget in BUDGETS and BUDGETS[study.budget].package == "papers"


def paper(tables: Sequence[Table]) -> Paper:
    """Returns one paper. Of the catalogue's tables, the claims are the article's, and not counted here."""
    study = tables[0].study
    own, several = is_paper(study), len({each.study.data for each in tables}) > 1
    found = fate(tables)
    return Paper(
        name=f"{study.ablation}-{study.budget}",
        title=titles.of_ablation(study.ablation),
        form=study.budget if own else f"{CATALOGUE}, {study.budget}",
        question=study.question,
        remarks=study.remarks,
        sources=study.sources,
        fate=found if own else Fate(NOTHING, 0, 0, found.hours),
        signs=signs(tables),
        order=brief(tables) or NOTHING,
        tables=[show_published(each, own, several) for each in tables],
    )


def show_published(table: Table, own: bool, several: bool) -> ShownPaper:
    """Returns one table. `own`: of a module in papers/, whose claims are the paper's."""
    study, digits = table.study, digits_of(table.study.margin)
    parts = [study.context, *([study.data] if several else [])]
    judged = judgements(table) if own else []
    return ShownPaper(
        title=", ".join(part for part in parts if part),
        lines=lines(table) or unpublished_rows(table, digits),
        order=order_in_words(order(table)),
        command=command(study, own),
        row_command=command(study, own, study.arms[-1].variant),
        claims=[(each, in_numbers(each.effect, each.ci_low, each.ci_high, digits)) for each in judged],
        machines=distinct(map(machine, records_of([table]))),
    )


def unpublished_rows(table: Table, digits: int) -> list[dict[str, str]]:
    """Returns the rows of a table of which no numbers are published."""
    rows = {each.variant: each for each in table.rows}
    found = []
    for name in (CONTROL, *rows):
        scores = table.runs(name)
        each = rows.get(name)
        accuracy = each.accuracy if each else next((row.accuracy_control for row in table.rows), None)
        found.append(
            {
                "row": name if each else " = ".join((CONTROL, *table.study.same)),
                "measured, %": NOTHING if accuracy is None else f"{accuracy:.{digits}f}",
                "runs": str(len(scores)),
                "difference [95 % interval]": in_numbers(each.effect, each.ci_low, each.ci_high, digits) or NOTHING
                if each
                else NOTHING,
            }
        )
    return found


def command(study: TableRecord, own: bool, row: str = "") -> str:
    """Returns the command that trains a table anew, in a store of its own; or one `row` of it, with the control."""
    seeds = [arm.seeds for arm in study.arms if arm.seeds and not arm.ensemble]
    many = ["--seeds", str(min(seeds))] if seeds else []
    name = study.name.row(row) if row else str(study.name)
    again = ["--store", "results/again"]
    if own:
        full = ["--full"] if study.budget == FULL else []
        words = ["papers", *full, "--data", study.data, "--only", name, *many, "--fresh", *again]
    else:
        words = ["run", "--data", study.data, "--budget", study.budget, "--only", name, *many, *again]
    return join(["python", "-m", "benchmark", *words])
