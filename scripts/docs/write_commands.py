"""docs/commands.md: every command, from the commands themselves."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import typer

from hpt_cli.cli import app as cli

INTRODUCTION = """\
# The commands

Written by `python scripts/docs/write_all.py` from the commands themselves;
`hpt COMMAND --help` says the same.

A tuning job is named by its name, by the beginning of it where no other begins so, or by `@last`,
the newest. A training job is named by its number, `7`, or by its name, `digits-0007`. Tuning jobs
live in `.hpt/` in the working directory, or where `--home` or `HPT_HOME` says.

Commands that read have `--json`: one document on standard output and nothing else, whose fields
[json.md](json.md) lists. Progress and messages go to standard error; exit codes and the slugs of
mistakes are in [errors.md](errors.md). On a terminal that cannot draw (`TERM=dumb`), in a pipe, and
where `CI` is set, `run`, `resume` and `watch` print a line for each event, as with `--plain`.

`hpt --install-completion` teaches bash, zsh or fish to complete commands, tuning jobs, training
jobs, metrics and columns.

## The live view

What `run`, `resume` and `watch` show: how far the tuning job is, about how long it still takes
(from the mean of the training jobs that have ended), and what early stopping has saved so far
(each stopped job at its own pace, up to the epochs that Completed ones have in the median). Then
the best so far and how it moved; and a line for each running job: its latest value, how far that
is from the best job's at the same epoch, and its curve on the best job's scale, green where it is
at least as good at that epoch and yellow where it is not. Ctrl-C ends the tuning job so that
`hpt resume` goes on (but `watch` only itself), Ctrl-Z gives the shell its screen back.

## Columns and conditions

The columns of `hpt jobs` are `number`, `name`, each hyperparameter, `objective` (or the name of the
metric), every other metric (its latest value), `best`, `epochs`, `time`, `status`,
`objective_status`, `reason`, `failure`, `start`, `end`, `curve` and `attempts`; the names that
`--json` has do as well. A table leaves out what does not fit the terminal, and says so; `--wide`
shows all. CSV, TSV and JSON have the names of `--json`, and values in full.

A condition for `--where` compares columns (`<` `<=` `>` `>=` `==` `!=`, or `in (a, b)`) with
numbers, words or other columns, joined by `and`, `or`, `not` and parentheses. Text is compared
whatever its case, with quotes where it has blanks; a job without a value meets no comparison but
`!=`.
"""


def write_page() -> str:
    """Return the page."""
    group = typer.main.get_command(cli.app)
    context = typer.Context(group, info_name="hpt")
    commands = {
        name: group.get_command(context, name)  # type: ignore[attr-defined]
        for name in cli.COMMANDS
    }
    parts = [_write_command(name, command) for name, command in commands.items()]
    return "\n".join([INTRODUCTION, _write_overview(commands), *parts])


def _write_overview(commands: dict[str, Any]) -> str:
    rows = "".join(
        f"| [`hpt {name}`](#{_find_anchor(name, command)}) |"
        f" {inspect.cleandoc(command.help).splitlines()[0]} |\n"
        for name, command in commands.items()
    )
    return f"## All of them\n\n| command | what it does |\n|---|---|\n{rows}"


def _find_anchor(name: str, command: Any) -> str:
    """Return the anchor of a command's heading, as forges make it."""
    return re.sub(r"[^a-z\- ]", "", _describe_usage(name, command).lower()).replace(" ", "-")


def _describe_usage(name: str, command: Any) -> str:
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    return " ".join([f"hpt {name}", *map(_describe_argument, arguments)])


def _write_command(name: str, command: Any) -> str:
    usage = _describe_usage(name, command)
    rows = "".join(_list_rows(command.params))
    table = f"\n| option | what it does |\n|---|---|\n{rows}" if rows else ""
    module = import_module(f"hpt_cli.cli.commands.{cli.COMMANDS[name].partition(':')[0]}")
    examples = "".join(f"{line}\n" for line in getattr(module, "EXAMPLES", ()))
    example = f"\n```\n{examples}```\n" if examples else ""
    return f"## `{usage}`\n\n{inspect.cleandoc(command.help or '')}\n{table}{example}"


def _describe_argument(parameter: Any) -> str:
    word = parameter.name.upper().rstrip("_")
    many = f"{word.removesuffix('S')}..." if parameter.nargs == -1 else word
    return many if parameter.required else f"[{many}]"


def _list_rows(parameters: list[Any]) -> Iterator[str]:
    for parameter in parameters:
        if parameter.param_type_name == "argument":
            name = f"`{_describe_argument(parameter)}`"
        else:
            name = ", ".join(f"`{each}`" for each in parameter.opts)
        if getattr(parameter, "help", None):
            yield f"| {name} | {parameter.help.replace('|', chr(92) + '|')} |\n"
