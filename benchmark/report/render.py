"""Templates filled with a view."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from importlib import resources
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from benchmark.report.cells import NOTHING, SIGNS
from benchmark.report.legend import marked
from benchmark.report.markdown import plain_cell
from benchmark.report.published import Paper
from benchmark.report.shortlists import Candidate, accuracy_text, effect_text, time, verdict_text
from benchmark.report.shortlists import markdown as lists_markdown
from benchmark.report.style import INKS, inline
from benchmark.report.text import digits_of, signed
from benchmark.report.view import Overview

MARK = 'document.documentElement.classList.add("scripts");'  # the page's first script, ahead of its body
POLICY = (  # scripts of this page alone, pictures from its own folder, styles within it, and nothing else
    "default-src 'none'; script-src {sources}; style-src 'unsafe-inline'; img-src 'self' file:; base-uri 'none'; "
    "form-action 'none'"
)
ABOUT_PAPERS = (
    "Each table of a paper that the suite carries out, published and measured numbers side by side. What counts "
    "is the order: the sign of each published difference is supported or contradicted where a test shows it (5 %, "
    "Holm's correction over the rows), else unresolved. Published differences within the noise of the paper's own "
    "runs (0.55 points where it gives no deviation: two single runs of standard deviation 0.2), and numbers from "
    "memory, have no sign. Levels are not judged. Reproduced: every claim of the table is supported, and the "
    "control does significantly better than guessing. Signs and pairs: supported/contradicted/unresolved. "
    "Worker-hours: of all runs together, on a core of a CPU each or beside others on a GPU. The commands under a "
    "table give the same numbers on the same machine, and others elsewhere."
)


def markdown(overview: Overview, **more: Any) -> str:
    """Returns index.md. `more`: what else it shows, as `html`."""
    return templates().get_template("page.md.j2").render(page=overview, signs=SIGNS, nothing=NOTHING, **more)


def html(overview: Overview, **more: Any) -> str:
    """Returns index.html. `more`: `variants`, `shortlists`, `elsewhere`, `figures` by data set and budget,
    and `doses` by ablation."""
    template = templates().get_template("page.html.j2")
    script = resources.files("benchmark.report").joinpath("page.js").read_text(encoding="utf-8")
    policy = POLICY.format(sources=" ".join(f"'sha256-{csp_hash(each)}'" for each in (MARK, script)))
    several = len({(each.data, each.budget) for each in more["shortlists"]}) > 1
    shown = {
        "page": overview,
        "signs": SIGNS,
        "nothing": NOTHING,
        "inks": INKS,
        "picture": picture,
        "policy": policy,
        "several": several,
        "points": effect_points,
        "interval": interval,
        "time": time,
    }
    return template.render(shown, mark=Markup(MARK), script=Markup(script), **more)


def papers_markdown(found: Sequence[Paper]) -> str:
    """Returns the page of all papers, in Markdown."""
    shown = {"papers": found, "nothing": NOTHING, "about_papers": ABOUT_PAPERS}
    return templates().get_template("papers.md.j2").render(shown)


def papers_html(found: Sequence[Paper]) -> str:
    """Returns the page of all papers, as a page without scripts."""
    policy = POLICY.format(sources="'none'")
    shown = {"papers": found, "nothing": NOTHING, "about_papers": ABOUT_PAPERS, "inks": INKS, "policy": policy}
    return templates().get_template("papers.html.j2").render(shown)


def effect_points(each: Candidate) -> str:
    """Returns a variant's effect without its interval."""
    return NOTHING if each.row.effect is None else signed(each.row.effect, digits_of(each.study.margin))


def interval(each: Candidate) -> str:
    """Returns a variant's effect with its interval, its accuracy and its verdict."""
    digits = digits_of(each.study.margin)
    return f"{effect_text(each, digits)}, {accuracy_text(each, digits)}, {verdict_text(each)}"


def csp_hash(script: str) -> str:
    """Returns what a Content-Security-Policy calls a script, https://www.w3.org/TR/CSP3/#grammardef-hash-source."""
    return b64encode(sha256(script.encode()).digest()).decode()


@cache
def templates() -> Environment:
    """Returns the templates: HTML is escaped automatically, Markdown by the filter `plain`."""
    made = Environment(
        loader=PackageLoader("benchmark.report", ""),
        autoescape=lambda name: bool(name and ".html" in name),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {
        "plain": plain_cell,
        "bare": bare_link,
        "safe_link": safe_link,
        "marked": marked,
        "query": urlencode,
        "combine": lambda a, b: a | b,
    }
    made.tests["several"] = lambda values: len(values) > 1
    made.globals |= {"about": about, "lists_markdown": lists_markdown}
    return made


def about(name: str) -> str:
    """Returns what the plot in a file of this name shows."""
    if name.startswith("time--"):
        return "effect against training time"
    if name.startswith("dose--"):
        return "effect against dose"
    kinds = {
        "-interactions": "interactions",
        "-history": "effects at accepted references",
        "-curves": "learning curves",
        "-size": "accuracy by size",
        "-figure": "what the curves tell",
    }
    return next((kind for end, kind in kinds.items() if name.endswith(end)), "effects on test accuracy")


def safe_link(link: str) -> bool:
    """Returns whether a source is a link that a page may offer: to the web, and not a script."""
    return re.match(r"https?://[^\s<>\"'`]+$", link) is not None


def bare_link(link: str) -> str:
    """Returns a link as readers write it."""
    return re.sub(r"^https?://(www\.)?", "", link)


def picture(svg: str, name: str, label: str) -> Markup:
    """Returns an SVG of our own making, to stand in the page. `name` must be a slug."""
    return Markup(inline(svg, name, str(escape(label))))
