"""Templates filled with a view."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from benchmark.report.cells import NOTHING, SIGNS
from benchmark.report.style import INKS, inline
from benchmark.report.view import Overview


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
