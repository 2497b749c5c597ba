"""Messages and questions to the user, on standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TypeVar

import typer

from hpt_cli.errors import UsageError
from hpt_cli.formatting import plain_lines

Answer = TypeVar("Answer")


def print_message(text: str) -> None:
    """Print a message; nothing quoted in it can control the terminal."""
    print(plain_lines(text), file=sys.stderr)


def confirm(question: str, *, default: bool = False) -> bool:
    """Return the answer to a question: yes or no."""
    return typer.confirm(plain_lines(question), default=default, err=True)


def prompt(question: str, default: str | None = None) -> str:
    """Return the answer to a question, as text."""
    usual = None if default is None else plain_lines(default)
    return str(typer.prompt(plain_lines(question), default=usual, err=True))


def ask(question: str, read: Callable[[str], Answer], default: str | None = None) -> Answer:
    """Return what `read` makes of the answer to a question; ask again where it cannot be read."""
    while True:
        try:
            return read(prompt(question, default))
        except UsageError as error:
            for problem in error.problems:
                hint = f"; {problem.hint}" if problem.hint else ""
                print_message(f"{problem.message}{hint}")
