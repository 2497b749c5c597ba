"""A training job's command as a line for a shell: it runs outside hpt, in any directory."""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from hpt_cli.files import read_regular
from hpt_cli.runtime.environment import JobContext, make_launch_request
from hpt_cli.spec.command_template import SCRIPTS
from hpt_cli.spec.env_references import find_references, split_references

MAX_SCRIPT_BYTES = 1 << 20
"""A larger file is no script."""

_OWN = re.compile(r"\b(?:HPT|SM)_[A-Z0-9_]+\b")
"""Variables that hpt sets, named in a command or a script."""
_WORD = r"[^\s'\"=;|&()<>]+"
_SCRIPT = re.compile(rf"{_WORD}(?:{'|'.join(map(re.escape, SCRIPTS))})(?![\w.])|\.\.?/{_WORD}")
_MODULE = re.compile(r"(?<!\S)-m\s+([\w.]+)")


def write_line(job: JobContext, *, shows_values: bool = True) -> str:
    """Return the line: `env`, the directory, variables, the command.

    Of what hpt sets in a training job's environment it has the variables that the command or its
    scripts name, as far as that shows; and all of the spec's `environment`.

    Args:
        shows_values: whether the line may have the values of the spec's `environment`, which may be
            secret; else it takes them from whoever runs it.
    """
    spec = job.spec
    references = {each: "" for text in spec.environment.values() for each in find_references(text)}
    inherited = {*references, *spec.environment}
    request = make_launch_request(replace(job, base=references))
    texts = [*request.argv, *_read_scripts(request.argv, request.working_directory)]
    own = _list_own(request.environment, texts, reads_all=bool(spec.list_unnamed()))
    pairs = [shlex.quote(f"{name}={value}") for name, value in own if name not in inherited]
    pairs += [
        f"{shlex.quote(name)}={_quote(text) if shows_values else _refer(name)}"
        for name, text in spec.environment.items()
    ]
    directory = shlex.quote(str(request.working_directory.resolve()))
    return " ".join(["env", "-C", directory, *pairs, shlex.join(request.argv)])


def _read_scripts(argv: Collection[str], directory: Path) -> Iterator[str]:
    """Yield the sources of the scripts that a command names, as far as they can be read."""
    line = "\n".join(argv)
    modules = [f"{name.replace('.', '/')}.py" for name in _MODULE.findall(line)]
    for path in (directory / word for word in [*_SCRIPT.findall(line), *modules]):
        with contextlib.suppress(OSError, ValueError):
            if path.stat().st_size <= MAX_SCRIPT_BYTES:
                yield read_regular(path)


def _list_own(
    environment: Mapping[str, str], texts: Collection[str], *, reads_all: bool
) -> list[tuple[str, str]]:
    """Return the variables that hpt sets and these texts name, with their values."""
    named = {name for text in texts for name in _OWN.findall(text)}
    if reads_all:  # the program gets some hyperparameters in no other way
        named.add("HPT_HYPERPARAMETERS")
    return [(name, environment[name]) for name in sorted(named) if name in environment]


def _quote(text: str) -> str:
    """Return a value for a shell; what it refers to comes from whoever runs the line."""
    parts = split_references(text)
    return (
        "".join(_refer(part) if is_name else shlex.quote(part) for part, is_name in parts) or "''"
    )


def _refer(name: str) -> str:
    """Return a variable of whoever runs the line, which then fails if it is not set."""
    return f'"${{{name}:?}}"'
