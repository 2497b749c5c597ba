"""A command with placeholders, and hyperparameters -> the argument list of a training job."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence

from hpt_cli.spec.hyperparameters import Value, format_value

SCRIPTS = (".py", ".sh", ".R", ".jl", ".lua", ".pl")
"""Suffixes of scripts among the words of a command."""
ALL = "args"
"""`{args}` stands for every hyperparameter as `--name value`."""

_NAME = r"[A-Za-z_][A-Za-z0-9_.:-]*"
PLACEHOLDER = re.compile(rf"(?<!\{{)\{{({_NAME})\}}(?!\}})|\{{(\{{{_NAME}\}})\}}")
"""`{name}`, or `{{name}}` for literal braces."""


def split_command(command: str | Sequence[str]) -> list[str]:
    """Return the words of a command, split as a shell would split them.

    Raises:
        ValueError: a quotation has no end.
    """
    return shlex.split(command) if isinstance(command, str) else list(command)


def find_placeholders(command: str | Sequence[str]) -> list[str]:
    """Return the names in braces, in order, each once."""
    text = command if isinstance(command, str) else "\n".join(command)
    return list(dict.fromkeys(name for name, _ in PLACEHOLDER.findall(text) if name))


def render_argv(
    command: str | Sequence[str], hyperparameters: Mapping[str, Value], *, shell: bool = False
) -> list[str]:
    """Return the argument list of one training job.

    A value is never split and never passes through a shell; with `shell` it is quoted for it.
    Without any placeholder all hyperparameters are appended as `--name value`.
    """
    values = {name: format_value(value) for name, value in hyperparameters.items()}
    options = [word for name, value in values.items() for word in (f"--{name}", value)]
    names = find_placeholders(command)
    if shell and isinstance(command, str):
        return ["/bin/sh", "-c", _render_script(command, values, options, bare=not names)]
    words = split_command(command)
    if not names:
        argv = [_fill(word, {}) for word in words] + options
    else:
        argv = [part for word in words for part in _render_word(word, values, options)]
    return ["/bin/sh", "-c", shlex.join(argv)] if shell else argv


def render_line(
    command: str | Sequence[str], hyperparameters: Mapping[str, Value], *, shell: bool = False
) -> str:
    """Return one training job's command as a line that can be pasted into a shell."""
    argv = render_argv(command, hyperparameters, shell=shell)
    return argv[-1] if shell else shlex.join(argv)


def _render_word(word: str, values: Mapping[str, str], options: list[str]) -> list[str]:
    if word == f"{{{ALL}}}" and ALL not in values:
        return options
    return [_fill(word, values)]


def _render_script(
    script: str, values: Mapping[str, str], options: list[str], *, bare: bool
) -> str:
    everything = shlex.join(options)
    if bare:
        return f"{_fill(script, {})} {everything}"
    quoted = {ALL: everything} | {name: shlex.quote(value) for name, value in values.items()}
    return _fill(script, quoted)


def _fill(text: str, values: Mapping[str, str]) -> str:
    def replace(match: re.Match[str]) -> str:
        name, literal = match.groups()
        return literal or values.get(name, match.group())

    return PLACEHOLDER.sub(replace, text)
