"""What commands say to the user beside their results."""

from __future__ import annotations

import sys

import typer

from hpt_cli.formatting import plain_lines


def say(text: str) -> None:
    """A message on standard error; what is quoted in it cannot drive the terminal."""
    print(plain_lines(text), file=sys.stderr)


def confirm(question: str, *, default: bool = False) -> bool:
    """Ask yes or no."""
    return typer.confirm(plain_lines(question), default=default, err=True)


def prompt(question: str, default: str | None = None) -> str:
    """Ask for a text."""
    usual = None if default is None else plain_lines(default)
    return str(typer.prompt(plain_lines(question), default=usual, err=True))
