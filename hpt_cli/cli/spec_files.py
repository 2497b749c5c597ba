"""The spec named on the command line, or the only one here; and what people name instead."""

from __future__ import annotations

import errno
import os
import re
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path

from hpt_cli.cli.console import print_message
from hpt_cli.errors import UsageError, did_you_mean
from hpt_cli.spec.command_template import SCRIPTS
from hpt_cli.storage.home import find_home, list_job_dirs
from hpt_cli.storage.spec_file import MAX_BYTES

SUFFIXES = (".yaml", ".yml")
_RANGES = re.compile(rb"\bhyperparameter_ranges\b[\"']?\s*:")
"""What every spec has, and hardly another file."""
_REQUEST = re.compile(rb"\bHyperParameterTuningJob(?:Name|Config)\b[\"']?\s*:")
"""What SageMaker's requests and descriptions of tuning jobs have."""


def find_spec(given: Path | None, command: str, home: Path | None = None) -> Path:
    """Return the spec on the command line, or the only one in this directory.

    Args:
        given: what stands on the command line.
        command: the command that needs the spec.
        home: where tuning jobs are kept.

    Raises:
        UsageError: there is none, or more than one; or it is not a spec.
    """
    if given is None:
        return _find_only(command)
    if suggestion := suggest_init([str(given)]):
        message = f"{given} is a program, and hpt {command} takes a spec"
        raise UsageError.of("spec-program", message, suggestion)
    if not os.path.lexists(given):
        message = f"{given}: {os.strerror(errno.ENOENT)}"
        raise UsageError.of("spec-unreadable", message, _suggest_spec(str(given), home))
    if _is_request(given):
        message = f"{given} is a tuning job of SageMaker, and hpt {command} takes a spec"
        hint = f"write its spec first: hpt import {shlex.quote(str(given))}"
        raise UsageError.of("spec-request", message, hint)
    return given


def _is_request(path: Path) -> bool:
    if not path.is_file():  # a pipe can be read only once
        return False
    text = _read_beginning(path)
    return _REQUEST.search(text) is not None and not _RANGES.search(text)


def list_specs() -> list[Path]:
    """Return the files in this directory that look like specs, by name."""
    return [
        path
        for path in sorted(Path().iterdir())
        if path.suffix in SUFFIXES and path.is_file() and _RANGES.search(_read_beginning(path))
    ]


def _read_beginning(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES)
    except OSError:
        return b""


def _find_only(command: str) -> Path:
    specs = list_specs()
    if len(specs) == 1:
        print_message(f"{specs[0]} is the only spec here")
        return specs[0]
    if specs:
        names = ", ".join(map(str, specs))
        hint = f"hpt {command} {shlex.quote(str(specs[0]))}"
        raise UsageError.of("spec-missing", f"there are several specs here: {names}", hint)
    message = f"hpt {command} needs a spec, and there is none here"
    raise UsageError.of("spec-missing", message, _suggest_first())


def _suggest_first() -> str:
    """Return how a first spec is written, for the only script here if there is one."""
    scripts = [each.name for each in Path().iterdir() if each.suffix in SCRIPTS]
    example = scripts[0] if len(scripts) == 1 else "python train.py"
    return f"write one for your training command: hpt init {example}"


def _suggest_spec(given: str, home: Path | None) -> str:
    """Return what was probably meant by a file that does not exist."""
    specs = list(map(str, list_specs()))
    if close := did_you_mean(given, specs):
        return close
    if is_tuning_job(given, home):
        return f"it is a tuning job: hpt resume {given}"
    if specs:
        return f"there are: {', '.join(specs)}"
    return _suggest_first()


def is_tuning_job(word: str, home: Path | None = None) -> bool:
    """Return whether a word is the name of a tuning job here, as far as can be seen."""
    try:
        return any(each.name == word for each in list_job_dirs(find_home(home)))
    except OSError:
        return False


def suggest_init(words: Sequence[str]) -> str:
    """Return how a spec is written for a training command; empty for words that are none."""
    path = Path(words[0])
    is_program = len(words) > 1 and shutil.which(words[0]) is not None
    if path.suffix in SUFFIXES or not (_is_script(path) or is_program):
        return ""
    return f"write a spec for it first: hpt init {shlex.join(words)}"


def _is_script(path: Path) -> bool:
    if path.suffix in SCRIPTS:
        return True
    can_run = os.path.isfile(path) and os.access(path, os.X_OK)
    return can_run and not _RANGES.search(_read_beginning(path))
