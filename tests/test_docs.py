"""The documents hold what the code says: generated pages are current, the README is short, links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.generate import pages

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


def test_generated_pages_are_current() -> None:
    """If this fails: `python -m docs.generate`."""
    made = pages()
    assert {name for name, text in made.items() if (ROOT / "docs" / name).read_text(encoding="utf-8") != text} == set()
    there = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs" / "schemas").rglob("*.json")}
    assert there <= made.keys()


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(path: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", re.sub(r"(?s)```.*?```", "", path.read_text(encoding="utf-8")))
    assert not [each for each in targets if "://" not in each and not (path.parent / each).exists()]
