"""Config files of training jobs: a template, and hyperparameters -> the text of a job's file.

With `keys` a template is YAML, JSON or TOML, and values are set in it; without, it is any text, and
`{name}` stands for a value as in a command.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from hpt_cli.spec.command_template import Filling, fill_text, find_placeholders
from hpt_cli.spec.config_files.documents import REMOVED, find_format
from hpt_cli.spec.config_files.paths import find_path, fit_value, get_value
from hpt_cli.spec.ranges import SpecPart

Word = Annotated[str, StringConstraints(min_length=1)]


def _check_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", name):
        message = "must consist of letters, digits, _ and -, such as config_file, but is {name}"
        raise PydanticCustomError("config-name", message, {"name": repr(name)})
    return name


class ConfigFile(SpecPart):
    """A file that each training job gets, with its own hyperparameters in it."""

    template: Word
    """The file to copy; relative to where `hpt run` was typed."""
    name: Annotated[str, AfterValidator(_check_name)]
    """What stands for the copy's path in the command: `{name}`; and the copy's own name."""
    keys: Annotated[dict[str, Word], Field(min_length=1)] | None = None
    """Keys of a YAML, JSON or TOML template, and the hyperparameters that they are set to; dots go
    down. Without keys, `{dropout}` in the template stands for a hyperparameter."""

    @property
    def file_name(self) -> str:
        """The name of a training job's copy: it ends as the template does."""
        _, dot, suffix = self.template.rpartition("/")[2].rpartition(".")
        return f"{self.name}{dot}{suffix if dot else ''}"


def render_config(file: ConfigFile, template: str, filling: Filling) -> str:
    """Return the text of one training job's config file.

    A key whose hyperparameter does not exist in it is left out.

    Args:
        template: the text of the template, in which all keys are.
    """
    if file.keys is None:
        return fill_text(template, filling)
    document = find_format(file.template)
    tree = document.read(template)
    values = {**filling.hyperparameters, **filling.paths}
    changes = {}
    for key, name in file.keys.items():
        path = find_path(tree, key)
        assert path is not None  # or the spec was refused
        is_there = name in values
        changes[path] = fit_value(values[name], get_value(tree, path)) if is_there else REMOVED
    return document.write(template, changes)


def list_values(file: ConfigFile, template: str, names: Collection[str]) -> list[str]:
    """Return the hyperparameters, and other config files, that a config file holds."""
    if file.keys is not None:
        return list(file.keys.values())
    return [name for name in find_placeholders(template, names) if name in names]
