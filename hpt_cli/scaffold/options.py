"""The options of a training program: from its help, its source, or the command as it was typed.

Help is read as argparse, click, typer, tyro and Hydra write it. Help often says no type and no
default; the source of a script that uses argparse or click does.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from hpt_cli.spec.command_template import ALL, find_placeholders
from hpt_cli.spec.hyperparameters import Value

Kind = Literal["float", "int", "choice", "text", "switch"]


@dataclass(frozen=True)
class ProgramOption:
    """One option: how it is written, and what it takes."""

    flag: str
    """`--batch-size`, or for Hydra `optimizer.lr=`."""
    kind: Kind
    default: Value | None = None
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    aliases: tuple[str, ...] = ()
    about: str = field(default="", compare=False)
    """What the program says of it."""

    @property
    def name(self) -> str:
        """The hyperparameter's name: `batch_size`, `optimizer.lr`."""
        return self.flag.strip("-=").replace("-", "_")

    def find_flag(self, flags: Container[str]) -> str | None:
        """Return which of these flags is its own, or an alias; None if none is."""
        return next((each for each in (self.flag, *self.aliases) if each in flags), None)

    def write(self, value: str) -> list[str]:
        """The option with a value, as words of a command."""
        return [f"{self.flag}{value}"] if self.flag.endswith("=") else [self.flag, value]


def parse_help(text: str) -> tuple[ProgramOption, ...]:
    """The options that a program's `--help` tells of."""
    lines = [_strip(line) for line in text.splitlines()]
    if any(line.strip() == "== Config ==" for line in lines):
        return tuple(_parse_hydra(lines))
    return tuple(filter(None, map(_parse_entry, _split_entries(lines))))


_ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
_FRAME = re.compile(r"^\s*[│┃|]|[│┃|]\s*$|^\s*[╭╰].*$")


def _strip(line: str) -> str:
    """A line without colours and the frames that typer and tyro draw."""
    return _FRAME.sub(" ", _ANSI.sub("", line))


def _split_entries(lines: Iterable[str]) -> Iterator[str]:
    """Each option with its help as one text; two blanks in a row stand between columns."""
    entry: list[str] = []
    for line in lines:
        text = line.strip()
        if re.match(r"--?\w", text):
            yield "  ".join(entry)
            entry = [text]
        elif entry and text and line.startswith("  "):
            entry.append(text)
        else:
            yield "  ".join(entry)
            entry = []
    yield "  ".join(entry)


_FLAG = re.compile(r"(?<![\w-])(--[A-Za-z][\w.-]*)")
_CHOICES = re.compile(r"[{\[<]([^\s{}\[\]<>=,|]+(?:[,|][^\s{}\[\]<>=,|]+)+)[}\]>]")
_TYPE = re.compile(
    r"(?<!\w)(?:<(float|int|bool|str|path)\b|(FLOAT|INTEGER|INT|BOOL(?:EAN)?|STR|TEXT|PATH)\b"
    r"|\(?type: (float|int|str)\b)"
)
_DEFAULT = re.compile(
    r"[(\[]\s*defaults?(?:\s+(?:is|to))?\s*[:=]?\s*(?P<value>'[^']*'|\"[^\"]*\"|[^\s,;)\]]+)"
    r"|\(type: \w+, default: (?P<typed>[^\s)]+)"
    r"|\bdefaults?(?:\s+(?:is|to)|\s*[:=])\s*(?P<bare>[-+]?[\d.]+(?:e[-+]?\d+)?)",
    re.IGNORECASE,
)
_BOUNDS = re.compile(r"(?P<low>-?[\d.]+)<=?x(?:<=?(?P<high>-?[\d.]+))?")


def _parse_entry(entry: str) -> ProgramOption | None:
    head, _, rest = entry.partition("  ")
    flags = _FLAG.findall(head) or _FLAG.findall(entry.split("  ")[0])
    if not flags or flags[0] == "--help":
        return None
    column = rest.strip().partition("  ")[0]
    signature = f"{head}  {column}" if column[:1] in ("<", "[") or column.isupper() else head
    choices = _CHOICES.search(signature)
    kind = _TYPE.search(signature) or _TYPE.search(rest)
    takes_value = bool(choices or kind or re.search(rf"{re.escape(flags[0])}[ =]\S", head))
    default = _parse_default(entry)
    bounds = _BOUNDS.search(entry)
    option = ProgramOption(
        flag=flags[0],
        kind=_KINDS[next(filter(None, kind.groups())).lower()] if kind else kind_of(default),
        default=default,
        low=float(bounds["low"]) if bounds else None,
        high=float(bounds["high"]) if bounds and bounds["high"] else None,
        aliases=tuple(flags[1:]),
        about=rest.strip(),
    )
    if choices:
        return replace(option, kind="choice", choices=tuple(re.split(r"[,|]", choices[1])))
    return option if takes_value and option.kind != "switch" else replace(option, kind="switch")


def _parse_default(entry: str) -> Value | None:
    match = _DEFAULT.search(entry)
    if match is None:
        return None
    return parse_value((match["value"] or match["typed"] or match["bare"]).strip("'\""))


_KINDS: dict[str, Kind] = {
    "float": "float",
    "int": "int",
    "integer": "int",
    "bool": "switch",
    "boolean": "switch",
    "str": "text",
    "text": "text",
    "path": "text",
}
"""What an option takes, by the type that its help or its source names."""


def kind_of(default: Value | None) -> Kind:
    """What an option takes, by its default alone."""
    if isinstance(default, float):
        return "float"
    return "int" if isinstance(default, int) else "text"


def parse_value(text: str) -> Value | None:
    """A default as it is written: a number where it is one; None for nothing at all."""
    if text in ("None", "null", "", "???"):
        return None
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


# Hydra


def _parse_hydra(lines: Sequence[str]) -> Iterator[ProgramOption]:
    """The groups, and every value of the config by its path: `optimizer.lr=`."""
    section, path = "", [(-1, "")]
    for line in lines:
        heading = re.fullmatch(r"== (.+) ==", line.strip())
        if heading:
            section = heading[1]
        if line.startswith("Powered by Hydra"):
            return
        match = re.fullmatch(r"( *)([\w.-]+): *(.*)", line)
        if match is None:
            continue
        indent, key, text = len(match[1]), match[2], match[3].strip()
        if section == "Configuration groups" and "," in text:
            choices = tuple(each.strip() for each in text.split(","))
            yield ProgramOption(f"{key}=", "choice", choices=choices)
        if section != "Config":
            continue
        while path[-1][0] >= indent:
            path.pop()
        full = f"{path[-1][1]}{key}"
        path.append((indent, f"{full}."))
        default = parse_value(text.strip("'\""))
        if text in ("true", "false"):
            yield ProgramOption(f"{full}=", "switch")
        elif default is not None and not text.startswith(("[", "{", "$")):
            yield ProgramOption(f"{full}=", kind_of(default), default)


# The source


def parse_source(text: str) -> tuple[ProgramOption, ...]:
    """The options that a Python script declares, to argparse or to click, as far as they are plain.

    Empty for what is no Python.
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return ()
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    found = (_parse_call(call) for call in calls if _name_of(call) in ("add_argument", "option"))
    return tuple(filter(None, found))


def _name_of(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def _parse_call(call: ast.Call) -> ProgramOption | None:
    texts = [each.value for each in call.args if isinstance(each, ast.Constant)]
    flags = [each for each in texts if isinstance(each, str) and each.startswith("--")]
    if not flags or "/" in flags[0]:
        return None
    words = {each.arg: each.value for each in call.keywords}
    default = _read_literal(words.get("default"))
    is_switch = isinstance(default, bool) or "action" in words or "is_flag" in words
    if is_switch or not isinstance(default, (int, float, str)):
        default = None
    named = ast.unparse(words["type"]).lower() if "type" in words else ""
    kind = _KINDS.get(named, kind_of(default))
    choices = () if is_switch else _read_choices(words)
    return ProgramOption(
        flag=flags[0],
        kind="switch" if is_switch else "choice" if choices else kind,
        default=default,
        choices=choices,
        aliases=tuple(flags[1:]),
        about=str(_read_literal(words.get("help")) or ""),
    )


def _read_literal(node: ast.expr | None) -> Any:
    try:
        return None if node is None else ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def _read_choices(words: dict[str | None, ast.expr]) -> tuple[str, ...]:
    """`choices=[...]`, or `type=click.Choice([...])`."""
    listed = _read_literal(words.get("choices"))
    kind = words.get("type")
    if isinstance(kind, ast.Call) and _name_of(kind) == "Choice" and kind.args:
        listed = _read_literal(kind.args[0])
    return tuple(map(str, listed)) if isinstance(listed, (list, tuple)) else ()


def merge_options(
    told: Iterable[ProgramOption], declared: Iterable[ProgramOption]
) -> tuple[ProgramOption, ...]:
    """Options that the help tells of, completed by what the source declares; else the declared."""
    by_flag = {flag: each for each in declared for flag in (each.flag, *each.aliases)}
    merged = [_complete(each, by_flag.get(each.flag)) for each in told]
    return tuple(merged) or tuple(dict.fromkeys(by_flag.values()))


def _complete(told: ProgramOption, declared: ProgramOption | None) -> ProgramOption:
    if declared is None:
        return told
    default = declared.default if told.default is None else told.default
    if told.kind in ("text", "int") and declared.kind != "text":
        told = replace(told, kind=declared.kind, choices=told.choices or declared.choices)
    return replace(told, default=default, about=told.about or declared.about)


# The command


def find_given(words: Sequence[str]) -> dict[str, str]:
    """The options in a command that have a value: flag -> value; Hydra's end with `=`."""
    given = {}
    for word, after in zip(words, [*words[1:], "-"], strict=True):
        flag, equals, value = word.partition("=")
        if equals and re.fullmatch(r"\+{0,2}[A-Za-z_][\w.]*", flag):
            given[f"{flag}="] = value
        elif equals and flag.startswith("--"):
            given[flag] = value
        elif re.fullmatch(r"--[A-Za-z][\w.-]*", word) and not re.match(r"-[^\d.]|-$", after):
            given[word] = after
    return given


def update_defaults(
    options: Iterable[ProgramOption], given: dict[str, str]
) -> tuple[ProgramOption, ...]:
    """The options with the values that a command gives; those that only it knows at the end."""
    known = []
    left = {flag: parse_value(text) for flag, text in given.items()}
    for each in options:
        flag = each.find_flag(left)
        if flag is not None:
            value = left.pop(flag)
            kind = each.kind if each.kind != "text" else kind_of(value)
            each = replace(each, flag=flag, kind=kind, default=value, aliases=(each.flag,))
        known.append(each)
    return (*known, *(ProgramOption(flag, kind_of(value), value) for flag, value in left.items()))


def name_placeholders(
    options: Iterable[ProgramOption], words: Sequence[str]
) -> tuple[ProgramOption, ...]:
    """The options by the names of the placeholders that stand for them in a command.

    A placeholder that stands for no known option is one itself.
    """
    marked = [name for name in find_placeholders(list(words)) if name != ALL]
    held = {flag: value[1:-1] for flag, value in find_given(words).items() if value[1:-1] in marked}
    named = []
    for each in options:
        flag = each.find_flag(held)
        if flag is not None:
            each = replace(each, flag=f"--{held[flag]}", aliases=(each.flag, *each.aliases))
        named.append(each)
    known = {each.name for each in named}
    return (*named, *(ProgramOption(f"--{name}", "text") for name in marked if name not in known))
