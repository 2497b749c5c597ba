"""Messages and questions to the user, on standard error."""

from __future__ import annotations

import sys

import typer

from hpt_cli.formatting import plain_lines


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
