"""Fields of a spec -> YAML text that reads well, and that reader.py reads back as the same.

A list or a mapping inside a field is written on one line, as people write ranges. Text stays plain
where nothing could take it for anything else.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from hpt_cli.formatting import Written
from hpt_cli.spec.yaml.document import is_plain_text

WIDTH = 100

_PLAIN = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./+-]*(?: [A-Za-z0-9_./=+-]+)*")
"""Text that needs no quotes in any place, unlike text with `: ` or ` #`, or an odd beginning."""


def write_spec(
    fields: Mapping[str, Any], comments: Mapping[str, Sequence[str]] | None = None
) -> str:
    """Return the YAML text of a spec.

    Args:
        fields: a spec's fields as plain values; None is left out.
        comments: lines to stand above a field; those for "" stand at the top.
    """
    comments = comments or {}
    lines = [_write_comment(line) for line in comments.get("", ())]
    for name, value in fields.items():
        if value is None:
            continue
        lines += [_write_comment(line) for line in comments.get(name, ())]
        lines += _write_field(name, value)
    return "\n".join(lines) + "\n"


def _write_comment(line: str) -> str:
    """Return a comment of one line: what YAML takes for a line's end would end the comment."""
    return f"# {''.join(each if each.isprintable() else '�' for each in line)}".rstrip()


def _write_field(name: str, value: Any) -> Iterator[str]:
    if isinstance(value, Mapping) and value and any(map(_is_nested, value.values())):
        yield f"{name}:"
        width = max(len(_write_value(key)) for key in value) + 1
        for key, each in value.items():
            yield f"  {_write_value(key) + ':':<{width}} {_write_value(each)}"
    elif isinstance(value, (list, tuple)) and any(map(_is_nested, value)):
        yield f"{name}:"
        for each in value:
            yield f"  - {_write_value(each)}"
    elif name == "command" and isinstance(value, str) and _can_fold(value):
        yield f"{name}: >-"
        yield from _fold(value)
    else:
        yield f"{name}: {_write_command(value) if name == 'command' else _write_value(value)}"


def _is_nested(value: Any) -> bool:
    return isinstance(value, (Mapping, list, tuple))


def _can_fold(command: str) -> bool:
    is_long = len(command) > WIDTH - len("command: ")
    return is_long and command.isprintable() and "  " not in command and command == command.strip()


def _fold(command: str) -> Iterator[str]:
    line = " "
    for word in command.split(" "):
        if len(line) + 1 + len(word) > WIDTH and line.strip():
            yield line
            line = " "
        line += f" {word}"
    yield line


def _write_command(value: Any) -> str:
    """Return a command as YAML; braces in it need no quotes, unless it begins with one."""
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9_./][A-Za-z0-9_./{}=+ -]*[^ ]", value):
        return value
    return _write_value(value)


def _write_value(value: Any) -> str:
    """Return a value as YAML on one line."""
    match value:
        case Mapping():
            pairs = (f"{_write_value(key)}: {_write_value(each)}" for key, each in value.items())
            return "{" + ", ".join(pairs) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(_write_value, value)) + "]"
        case bool():
            return "true" if value else "false"
        case Written():
            return value.text
        case float():
            return format_float(value)
        case int():
            return str(value)
        case None:
            return "null"
    return _write_text(str(value))


def format_float(value: float) -> str:
    """Return a number as people write it: `1e-4` and not `0.0001`, `0.5` and not `5e-1`."""
    if value != 0 and not 1e-3 <= abs(value) < 1e6:
        mantissa, _, exponent = f"{value:.16g}".partition("e")
        if not exponent:
            mantissa, _, exponent = f"{value:e}".partition("e")
            mantissa = mantissa.rstrip("0").rstrip(".")
        short = f"{mantissa}e{int(exponent)}"
        if float(short) == value:
            return short
    return repr(value)


def _write_text(text: str) -> str:
    if _PLAIN.fullmatch(text) and is_plain_text(text):
        return text
    if text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    return str(yaml.dump(text, default_style='"', width=math.inf)).rstrip()
