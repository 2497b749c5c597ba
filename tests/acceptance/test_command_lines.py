"""Command lines that make no sense, in homes that may be damaged: an exit code that is documented,
and never a traceback.

HPT_FUZZ_EXAMPLES says how many: `make faults` tries forty; a thousand take a minute.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from hpt_cli.cli.app import COMMANDS, app
from hpt_cli.errors import ExitCode
from tests.acceptance.conftest import Terminal
from tests.acceptance.damage import do_harm
from tests.acceptance.warm import WarmHpt

EXAMPLES = int(os.environ.get("HPT_FUZZ_EXAMPLES", "8"))
FINE = {*ExitCode} - {ExitCode.BUG}
NAMES = ["t", "u", "@last", "t,u", "T", "nowhere", "../t", "/etc", "-rf", "ä"]
NUMBERS = ["1", "2", "t-0001", "0", "-1", "1.5", "1e999", "nan", "9" * 30, "9" * 5000]
FILES = [".", "/", "/dev/null", "t.yaml", "bad.yaml", "no/such/file", "table.csv", "out.html"]
WORDS = [
    *("", " ", "--", "-", "x", "loss", "status", "Completed", "all", "json", "csv", "auto", "off"),
    *("x < 1", "status == Completed", "((((", "x in (", "not", "'", "loss=({num})", "(", "{step}"),
    *("max_jobs=3", "max_jobs=", "=", "x=y=z", "a.b.c=1", "retry.max_attempts=2", "name: [", "{}"),
    *("median:min_epochs=2", "median:", "auto:risk=nan", "\x1b[2J", "\u202e", "é\n\t", "\udcff"),
    *("x" * 300, "x" * 100_000, "%s%n", "../../x", "$(id)", "2024-01-01", "1,2,3", "1-", "1h"),
]
GOOD = {
    "name": ["t", "u"],
    "names": ["t", "u"],
    "job": ["1", "2"],
    "jobs": ["1", "2"],
    "metric": ["loss"],
    "metrics": ["loss"],
    "home": [".hpt"],
    "spec": ["t.yaml"],
    "set_": ["t.yaml"],
    "output": ["new.html", "new.png", "-"],
    "png": ["new.html", "new.png", "-"],
    "where": ["loss < 5", "status == Completed"],
    "columns": ["loss", "status", "number"],
    "sort": ["loss", "status", "number"],
}
"""What is right for some arguments and options."""
FOUND = [["curves", "t", "9" * 5000]]
"""Lines that did not end well once."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, warm_hpt: WarmHpt) -> Iterator[Path]:
    """A directory in which two tuning jobs have been run."""
    terminal = Terminal(tmp_path_factory.mktemp("finished"), warm_hpt)
    for name in ("t", "u"):
        terminal.hpt("run", terminal.write_spec(name, max_jobs=2, options="--seconds 0.01"))
    (terminal.directory / "bad.yaml").write_text("name: [\x00")
    (terminal.directory / "table.csv").write_text("x,loss\n1,2\n")
    yield terminal.directory
    terminal.close()


def draw_word(rng: random.Random) -> str:
    return rng.choice(rng.choice([NAMES, NUMBERS, FILES, WORDS]))


def draw_value(rng: random.Random, parameter: Any) -> str:
    choices = list(getattr(getattr(parameter, "type", None), "choices", ()))
    if choices and rng.random() < 0.8:
        return str(rng.choice(choices))
    good = GOOD.get(parameter.name or "")
    if good and rng.random() < 0.7:
        return rng.choice(good)
    likely = {"name": NAMES, "names": NAMES, "job": NUMBERS, "jobs": NUMBERS, "spec": FILES}
    if rng.random() < 0.6:
        return rng.choice(likely.get(parameter.name or "", WORDS))
    return draw_word(rng)


def draw_line(rng: random.Random, commands: dict[str, Any]) -> list[str]:
    """A command with some of its options and arguments, in any order; something may be missing."""
    name = rng.choice(list(commands))
    parts: list[list[str]] = []
    for parameter in commands[name].params:
        if parameter.param_type_name == "argument":
            count = rng.choice([0, 1, 1, 1, 1, 1, 1, 1, 1, 2])
            parts.append([draw_value(rng, parameter) for _ in range(count)])
        elif rng.random() < 0.15 and parameter.name not in ("follow", "help"):
            option = rng.choice([*parameter.opts, *parameter.secondary_opts])
            given = [] if parameter.is_flag or rng.random() < 0.05 else [draw_value(rng, parameter)]
            parts.append([option, *given])
    if rng.random() < 0.1:
        parts.append([rng.choice([draw_word(rng), "--no-such-option", "--help", "-x"])])
    if rng.random() < 0.3:
        rng.shuffle(parts)
    return [name, *(word for part in parts for word in part)]


def spoil_home(rng: random.Random, directory: Path) -> str:
    """Make the home one that hpt did not leave so; what was done to it."""
    home = directory / ".hpt"
    kind = rng.choice(["", "", "", "", "damaged", "damaged", "damaged", "odd", "full of odd names"])
    if kind == "damaged":
        kind = ", ".join(do_harm(rng, home / rng.choice("tu") / "journal.sqlite"))
    elif kind == "odd":
        shutil.rmtree(home)
        kind = rng.choice(["empty", "missing", "a file", "a loop", "read-only"])
        if kind in ("empty", "read-only"):
            home.mkdir(mode=0o500 if kind == "read-only" else 0o700)
        elif kind == "a file":
            home.write_text("")
        elif kind == "a loop":
            home.symlink_to(home)
    elif kind:
        for name in ("-rf", "\x1b[2J", "é\n", "x" * 200, "a b", "\udcff", "@last", "t-", "..t"):
            shutil.copytree(home / "t", home / name)
        (home / "v").symlink_to(home / "t")
        (home / "w").symlink_to(home / "w")
        (home / "z").write_text("")
    return kind


def list_commands() -> dict[str, Any]:
    group: Any = typer.main.get_command(app)
    return {name: group.get_command(None, name) for name in COMMANDS}


def test_any_command_line_has_a_documented_exit_code(
    finished: Path, tmp_path: Path, warm_hpt: WarmHpt
) -> None:
    commands = list_commands()
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HPT_")}
    environment |= {"XDG_STATE_HOME": str(tmp_path / "state"), "TMPDIR": str(tmp_path)}
    codes: dict[int, int] = {}
    lines = [draw_line(random.Random(seed), commands) for seed in range(EXAMPLES)]
    for seed, line in enumerate([*FOUND, *lines], -len(FOUND)):
        directory = tmp_path / "here"
        shutil.rmtree(directory, ignore_errors=True)
        shutil.copytree(finished, directory)
        home = spoil_home(random.Random(seed), directory) if seed >= 0 else ""
        answer = warm_hpt.run(line, directory, environment)
        short = [home, *(word[:200] for word in line)]
        assert answer.code in FINE, f"{seed}: {short}: {answer.code}\n{answer.err[-3000:]}"
        assert "Traceback (most" not in answer.err, f"{seed}: {short}\n{answer.err[-3000:]}"
        assert answer.code != ExitCode.USAGE or answer.err.strip(), f"{seed}: {short} says nothing"
        codes[answer.code] = codes.get(answer.code, 0) + 1
    assert codes[ExitCode.OK] > EXAMPLES / 20, codes
    assert codes[ExitCode.USAGE] > EXAMPLES / 20, codes
