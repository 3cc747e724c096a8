"""Every variant of every table in one list, with what it takes to look further into it or to run it again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from shlex import join

from benchmark.claim import Claim
from benchmark.evidence.tables import Row, Table
from benchmark.report.cells import Line
from benchmark.report.counts import heading, machine, unique
from benchmark.report.view import Ablation, Section
from benchmark.store.records import Finished, TableRecord

PARTS = {  # of Wei 2015, http://lamda.nju.edu.cn/weixs/project/CNNTricks/CNNTricks.html
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
RESOLVED = ("helps", "hurts", "equivalent")


@dataclass(frozen=True)
class Variant:
    """A line of the list, and what it opens to."""

    name: str  # of its table, and its own
    section: Section
    line: Line
    part: str  # of the article, or AFTER
    data: str
    budget: str
    sources: list[str]
    seeds: list[int]  # with a finished run
    missing: list[int]  # planned, without one
    mixed: bool  # whether its runs and the baseline's come from several machines
    command: str  # that runs its table again
    beside: list[str]  # what else is known of it, in words


def every(named: dict[str, Table], ablations: Iterable[Ablation]) -> list[Variant]:
    """The variants of all tables: those with an answer by the size of their effects, then the others likewise."""
    found = [
        variant(named[section.name], section, line, ablation.sources)
        for ablation in ablations
        for section in ablation.sections
        for line in section.lines[1:]
    ]
    return sorted(found, key=lambda each: (each.line.verdict not in RESOLVED, -size(each.line)))


def size(line: Line) -> float:
    """Of the effect; what has none goes last."""
    return -1.0 if line.effect.order == "" else abs(float(line.effect.order))


def variant(table: Table, section: Section, line: Line, sources: list[str]) -> Variant:
    """One line of the list."""
    study, runs = table.study, table.arms[line.variant]
    planned = study.arm(line.variant).seeds
    seeds = sorted({run.seed for run in runs})
    return Variant(
        name=f"{heading(study)}: {line.variant}",
        section=section,
        line=line,
        part=part(study.claims),
        data=study.data,
        budget=study.budget,
        sources=sources,
        seeds=seeds,
        missing=sorted(set(range(planned)) - set(seeds)),
        mixed=is_mixed([*runs, *table.control]),
        command=command(study),
        beside=beside(next(row for row in table.rows if row.variant == line.variant)),
    )


def beside(row: Row) -> list[str]:
    """Effect and cost in other terms."""
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
    return f"{numbers[0]} {PARTS.get(numbers[0], '')}".strip() if numbers else AFTER


def is_mixed(runs: Iterable[Finished]) -> bool:
    """Whether runs come from several kinds of machine or software."""
    return len(unique(machine(run) for run in runs)) > 1


def command(study: TableRecord) -> str:
    """What trains a table; of an ensemble at least as often as it is in the store."""
    words = ["python", "-m", "benchmark", "run", "--data", study.data, "--budget", study.budget]
    if study.tricks:
        words += ["--design", study.design, *(word for trick in study.tricks for word in ("--trick", trick))]
    else:
        words += ["--only", study.ablation]
    seeds = [arm.seeds for arm in study.arms if arm.seeds]
    return join([*words, *(["--seeds", str(min(seeds))] if seeds else [])])
