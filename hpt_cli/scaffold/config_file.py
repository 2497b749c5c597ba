"""A config file that a training command names: how the numbers in it can be tuned."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from hpt_cli.errors import UsageError
from hpt_cli.spec.config_files.documents import FORMATS, DocumentError, find_format
from hpt_cli.spec.config_files.paths import find_path, get_value, list_keys
from hpt_cli.spec.cross_field.conflict import is_number

MAX_SHOWN = 5
"""How many keys are named."""


def advise_config_file(words: Sequence[str]) -> str:
    """Return how the numbers in a config file that a command names are tuned; "" without one."""
    for word in words:
        if Path(word).suffix.lower().removeprefix(".") not in FORMATS:
            continue
        try:
            tree = find_format(word).read(Path(word).read_text(encoding="utf-8"))
        except (OSError, ValueError, DocumentError, UsageError):
            continue
        paths = ((key, find_path(tree, key)) for key in list_keys(tree))
        keys = [key for key, path in paths if path and is_number(get_value(tree, path))]
        if keys:
            return _write_config_lines(words, word, keys[:MAX_SHOWN])
    return ""


def _write_config_lines(words: Sequence[str], file: str, keys: Sequence[str]) -> str:
    command = " ".join("{config}" if each == file else shlex.quote(each) for each in words)
    named = ", ".join(f"{key}: {key.rpartition('.')[2]}" for key in keys)
    return f"""\
keys of {file} can be tuned: each training job gets its own copy. Write in a spec
      command: {command}
      config_files: [{{template: {file}, name: config, keys: {{{named}}}}}]
    with a range in hyperparameter_ranges for each: docs/howto/config-files.md"""
