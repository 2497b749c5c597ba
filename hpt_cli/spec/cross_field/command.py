"""Cross-field checks of the command, its texts and its environment."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hpt_cli.errors import did_you_mean
from hpt_cli.spec import command_template as commands
from hpt_cli.spec import shell_quoting
from hpt_cli.spec.cross_field.conflict import TRUE, Conflict, Location, items, mapping
from hpt_cli.spec.env_references import find_references, is_variable_name

_NO_TEXT = re.compile(r"[\0\ud800-\udfff]")
"""Characters that cannot be passed on: NUL, and surrogates, which stand for invalid bytes."""


def find_text_conflicts(value: Any, where: Location) -> Iterator[Conflict]:
    """Yield texts that no argument, variable, file name or journal can hold."""
    if isinstance(value, str) and _NO_TEXT.search(value):
        message = f"{'.'.join(map(str, where))}: {value!r} contains an invalid character"
        hint = "NUL and bytes that are not UTF-8 cannot be passed on"
        yield Conflict(where, "text", message, hint)
    elif isinstance(value, Mapping):
        for name, each in value.items():
            yield from find_text_conflicts(str(name), (*where, name))
            yield from find_text_conflicts(each, (*where, name))
    elif isinstance(value, (list, tuple)):
        for index, each in enumerate(value):
            yield from find_text_conflicts(each, (*where, index))


def find_command_conflicts(raw: Mapping[str, Any]) -> Iterator[Conflict]:
    command = raw.get("command")
    if isinstance(command, Sequence) and not isinstance(command, str):
        command = [str(word) for word in command]
    if not isinstance(command, (str, list)):
        return
    known = [*mapping(raw, "hyperparameter_ranges"), *mapping(raw, "static_hyperparameters")]
    for name in commands.find_placeholders(command):
        if name not in known and name != commands.ALL:
            message = f"there is no hyperparameter for {{{name}}} in the command"
            hint = did_you_mean(name, known) or f"write {{{{{name}}}}} for literal braces"
            yield Conflict(("command",), "placeholder-unknown", message, hint)


def find_quoting_conflicts(raw: Mapping[str, Any]) -> Iterator[Conflict]:
    """Yield values that need quotes in places where the shell takes quotes for something else."""
    script = raw.get("command")
    # Only a shell script is parsed again after the values are in it.
    if not isinstance(script, str) or str(raw.get("shell")).lower() not in TRUE:
        return
    if not commands.find_placeholders(script):
        # Without placeholders, all hyperparameters are added at the end of the command.
        script = f"{script} {{{commands.ALL}}}"
    places = [
        *((name, shell_quoting.needs_quotes) for name in shell_quoting.find_embedded(script)),
        *((name, _has_lines) for name in shell_quoting.find_commented(script)),
    ]
    for name, breaks in places:
        asked = None if name == commands.ALL else name
        value = next(filter(breaks, _list_texts(raw, asked)), None)
        if value is not None:
            yield Conflict(
                ("command",),
                "placeholder-quoted",
                f"{{{name}}} is inside quotes (or similar), but {value!r} needs its own quotes",
                f"hpt quotes values for the shell: write {{{name}}} without quotes around it;"
                f" for a here-document (<<), write value={{{name}}} before it and $value in it",
            )


def _has_lines(text: str) -> bool:
    return "\n" in text


def _list_texts(raw: Mapping[str, Any], name: str | None) -> Iterator[str]:
    """Yield the texts that a hyperparameter can be; without a name, those of all, and all names."""
    for key, each in mapping(raw, "hyperparameter_ranges").items():
        if name in (None, key) and isinstance(each, Mapping):
            yield from map(str, items(each, "values"))
    for key, value in mapping(raw, "static_hyperparameters").items():
        if name in (None, key):
            yield str(value)
    if name is None:
        yield from map(str, mapping(raw, "hyperparameter_ranges"))
        yield from map(str, mapping(raw, "static_hyperparameters"))


def find_environment_conflicts(raw: Mapping[str, Any]) -> Iterator[Conflict]:
    for name, value in mapping(raw, "environment").items():
        if not name or "=" in name:
            message = f"{name!r} is not a valid variable name"
            yield Conflict(("environment", name), "environment-name", message)
        for reference in find_references(str(value)):
            if not is_variable_name(reference):
                message = f"environment.{name}: '${{{reference}}}' is not a valid reference"
                hint = "write ${NAME}, or $${ for a literal ${"
                yield Conflict(("environment", name), "reference", message, hint)
