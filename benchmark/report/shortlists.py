"""Which tricks are worth using: three short lists for each data set and budget, as values and as Markdown.

They compare with the main baseline, the control that most tables share: what helps another control, such as a network
without normalisation, may still end below it. Each recipe counts once, in however many tables it stands.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmark.errors import UsageError, canonical_name, unknown
from benchmark.evidence.judgements import more_seeds
from benchmark.evidence.tables import Row, Table
from benchmark.report import titles
from benchmark.report.cells import NOTHING, SIGNS, times
from benchmark.report.markdown import plain_cell
from benchmark.report.text import digits_of, in_numbers
from benchmark.store.records import ArmRecord, TableRecord

BEGIN, END = "<!-- effects:begin -->", "<!-- effects:end -->"
TRICKS_SHOWN = 4  # tricks of a list in a document
PRICES = {  # fields of a recipe or an ensemble that make more of everything; what a row then costs besides
    "network": "another network",
    "convolution": "another network",
    "start_from": "trained on other images before",
    "members": "several networks",
    "recipes": "several networks",
    "combine": "several networks",
    "choose": "several networks",
}


@dataclass(frozen=True)
class Candidate:
    """A variant with runs, from the one of its tables that shows it best."""

    section: str  # name of the table's files
    study: TableRecord
    arm: ArmRecord
    row: Row
    main: bool  # whether its control is the main baseline
    price: str  # what it takes besides its own training; empty for the same network trained as long

    @property
    def title(self) -> str:
        """Returns the trick and the variant, with the context where that makes another baseline."""
        trick = titles.of_ablation(self.row.ablation) if self.main else titles.title(self.study)
        if trick.lower() == self.row.variant.lower():
            return trick
        return f"{trick}: {self.row.variant}"

    @property
    def against(self) -> str:
        """Returns what it is compared with, in words."""
        return "baseline" if self.main else self.study.context or self.study.control.variant


@dataclass(frozen=True)
class Entry:
    """A trick in a list, by its best variant there."""

    best: Candidate
    others: int  # more variants of it in the same list


@dataclass(frozen=True)
class Shortlists:
    """What is known of the tricks on one data set and budget, against its main baseline."""

    data: str
    budget: str
    margin: float  # points
    accuracy: float | None  # of the main baseline, points
    runs: int  # of it
    counts: dict[str, int] = field(default_factory=dict)  # variants by verdict, each recipe once
    worth: list[Entry] = field(default_factory=list)  # helps with the same network, trained as long
    price: list[Entry] = field(default_factory=list)  # helps with more: longer, larger, several, trained before
    not_worth: list[Entry] = field(default_factory=list)  # no variant helps, all are known to be equal or worse
    unknown: list[Entry] = field(default_factory=list)  # no variant helps, and of one or more it is not known

    @property
    def everything(self) -> list[Entry]:
        """Returns the entries of all lists, the best news first."""
        return [*self.worth, *self.price, *self.unknown, *self.not_worth]


def shortlists(named: Mapping[str, Table]) -> list[Shortlists]:
    """Returns the lists of each data set and budget among tables, given by the names of their files."""
    groups: dict[tuple[str, str], list[Candidate]] = {}
    for each in candidates(named):
        groups.setdefault((each.study.data, each.study.budget), []).append(each)
    mains = main_controls([table.study for table in named.values()])
    found = []
    for (data, budget), group in groups.items():
        control = next(table for table in named.values() if table.study.control.recipe == mains[data, budget])
        there = [each for each in group if each.main and each.study.design == "add-one"]
        row = next((each.row for each in there), None)
        found.append(
            Shortlists(
                data=data,
                budget=budget,
                margin=control.study.margin,
                accuracy=row.accuracy_control if row else None,
                runs=len(control.control),
                counts=dict(Counter(each.row.verdict for each in there)),
                **sorted_into_lists(there),
            )
        )
    return found


def candidates(named: Mapping[str, Table]) -> list[Candidate]:
    """Returns the variants that have runs; of one recipe against one control in several tables, the row of one.

    Tables that add one trick go before designs of several tricks, tables without a context before those with one.
    """
    found: dict[tuple[str, ...], tuple[tuple[bool, bool], Candidate]] = {}
    for each in repeated(named):
        study = each.study
        rank = (study.design != "add-one", bool(study.context))
        key = (study.fingerprint, study.budget, study.control.recipe, each.arm.recipe)
        if key not in found or rank <= found[key][0]:
            found[key] = rank, each
    return [candidate for _, candidate in found.values()]


def repeated(named: Mapping[str, Table]) -> list[Candidate]:
    """Returns the variants that have runs, once for each of their tables."""
    mains = main_controls([table.study for table in named.values()])
    return [
        Candidate(
            name,
            table.study,
            arm := table.study.arm(row.variant),
            row,
            table.study.control.recipe == mains[table.study.data, table.study.budget],
            price(arm, table.study.control),
        )
        for name, table in named.items()
        for row in table.rows
        if row.n
    ]


def main_controls(studies: Sequence[TableRecord]) -> dict[tuple[str, str], str]:
    """Returns the recipe of the main baseline by data set and budget: the control of most tables without a context."""
    votes: dict[tuple[str, str], Counter[str]] = {}
    for study in studies:
        weight = len(studies) if study.design == "add-one" and not study.context else 1
        votes.setdefault((study.data, study.budget), Counter())[study.control.recipe] += weight
    return {place: counter.most_common(1)[0][0] for place, counter in votes.items()}


def price(arm: ArmRecord, control: ArmRecord) -> str:
    """Returns what an arm takes besides its own training, in words; empty for the same network trained as long."""
    words = [PRICES[name] for name in arm.changes if name in PRICES]
    if arm.ensemble:
        words.append("several networks")
    if "epochs" in arm.changes and not (arm.facts and control.facts and arm.facts.epochs <= control.facts.epochs):
        words.append("longer training")
    return ", ".join(dict.fromkeys(words))


def sorted_into_lists(there: Iterable[Candidate]) -> dict[str, list[Entry]]:
    """Returns the four lists of variants with the main baseline as their control; each trick stands in one of them,
    unless it has variants worth using and others that help at a price."""
    tricks: dict[str, list[Candidate]] = {}
    for each in there:
        if each.row.effect is not None:
            tricks.setdefault(each.row.ablation, []).append(each)
    lists: dict[str, list[Entry]] = {"worth": [], "price": [], "not_worth": [], "unknown": []}
    for variants in tricks.values():
        helps = [each for each in variants if each.row.verdict == "helps"]
        free, dear = ([each for each in helps if bool(each.price) == costs] for costs in (False, True))
        settled = all(each.row.verdict in ("hurts", "equivalent") for each in variants)
        if free:
            lists["worth"].append(entry(free))
        if dear:
            lists["price"].append(entry(dear))
        if not helps:
            open_ = [each for each in variants if each.row.verdict not in ("hurts", "equivalent")]
            lists["not_worth" if settled else "unknown"].append(entry(variants if settled else open_))
    rising = {name: sorted(each, key=lambda one: one.best.row.effect or 0.0) for name, each in lists.items()}
    return {name: each if name == "not_worth" else each[::-1] for name, each in rising.items()}


def entry(variants: Sequence[Candidate]) -> Entry:
    """Returns the best of a trick's variants, and how many others there are."""
    return Entry(max(variants, key=lambda each: each.row.effect or 0.0), len(variants) - 1)


def markdown(found: Sequence[Shortlists], shown: int = TRICKS_SHOWN) -> str:
    """Returns the lists as Markdown, at most `shown` tricks of each."""
    return "\n".join(part for each in found for part in list_lines(each, shown)) + "\n" if found else ""


def list_lines(each: Shortlists, shown: int) -> list[str]:
    """Returns the lines of one data set and budget."""
    digits = digits_of(each.margin)
    known = "" if each.accuracy is None else f" of {each.accuracy:.{digits}f} %"
    where = f"{plain_cell(each.data)}, budget {plain_cell(each.budget)}"
    lines = [f"Against the baseline{known} test accuracy on {where} ({each.runs} runs of it); effects in points.", ""]
    for heading, entries in headings(each):
        if not entries:
            continue
        lines += [f"**{heading}**", "", "| trick | accuracy | effect [95 % interval] | training time | verdict |"]
        lines += ["|---|---:|---:|---:|---|"]
        for one in entries[:shown]:
            cells = (title_of(one), accuracy_text(one.best, digits), effect_text(one.best, digits), time(one.best.row))
            lines.append(
                f"| {' | '.join(plain_cell(cell) for cell in cells)} | {plain_cell(verdict_text(one.best))} |"
            )
        lines += ["", *([f"… and {len(entries) - shown} more.", ""] if len(entries) > shown else [])]
    return lines


def headings(each: Shortlists) -> list[tuple[str, list[Entry]]]:
    """Returns the lists with what they are called."""
    return [
        ("Worth using: helps with the same network, trained as long", each.worth),
        ("Helps at a price: more training, more networks or another one", each.price),
        ("Not worth it here: no variant helps", each.not_worth),
        ("Not known yet: too few runs to say", each.unknown),
    ]


def title_of(one: Entry) -> str:
    """Returns an entry's trick and variant, and how many other variants are in the same list."""
    return one.best.title + (f" (+ {one.others} more)" if one.others else "")


def accuracy_text(each: Candidate, digits: int) -> str:
    """Returns its mean test accuracy in percent."""
    return NOTHING if each.row.accuracy is None else f"{each.row.accuracy:.{digits}f} %"


def effect_text(each: Candidate, digits: int) -> str:
    """Returns its effect with the interval, in points."""
    return in_numbers(each.row.effect, each.row.ci_low, each.row.ci_high, digits)


def time(row: Row) -> str:
    """Returns its training time over the baseline's, marked where it is no better than seconds of runs."""
    return f"{'' if row.time_measured or row.time_ratio is None else '≈ '}{times(row.time_ratio)}"


def verdict_text(each: Candidate) -> str:
    """Returns the verdict with its sign, and what it takes or lacks."""
    row = each.row
    word = f"{SIGNS[row.verdict]} {row.verdict}" if row.verdict in SIGNS else row.verdict
    lacks = more_seeds(row.seeds_needed) if row.verdict == "unresolved" and row.seeds_needed else ""
    about = each.price if row.verdict == "helps" else lacks
    return f"{word} ({about})" if about else word


def replaced(text: str, block: str) -> str:
    """Returns a document with what stands between the markers replaced by `block`; raises ValueError without them."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"it needs a line {BEGIN} and, after it, a line {END}")
    return f"{before}{BEGIN}\n\n{block.strip()}\n\n{END}{after}"


def write_into(path: Path, named: Mapping[str, Table]) -> None:
    """Puts the lists between the markers of a document. Raises UsageError if it cannot be read, or has no markers."""
    try:
        text = replaced(path.read_text(encoding="utf-8"), markdown(shortlists(named)))
        path.write_bytes(text.encode())
    except OSError as reason:
        raise UsageError(f"cannot use {path}: {reason.strerror}; --readme takes a Markdown file") from reason
    except ValueError as reason:
        raise UsageError(f"cannot put the lists into {path}: {reason}") from reason


def choose_rows(named: Mapping[str, Table], rows: Sequence[str]) -> list[list[Candidate]]:
    """Returns groups of rows for one table: the rows of these names, else at most SHOWN of each short list.

    A row is named as its table and variant are, "ABLATION (context): VARIANT", in any case. Raises UsageError for
    one that is not there.
    """
    if not rows:
        return [
            [one.best for one in entries[:TRICKS_SHOWN]] for each in shortlists(named) for _, entries in headings(each)
        ]
    every = {table.row(each.row.variant): each for each in repeated(named) for table in named[each.section].names}
    there = {canonical_name(name): each for name, each in every.items()}
    for name in rows:
        if canonical_name(name) not in there:
            raise unknown("row", name, list(every))
    return [[there[canonical_name(name)] for name in rows]]
