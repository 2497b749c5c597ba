"""Reads the source of a regex: its literal text, groups and repetitions.

One pass over the tokens of `re`'s syntax, with the open groups on a stack. Syntax that is not
understood makes the result less useful (no literal text), but not wrong.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from itertools import chain, takewhile
from typing import NamedTuple

ANY = "\0"
"""Stands in the text of a part for whatever a match may have there."""

_TOKENS = r"""
  (?P<skip>      \(\?\#[^)]*\) | \(\?[aiLmsux]+\) | [\^$] | \\[AbBZz] )  # comments, flags, anchors
| (?P<any>       \. | \\N\{[^}]*\} | \\x.. | \\u.{4} | \\U.{8} | \\\d+ | \\[A-Za-z] | \(\?P=\w+\) )
| (?P<set>       \[\^?\]?(?:\\.|[^]\\])*\] )
| (?P<open>      \((?:\?(?:P<\w+>|<?[=!]|[:>]|\(\w+\)|[-aiLmsux]+:))? )
| (?P<close>     \) )
| (?P<or>        \| )
| (?P<repeat>    (?:[*+?]|\{(?:\d+|\d*,\d*)\})[?+]? )
| (?P<character> \\?. )
"""
_PLAIN = re.compile(_TOKENS, re.VERBOSE | re.DOTALL)
_VERBOSE = re.compile(rf"(?P<space>\s+|\#[^\n]*)|{_TOKENS}", re.VERBOSE | re.DOTALL)


_PLAIN_TEXT = r"(?:[\w :]|\\\W)+"
_BEGINNINGS = re.compile(rf"\^\(\?:({_PLAIN_TEXT}(?:\|{_PLAIN_TEXT})*)\)(?![*+?{{])")


class Structure(NamedTuple):
    """The structure of a regex, as far as its source was understood."""

    literal: str = ""
    """The longest text that every match holds (in any case, where the regex ignores case)."""
    can_explode: bool = False
    """Whether an unbounded repetition is repeated without bound, like `(a+)+`: the time of a search
    may then double with every character of a line."""
    empty_groups: frozenset[int] = frozenset()
    """The groups that can capture an empty text, like `(.*?)`."""
    size: int = 1
    """The number of its characters, each counted as often as it is repeated at least."""
    beginnings: tuple[str, ...] = ()
    """Those of the lines with a match, as of `^(?:Test|Val): `; empty where they are not known."""


class _Part(NamedTuple):
    """One character, set or group, with its repetition."""

    text: str = ANY
    can_be_empty: bool = False
    is_endless: bool = False
    """Whether it has an unbounded repetition."""
    size: int = 1


@dataclass(slots=True)
class _Group:
    opening: str = "(?:"
    number: int = 0
    """0 where it does not capture."""
    branches: list[list[_Part]] = field(default_factory=lambda: [[]])

    def join(self) -> _Part:
        texts = ["".join(part.text for part in branch) for branch in self.branches]
        text = texts[0]
        if len(texts) > 1:
            same = takewhile(lambda column: len(set(column)) == 1, zip(*texts, strict=False))
            text = "".join(column[0] for column in same) + ANY
        is_look = self.opening.endswith(("=", "!"))
        if not (self.number or self.opening in ("(?:", "(?>")):
            text = ANY
        parts = list(chain.from_iterable(self.branches))
        return _Part(
            text,
            is_look or any(all(part.can_be_empty for part in branch) for branch in self.branches),
            any(part.is_endless for part in parts),
            1 + sum(part.size for part in parts),
        )


def analyze(pattern: re.Pattern[str]) -> Structure:
    """Return what is known of a regex from its source."""
    source = pattern.pattern
    counts = (int(each) for each in re.findall(r"\{(\d+)", source))
    unknown = Structure(size=len(source) * math.prod(counts))
    if re.search(r"\(\?[a-z]*x[a-z]*[-:]", source):  # comments in one part could hide brackets
        return unknown
    analyzer = _Analyzer()
    try:
        for token in _tokens(pattern).finditer(source):
            analyzer.take(token)
        structure = analyzer.conclude()
        return structure._replace(beginnings=analyzer.list_beginnings(pattern))
    except (IndexError, ValueError):  # brackets that do not match: re sees other tokens
        return unknown


def _tokens(pattern: re.Pattern[str]) -> re.Pattern[str]:
    return _VERBOSE if pattern.flags & re.VERBOSE else _PLAIN


class _Analyzer:
    def __init__(self) -> None:
        self._open = [_Group()]
        self._captures = 0
        self._can_explode = False
        self._empty: set[int] = set()

    def take(self, token: re.Match[str]) -> None:
        text, branch = token.group(), self._open[-1].branches[-1]
        match token.lastgroup:
            case "character" if _is_certain(text[-1]):
                branch.append(_Part(text[-1]))
            case "set" if len(text) == 3 and _is_certain(text[1]):
                branch.append(_Part(text[1]))
            case "any" | "set" | "character":
                branch.append(_Part())
            case "repeat":
                branch.append(self._repeat(branch.pop(), text))
            case "or":
                self._open[-1].branches.append([])
            case "open":
                captures = text == "(" or text.startswith("(?P<")
                self._captures += captures
                self._open.append(_Group(text, self._captures if captures else 0))
            case "close":
                group = self._open.pop()
                part = group.join()
                self._open[-1].branches[-1].append(part)
                if part.can_be_empty:
                    self._empty.add(group.number)

    def _repeat(self, part: _Part, sign: str) -> _Part:
        bounds = re.match(r"\{(\d*)", sign)
        least = int(bounds[1] or 0) if bounds else int(sign[0] == "+")
        is_possessive = len(sign) > 1 and sign.endswith("+")
        is_endless = (sign[0] in "*+" or ",}" in sign) and not is_possessive
        self._can_explode |= is_endless and part.is_endless
        return _Part(
            f"{ANY}{part.text}{ANY}" if least else ANY,
            part.can_be_empty or not least,
            part.is_endless or is_endless,
            part.size * max(1, least),
        )

    def conclude(self) -> Structure:
        (whole,) = [group.join() for group in self._open]
        literal = max(whole.text.split(ANY), key=len)
        empty_groups = frozenset(self._empty - {0})
        return Structure(literal, self._can_explode, empty_groups, whole.size)

    def list_beginnings(self, pattern: re.Pattern[str]) -> tuple[str, ...]:
        """Return the beginnings of the lines with a match, if they are written out."""
        found = _BEGINNINGS.match(pattern.pattern)
        changes = re.IGNORECASE | re.VERBOSE
        if found is None or pattern.flags & changes or len(self._open[0].branches) > 1:
            return ()
        return tuple(re.sub(r"\\(\W)", r"\1", each) for each in found[1].split("|"))


def _is_certain(character: str) -> bool:
    """Return whether a character stands in a log as it does in the text that is searched."""
    return character not in "\0\ufffd" and not "\ud800" <= character <= "\udfff"


def translate(pattern: re.Pattern[str]) -> str:
    """Return the source as the module `regex` has to be given it, for it to mean the same.

    There, `a{e}` counts errors and `[[:digit:]]` is a class.
    """
    return _tokens(pattern).sub(_translate_token, pattern.pattern)


def _translate_token(token: re.Match[str]) -> str:
    text = token.group()
    if text == "{":
        return r"\{"
    if token.lastgroup == "set":
        return text[0] + re.sub(r"(\\.)|\[", lambda each: each[1] or r"\[", text[1:])
    return text
