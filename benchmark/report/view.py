"""What the templates of a report show, as plain values."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import floor, log10

from benchmark.evidence.diagnosis import Finding
from benchmark.evidence.factors import Factors, factors
from benchmark.evidence.judgements import Judgement, count_words, judgements
from benchmark.evidence.published import order
from benchmark.evidence.sweeps import Sweep, SweepArm
from benchmark.evidence.tables import Decision, Table, decisions, guessing, lengths_ladder
from benchmark.evidence.worth import falls
from benchmark.report import published, titles
from benchmark.report.cells import NOTHING, Line, baseline, line, times
from benchmark.report.counts import (
    RunCounts,
    changed_since,
    commits,
    count_runs,
    distinct,
    machine,
    members_of,
    moment,
    records_of,
    software,
)
from benchmark.report.factor_table import FactorTable, show_factors
from benchmark.report.legend import legend
from benchmark.report.style import LINEAR, Picture, is_logarithmic
from benchmark.report.text import control_name, digits_of, in_numbers, numeral, signed
from benchmark.store.records import Calibration, FailedRecord, Record, RunRecord
from benchmark.store.store import Store

CAPTIONS = {  # of the figure of a sweep, by the field that is swept
    "learning_rate": "Left: the best of the rates that are diagnosed as good or high, the worst of the others; median "
    "over the runs. Right: every run of the sweep, marked by the diagnosis of its own curve. Shaded: the rates that "
    "are good by the outcome, within 3 points of the best rate's validation accuracy.",
    "batch_size": "Left: the loss of every batch of one run, its running mean over a twentieth of the training, and "
    "one standard deviation about it. Right: the width of that band in the last epoch.",
    "network": "Training accuracy of the curves is that of each epoch's batches as they were trained on; after the "
    "last epoch it is measured on the images as they are. Shaded: the gap.",
}


@dataclass(frozen=True)
class Section:
    """One table with its plots and claims."""

    name: str  # of its files and of its place on the page
    title: str
    control: str
    margin: str
    wide: str  # points, where the effect axis turns logarithmic; empty if it does not
    lines: list[Line]  # the baseline, and the variants that have runs
    absent: list[str]  # the variants that have none
    counts: dict[str, int]  # variants by verdict
    missing: int
    mixed: list[str]  # the machines, where there are several
    looks: int  # interim tests of this table while runs were added
    lengths: str  # why no effect is expressed as a length of training, of the table of lengths; else empty
    plots: dict[str, Picture]  # by the names of their files
    claims: list[tuple[Judgement, str]]  # with the difference in numbers
    ensembles: list[dict[str, str]]  # lines of their table, by the names of its columns
    diagnosis: list[Diagnosed]  # of a sweep; else empty
    caption: str  # of the figure of a sweep
    hits: str  # how often the learning rates were diagnosed as they are; else empty
    published: list[dict[str, str]]  # lines of a paper's table and ours, by the names of its columns
    order: str  # how far the two agree in order; empty where there is none


@dataclass(frozen=True)
class Diagnosed:
    """What most runs of one value of a sweep tell."""

    variant: str
    word: str
    runs: str  # how many of how many
    numbers: str  # of the first of them
    remedy: str


@dataclass(frozen=True)
class AblationView:
    """The tables of one ablation."""

    name: str
    title: str
    question: str
    remarks: str
    sources: list[str]
    factors: list[FactorTable]  # of two factors, where its tables are
    sections: list[Section]


@dataclass(frozen=True)
class Overview:
    """Everything that a template shows."""

    data: list[tuple[str, str, float]]  # name, why it was chosen, accuracy of guessing
    budgets: list[str]
    margins: list[str]
    counts: RunCounts
    machines: list[tuple[str, int]]  # with their runs
    mixed: bool
    commits: list[str]  # which code made the runs, with their number
    changed_since: int  # runs by code with changes that are in no commit
    software: list[str]  # what else is recorded of where they were made
    first: str
    last: str
    verdicts: dict[str, int]
    honest: Calibration | None  # what `calibrate` found
    claims: dict[str, int]
    trial: list[tuple[Section, Judgement, str]]  # every claim, in the order of the article
    crossed: list[Factors]
    ablations: list[AblationView]  # those that have runs
    untrained: list[str]  # titles of tables without any run
    legend: list[tuple[str, str]]


def on_trial(sections: Sequence[Section]) -> list[tuple[Section, Judgement, str]]:
    """Returns the claims of all tables by their names: S5.2 before S5.10, the article's before the others."""
    every = [(section, judged, difference) for section in sections for judged, difference in section.claims]
    return sorted(every, key=lambda each: (not re.match(r"S?\d", each[1].name), parts_of(each[1].name)))


def parts_of(name: str) -> list[tuple[int, str]]:
    """Returns the parts of a name, its numbers as numbers."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.findall(r"\d+|\D+", name)]


def overview(
    store: Store,
    every: Mapping[str, Record],
    named: dict[str, Table],
    drawn: dict[str, dict[str, Picture]],
    swept: dict[str, Sweep],
) -> Overview:
    """Returns what there is to show of `named` tables, made of `every` run of a store, and their drawn plots."""
    studies = [table.study for table in named.values()]
    several = len({(study.data, study.budget) for study in studies}) > 1
    crossed = factors(named.values())
    trained = {name: table for name, table in named.items() if any(table.arms.values())}
    ablations = grouped(trained, drawn, swept, crossed, several)
    data = distinct((study.data, study.data_choice, round(guessing(study), 1)) for study in studies)
    margins = distinct(numeral(study.margin) for study in studies)
    sections = [section for ablation in ablations for section in ablation.sections]
    records = every.values()
    used = [record for record in records_of(named.values()) if isinstance(record, RunRecord)]
    used += members_of([r for r in records if not isinstance(r, FailedRecord)], named.values(), used)
    times = [(record.started, record.finished) for record in used] or [("", "")]
    return Overview(
        data=data,
        budgets=distinct(study.budget for study in studies),
        margins=margins,
        counts=count_runs(records, named.values(), used),
        machines=list(Counter(map(machine, used)).items()),
        mixed=len(set(map(machine, used))) > 1,
        commits=commits(used),
        changed_since=changed_since(used),
        software=software(used),
        first=moment(min(started for started, _ in times)),
        last=moment(max(finished for _, finished in times)),
        honest=store.calibration(),
        verdicts=dict(Counter(row.verdict for table in named.values() for row in table.rows)),
        claims=count_words([claim for section in sections for claim, _ in section.claims]),
        trial=on_trial(sections),
        crossed=crossed,
        ablations=ablations,
        untrained=[titles.title(table.study, several) for name, table in named.items() if name not in trained],
        legend=legend(margins, [(name, chance) for name, _, chance in data]),
    )


def grouped(
    named: dict[str, Table],
    drawn: dict[str, dict[str, Picture]],
    swept: dict[str, Sweep],
    crossed: list[Factors],
    several: bool,
) -> list[AblationView]:
    """Returns the tables by ablation, in the order of planning."""
    tables_of: dict[str, list[str]] = {}
    for name, table in named.items():
        tables_of.setdefault(table.study.ablation, []).append(name)
    return [
        AblationView(
            name=ablation,
            title=titles.of_ablation(ablation),
            question=named[names[-1]].study.question,
            remarks=named[names[-1]].study.remarks,
            sources=distinct(link for name in names for link in named[name].study.sources),
            factors=[show_factors(each, several) for each in crossed if each.ablation == ablation],
            sections=[section(name, named[name], drawn.get(name, {}), swept.get(name), several) for name in names],
        )
        for ablation, names in tables_of.items()
    ]


def section(name: str, table: Table, plots: dict[str, Picture], sweep: Sweep | None, several: bool) -> Section:
    """Returns one table, ready to be shown."""
    margin = table.study.margin
    digits = digits_of(margin)
    machines = distinct(map(machine, records_of([table])))
    judged = judgements(table)
    return Section(
        name=name,
        title=titles.title(table.study, several),
        control=control_name(table),
        margin=numeral(margin),
        wide=numeral(LINEAR * margin) if is_logarithmic(table.rows, margin) else "",
        lines=[
            baseline(table, digits),
            *(line(row, table.study.arm(row.variant), table, digits) for row in table.rows if row.n),
        ],
        absent=[row.variant for row in table.rows if not row.n],
        counts=dict(Counter(row.verdict for row in table.rows if row.n)),
        missing=table.missing,
        mixed=machines if len(machines) > 1 else [],
        looks=len(table.study.interims),
        lengths=falls(lengths_ladder(table)),
        plots=plots,
        claims=[(each, with_unit(each, digits)) for each in judged],
        ensembles=[ensemble(each, digits) for each in decisions(table)],
        diagnosis=[diagnosed(arm, *arm.majority) for arm in sweep.arms if arm.majority] if sweep else [],
        caption=CAPTIONS[sweep.field] if sweep else "",
        hits=hits(sweep) if sweep and sweep.field == "learning_rate" else "",
        published=published.lines(table),
        order=published.order_in_words(order(table)),
    )


def ensemble(made: Decision, digits: int) -> dict[str, str]:
    """Returns a line of the table of ensembles, by the names of its columns."""

    def text(value: float | None, decimals: int) -> str:
        return NOTHING if value is None else f"{value:.{decimals}f}"

    def gained(value: float | None) -> str:
        return NOTHING if value is None else signed(value, digits)

    return {
        "ensemble": made.variant,
        "networks": numeral(made.members or 0),
        "made": str(made.n),
        "accuracy, %": text(made.accuracy, digits),
        "gain over its members": gained(made.gain),
        "over the best of them": gained(made.gain_over_best),
        "loss, nats": text(made.test_loss, 3),
        "calibration error": text(made.calibration_error, 1),
        "disagreement": text(made.disagreement, 1),
        "error correlation": text(made.error_correlation, 2),
        "training cost": times(made.training_cost),
        "test cost": times(made.test_cost),
    }


def diagnosed(arm: SweepArm, finding: Finding, count: int) -> Diagnosed:
    """Returns the line of one value of a sweep."""
    return Diagnosed(arm.variant, finding.word, f"{count} of {len(arm.runs)}", finding.numbers, finding.remedy)


def hits(sweep: Sweep) -> str:
    """Returns how often the curve of one run tells what its learning rate is, in words."""
    right, all_ = sweep.hits()
    return f"{right} of {all_} runs ({right / all_:.0%})" if all_ else ""


def with_unit(judged: Judgement, digits: int) -> str:
    """Returns a judgement's difference; what is no percentage to three digits and with its unit."""
    digits = digits if judged.unit == "points" else max(0, 2 - floor(log10(abs(judged.effect or 1))))
    text = in_numbers(judged.effect, judged.ci_low, judged.ci_high, digits)
    return f"{text} {judged.unit}".strip() if text and judged.unit != "points" else text
