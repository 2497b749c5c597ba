"""The commands of hpt: their groups, their names, and the module of each, imported on use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from itertools import chain
from typing import Any

import typer
from typer.core import TyperCommand

from hpt_cli.cli.help import measure_width, write_help

GROUPS = {
    "Start": ("init", "check", "run", "resume", "import"),
    "Look": ("list", "show", "watch", "jobs", "best", "curves", "logs"),
    "Understand": ("advise", "explain", "importance", "confirm", "compare", "replay", "metrics"),
    "Share": ("report", "export"),
    "Steer": ("try", "update"),
    "Keep house": ("stop", "wait", "rename", "delete", "doctor", "schema"),
}
"""The commands by what they are for, in the order of the help."""
COMMANDS = tuple(chain(*GROUPS.values()))
OTHER_NAMES = {
    "list": ("list", "list_tuning_jobs"),
    "import": ("import_request",) * 2,
    "try": ("try_point",) * 2,
}
"""The module and the function of commands whose names are taken in Python."""

TAKE_A_COMMAND = ("init",)
"""Commands whose arguments after the first belong to another program, options included."""


USAGE_ERROR: Any = typer.BadParameter.__bases__[0]
"""What click raises for a command line that it does not understand; typer names it nowhere."""


class _Command(TyperCommand):
    """A command with a help of ours, whose errors say which command they are of."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        formatter.write(write_help(str(ctx.info_name), self, measure_width()))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Return what is left of the words after the options and the arguments."""
        try:
            return super().parse_args(ctx, args)
        except USAGE_ERROR as error:
            error.ctx = error.ctx or ctx
            raise


def load_command(name: str) -> tuple[Callable[..., None], Sequence[str]]:
    """Return the function of a command, and the examples for its help."""
    module, function = OTHER_NAMES.get(name, (name, name))
    found = import_module(f"hpt_cli.cli.commands.{module}")
    return getattr(found, function), found.EXAMPLES


def make_command(name: str) -> Any:
    """Return a command for typer to run."""
    function, examples = load_command(name)
    alone = typer.Typer(add_completion=False)
    alone.command(name, cls=_Command, epilog="\n".join(examples))(function)
    command = typer.main.get_command(alone)
    command.allow_interspersed_args = name not in TAKE_A_COMMAND
    return command
