"""The structure holds: imports run one way between packages, what only reads needs no torch, tricks are unknown."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PUBLIC = ("errors", "signals", "claim", "budgets", "ensembles", "networks", "recipe", "baseline")
# Each package, or public module, may import those before it.
ORDER = (
    *("errors", "signals", "claim", "budgets", "recipe", "ensembles", "networks", "baseline"),
    *("data", "store", "evidence", "engine", "planning", "report", "running", "commands", "__main__"),
)
WITHOUT_TORCH = ("claim", "budgets", "errors", "signals", "store", "evidence", "report")
READING_COMMANDS = (
    "app",
    "answers",
    "report",
    "judge",
    "check",
    "regress",
    "calibrate",
    "diagnose",
    "list",
    "merge",
    "export",
)
FILES = sorted((ROOT / "benchmark").rglob("*.py"))


def module_name(path: Path) -> str:
    """Returns the dotted name of a file of ours."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in FILES}


def imports(path: Path) -> set[str]:
    """Returns the modules that a file imports anywhere, in functions too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parts = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (parts & MODULES.keys()) | ({node.module or ""} if parts - MODULES.keys() else set())
    return found


def at_import(module: str, seen: set[str] | None = None) -> set[str]:
    """Returns all modules that importing one of ours brings in, directly or through others of ours."""
    seen = set() if seen is None else seen
    packages = [module.rsplit(".", n)[0] for n in range(module.count(".") + 1)]
    for name in packages:
        if name not in seen:
            seen.add(name)
            for each in outermost(MODULES[name]) if name in MODULES else ():
                at_import(each, seen)
    return seen


def outermost(path: Path) -> set[str]:
    """Returns the modules that a file imports when it is imported itself: not those within functions."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.body = []
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parts = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (parts & MODULES.keys()) | {node.module or ""}
    return found


def room(module: str) -> str:
    """Returns the package, or the public module, that a module of ours belongs to; "" for one of others."""
    return module.split(".")[1] if module.startswith("benchmark.") else ""


def test_every_package_has_a_place_in_the_order() -> None:
    assert {room(name) for name in MODULES if name != "benchmark"} == set(ORDER)


def test_few_entries_lie_in_the_package_itself() -> None:
    """Ten at most beside the public modules, so that a reader finds the way."""
    entries = {path.stem for path in (ROOT / "benchmark").iterdir() if path.suffix == ".py" or path.is_dir()}
    assert len(entries - {*PUBLIC, "__pycache__"}) <= 10


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_run_one_way(path: Path) -> None:
    inside = room(module_name(path))
    for module in imports(path) if inside else ():
        if room(module) and room(module) != inside:
            assert ORDER.index(room(module)) < ORDER.index(inside), f"{inside} imports {module}"


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {
        name: {each for each in outermost(path) & MODULES.keys() if each != name} for name, path in MODULES.items()
    }
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " -> ".join([*way, name])
        for each in graph[name] if name not in done else ():
            visit(each, (*way, name))
        done.add(name)

    for name in graph:
        visit(name, ())


def test_the_engine_knows_no_trick_by_name() -> None:
    for path in FILES:
        used = {module for module in imports(path) if module.startswith("ablations.")}
        assert not used, path


@pytest.mark.parametrize(
    "module",
    [
        *(name for name in MODULES if room(name) in WITHOUT_TORCH),
        *(f"benchmark.commands.{name}" for name in READING_COMMANDS),
    ],
)
def test_what_only_reads_needs_no_torch(module: str) -> None:
    """A report is written from the store alone, on a machine that may have no torch."""
    brought = {name.split(".")[0] for name in at_import(module)}
    assert not brought & {"torch", "torchvision", "ablations", "papers"}


@pytest.mark.parametrize("words", [["--help"], ["list"], ["report", "--store", "results/reference/cifar10-small"]])
def test_commands_that_only_read_import_no_torch(words: list[str], tmp_path: Path) -> None:
    out = ["--out", str(tmp_path)] if words[0] == "report" else []
    code = f"""
import sys
sys.argv = ["benchmark", *{[*words, *out]!r}]
from benchmark.commands.app import main
try:
    main()
finally:
    assert not {{"torch", "torchvision"}} & sys.modules.keys()
"""
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True).returncode == 0


def test_every_package_is_installed() -> None:
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    inits = [path for name in ("benchmark", "ablations", "papers") for path in (ROOT / name).rglob("__init__.py")]
    assert {".".join(path.parent.relative_to(ROOT).parts) for path in inits} == set(packages)


def test_the_documents_name_every_trick_and_every_package() -> None:
    listed, tree = ((ROOT / "docs" / f"{name}.md").read_text() for name in ("tricks", "architecture"))
    tricks = {path.stem for path in (ROOT / "ablations").glob("*.py")} - {"__init__"}
    assert not {name for name in tricks if f"`{name}`" not in listed}
    tables = {path.stem for path in (ROOT / "papers").glob("*.py")} - {"__init__"}
    assert not {name for name in tables if f"`{name}`" not in (ROOT / "docs" / "papers.md").read_text()}
    assert not {name for name in ORDER if f"  {name}" not in tree}


def test_git_keeps_little_besides_code_and_records() -> None:
    """Of a committed store's report the numbers, the Markdown and README's picture; see .gitignore."""
    if not (ROOT / ".git").exists():
        pytest.skip("no checkout of git")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
    sizes = {name: (ROOT / name).stat().st_size for name in listed.split("\0") if (ROOT / name).is_file()}
    records = {name for name in sizes if name.startswith(("results/", "speed/reference/")) and "/report/" not in name}
    others = {name: size for name, size in sizes.items() if name not in records}
    assert sum(size for name, size in others.items() if "/report/" in name and name.startswith("results/")) < 1_700_000
    assert sum(others.values()) < 4_900_000
    assert max(others.values()) < 500_000
