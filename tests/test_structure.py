"""The structure holds: imports run one way, and the engine knows no trick by name."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# Each room may import those before it.
ORDER = """preload errors log diagnosis recipe ensembles networks baseline fractals data machine capture
training identity cost grid designs checkpoints store comparison worth calibration tables
factors folds resolving sweeps claims regression report runner combining packing planning
stages command_line __main__""".split()  # noqa: SIM905  # a list of words reads better as words


def imports(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    found = {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    found |= {
        f"{n.module}.{alias.name}"
        for n in ast.walk(tree)
        if isinstance(n, ast.ImportFrom) and n.module == "benchmark"
        for alias in n.names
    }
    return found | {alias.name for n in ast.walk(tree) if isinstance(n, ast.Import) for alias in n.names}


def room(module: str) -> str:
    return module.split(".")[1] if module.startswith("benchmark.") else ""


@pytest.mark.parametrize("path", sorted((ROOT / "benchmark").rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_run_one_way(path: Path) -> None:
    inside = path.relative_to(ROOT / "benchmark").with_suffix("").parts[0]
    if inside == "__init__":
        return
    for module in imports(path):
        if room(module) and room(module) != inside:
            assert ORDER.index(room(module)) < ORDER.index(inside), f"{inside} imports {module}"


def test_the_engine_knows_no_trick_by_name() -> None:
    for path in (ROOT / "benchmark").rglob("*.py"):
        used = {module for module in imports(path) if module.startswith("ablations.")}
        assert not used, path


def test_a_report_needs_no_torch() -> None:
    """It is written from the store alone, on a machine that may have no torch."""
    for path in [
        *(ROOT / "benchmark" / f"{name}.py" for name in ("log", "diagnosis", "tables", "factors", "sweeps")),
        *(ROOT / "benchmark" / "report").rglob("*.py"),
    ]:
        assert not {module for module in imports(path) if module.split(".")[0] in ("torch", "torchvision")}, path


def test_every_package_is_installed() -> None:
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    inits = [path for name in ("benchmark", "ablations") for path in (ROOT / name).rglob("__init__.py")]
    assert {".".join(path.parent.relative_to(ROOT).parts) for path in inits} == set(packages)


def test_the_readme_names_every_trick_and_every_room() -> None:
    text = (ROOT / "README.md").read_text()
    tricks = {path.stem for path in (ROOT / "ablations").glob("*.py")} - {"__init__"}
    rooms = {path.name for path in (ROOT / "benchmark").glob("*.py")} - {"__init__.py"}
    assert not {name for name in tricks if f"`{name}`" not in text}
    assert not {name for name in rooms if f"  {name} " not in text}
