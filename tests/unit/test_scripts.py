"""The scripts: what they import, what the docs say of them, and which run in their short form."""

from __future__ import annotations

import ast
import contextlib
import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

from tests.guides import ROOT

SCRIPTS = sorted((ROOT / "scripts").rglob("*.py"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
RUN_ELSEWHERE = ("reliability/faults.py", "reliability/faults_train.py", "run_short.py")
"""Run by `make faults`, by faults.py, and by `make scripts-short`."""
NEED_TABLES = ("early_stopping.py", "fit_auto_rule.py", "optimizer.py")


def find_missing(script: Path) -> Iterator[str]:
    """Yield each name of hpt, or of a script beside this one, that does not exist."""
    tree = ast.parse(script.read_text())
    modules = {}
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or node.module is None:
            continue
        beside = script.parent / f"{node.module}.py"
        for alias in node.names:
            name = f"{node.module}.{alias.name}"
            if node.module.startswith("hpt_cli"):
                found = find_object(node.module, alias.name)
                if found is None:
                    yield name
                modules[alias.asname or alias.name] = found
            elif beside.exists() and alias.name not in list_names(beside):
                yield name
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module = modules.get(node.value.id)
            if isinstance(module, ModuleType) and not hasattr(module, node.attr):
                yield f"{module.__name__}.{node.attr}"


def find_object(module: str, name: str) -> object:
    """Return what `from module import name` would bind; None if there is no such thing."""
    with contextlib.suppress(ModuleNotFoundError):
        importlib.import_module(f"{module}.{name}")
    return getattr(importlib.import_module(module), name, None)


def list_names(path: Path) -> set[str]:
    """Return the names that a script defines or imports at its top."""
    names = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            names |= {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
    return names


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_every_name_that_a_script_uses_of_hpt_exists(script: Path) -> None:
    assert list(find_missing(script)) == []


def test_a_name_that_does_not_exist_is_found(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    (tmp_path / "beside.py").write_text("HERE = 1\n")
    script.write_text(
        "from hpt_cli.errors import HptError, gone_1\n"
        "from hpt_cli.tuning import events as ev, gone_2\n"
        "from beside import HERE, gone_3\n"
        "print(ev.JobPlanned, ev.gone_4)\n"
    )
    assert list(find_missing(script)) == [
        *("hpt_cli.errors.gone_1", "hpt_cli.tuning.gone_2", "beside.gone_3"),
        "hpt_cli.tuning.events.gone_4",
    ]


@pytest.mark.parametrize("name", NEED_TABLES)
def test_a_benchmark_that_finds_no_table_fails(tmp_path: Path, name: str) -> None:
    script = ROOT / "scripts" / "benchmarks" / name
    done = subprocess.run(
        [sys.executable, str(script), "--tables", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "no tables" in done.stderr


def find_mentions() -> Iterator[tuple[str, str, list[str]]]:
    """Yield (page, script, options) of each script that a page names."""
    for page in PAGES:
        for line in re.findall(r"scripts/[^`\n]*", page.read_text()):
            script, *words = line.partition("#")[0].replace("[", " ").split()
            options = [word.rstrip("],") for word in words if word.startswith("--")]
            yield page.name, script.rstrip(",.:)]"), options if script.endswith(".py") else []


@cache
def read_help(script: str) -> str:
    done = subprocess.run(
        [sys.executable, str(ROOT / script), "--help"], capture_output=True, text=True, check=True
    )
    return done.stdout


def test_a_script_that_a_page_names_exists_and_has_the_options() -> None:
    mentions = list(find_mentions())
    assert len(mentions) >= 30
    for page, script, options in mentions:
        assert (ROOT / script).exists(), (page, script)
        for option in options:
            assert re.search(rf"{option}\b", read_help(script)), (page, script, option)


def test_every_script_is_run_in_its_short_form() -> None:
    tree = ast.parse((ROOT / "scripts" / "run_short.py").read_text())
    words = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    run = {str(word).split()[0] for word in words if re.match(r"[\w/]+\.py\b", str(word))}
    folder = ROOT / "scripts"
    programs = {
        script.relative_to(folder).as_posix()
        for script in SCRIPTS
        if 'if __name__ == "__main__"' in script.read_text()
    }
    assert programs - run == set(RUN_ELSEWHERE)
    assert all((folder / each).exists() for each in run)
