"""The scripts: what the docs say of them, and that each has a short form that is run.

mypy checks that every name they use exists.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.guides import ROOT

SCRIPTS = sorted((ROOT / "scripts").rglob("*.py"))
PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
RUN_ELSEWHERE = (
    *("reliability/faults.py", "reliability/faults_train.py", "run_short.py"),
    "benchmarks/optuna_loop.py",
)
"""Run by `make faults`, by faults.py, by `make scripts-short`, and by end_to_end.py with Optuna."""
NEED_TABLES = ("early_stopping.py", "fit_auto_rule.py", "optimizer.py")


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
        for line in re.findall(r"scripts/[\w/]+\.(?:py|sh)[^`\n]*", page.read_text()):
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
