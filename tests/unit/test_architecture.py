"""Rooms stand on one line: each imports only what stands before it; pure ones touch no world."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "hpt_cli"
ROOMS = [
    *("__init__", "errors", "clock", "files", "formatting", "filter"),
    *("metrics", "stop_rules", "spec", "strategies", "tuning", "sagemaker", "scaffold", "analysis"),
    *("logs", "machine", "executors", "storage", "runtime", "checks"),
    *("live", "exports", "reports", "cli", "__main__"),
]
PURE = (
    *("formatting", "filter", "metrics", "stop_rules", "spec", "strategies", "tuning", "sagemaker"),
    *("analysis.importance", "analysis.replay", "scaffold.options", "scaffold.ranges"),
    *("scaffold.draft", "live.screen", "live.messages"),
)
WORLD = {
    *("asyncio", "sqlite3", "subprocess", "pathlib", "time", "random", "logging", "typer"),
    *("os", "sys", "threading", "psutil"),
}


def list_imports(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    skipped: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            skipped.update(child for each in node.body for child in ast.walk(each))
    found = set()
    for node in set(ast.walk(tree)) - skipped:
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in MODULES else node.module)
    return found


MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
IMPORTS = {module: list_imports(path) - {module} for module, path in MODULES.items()}


def find_room(module: str) -> str:
    return module.split(".")[1] if "." in module else "__init__"


def test_rooms_import_only_what_stands_before_them() -> None:
    wrong = [
        f"{module} -> {imported}"
        for module, imports in IMPORTS.items()
        for imported in imports
        if imported.startswith("hpt_cli")
        and ROOMS.index(find_room(imported)) > ROOMS.index(find_room(module))
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("room", PURE)
def test_pure_rooms_touch_no_world(room: str) -> None:
    for module, imports in IMPORTS.items():
        if module == f"hpt_cli.{room}" or module.startswith(f"hpt_cli.{room}."):
            assert not {each.partition(".")[0] for each in imports} & WORLD, module


def test_only_one_module_imports_scikit_optimize() -> None:
    users = [
        m for m, each in IMPORTS.items() if any(x.startswith(("skopt", "sklearn")) for x in each)
    ]
    assert users == ["hpt_cli.strategies.gaussian_process"]


def test_there_is_no_cycle() -> None:
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, f"cycle: {' -> '.join((*path, module))}"
        if module not in done:
            for imported in IMPORTS.get(module, ()):
                visit(imported, (*path, module))
            done.add(module)

    for module in MODULES:
        visit(module, ())
