"""The options of a training program, from running its `--help` and reading its source."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from hpt_cli.scaffold.help_text import parse_help
from hpt_cli.scaffold.options import ProgramOption, merge_options
from hpt_cli.scaffold.settings import Read, find_config, find_settings
from hpt_cli.scaffold.source import list_imports, parse_loops, parse_source

HELP_SECONDS = 30.0
MAX_SOURCE = 1 << 20
MAX_MODULES = 200
"""So many imports of a script are looked for."""


def list_options(words: Sequence[str]) -> tuple[ProgramOption, ...]:
    """Return the options of the program that a command runs; none if neither shows any.

    A script that takes its settings without an option parser is not asked for help: it would train.
    """
    script = _find_script(words)
    source = _read_text(script)
    after = words[words.index(script) + 1 :] if script in words else words

    def read(name: str) -> str:
        beside = Path(script).parent / name
        return _read_text(name) or _read_text(str(beside))

    settings = find_settings(source, after, read)
    if settings:
        return settings
    shown, declared = parse_help(_ask_for_help(words)), parse_source(source)
    if shown:  # its parser may be in a module of its own
        texts = list(_read_imported(source, read))
        imported = (each for text in texts for each in parse_source(text))
        declared = (*parse_loops([*texts, source]), *imported, *declared)
    return (*find_config(source, after, read), *merge_options(shown, declared))


def _read_imported(source: str, read: Read) -> Iterator[str]:
    """Yield the texts of modules beside a script that it imports, and of those that they import."""
    left, seen = list_imports(source), set[str]()
    while left and len(seen) < MAX_MODULES:
        name = left.pop(0)
        if name in seen:
            continue
        seen.add(name)
        path = name.replace(".", "/")
        text = read(f"{path}.py") or read(f"{path}/__init__.py")
        if text:
            yield text
            left += list_imports(text)


def _ask_for_help(words: Sequence[str]) -> str:
    """Return what `COMMAND --help` prints; kill a program that does not end after HELP_SECONDS."""
    plain = {"COLUMNS": "200", "TERM": "dumb", "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"}
    try:
        process = subprocess.Popen(
            [*words, "--help"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **plain},
            start_new_session=True,
        )
    except OSError:
        return ""
    try:
        return process.communicate(timeout=HELP_SECONDS)[0].decode("utf-8", errors="replace")
    except subprocess.TimeoutExpired:
        return ""
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def read_script(words: Sequence[str]) -> str:
    """Return the source of the Python script or module that a command runs; empty if not found."""
    return _read_text(_find_script(words))


def _find_script(words: Sequence[str]) -> str:
    """Return the path of the Python script or module that a command runs; empty if not found."""
    names = [word for word in words if word.endswith(".py")]
    if "-m" in words[:-1]:
        module = words[words.index("-m") + 1].replace(".", "/")
        names = [f"{module}.py", f"{module}/__main__.py", *names]
    return next((name for name in names if Path(name).is_file()), "")


def _read_text(name: str) -> str:
    try:
        return Path(name).read_text(encoding="utf-8", errors="replace")[:MAX_SOURCE]
    except (OSError, ValueError):
        return ""
