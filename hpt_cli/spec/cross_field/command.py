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


def list_names(raw: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names that may stand in braces: of hyperparameters, and of config files."""
    files = (each.get("name") for each in items(raw, "config_files") if isinstance(each, Mapping))
    return (
        *mapping(raw, "hyperparameter_ranges"),
        *mapping(raw, "static_hyperparameters"),
        *(name for name in files if isinstance(name, str)),
    )


def read_command(raw: Mapping[str, Any]) -> str | list[str]:
    """Return the command; an empty text for what is none."""
    command = raw.get("command")
    if isinstance(command, Sequence) and not isinstance(command, str):
        return [str(word) for word in command]
    return command if isinstance(command, str) else ""


def _is_script(raw: Mapping[str, Any]) -> bool:
    """Return whether the command is text for a shell, into which values are written."""
    return isinstance(raw.get("command"), str) and str(raw.get("shell")).lower() in TRUE


def find_command_conflicts(raw: Mapping[str, Any]) -> Iterator[Conflict]:
    known = list_names(raw)
    for name in commands.find_placeholders(read_command(raw), known):
        if name not in known and name != commands.ALL:
            hint = did_you_mean(name, known)
            yield _describe_unknown(name, hint or f"write {{{{{name}}}}} for literal braces")


def find_misspelt_conflicts(raw: Mapping[str, Any]) -> Iterator[Conflict]:
    """Yield what stands in braces and is no placeholder, but nearly a hyperparameter's name."""
    for text, hint in commands.find_misspelt(read_command(raw), list_names(raw)):
        yield _describe_unknown(text, hint)


def _describe_unknown(name: str, hint: str) -> Conflict:
    message = f"there is no hyperparameter for {{{name}}} in the command"
    return Conflict(("command",), "placeholder-unknown", message, hint)


def find_absence_conflicts(raw: Mapping[str, Any]) -> Iterator[Conflict]:
    """Yield placeholders that cannot be left out where their hyperparameter does not exist."""
    ranges = mapping(raw, "hyperparameter_ranges")
    conditions = {name: _read_condition(each) for name, each in ranges.items()}
    command, names = read_command(raw), list_names(raw)
    if _is_script(raw):
        for name in commands.find_placeholders(command, names):
            if conditions.get(name):
                yield _describe_absence(
                    name,
                    conditions[name],
                    "a shell script has no word that could be left out for it",
                    f"write {{{commands.ALL}}}, which is all that exist; or shell: false, where an"
                    f" option is left out with its value: --{name} {{{name}}}",
                )
        return
    try:
        words = commands.split_command(command, names)
    except ValueError:  # which is reported itself
        return
    for place, word in enumerate(words):
        inside = commands.find_placeholders(word, names)
        values = commands.list_value_words(words, place, names)
        # Each of `--set a={x} b={y}` is a value by itself; of `--betas {x} {y}`, none is.
        together = [each for each in values if "=" not in each]
        beside = commands.find_placeholders(together, names)
        for name in (name for name in inside if conditions.get(name)):
            if place == 0 or re.search(r"\s", re.sub(r"\{[^{}]*\}", "", word)):
                why, hint = f"'{word}' cannot be left out for it", "give it an argument of its own"
                yield _describe_absence(name, conditions[name], why, hint)
        for group, where in ((inside, f"'{word}'"), (beside, f"the values of {word}")):
            for name in group:
                if conditions.get(name) and len({conditions.get(each) for each in group}) > 1:
                    others = ", ".join(f"{{{each}}}" for each in group if each != name)
                    why = f"but {others}, also in {where}, may exist without it"
                    hint = f"give it an option of its own, such as --{name}={{{name}}}"
                    yield _describe_absence(name, conditions[name], why, hint)


def _read_condition(each: Any) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the `when` of a range, to be compared."""
    lists = {
        decider: values if isinstance(values, (list, tuple)) else [values]
        for decider, values in mapping(each, "when").items()
    }
    return tuple(sorted((decider, tuple(map(str, values))) for decider, values in lists.items()))


def _describe_absence(
    name: str, condition: tuple[tuple[str, tuple[str, ...]], ...], why: str, hint: str
) -> Conflict:
    where = " and ".join(f"{decider} is {' or '.join(each)}" for decider, each in condition)
    message = f"{{{name}}} exists only where {where}: {why}"
    return Conflict(("command",), "placeholder-conditional", message, hint)


def find_quoting_conflicts(raw: Mapping[str, Any]) -> Iterator[Conflict]:
    """Yield values that need quotes in places where the shell takes quotes for something else."""
    script, names = raw.get("command"), list_names(raw)
    # Only a shell script is parsed again after the values are in it.
    if not isinstance(script, str) or not _is_script(raw):
        return
    if not commands.find_placeholders(script, names):
        # Without placeholders, all hyperparameters are added at the end of the command.
        script = f"{script} {{{commands.ALL}}}"
    embedded = shell_quoting.find_embedded(script, names)
    places = [
        *((name, shell_quoting.needs_quotes) for name in embedded),
        *((name, _has_lines) for name in shell_quoting.find_commented(script, names)),
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
