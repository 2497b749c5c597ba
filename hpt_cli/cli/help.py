"""The help of hpt and of each command, for a terminal of any width."""

from __future__ import annotations

import inspect
import re
import shutil
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

LEAST_WIDTH = 40
MOST_WIDTH = 100
"""Lines that are longer are hard to read, however wide the terminal is."""
INDENT = "  "
GAP = "  "
MOST_NAMES = 26
"""A name that is longer has a line of its own."""


OVERVIEW_END = """\
hpt COMMAND --help explains a command, with examples. hpt --install-completion teaches the shell to
complete names; hpt --version prints the version.
"""


def measure_width() -> int:
    """Return how wide a help is written."""
    return max(LEAST_WIDTH, min(MOST_WIDTH, shutil.get_terminal_size().columns))


def write_help(name: str, command: Any, width: int) -> str:
    """Return the help of a command, in lines of at most a width where that is possible."""
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    options = [each for each in command.params if each.param_type_name == "option"]
    usage = f"Usage: {describe_usage(name, command)} [OPTIONS]"
    if not command.allow_interspersed_args:
        usage = usage.removesuffix(" [OPTIONS]").replace(f" {name}", f" {name} [OPTIONS]", 1)
    sections = [
        "\n".join(wrap(usage, width, INDENT * 2)),
        *wrap_text(command.help or "", width),
        *_write_section("Arguments", map(_list_argument, arguments), width),
        *_write_options(options, width),
        *_write_examples((command.epilog or "").splitlines(), width),
    ]
    return "\n\n".join(sections)


def write_overview(text: str, groups: dict[str, dict[str, str]], width: int) -> str:
    """Return the help of hpt itself.

    Args:
        text: what hpt is.
        groups: the commands of each group, with what they do in a line.
        width: of the terminal.
    """
    names = [name for commands in groups.values() for name in commands]
    wide = max(map(len, names))
    sections = [
        "Usage: hpt COMMAND [ARGUMENTS] [OPTIONS]",
        *wrap_text(text, width),
        *(
            part
            for group, commands in groups.items()
            for part in _write_section(group, commands.items(), width, wide)
        ),
        *wrap_text(OVERVIEW_END, width),
    ]
    return "\n\n".join(sections)


def summarize(function: Callable[..., None]) -> str:
    """Return what a command does, in a line."""
    return inspect.cleandoc(function.__doc__ or "").split("\n")[0].removesuffix(".")


def describe_usage(name: str, command: Any) -> str:
    """Return a command with its arguments, as they are typed."""
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    return " ".join([f"hpt {name}", *map(describe_argument, arguments)])


def describe_argument(parameter: Any) -> str:
    """Return an argument as it stands in a usage: in brackets where it may be left out."""
    word = parameter.name.upper().rstrip("_")
    many = f"{word.removesuffix('S')}..." if parameter.nargs == -1 else word
    return many if parameter.required else f"[{many}]"


def wrap_text(text: str, width: int) -> list[str]:
    """Return the paragraphs of a docstring, wrapped anew; indented ones keep their lines."""
    paragraphs = inspect.cleandoc(text).split("\n\n")
    return [
        each if each.startswith(" ") else "\n".join(wrap(each, width))
        for each in paragraphs
        if each.strip()
    ]


def wrap(text: str, width: int, indent: str = "") -> list[str]:
    """Return a text in lines of at most a width, where no word is wider; words stay whole."""
    return textwrap.wrap(
        " ".join(text.split()),
        width,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _list_argument(parameter: Any) -> tuple[str, str]:
    return describe_argument(parameter).strip("[]"), parameter.help or ""


def _write_options(options: Iterable[Any], width: int) -> Iterator[str]:
    """Yield the section of the options, and one for each panel of those that belong together."""
    panels: dict[str, list[tuple[str, str]]] = {"Options": []}
    for each in options:
        panel = panels.setdefault(each.rich_help_panel or "Options", [])
        panel.append((_describe_option(each), _explain_option(each)))
    panels["Options"].append(("-h, --help", "Show this help."))
    names = [name for rows in panels.values() for name, _ in rows]
    for title, rows in panels.items():
        yield from _write_section(title, rows, width, _fit(names))


def _describe_option(parameter: Any) -> str:
    """Return an option's names, the short one first, with what its value is."""
    names = sorted(parameter.opts, key=lambda each: each.startswith("--"))
    text = ", ".join(names)
    if parameter.secondary_opts:
        text += f" / {parameter.secondary_opts[0]}"
    return text if parameter.is_flag else f"{text} {_describe_value(parameter)}"


def _describe_value(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.upper().rstrip("_"))


def _explain_option(parameter: Any) -> str:
    usual = parameter.default
    if parameter.is_flag or not usual:
        return str(parameter.help)
    usual = f"{usual:g}" if isinstance(usual, float) else usual
    return f"{parameter.help.removesuffix('.')} (default {usual})."


def _fit(names: Sequence[str]) -> int:
    """Return the width of the column of names: of the longest that is not too long."""
    return max((len(each) for each in names if len(each) <= MOST_NAMES), default=MOST_NAMES)


def _write_section(
    title: str, rows: Iterable[tuple[str, str]], width: int, names: int = 0
) -> Iterator[str]:
    """Yield a title with rows below it, each a name and a text beside it; nothing without rows."""
    rows = list(rows)
    if rows:
        names = names or _fit([name for name, _ in rows])
        lines = (line for name, text in rows for line in _write_row(name, text, width, names))
        yield "\n".join([f"{title}:", *lines])


def _write_row(name: str, text: str, width: int, names: int) -> list[str]:
    margin = len(INDENT) + names + len(GAP)
    lines = wrap(text, max(width - margin, 20)) or [""]
    if len(name) > names:
        return [INDENT + name, *(" " * margin + line for line in lines)]
    first = f"{INDENT}{name:<{names}}{GAP}{lines[0]}".rstrip()
    return [first, *(" " * margin + line for line in lines[1:])]


def _write_examples(examples: Sequence[str], width: int) -> Iterator[str]:
    if examples:
        lines = (line for each in examples for line in _wrap_command(each, width))
        yield "\n".join(["Examples:", *lines])


_WORD = re.compile(r"""(?:[^\s'"]|'[^']*'|"[^"]*")+""")


def _wrap_command(command: str, width: int) -> Iterator[str]:
    """Yield the lines of a command, each but the last with a backslash for the shell."""
    line = INDENT
    for word in _WORD.findall(command):
        if line.strip() and len(line) + len(word) + 3 > width:
            yield f"{line.rstrip()} \\"
            line = INDENT * 3
        line += f"{word} "
    yield line.rstrip()
