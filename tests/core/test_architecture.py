"""Imports point down only, the core is pure, and there is no cycle (docs: DESIGN, section 3)."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "hpt_cli"

LAYERS = [
    ["hpt_cli", "hpt_cli.answers", "hpt_cli.clock", "hpt_cli.errors", "hpt_cli.files"],
    ["hpt_cli.core"],
    [
        "hpt_cli.core.curve",
        "hpt_cli.core.differences",
        "hpt_cli.core.hyperparameters",
        "hpt_cli.core.jobs",
        "hpt_cli.core.names",
        "hpt_cli.core.objective",
        "hpt_cli.core.observation",
        "hpt_cli.core.plural",
        "hpt_cli.core.references",
        "hpt_cli.core.resources",
    ],
    [
        "hpt_cli.core.lines",
        "hpt_cli.core.patterns",
        "hpt_cli.core.presets",
        "hpt_cli.core.recorded",
    ],
    ["hpt_cli.core.finders", "hpt_cli.core.log_rules"],
    ["hpt_cli.core.command", "hpt_cli.core.metrics", "hpt_cli.core.ranges", "hpt_cli.core.where"],
    ["hpt_cli.core.program_options", "hpt_cli.core.proposals", "hpt_cli.core.readings"],
    ["hpt_cli.core.stop_rules"],
    ["hpt_cli.core.conflicts"],
    ["hpt_cli.core.spec", "hpt_cli.core.events"],
    ["hpt_cli.core.state"],
    ["hpt_cli.core.strategies", "hpt_cli.core.summary"],
    [
        "hpt_cli.core.completion",
        "hpt_cli.core.failures",
        "hpt_cli.core.sagemaker",
        "hpt_cli.core.warm_start",
    ],
    ["hpt_cli.core.tuner", "hpt_cli.core.importance"],
    ["hpt_cli.core.preview"],
    ["hpt_cli.core.watchdog", "hpt_cli.core.range_proposals"],
    ["hpt_cli.core.first_spec"],
    [
        "hpt_cli.executors",
        "hpt_cli.gaps",
        "hpt_cli.homes",
        "hpt_cli.jobdir",
        "hpt_cli.gpus",
        "hpt_cli.replay",
        "hpt_cli.search_limit",
        "hpt_cli.wording",
    ],
    [
        "hpt_cli.store",
        "hpt_cli.specfile",
        "hpt_cli.specschema",
        "hpt_cli.tail",
        "hpt_cli.environment",
        "hpt_cli.exports",
        "hpt_cli.gpu_watch",
        "hpt_cli.machine",
        "hpt_cli.reports",
    ],
    [
        "hpt_cli.diagnosis",
        "hpt_cli.screen",
        "hpt_cli.specwriter",
        "hpt_cli.tables",
        "hpt_cli.watchdog",
        "hpt_cli.program",
    ],
    ["hpt_cli.launches"],
    ["hpt_cli.runner", "hpt_cli.live", "hpt_cli.notify", "hpt_cli.tryout"],
    ["hpt_cli.repair"],
    ["hpt_cli.cli"],
    ["hpt_cli.__main__"],
]
"""From the ground up. A module belongs to the longest name that it begins with, and may import from
its own layer only what belongs to the same name."""

FORBIDDEN_IN_CORE = {
    "asyncio",
    "sqlite3",
    "subprocess",
    "pathlib",
    "time",
    "random",
    "logging",
    "rich",
    "typer",
    "yaml",
    "os",
    "sys",
    "threading",
    "psutil",
}


def list_modules() -> dict[str, Path]:
    modules = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        modules[".".join(parts).removesuffix(".__init__")] = path
    return modules


def list_imports(module: str, path: Path) -> set[str]:
    """Every module that a module imports, also inside functions; type checking aside."""
    tree = ast.parse(path.read_text())
    skipped: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            skipped.update(child for each in node.body for child in ast.walk(each))
    modules = list_modules()
    found = set()
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{module} has a relative import"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in modules else node.module)
    return found - {module}


MODULES = list_modules()
IMPORTS = {module: list_imports(module, path) for module, path in MODULES.items()}


def find_owner(module: str) -> str:
    owners = [
        name
        for layer in LAYERS
        for name in layer
        if module == name
        or (module.startswith(f"{name}.") and name not in ("hpt_cli", "hpt_cli.core"))
    ]
    return max(owners, key=len, default="")


def find_layer(module: str) -> int:
    owner = find_owner(module)
    return next(index for index, layer in enumerate(LAYERS) if owner in layer)


@pytest.mark.parametrize("module", MODULES)
def test_every_module_has_its_layer(module: str) -> None:
    assert find_owner(module), f"{module} belongs to no layer: give it one in LAYERS"


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_down(module: str) -> None:
    for imported in IMPORTS[module]:
        if imported.startswith("hpt_cli"):
            same = find_owner(imported) == find_owner(module)
            assert same or find_layer(imported) < find_layer(module), f"{module} -> {imported}"


@pytest.mark.parametrize("module", [name for name in MODULES if name.startswith("hpt_cli.core")])
def test_the_core_is_pure(module: str) -> None:
    tops = {imported.partition(".")[0] for imported in IMPORTS[module]}
    assert not tops & FORBIDDEN_IN_CORE


def test_only_the_bayesian_strategy_imports_scikit_optimize() -> None:
    users = [
        module
        for module, imports in IMPORTS.items()
        if any(each.partition(".")[0] in ("skopt", "sklearn") for each in imports)
    ]
    assert users == ["hpt_cli.core.strategies.surrogate"]


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
