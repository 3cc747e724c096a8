"""The page of a report: what the templates show, as plain values, and the three files made of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from math import floor, log10
from statistics import stdev
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from benchmark.claims import Judgement, counted, judgements, more_seeds
from benchmark.diagnosis import CHOSEN_ON, Finding
from benchmark.factors import Factors, factors
from benchmark.report.factor_table import FactorTable, shown
from benchmark.report.plots import INKS, LINEAR, control_name, digits_of, in_numbers, inline, is_wide, number, signed
from benchmark.store import Record, Store
from benchmark.sweeps import Arm, Sweep
from benchmark.tables import COLUMNS, Decision, Row, Table, decisions, is_ensemble, points

SIGNS = {"helps": "▲", "hurts": "▼", "equivalent": "■", "unresolved": "●"}
NOTHING = "–"  # noqa: RUF001  the dash of an empty cell
MACHINE = ("device", "cpu", "threads", "torch", "python")  # of an environment: what may change numbers or times

CAPTIONS = {  # of the figure of a sweep, by the field that is swept
    "learning_rate": "Left: the best of the rates that are diagnosed as good, the worst of the others; median over "
    "the runs. Right: every run of the sweep, marked by the diagnosis of its own curve. Shaded: the rates that are "
    "good by the outcome, within 3 points of the best rate's validation accuracy.",
    "batch_size": "Left: the loss of every batch of one run, its running mean over a twentieth of the training, and "
    "one standard deviation about it. Right: the width of that band in the last epoch.",
    "network": "Training accuracy of the curves is that of each epoch's batches as they were trained on; after the "
    "last epoch it is measured on the images as they are. Shaded: the gap.",
}


@dataclass(frozen=True)
class Cell:
    """A text, and what it is sorted by."""

    text: str
    order: float | str = ""


@dataclass(frozen=True)
class Line:
    """One variant, or the baseline, of a table."""

    variant: str
    changes: str
    runs: Cell
    accuracy: Cell
    effect: Cell
    p: Cell
    verdict: str
    detail: str  # what stands after the verdict
    step: Cell
    diverged: int


@dataclass(frozen=True)
class Section:
    """One table with its plots and claims."""

    name: str  # of its files and of its place on the page
    title: str
    control: str
    margin: str
    wide: str  # points, where the effect axis turns logarithmic; empty if it does not
    lines: list[Line]
    missing: int
    mixed: list[str]  # the machines, where there are several
    looks: int  # at this table while runs were added; 0 where they were not
    plots: dict[str, str]  # SVG by the name of its file
    claims: list[tuple[Judgement, str]]  # with the difference in numbers
    ensembles: list[dict[str, str]]  # lines of their table, by the names of its columns
    diagnosis: list[Diagnosed]  # of a sweep; else empty
    caption: str  # of the figure of a sweep
    hits: str  # how often the learning rates were diagnosed as they are; else empty


@dataclass(frozen=True)
class Diagnosed:
    """What most runs of one value of a sweep tell."""

    variant: str
    word: str
    runs: str  # how many of how many
    numbers: str  # of the first of them
    remedy: str


@dataclass(frozen=True)
class Ablation:
    """The tables of one ablation."""

    name: str
    question: str
    sources: list[str]
    factors: list[FactorTable]  # of two factors, where its tables are
    sections: list[Section]


@dataclass(frozen=True)
class Counts:
    """Runs, each counted once however many tables share it."""

    planned: int
    missing: int
    diverged: int
    failed: list[tuple[str, int, str]]  # where, seed, reason; counted as missing
    unused: int  # stored, and in none of the tables


@dataclass(frozen=True)
class Overview:
    """Everything that a template shows."""

    data: list[tuple[str, str, float]]  # name, why it was chosen, accuracy of guessing
    budgets: list[str]
    margins: list[str]
    counts: Counts
    machines: list[tuple[str, int]]  # with their runs
    mixed: bool
    first: str
    last: str
    verdicts: dict[str, int]
    honest: dict[str, Any] | None  # what `calibrate` found
    claims: dict[str, int]
    trial: list[tuple[Section, Judgement, str]]  # every claim, in the order of the article
    crossed: list[Factors]
    ablations: list[Ablation]


def on_trial(sections: Sequence[Section]) -> list[tuple[Section, Judgement, str]]:
    """The claims of all tables in the order of their names: S5.2 before S5.10, the article's before the others."""
    every = [(section, judged, difference) for section in sections for judged, difference in section.claims]
    return sorted(every, key=lambda each: (not re.match(r"S?\d", each[1].name), parts_of(each[1].name)))


def parts_of(name: str) -> list[tuple[int, str]]:
    """A name's numbers as numbers."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.findall(r"\d+|\D+", name)]


def csv(found: Sequence[Table]) -> str:
    """effects.csv: a line for each variant of each table."""
    frame = pd.DataFrame([asdict(row) for table in found for row in table.rows], columns=COLUMNS)
    whole = frame.astype({"seeds_needed": "Int64"})  # or a missing value would turn the others into 3.0
    return str(whole.to_csv(index=False, float_format="%.6g", lineterminator="\n"))


def ensembles_csv(made: Sequence[Decision]) -> str:
    """ensembles.csv: a line for each ensemble."""
    frame = pd.DataFrame([asdict(each) for each in made])
    return str(frame.to_csv(index=False, float_format="%.6g", lineterminator="\n"))


def markdown(overview: Overview, **more: Any) -> str:
    """index.md. `more`: what else it shows, as `html`."""
    return templates().get_template("page.md.j2").render(page=overview, signs=SIGNS, nothing=NOTHING, **more)


def html(overview: Overview, **more: Any) -> str:
    """index.html, which needs no other file. `more`: `variants`, and `figures` over all tables by their names."""
    template = templates().get_template("page.html.j2")
    return template.render(page=overview, signs=SIGNS, nothing=NOTHING, inks=INKS, picture=picture, **more)


@cache
def templates() -> Environment:
    """HTML is escaped by itself, Markdown by the filter `plain`."""
    made = Environment(
        loader=PackageLoader("benchmark.report", ""),
        autoescape=lambda name: bool(name and ".html" in name),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {"plain": plain, "bare": bare}
    made.globals["about"] = about
    return made


def plain(text: object) -> str:
    """Text for a Markdown cell, with nothing in it that Markdown would take for a mark."""
    return re.sub(r"([\\`*_{}\[\]<>#|~])", r"\\\1", " ".join(str(text).split()))


def about(name: str) -> str:
    """What the plot in a file of this name shows."""
    if name.startswith("cost--"):
        return "effect against the time of a step"
    kinds = {
        "-interactions": "interactions",
        "-history": "effects at accepted references",
        "-curves": "learning curves",
        "-size": "accuracy by size",
        "-figure": "what the curves tell",
    }
    return next((kind for end, kind in kinds.items() if name.endswith(end)), "effects on test accuracy")


def bare(link: str) -> str:
    """A link as readers write it."""
    return re.sub(r"^https?://(www\.)?", "", link)


def picture(svg: str, name: str, label: str) -> Markup:
    """An SVG of our own making, to stand in the page."""
    return Markup(inline(svg, name, str(escape(label))))


def overview(
    store: Store, named: dict[str, Table], drawn: dict[str, dict[str, str]], swept: dict[str, Sweep]
) -> Overview:
    """What there is to show of `named` tables and their drawn plots."""
    studies = [table.study for table in named.values()]
    several = len({(study["data"], study["budget"]) for study in studies}) > 1
    crossed = factors(named.values())
    ablations = grouped(named, drawn, swept, crossed, several)
    sections = [section for ablation in ablations for section in ablation.sections]
    used = [record for record in records_of(named.values()) if not is_ensemble(record)]
    used += members_of(store, named.values(), used)
    times = [(record["started"], record["finished"]) for record in used] or [("", "")]
    return Overview(
        data=unique((study["data"], study["data_choice"], 100 / study["classes"]) for study in studies),
        budgets=unique(study["budget"] for study in studies),
        margins=unique(number(study["margin"]) for study in studies),
        counts=counts(store, named.values(), used),
        machines=list(Counter(map(machine, used)).items()),
        mixed=len(set(map(machine, used))) > 1,
        first=moment(min(started for started, _ in times)),
        last=moment(max(finished for _, finished in times)),
        honest=store.calibration(),
        verdicts=dict(Counter(row.verdict for table in named.values() for row in table.rows)),
        claims=counted([claim for section in sections for claim, _ in section.claims]),
        trial=on_trial(sections),
        crossed=crossed,
        ablations=ablations,
    )


def unique(values: Iterable[Any]) -> list[Any]:
    """Each once, in the order of its first coming."""
    return list(dict.fromkeys(values))


def records_of(found: Iterable[Table]) -> list[Record]:
    """Every finished run of the tables once."""
    runs = {run["key"]: run for table in found for arm in (table.control, *table.arms.values()) for run in arm}
    return [runs[key] for key in sorted(runs)]


def members_of(store: Store, found: Iterable[Table], used: Sequence[Record]) -> list[Record]:
    """Finished runs beyond `used` that stand in the tables as members of ensembles alone."""
    recipes = {(table.study["fingerprint"], text) for table in found for text in trained(table.study)}
    there = {record["key"] for record in used}
    stored = sorted(store.records.values(), key=lambda record: str(record["key"]))
    wanted = [run for run in stored if (run["fingerprint"], run["recipe"]) in recipes and run["key"] not in there]
    return [run for run in wanted if run["status"] != "failed"]


def trained(study: dict[str, Any]) -> dict[str, int]:
    """The runs of each recipe that a table takes; `trained` where members of ensembles are among them."""
    arms = [study["control"], *study["arms"]]
    return study.get("trained") or {arm["recipe"]: arm["seeds"] for arm in arms}


def machine(record: Record) -> str:
    """On what a run was trained."""
    there = record["environment"]
    device, cpu, threads, torch, python = (str(there.get(part, "unknown")) for part in MACHINE)
    place = f"{cpu}, {threads} thread{'' if threads == '1' else 's'}" if device == "cpu" else f"{device} ({cpu})"
    return f"{place}; PyTorch {torch}, Python {python}"


def moment(timestamp: str) -> str:
    """To the minute."""
    return timestamp[:16].replace("T", " ")


def counts(store: Store, found: Iterable[Table], used: Sequence[Record]) -> Counts:
    """What was planned, and what became of it. A recipe's runs are planned once for all its tables."""
    wanted: Counter[tuple[str, str]] = Counter()
    places: dict[tuple[str, str], str] = {}
    for table in found:
        arms = [("baseline", table.study["control"])] + [(arm["variant"], arm) for arm in table.study["arms"]]
        names = {arm["recipe"]: name for name, arm in reversed(arms)}
        for text, seeds in trained(table.study).items():
            recipe = table.study["fingerprint"], text
            wanted[recipe] = max(wanted[recipe], seeds)
            places.setdefault(recipe, f"{heading(table.study)}: {names.get(text, 'a member of ensembles')}")
    there = Counter((record["fingerprint"], record["recipe"]) for record in used)
    runs = [record for record in store.records.values() if not is_ensemble(record)]
    stored = sorted(runs, key=lambda record: (record["recipe"], record["seed"]))
    planned = [record for record in stored if (record["fingerprint"], record["recipe"]) in wanted]
    return Counts(
        planned=wanted.total(),
        missing=(wanted - there).total(),
        diverged=sum(record["status"] == "diverged" for record in used),
        failed=[
            (places[record["fingerprint"], record["recipe"]], record["seed"], record["reason"])
            for record in planned
            if record["status"] == "failed"
        ],
        unused=len(stored) - len(planned),
    )


def heading(study: dict[str, Any], several: bool = False) -> str:
    """What tells a table from the others: `several` if they are of several data sets or budgets."""
    parts = [study["context"], *([study["data"], study["budget"]] if several else [])]
    about = ", ".join(part for part in parts if part)
    return f"{study['ablation']} ({about})" if about else str(study["ablation"])


def grouped(
    named: dict[str, Table],
    drawn: dict[str, dict[str, str]],
    swept: dict[str, Sweep],
    crossed: list[Factors],
    several: bool,
) -> list[Ablation]:
    """The tables by ablation, in the order of planning."""
    tables_of: dict[str, list[str]] = {}
    for name, table in named.items():
        tables_of.setdefault(table.study["ablation"], []).append(name)
    return [
        Ablation(
            name=ablation,
            question=named[names[-1]].study["question"],
            sources=unique(link for name in names for link in named[name].study["sources"]),
            factors=[shown(each, several) for each in crossed if each.ablation == ablation],
            sections=[section(name, named[name], drawn[name], swept.get(name), several) for name in names],
        )
        for ablation, names in tables_of.items()
    ]


def section(name: str, table: Table, plots: dict[str, str], sweep: Sweep | None, several: bool) -> Section:
    """One table, ready to be shown."""
    margin = table.study["margin"]
    digits = digits_of(margin)
    arms = {arm["variant"]: arm for arm in table.study["arms"]}
    machines = unique(map(machine, records_of([table])))
    judged = judgements(table)
    return Section(
        name=name,
        title=heading(table.study, several),
        control=control_name(table),
        margin=number(margin),
        wide=number(LINEAR * margin) if is_wide(table.rows, margin) else "",
        lines=[baseline(table, digits), *(line(row, arms[row.variant], table, digits) for row in table.rows)],
        missing=table.missing,
        mixed=machines if len(machines) > 1 else [],
        looks=len(table.study.get("looks", [])),
        plots=plots,
        claims=[(each, with_unit(each, digits)) for each in judged],
        ensembles=[ensemble(each, digits) for each in decisions(table)],
        diagnosis=[diagnosed(arm, *arm.majority) for arm in sweep.arms if arm.majority] if sweep else [],
        caption=CAPTIONS[sweep.field] if sweep else "",
        hits=hits(sweep) if sweep and sweep.field == "learning_rate" else "",
    )


def ensemble(made: Decision, digits: int) -> dict[str, str]:
    """A line of the table of ensembles."""

    def text(value: float | None, decimals: int) -> str:
        return NOTHING if value is None else f"{value:.{decimals}f}"

    def gained(value: float | None) -> str:
        return NOTHING if value is None else signed(value, digits)

    return {
        "ensemble": made.variant,
        "networks": number(made.members or 0),
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


def diagnosed(arm: Arm, finding: Finding, count: int) -> Diagnosed:
    """One value's line of a sweep."""
    return Diagnosed(arm.variant, finding.word, f"{count} of {len(arm.runs)}", finding.numbers, finding.remedy)


def hits(sweep: Sweep) -> str:
    """How often the curve of one run told what its learning rate is, apart from the seed that chose the thresholds."""
    others = sorted({run["seed"] for arm in sweep.arms for run in arm.runs} - {CHOSEN_ON})
    parts = [(f"seed {CHOSEN_ON}, on which its thresholds were chosen", sweep.hits([CHOSEN_ON]))]
    parts.append(("the other seeds", sweep.hits(others)))
    told = [f"{right} of {all_} runs of {what} ({right / all_:.0%})" for what, (right, all_) in parts if all_]
    return " and ".join(told)


def with_unit(judged: Judgement, digits: int) -> str:
    """A judgement's difference; what is no percentage to three digits, with its unit."""
    digits = digits if judged.unit == "points" else max(0, 2 - floor(log10(abs(judged.effect or 1))))
    text = in_numbers(judged.effect, judged.ci_low, judged.ci_high, digits)
    return f"{text} {judged.unit}".strip() if text and judged.unit != "points" else text


def baseline(table: Table, digits: int) -> Line:
    """The control's line."""
    scores = points(table.control, table.study)
    return Line(
        variant=control_name(table),
        changes=NOTHING,
        runs=runs(len(scores), table.study["control"]["seeds"], 0),
        accuracy=accuracy(scores, digits),
        effect=Cell(NOTHING, 0.0),
        p=Cell(NOTHING),
        verdict="baseline",
        detail="",
        step=Cell("×1.00" if scores else NOTHING, 1.0),  # noqa: RUF001  the sign of multiplication is meant
        diverged=sum(record["status"] == "diverged" for record in table.control),
    )


def line(row: Row, arm: dict[str, Any], table: Table, digits: int) -> Line:
    """A variant's line."""
    word, detail = verdict(row)
    return Line(
        variant=row.variant,
        changes="; ".join(f"{field}: {value}" for field, value in arm["changes"].items()),
        runs=runs(row.n, arm["seeds"], row.failed),
        accuracy=accuracy(points(table.arms[row.variant], table.study), digits),
        effect=Cell(in_numbers(row.effect, row.ci_low, row.ci_high, digits) or NOTHING, ordered(row.effect)),
        p=Cell(p_value(row.p_adjusted), ordered(row.p_adjusted)),
        verdict=word,
        detail=detail,
        step=Cell(step(row), ordered(row.step_ms_ratio)),
        diverged=row.diverged,
    )


def verdict(row: Row) -> tuple[str, str]:
    """The word, and what belongs to it."""
    if row.effect is None and row.n:
        return "not compared", "no runs of the baseline"
    if row.verdict != "unresolved":
        return row.verdict, row.caution
    return row.verdict, "; ".join(filter(None, [more_seeds(row.seeds_needed or 0), row.caution]))


def runs(there: int, planned: int, failed: int) -> Cell:
    """How many, with what is lacking."""
    text = f"{there} of {planned}" if there < planned else str(there)
    return Cell(f"{text}, {failed} failed" if failed else text, there)


def accuracy(scores: Sequence[float], digits: int) -> Cell:
    """Mean and standard deviation over runs, in percent."""
    if not scores:
        return Cell(NOTHING)
    mean = sum(scores) / len(scores)
    return Cell(f"{mean:.{digits}f}" + (f" ± {stdev(scores):.{digits}f}" if len(scores) > 1 else ""), mean)


def p_value(p: float | None) -> str:
    """With the digits that matter."""
    if p is None:
        return NOTHING
    return "<0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def times(ratio: float | None) -> str:
    """A ratio of step times."""
    return NOTHING if ratio is None else f"×{ratio:.2f}"  # noqa: RUF001  the sign of multiplication is meant


def step(row: Row) -> str:
    """Its step time over the baseline's, marked where it is no better than medians of runs."""
    return f"{'' if row.step_in_turns or row.step_ms_ratio is None else '≈ '}{times(row.step_ms_ratio)}"


def ordered(value: float | None) -> float | str:
    """For sorting: what is not known goes last."""
    return "" if value is None else value
