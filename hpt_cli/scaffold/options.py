"""The options of a training program, from its help, its source, or the command as typed.

Help is parsed as argparse, click, typer, tyro and Hydra print it. It often shows neither type nor
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
    """An option of a program, and the values that it takes."""

    flag: str
    """`--batch-size`; for Hydra, `optimizer.lr=`."""
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
        return self.flag.strip("-=").replace("-", "_")

    def find_flag(self, flags: Container[str]) -> str | None:
        """Return which of these flags is its own, or an alias; None if none is."""
        return next((each for each in (self.flag, *self.aliases) if each in flags), None)

    def write(self, value: str) -> list[str]:
        """Return the option with a value, as words of a command."""
        return [f"{self.flag}{value}"] if self.flag.endswith("=") else [self.flag, value]


def parse_help(text: str) -> tuple[ProgramOption, ...]:
    """Return the options in the `--help` of a program."""
    # Without colours, and the frames that typer and tyro draw.
    lines = [_FRAME.sub(" ", _ANSI.sub("", line)) for line in text.splitlines()]
    if any(line.strip() == "== Config ==" for line in lines):
        return tuple(_parse_hydra(lines))
    return tuple(filter(None, map(_parse_entry, _split_entries(lines))))


_ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
_FRAME = re.compile(r"^\s*[│┃|]|[│┃|]\s*$|^\s*[╭╰].*$")


def _split_entries(lines: Iterable[str]) -> Iterator[str]:
    """Yield each option with its help as one text; two spaces separate columns."""
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
    named = _TYPE.search(signature) or _TYPE.search(rest)
    default = _parse_default(entry)
    kind: Kind = "switch"
    if choices:
        kind = "choice"
    elif named:
        kind = _KINDS[next(filter(None, named.groups())).lower()]
    elif re.search(rf"{re.escape(flags[0])}[ =]\S", head):
        kind = kind_of(default)
    bounds = _BOUNDS.search(entry)
    return ProgramOption(
        flag=flags[0],
        kind=kind,
        default=default,
        choices=tuple(re.split(r"[,|]", choices[1])) if choices else (),
        low=float(bounds["low"]) if bounds else None,
        high=float(bounds["high"]) if bounds and bounds["high"] else None,
        aliases=tuple(flags[1:]),
        about=rest.strip(),
    )


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
"""The kind of an option by the type named in its help or source."""


def kind_of(default: Value | None) -> Kind:
    """Return the kind of an option of which only the default is known."""
    if isinstance(default, float):
        return "float"
    return "int" if isinstance(default, int) else "text"


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


# Hydra


def _parse_hydra(lines: Sequence[str]) -> Iterator[ProgramOption]:
    """Yield the groups, and each value of the config with its path: `optimizer.lr=`."""
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
    """Return the options that a Python script declares to argparse or click with literal arguments.

    None for text that is not Python.
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
    """Return the values of `choices=[...]` or `type=click.Choice([...])`."""
    listed = _read_literal(words.get("choices"))
    kind = words.get("type")
    if isinstance(kind, ast.Call) and _name_of(kind) == "Choice" and kind.args:
        listed = _read_literal(kind.args[0])
    return tuple(map(str, listed)) if isinstance(listed, (list, tuple)) else ()


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
    if shown.kind in ("text", "int") and declared.kind != "text":
        shown = replace(shown, kind=declared.kind, choices=shown.choices or declared.choices)
    return replace(shown, default=default, about=shown.about or declared.about)


# The command


def find_given(words: Sequence[str]) -> dict[str, str]:
    """Return the options of a command that have a value: flag -> value; Hydra's end with `=`."""
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
    """Return the options with the values in a command as defaults, and those that only it has."""
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
    """Return the options named as their placeholders in a command.

    A placeholder without a known option becomes an option itself.
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
