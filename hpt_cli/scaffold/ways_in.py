"""How a training command is tuned that shows no options."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from hpt_cli.errors import UsageError
from hpt_cli.scaffold.options import ProgramOption, kind_of
from hpt_cli.scaffold.program import read_script
from hpt_cli.scaffold.ranges import propose_ranges
from hpt_cli.scaffold.source import list_variables
from hpt_cli.spec.config_files.documents import FORMATS, DocumentError, find_format
from hpt_cli.spec.config_files.paths import find_path, get_value, list_keys
from hpt_cli.spec.cross_field.conflict import is_number

MAX_SHOWN = 5
"""How many keys are named."""
WAYS_IN = """\
name them in the command, each with its usual value:
      hpt init python train.py --lr 0.01
      hpt init ./train.sh {lr=0.01} {depth=6}
      hpt init LR=0.01 DEPTH=6 python train.py
    a script without any can read a config file, of which each job gets its own copy (config_files
    in the spec), or json.loads(os.environ["HPT_HYPERPARAMETERS"]): docs/howto/config-files.md"""


def advise_way_in(words: Sequence[str]) -> str:
    """Return how hyperparameters can get into a command: as its program reads numbers, if known."""
    return _advise_config_file(words) or _advise_variables(words) or WAYS_IN


def _advise_config_file(words: Sequence[str]) -> str:
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


def _advise_variables(words: Sequence[str]) -> str:
    """Return how the numbers that a script reads from its environment are tuned; "" without any."""
    read = list_variables(read_script(words)).items()
    options = [ProgramOption(f"{name}=", kind_of(value), value) for name, value in read]
    likely = [each.option for each in propose_ranges(options) if each.is_likely]
    if not likely:
        return ""
    named = [f"{each.flag}{each.default}" for each in likely]
    return f"""\
the program reads numbers from its environment: name those to tune, each with its usual value
      hpt init {shlex.join([*named, *words])}"""
