"""The house's own rules, those that no linter knows: CONTRIBUTING.md says them in words."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("conf", "handlers", "queue", "services", "sql")
SOURCES = sorted(path.relative_to(ROOT) for room in ROOMS for path in (ROOT / room).rglob("*.py"))
LONGEST_FILE, LONGEST_FUNCTION = 400, 40
VAGUE_NAMES = ("utils", "helpers", "common", "manager", "misc", "_v2")
# What clients and gateways may know of the services: themselves and what may be raised.
NEIGHBOURS = ("grimbots.services.clients", "grimbots.services.gateways", "grimbots.services.errors")


def read(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"))


def list_imports(path: Path) -> Iterator[str]:
    for node in ast.walk(read(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_no_folder_has_an_init_file() -> None:
    """One in queue/ would stand before the standard library's queue for `python -m` in the root."""
    kept = [*SOURCES, *(ROOT / "tests").rglob("*.py"), *ROOT.glob("*.py")]
    assert [path for path in kept if path.name == "__init__.py"] == []


def test_root_holds_one_python_file() -> None:
    """Any other would be in the wheel as grimbots/<name>.py."""
    assert [path.name for path in ROOT.glob("*.py")] == ["server.py"]


def test_imports_are_absolute() -> None:
    """`import conf` or `from queue.job import Job` would work in the checkout by chance, and only there."""
    named = [(path, name) for path in SOURCES for name in list_imports(path)]
    short = [*(f"{room}." for room in ROOMS if room != "queue"), "queue.job", "queue.task", "queue.dispatcher"]
    assert [(path, name) for path, name in named if f"{name}.".startswith(tuple(short))] == []


@pytest.mark.parametrize("room", ["clients", "gateways"])
def test_clients_and_gateways_know_no_service(room: str) -> None:
    sources = [path for path in SOURCES if path.is_relative_to(f"services/{room}")]
    assert sources
    services = [
        (path, name) for path in sources for name in list_imports(path) if name.startswith("grimbots.services.")
    ]
    assert [(path, name) for path, name in services if not name.startswith(NEIGHBOURS)] == []


def test_files_have_names_that_say_something() -> None:
    assert [path for path in SOURCES if any(vague in path.stem for vague in VAGUE_NAMES)] == []


def test_files_stay_small() -> None:
    lengths = {path: len((ROOT / path).read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    assert {path: length for path, length in lengths.items() if length > LONGEST_FILE} == {}


def test_functions_stay_small() -> None:
    functions = [
        (path, node.name, (node.end_lineno or 0) - node.lineno + 1)
        for path in SOURCES
        for node in ast.walk(read(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert [found for found in functions if found[2] > LONGEST_FUNCTION] == []
