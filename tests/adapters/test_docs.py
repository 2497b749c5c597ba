"""The docs: the pages made from the code are as it is, and what they say to type can be typed."""

from __future__ import annotations

import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import typer

from hpt_cli import cli

SCRIPT = Path(__file__).parents[2] / "scripts" / "document.py"


def test_the_pages_made_from_the_code_are_as_it_is() -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_has_examples_that_can_be_typed(name: str) -> None:
    group = typer.main.get_command(cli.app)
    command = group.get_command(typer.Context(group), name)  # type: ignore[attr-defined]
    examples = import_module(f"hpt_cli.cli.{cli.COMMANDS[name].partition(':')[0]}").EXAMPLES
    lines = [line.strip("$()") for line in examples]
    assert lines
    for line in lines:
        words = shlex.split(line.split(" > ")[0].split(" && ")[0].removeprefix("nohup "))
        assert words[:2] == ["hpt", name]
        command.make_context(name, words[2:])
