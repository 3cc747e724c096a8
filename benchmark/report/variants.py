"""The list of every variant that has runs, with what it takes to look further into it or to run it again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from shlex import join

from benchmark.budgets import BUDGETS
from benchmark.claim import Claim
from benchmark.evidence.tables import Row, Table
from benchmark.report.cells import Cell, Line, ordered
from benchmark.report.counts import distinct, machine
from benchmark.report.shortlists import Candidate, time
from benchmark.report.view import AblationView
from benchmark.store.records import Finished, TableRecord

ARTICLE_PARTS = {  # of Wei 2015, http://lamda.nju.edu.cn/weixs/project/CNNTricks/CNNTricks.html
    "1": "data augmentation",
    "2": "pre-processing",
    "3": "initialisation",
    "4": "during training",
    "5": "activation functions",
    "6": "regularisation",
    "7": "insights from figures",
    "8": "ensembles",
}
AFTER = "after the article"
RANKS = {"helps": 0, "equivalent": 1, "unresolved": 2, "hurts": 4}  # of verdicts, the best news first; others 3


@dataclass(frozen=True)
class Variant:
    """A line of the list, and what it opens to."""

    name: str  # of its trick or table, and its own
    section: str  # name of its table
    line: Line
    against: str  # what it is compared with
    main: bool  # whether that is the main baseline
    time: Cell  # training time over the baseline's
    price: str  # what it takes besides; see shortlists.Candidate
    part: str  # of the article, or AFTER
    data: str
    budget: str
    seeds: list[int]  # with a finished run
    missing: list[int]  # planned, without one
    mixed: bool  # whether its runs and the baseline's come from several machines
    command: str  # that runs its table again
    also: list[str]  # what else is known of it, in words


def every(found: Sequence[Candidate], named: Mapping[str, Table], ablations: Iterable[AblationView]) -> list[Variant]:
    """Returns the variants that have runs, each recipe once, by merit: verdict, main baseline first, then effect."""
    lines = {
        (section.name, line.variant): line
        for ablation in ablations
        for section in ablation.sections
        for line in section.lines[1:]
    }
    listed = [variant(each, named[each.section], lines[each.section, each.row.variant]) for each in found]
    return sorted(listed, key=merit)


def merit(each: Variant) -> tuple[int, bool, float]:
    """Returns what the list is sorted by; what has no effect goes last among its like."""
    order = each.line.effect.order
    return RANKS.get(each.line.verdict, 3), not each.main, inf if order == "" else -float(order)


def variant(each: Candidate, table: Table, line: Line) -> Variant:
    """Returns one line of the list."""
    study, runs = each.study, table.arms[line.variant]
    seeds = sorted({run.seed for run in runs})
    return Variant(
        name=each.title,
        section=each.section,
        line=line,
        against=each.against,
        main=each.main,
        time=Cell(time(each.row), ordered(each.row.time_ratio)),
        price=each.price,
        part=part(study.claims),
        data=study.data,
        budget=study.budget,
        seeds=seeds,
        missing=sorted(set(range(each.arm.seeds)) - set(seeds)),
        mixed=is_mixed([*runs, *table.control]),
        command=run_command(replace(study, context=table.names[0].context), line.variant),
        also=also(each.row),
    )


def also(row: Row) -> list[str]:
    """Returns effect and cost in other terms."""
    found = []
    if row.worth is not None:
        low, high = (f"×{end:.2g}" if end else "beyond what was tried" for end in (row.worth_low, row.worth_high))  # noqa: RUF001
        found.append(f"as good as the baseline trained ×{row.worth:.2g} as long [{low}, {high}]")  # noqa: RUF001  times
    if row.superiority is not None:
        ranks = "" if row.p_rank is None else f" (Brunner-Munzel p = {row.p_rank:.2g})"
        found.append(f"a run of it beats one of the baseline with probability {row.superiority:.2f}{ranks}")
    if row.memory_ratio is not None:
        found.append(f"peak memory ×{row.memory_ratio:.2f}")  # noqa: RUF001  times
    return found


def part(claims: Sequence[Claim]) -> str:
    """Returns the part of the article that the first of its statements among the claims is from: 5 of S5.2."""
    numbers = [str(claim.part) for claim in claims if claim.part is not None]
    return f"{numbers[0]} {ARTICLE_PARTS.get(numbers[0], '')}".strip() if numbers else AFTER


def is_mixed(runs: Iterable[Finished]) -> bool:
    """Returns whether runs come from several kinds of machine or software."""
    return len(distinct(machine(run) for run in runs)) > 1


def run_command(study: TableRecord, variant: str) -> str:
    """Returns the command that trains a variant; of a design of several tricks, its table."""
    start = ["--budget", study.budget] if study.budget in BUDGETS else ["--base", f"{study.budget}.py"]
    words = ["python", "-m", "benchmark", "run", "--data", study.data, *start]
    if study.tricks:
        words += ["--design", study.design, *(word for trick in study.tricks for word in ("--trick", trick))]
    else:
        words += ["--only", study.name.row(variant)]
    seeds = [arm.seeds for arm in study.arms if arm.seeds]
    return join([*words, *(["--seeds", str(min(seeds))] if seeds else [])])
