"""Where quotes hold in a shell command line."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence

from hpt_cli.spec.command_template import PLACEHOLDER, split_command
from hpt_cli.spec.hyperparameters import Value, format_value

_SHELL_PART = re.compile(r"\\[^{]|\$\$|\$\(\(|\(\(|\$\(|\$\{|\$'|<<|[<>]&(?![0-9-])|.", re.DOTALL)
"""A part of a shell script: an escaped character, what begins something, any other character."""


_NO_QUOTES = ("`", "<<", ">&", "<&", "$((", "((", "${", "$'")
"""What begins something in which quotes are other ones, or none; nobody tells where it ends."""


_BETWEEN_WORDS = (" ", "\t", "\n", ";", "&", "|", "(", ")", "<", ">", "$(")
"""After what a # begins a comment. A line that goes on is one with the next."""


_ENDS = {"'": "'", "#": "\n"}
"""Where nothing else counts but its end."""


_NO_PIPE = re.compile(r"\\.|'[^']*'|\"(?:\\.|[^\"\\])*\"|(?:^|(?<=\s))#[^\n]*|\|\||>\|", re.DOTALL)
_SHELLS = ("sh", "bash", "dash", "zsh", "ksh")


def hides_failure(command: str | Sequence[str], *, shell: bool = False) -> bool:
    """Whether a shell would take the exit code of what stands last in a pipe for the command's."""
    words = split_command(command)
    script = command if shell and isinstance(command, str) else ""
    if words[0].rpartition("/")[2] in _SHELLS and "-c" in words[:-1]:
        script = words[words.index("-c") + 1]
    return "|" in _NO_PIPE.sub(" ", script) and "pipefail" not in script


def needs_quotes(value: Value) -> bool:
    """Whether a shell would read something else than the value, were it not quoted."""
    text = format_value(value)
    return shlex.quote(text) != text


def find_embedded(script: str) -> list[str]:
    """The placeholders of a shell script that stand where a quoted value would not hold.

    Within quotes, the quotes around the value would end them. Within backticks, arithmetic and
    documents that stand in the script, they are no quotes.
    """
    return list(
        dict.fromkeys(name for name, is_comment in _find_embedded(script) if not is_comment)
    )


def find_commented(script: str) -> list[str]:
    """The placeholders that stand in comments, where only the end of a line ends anything."""
    return list(dict.fromkeys(name for name, is_comment in _find_embedded(script) if is_comment))


def _find_embedded(script: str) -> Iterator[tuple[str, bool]]:
    quote, around, before = "", list[str](), " "
    is_lost, at = False, 0
    while at < len(script):
        placeholder = PLACEHOLDER.match(script, at)
        if placeholder:
            if placeholder[1] and (quote or is_lost or script[:at].endswith(("$", "\\"))):
                yield placeholder[1], quote == "#" and not is_lost
            at, before = placeholder.end(), ""
            continue
        if script[at] == "$" and PLACEHOLDER.match(script, at + 1):
            at += 1
            continue
        part = _SHELL_PART.match(script, at)
        assert part is not None
        text, at = part.group(), part.end()
        if quote in _ENDS:
            before = text[-1]
            quote = "" if before == _ENDS[quote] else quote
            continue
        if text in _NO_QUOTES:
            is_lost = True
        elif text == '"':
            quote = "" if quote else '"'
        elif text == "$(" or (text == "(" and not quote):
            around.append(quote)
            quote = ""
        elif text == ")" and not quote:
            is_lost = is_lost or not around
            quote = around.pop() if around else ""
        elif not quote and (text == "'" or (text == "#" and before in _BETWEEN_WORDS)):
            quote = text
        before = before if text == "\\\n" else text
