"""The options of a training program, as its help, its source and the command as typed name them."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from hpt_cli.spec.command_template import ALL, find_placeholders
from hpt_cli.spec.hyperparameters import Value

Kind = Literal["float", "int", "number", "choice", "text", "switch", "list"]
"""`number`: its default is 0 or 1, which are whole numbers as well as bounds of a share."""


@dataclass(frozen=True)
class ProgramOption:
    """An option of a program, and the values that it takes."""

    flag: str
    """`--batch-size`; where value and name are one word it ends with `=`: `optimizer.lr=`."""
    kind: Kind
    default: Value | None = None
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    aliases: tuple[str, ...] = ()
    about: str = field(default="", compare=False)
    """Its description by the program."""

    @property
    def name(self) -> str:
        """The name as a hyperparameter: `batch_size`, `optimizer.lr`."""
        flags = (self.flag, *self.aliases)
        flag = next((each for each in flags if each.startswith("--")), self.flag)
        return flag.strip("-=").replace("-", "_")

    @property
    def negative(self) -> str | None:
        """The flag that turns a switch off: `--no-x`, `--nox`; None without one."""
        word = self.flag.lstrip("-")
        return next(
            (each for each in self.aliases if each in (f"--no-{word}", f"--no{word}")), None
        )

    def find_flag(self, flags: Container[str]) -> str | None:
        """Return which of these flags is its own, or an alias; None if none is."""
        return next((each for each in (self.flag, *self.aliases) if each in flags), None)

    def write(self, value: str) -> list[str]:
        """Return the option with a value, as words of a command."""
        return [f"{self.flag}{value}"] if self.flag.endswith("=") else [self.flag, value]


KINDS: dict[str, Kind] = {
    "float": "float",
    "int": "int",
    "integer": "int",
    "bool": "switch",
    "boolean": "switch",
    "str": "text",
    "text": "text",
    "path": "text",
}
"""The kind of an option by the type named in its help or source."""


def kind_of(default: object) -> Kind:
    """Return the kind of an option of which only the default is known."""
    if isinstance(default, bool):
        return "switch"
    if isinstance(default, float):
        return "float"
    if isinstance(default, int):
        return "number" if default in (0, 1) else "int"
    return "list" if isinstance(default, (list, tuple)) else "text"


def parse_value(text: str) -> Value | None:
    """Return a default as written: a number, a text, or None if there is none."""
    if text in ("None", "null", "", "???"):
        return None
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def merge_options(
    shown: Iterable[ProgramOption], declared: Iterable[ProgramOption]
) -> tuple[ProgramOption, ...]:
    """Return the options shown in the help, completed by the source; without any, the declared."""
    by_flag = {flag: each for each in declared for flag in (each.flag, *each.aliases)}
    merged = [_complete(each, by_flag.get(each.flag)) for each in shown]
    return tuple(merged) or tuple(dict.fromkeys(by_flag.values()))


def _complete(shown: ProgramOption, declared: ProgramOption | None) -> ProgramOption:
    if declared is None:
        return shown
    default = declared.default if shown.default is None else shown.default
    if declared.kind == "list":
        default = None
    if shown.kind in ("text", "int", "number") and declared.kind != "text":
        shown = replace(shown, kind=declared.kind, choices=shown.choices or declared.choices)
    return replace(shown, default=default, about=shown.about or declared.about)


# The command


def find_given(words: Sequence[str], short: Container[str] = ()) -> dict[str, str]:
    """Return the options of a command that have a value: flag -> value; Hydra's end with `=`.

    Args:
        short: the flags of one dash that the program has; others are not taken for options.
    """
    given = {}
    for word, after in zip(words, [*words[1:], "-"], strict=True):
        flag, equals, value = word.partition("=")
        if equals and re.fullmatch(r"\+{0,2}[A-Za-z_][\w.]*", flag):
            given[f"{flag}="] = value
        elif equals and flag.startswith("--"):
            given[flag] = value
        elif re.match(r"-[^\d.]|-$", after):
            continue
        elif re.fullmatch(r"--[A-Za-z][\w.-]*", word) or word in short:
            given[word] = after
    return given


def list_short(options: Iterable[ProgramOption]) -> set[str]:
    """Return the flags of one dash that take a value."""
    flags = (
        flag for each in options if each.kind != "switch" for flag in (each.flag, *each.aliases)
    )
    return {flag for flag in flags if re.match(r"-[^-]", flag)}


def update_defaults(
    options: Iterable[ProgramOption], given: dict[str, str]
) -> tuple[ProgramOption, ...]:
    """Return the options with the values in a command as defaults, and those that only it has."""
    known = []
    left = {flag: parse_value(text) for flag, text in given.items()}
    for each in options:
        flag = each.find_flag(left)
        if flag is not None:
            others = tuple(other for other in (each.flag, *each.aliases) if other != flag)
            each = _set_default(replace(each, flag=flag, aliases=others), left.pop(flag))
        known.append(each)
    return (*known, *(ProgramOption(flag, kind_of(value), value) for flag, value in left.items()))


def _set_default(option: ProgramOption, value: Value | None) -> ProgramOption:
    kind = option.kind if option.kind != "text" else kind_of(value)
    return replace(option, kind=kind, default=value)


def split_usual(words: Iterable[str]) -> tuple[list[str], dict[str, Value | None]]:
    """Return the words with `{depth}` for each `{depth=6}`, and the usual values so written."""
    usual: dict[str, Value | None] = {}

    def name(match: re.Match[str]) -> str:
        usual[match["name"]] = parse_value(match["value"])
        return f"{{{match['name']}}}"

    return [_USUAL.sub(name, word) for word in words], usual


_USUAL = re.compile(r"(?<!\$)\{(?P<name>[A-Za-z_][\w.]*)=(?P<value>[^{}\s]+)\}")


def name_placeholders(
    options: Iterable[ProgramOption], words: Sequence[str], usual: Mapping[str, Value | None]
) -> tuple[ProgramOption, ...]:
    """Return the options named as their placeholders in a command, with their usual values.

    A placeholder without a known option becomes an option itself.
    """
    marked = [name for name in find_placeholders(list(words)) if name != ALL]
    options = list(options)
    given = find_given(words, list_short(options))
    held = {flag: value[1:-1] for flag, value in given.items() if value[1:-1] in marked}
    named = []
    for each in options:
        flag = each.find_flag(held)
        if flag is not None:
            each = replace(each, flag=f"--{held[flag]}", aliases=(each.flag, *each.aliases))
        named.append(each)
    known = {each.name for each in named}
    named += [ProgramOption(f"--{name}", "text") for name in marked if name not in known]
    return tuple(
        _set_default(each, usual[each.name]) if each.name in usual else each for each in named
    )
