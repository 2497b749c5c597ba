"""Placeholders in shell scripts that a quoted value cannot replace, pipes, and missing shells."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from hpt_cli.spec.command_template import compile_placeholder, read_name, split_command
from hpt_cli.spec.hyperparameters import Value, format_value

_TOKENS = r"\\[^{]|\$\$|\$\(\(|\(\(|\$\(|\$\{|\$'|<<|[<>]&(?![0-9-])|."
"""An escaped character; an opening; any other character."""
_NO_QUOTES = ("`", "<<", ">&", "<&", "$((", "((", "${", "$'")
"""Openings of constructs with other rules for quotes, or none; their ends are not looked for."""
_BETWEEN_WORDS = (" ", "\t", "\n", ";", "&", "|", "(", ")", "<", ">", "$(")
"""A # after one of these begins a comment. A continued line is one with the next."""
_ENDS = {"'": "'", "#": "\n"}
"""The ends of single quotes and comments, in which nothing else has a meaning."""
_NO_PIPE = re.compile(r"\\.|'[^']*'|\"(?:\\.|[^\"\\])*\"|(?:^|(?<=\s))#[^\n]*|\|\||>\|", re.DOTALL)
_SINGLE_QUOTED = re.compile(r"\\.|'[^']*'", re.DOTALL)
_DOUBLE_QUOTED = re.compile(r'"(?:\\.|[^"\\])*"', re.DOTALL)
_EXPANSION = re.compile(r"\$(?:[A-Za-z_]\w*|\{\{\w+\}\}|\([^()]+\))|`[^`]+`")
_OPERATOR = re.compile(r"(?<!\S)(?:(?:\|\|?|&&?|;|<)(?!\S)|[012&]?>>?(?!=))")
_SHELLS = ("sh", "bash", "dash", "zsh", "ksh")


def hides_failure(command: str | Sequence[str], *, shell: bool = False) -> bool:
    """Return whether a shell would take the exit code of a pipe's last part for the command's."""
    words = split_command(command)
    script = command if shell and isinstance(command, str) else ""
    if words[0].rpartition("/")[2] in _SHELLS and "-c" in words[:-1]:
        script = words[words.index("-c") + 1]
    return "|" in _NO_PIPE.sub(" ", script) and "pipefail" not in script


def find_shell_syntax(command: str | Sequence[str]) -> list[str]:
    """Return what only a shell would replace or act on, of a command that is given to none.

    A command that starts a shell, or ssh, may hand it on.
    """
    words = split_command(command)
    if any(each.rpartition("/")[2] in (*_SHELLS, "ssh") for each in words):
        return []
    if isinstance(command, str):
        text = _SINGLE_QUOTED.sub("x", command)
        unquoted = _DOUBLE_QUOTED.sub("x", text)
    else:  # a word with blanks may be a script for the program
        text = unquoted = " ".join(each for each in words if not re.search(r"\s", each))
    return list(dict.fromkeys([*_EXPANSION.findall(text), *_OPERATOR.findall(unquoted)]))


def needs_quotes(value: Value) -> bool:
    """Return whether a shell would read something else than the value, were it not quoted."""
    text = format_value(value)
    return shlex.quote(text) != text


@lru_cache(maxsize=64)
def _compile_token(names: tuple[str, ...]) -> re.Pattern[str]:
    """Return a regex of a placeholder, perhaps after a $, or of any other part of a script."""
    return re.compile(rf"(\$?)(?:{compile_placeholder(names).pattern})|{_TOKENS}", re.DOTALL)


def find_embedded(script: str, names: tuple[str, ...] = ()) -> list[str]:
    """Return the placeholders of a shell script that stand where a quoted value would not hold.

    Within quotes, the quotes around the value would end them. Within backticks, arithmetic and
    documents that stand in the script, they are no quotes.
    """
    found = (name for name, is_comment in _find_embedded(script, names) if not is_comment)
    return list(dict.fromkeys(found))


def find_commented(script: str, names: tuple[str, ...] = ()) -> list[str]:
    """Return the placeholders in comments, where only the end of a line ends anything."""
    found = (name for name, is_comment in _find_embedded(script, names) if is_comment)
    return list(dict.fromkeys(found))


def _find_embedded(script: str, names: tuple[str, ...]) -> Iterator[tuple[str, bool]]:
    """Yield the placeholders that no quotes hold, and whether they stand in a comment."""
    place = _Place()
    for token in _compile_token(names).finditer(script):
        dollar, literal, name = token.groups()
        if not (name or literal):
            place.read(token.group())
            continue
        # `$'value'` is a quote with other rules, and a backslash takes the quote's meaning away.
        is_escaped = bool(dollar) or script.endswith(("$", "\\"), 0, token.start())
        if name and (place.inside or place.is_lost or is_escaped):
            yield read_name(name, names)[0], place.inside == "#" and not place.is_lost
        place.before = ""


@dataclass
class _Place:
    """A place in a shell script, as far as quotes are concerned."""

    inside: str = ""
    """The quote that has not ended, or # in a comment; empty between them."""
    outer: list[str] = field(default_factory=list)
    """What each `(` and `$(` that has not ended stands inside of, the innermost last."""
    is_lost: bool = False
    """Whether something came before of which the end is not known."""
    before: str = " "
    """What stands just before."""

    def read(self, part: str) -> None:
        """Go past a part of the script that is no placeholder."""
        if self.inside in _ENDS:
            if part[-1] == _ENDS[self.inside]:
                self.inside = ""
            self.before = part[-1]
            return
        if part in _NO_QUOTES:
            self.is_lost = True
        elif part == '"':
            self.inside = "" if self.inside else '"'
        elif part == "$(" or (part == "(" and not self.inside):
            self.outer.append(self.inside)
            self.inside = ""
        elif part == ")" and not self.inside:
            # A `)` that closes nothing, as after a pattern of a case statement.
            self.is_lost |= not self.outer
            self.inside = self.outer.pop() if self.outer else ""
        elif not self.inside and (part == "'" or (part == "#" and self.before in _BETWEEN_WORDS)):
            self.inside = part
        if part != "\\\n":
            self.before = part
