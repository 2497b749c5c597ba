"""The rules of hpt_cli's layout, one test for each; and the checker, tried on a package made up.

The packages (and the four modules on the ground) stand on one line: each imports only what stands
before it. See docs/design.md.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import pytest

ROOMS = [
    *("errors", "clock", "files", "formatting"),
    *("filter", "metrics", "stop_rules", "spec", "strategies", "tuning"),
    *("scaffold", "sagemaker", "importers", "analysis"),
    *("logs", "machine", "executors", "storage", "runtime", "checks"),
    *("live", "exports", "reports", "cli", "__main__"),
]
PURE = [
    *("formatting", "filter", "metrics", "stop_rules", "spec", "strategies", "tuning", "sagemaker"),
    "importers",
    *("analysis.importance", "analysis.replay", "scaffold.options", "scaffold.ranges"),
    *("scaffold.draft", "live.screen", "live.running", "live.paused", "live.messages", "reports"),
]
WORLD = {
    *("asyncio", "sqlite3", "subprocess", "pathlib", "time", "random", "logging", "typer"),
    *("os", "sys", "threading", "psutil"),
}
"""What a pure room must not import: values go in, values come out."""
ONLY_IN = {
    ("skopt", "sklearn"): "strategies.gaussian_process",
    ("regex",): "metrics.patterns",
    ("typer",): "cli",
    ("asyncio",): "runtime",
}
"""The one room, or module, that may import a library."""
MAX_LOOSE_MODULES = 6
MAX_MODULES = 16
MAX_LINES = 500
MAX_METHODS = 25
MAX_FUNCTION_LINES = 50
WIDE = {"cli.commands"}
"""Packages with one module for each command, however many there are."""

FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)


class House:
    """A package whose rooms stand on one line, and what breaks its rules."""

    def __init__(self, root: Path, rooms: Sequence[str]) -> None:
        self.root, self.rooms = root, rooms
        self.trees = {
            self._name(path): ast.parse(path.read_text()) for path in sorted(root.rglob("*.py"))
        }

    def _name(self, path: Path) -> str:
        """Return the name of a file's module below the package: `cli.app`; '' for the package."""
        parts = path.relative_to(self.root).with_suffix("").parts
        return ".".join(parts).removesuffix("__init__").removesuffix(".")

    @cached_property
    def imports(self) -> dict[str, set[str]]:
        """The modules each module imports, by their full names; also inside functions, but not
        where only a type checker looks."""
        return {
            module: {*self._list_imports(module)} - {self._full(module)} for module in self.trees
        }

    def _full(self, module: str) -> str:
        return f"{self.root.name}.{module}".removesuffix(".")

    def _list_imports(self, module: str) -> Iterator[str]:
        for node in walk_run(self.trees[module]):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                source = self._resolve(module, node)
                for alias in node.names:
                    inner = f"{source}.{alias.name}"
                    yield inner if self._within(inner) in self.trees else source

    def _resolve(self, module: str, node: ast.ImportFrom) -> str:
        """Return the full name of what follows `from`."""
        if not node.level:
            return node.module or ""
        is_package = any(each.startswith(f"{module}.".lstrip(".")) for each in self.trees)
        above = self._full(module).split(".")
        above = above[: len(above) - node.level + is_package]
        return ".".join([*above, *filter(None, [node.module])])

    def _within(self, name: str) -> str | None:
        """Return the name of a module below the package, None for one of another package."""
        top, _, inner = name.partition(".")
        return inner if top == self.root.name else None

    def list_modules(self, room: str) -> list[str]:
        """Return the modules of a room."""
        return [each for each in self.trees if each == room or each.startswith(f"{room}.")]

    def _rank(self, module: str) -> int:
        """Return the place of a module's room on the line; the package itself is below all."""
        return self.rooms.index(module.partition(".")[0]) if module else -1

    def find_upward_imports(self, room: str) -> list[str]:
        """Return each import of a room that stands after this one; '' is the package itself."""
        return [
            f"{module} -> {inner}"
            for module in self.list_modules(room)
            for imported in sorted(self.imports[module])
            if (inner := self._within(imported)) is not None
            and self._rank(inner) > self._rank(room)
        ]

    def find_cycle(self, room: str) -> list[str]:
        """Return modules of a room of which each imports the next and the last the first."""
        done: set[str] = set()

        def visit(module: str, path: list[str]) -> list[str]:
            if module in path:
                return path[path.index(module) :]
            if module in done:
                return []
            done.add(module)
            for imported in sorted(self.imports[module]):
                inner = self._within(imported)
                if inner in self.trees and (cycle := visit(inner, [*path, module])):
                    return cycle
            return []

        return next(filter(None, (visit(each, []) for each in self.list_modules(room))), [])

    def find_users(self, libraries: set[str], room: str = "") -> list[str]:
        """Return who of a room, or of all, imports one of these libraries."""
        modules = self.list_modules(room) if room else self.trees
        return [
            f"{module} -> {imported}"
            for module in modules
            for imported in sorted(self.imports[module])
            if imported.partition(".")[0] in libraries
        ]

    def count_modules(self, room: str) -> dict[str, int]:
        """Return how many modules lie beside each other in each package of a room."""
        folders = [self.root / room, *(self.root / room).rglob("*/")]
        counts = {self._name(each): len([*each.glob("*.py")]) for each in folders}
        return {name: count for name, count in counts.items() if count}

    def list_lines(self, room: str) -> Iterator[tuple[str, int]]:
        """Yield the lines of each module of a room."""
        for module in self.list_modules(room):
            yield module, max((each.end_lineno or 0 for each in self.trees[module].body), default=0)

    def list_function_lines(self, room: str) -> Iterator[tuple[str, int]]:
        """Yield the lines of each function and each method of a room."""
        for module, node in self._walk(room):
            if isinstance(node, FUNCTION):
                yield f"{module}.{node.name}", (node.end_lineno or 0) - node.lineno + 1

    def list_method_counts(self, room: str) -> Iterator[tuple[str, int]]:
        """Yield how many methods each class of a room has."""
        for module, node in self._walk(room):
            if isinstance(node, ast.ClassDef):
                yield f"{module}.{node.name}", sum(isinstance(each, FUNCTION) for each in node.body)

    def _walk(self, room: str) -> Iterator[tuple[str, ast.AST]]:
        for module in self.list_modules(room):
            for node in ast.walk(self.trees[module]):
                yield module, node


def walk_run(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield each node that is there when the code runs: all but those `if TYPE_CHECKING`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for each in node.orelse:
                yield each
                yield from walk_run(each)
        else:
            yield node
            yield from walk_run(node)


HOUSE = House(Path(__file__).parents[2] / "hpt_cli", ROOMS)
every_room = pytest.mark.parametrize("room", ROOMS)


def test_every_room_is_on_the_line() -> None:
    assert {each.partition(".")[0] for each in HOUSE.trees} - {""} == {*ROOMS}
    assert HOUSE.find_upward_imports("") == []


@every_room
def test_imports_point_down(room: str) -> None:
    assert HOUSE.find_upward_imports(room) == []


@every_room
def test_no_modules_import_each_other_in_a_circle(room: str) -> None:
    assert HOUSE.find_cycle(room) == []


@pytest.mark.parametrize("room", PURE)
def test_pure_rooms_touch_no_world(room: str) -> None:
    assert HOUSE.list_modules(room)
    assert HOUSE.find_users(WORLD, room) == []


@pytest.mark.parametrize(("libraries", "room"), ONLY_IN.items())
def test_a_library_is_imported_in_one_room_only(libraries: tuple[str, ...], room: str) -> None:
    users = HOUSE.find_users({*libraries})
    assert users
    assert users == HOUSE.find_users({*libraries}, room)


def test_few_modules_lie_loose() -> None:
    assert len([*HOUSE.root.glob("*.py")]) <= MAX_LOOSE_MODULES


@every_room
def test_no_package_has_too_many_modules(room: str) -> None:
    counts = HOUSE.count_modules(room)
    assert [
        name for name, count in counts.items() if count > MAX_MODULES and name not in WIDE
    ] == []


@every_room
def test_no_module_is_too_long(room: str) -> None:
    lines = HOUSE.list_lines(room)
    assert [name for name, count in lines if count > MAX_LINES] == []


@every_room
def test_no_function_is_too_long(room: str) -> None:
    lines = HOUSE.list_function_lines(room)
    assert [name for name, count in lines if count > MAX_FUNCTION_LINES] == []


@every_room
def test_no_class_has_too_many_methods(room: str) -> None:
    counts = HOUSE.list_method_counts(room)
    assert [name for name, count in counts if count > MAX_METHODS] == []


# -- the checker itself ----------------------------------------------------------------------------

MADE_UP = {
    "__init__.py": "",
    "low.py": "import made.high\nimport json",
    "middle/__init__.py": "",
    "middle/one.py": "def f():\n    from made import high, low\n    import os.path",
    "middle/two.py": "from made.middle import three\nimport typer",
    "middle/three.py": "def f():\n    from . import four",
    "middle/four.py": "if True:\n    from .two import f\nfrom ..low import g",
    "middle/five.py": "if TYPE_CHECKING:\n    from made.high import one\nelse:\n    import random",
    "high/__init__.py": "import made.middle",
    "high/one.py": "from .. import high\nfrom made.low import x",
}


@pytest.fixture
def made_up(tmp_path: Path) -> House:
    """A small package that breaks the rules."""
    for name, text in MADE_UP.items():
        path = tmp_path / "made" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return House(tmp_path / "made", ["low", "middle", "high"])


def test_an_upward_import_is_found_wherever_it_stands(made_up: House) -> None:
    assert made_up.find_upward_imports("low") == ["low -> high"]
    assert made_up.find_upward_imports("middle") == ["middle.one -> high"]
    assert made_up.find_upward_imports("high") == []
    (made_up.root / "__init__.py").write_text("from made.low import x")
    assert House(made_up.root, made_up.rooms).find_upward_imports("") == [" -> low"]


def test_a_circle_is_found(made_up: House) -> None:
    assert made_up.find_cycle("low") == []
    assert made_up.find_cycle("middle") == ["middle.four", "middle.two", "middle.three"]


def test_a_library_is_found_also_inside_a_function(made_up: House) -> None:
    assert made_up.find_users(WORLD, "middle") == [
        *("middle.five -> random", "middle.one -> os.path", "middle.two -> typer"),
    ]
    assert made_up.find_users({"typer"}) == ["middle.two -> typer"]
    assert made_up.find_users({"typer"}, "high") == []


def test_modules_of_a_package_are_counted(made_up: House) -> None:
    assert made_up.count_modules("middle") == {"middle": 6}
    assert made_up.count_modules("low") == {}


def test_lines_and_methods_are_counted(made_up: House) -> None:
    text = "class A:\n  def f(self):\n    pass\n\n  async def g(self):\n    def h(): pass\n"
    (made_up.root / "low.py").write_text(text)
    house = House(made_up.root, made_up.rooms)
    assert [*house.list_lines("low")] == [("low", 6)]
    assert {*house.list_function_lines("low")} == {("low.f", 2), ("low.g", 2), ("low.h", 1)}
    assert [*house.list_method_counts("low")] == [("low.A", 2)]
