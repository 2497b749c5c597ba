"""Errors as values: a slug to search for, a message to read, a hint to act on.

Only the command line turns them into text and an exit code; everything below it raises them.
"""

from __future__ import annotations

import difflib
import errno
import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Self

NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
"""Errors that say nothing about the file: it may exist, but this process cannot open any now."""

PROJECT = Path(__file__).resolve().parents[1]
"""The clone of the project, where hpt runs from one."""


class ExitCode(IntEnum):
    """Exit codes of the process."""

    OK = 0
    FAILED = 1
    USAGE = 2
    BUG = 3
    INTERRUPTED = 130
    TERMINATED = 143


@dataclass(frozen=True)
class SourceLocation:
    """A position in a file; lines and columns count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True)
class ArgumentLocation:
    """A part of the command line: the characters from `start` up to `end`, counted from 0."""

    line: str
    start: int
    end: int


@dataclass(frozen=True)
class Problem:
    """One mistake or warning, worded for the user."""

    slug: str
    message: str
    hint: str = ""
    place: SourceLocation | ArgumentLocation | None = None


class HptError(Exception):
    """An expected failure: shown as its problems, never as a traceback."""

    exit_code = ExitCode.FAILED

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems
        super().__init__("; ".join(problem.message for problem in problems))

    @classmethod
    def of(cls, slug: str, message: str, hint: str = "") -> Self:
        """Return an error with a single problem."""
        return cls(Problem(slug, message, hint))


class UsageError(HptError):
    """A mistake in the spec or on the command line."""

    exit_code = ExitCode.USAGE


class TransientError(HptError):
    """A failure that may be over in a while: what failed may be tried again."""


def damaged_journal(why: str, path: Path | None = None) -> HptError:
    """Return the error for a journal whose content is impossible; `path`, where that is known."""
    where, name = (f" {path}", path.parent.name) if path else ("", "NAME")
    return HptError.of(
        "journal-damaged",
        f"the journal{where} is damaged: {why}",
        f"was it edited? 'hpt doctor {name} --repair' recovers what can be recovered",
    )


def suggest_extra(extra: str) -> str:
    """Return the command that installs an extra of hpt, from the clone in which hpt is, if any."""
    if (PROJECT / "pyproject.toml").is_file():
        return f"python -m pip install -e {shlex.quote(f'{PROJECT}[{extra}]')}"
    return f"python -m pip install '.[{extra}]', in a clone of the project"


def did_you_mean(wrong: str, allowed: Iterable[str]) -> str:
    """Return a hint that names the closest allowed word; empty if none is close."""
    close = find_close(wrong, allowed)
    return f"did you mean '{close}'?" if close else ""


def find_close(wrong: str, allowed: Iterable[str]) -> str:
    """Return the closest allowed word, or one that is short for the other; "" if none is close."""
    by_lower = {each.lower(): each for each in allowed}
    lowered = wrong.lower()
    close = difflib.get_close_matches(lowered, list(by_lower), n=1, cutoff=0.6)
    close = close or [each for each in by_lower if len(wrong) > 2 and each.startswith(lowered)]
    close = close or [
        each for each in by_lower if _is_short_for(each, lowered) or _is_short_for(lowered, each)
    ]
    return by_lower[close[0]] if close else ""


def _is_short_for(short: str, long: str) -> bool:
    """Return whether a word abbreviates another, as lr, lrate and l_rate do learning_rate.

    It has the first letter of each of its words, and no letter that is not in it, in that order.
    """
    words = [each for each in re.split(r"[\W_]+", long) if each]
    letters = re.sub(r"[\W_]+", "", short)
    initials = "".join(word[0] for word in words)
    least = 2 if len(words) > 1 else 3
    return (
        least <= len(letters) < sum(map(len, words))
        and letters[0] == initials[0]
        and _contains(letters, initials)
        and _contains("".join(words), letters)
    )


def _contains(text: str, letters: str) -> bool:
    """Return whether letters stand in a text in their order, with others between them."""
    left = iter(text)
    return all(letter in left for letter in letters)
