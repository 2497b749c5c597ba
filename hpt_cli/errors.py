"""What can go wrong, as values: a slug to search for, a message to read, a hint to act on.

Only the command line turns these into text and an exit code; everything below it raises them.
"""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Self

NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
"""A file that cannot be opened for one of these reasons may well be there, and say something."""


class ExitCode(IntEnum):
    """What the process says to the shell."""

    OK = 0
    FAILED = 1
    USAGE = 2
    BUG = 3
    INTERRUPTED = 130
    TERMINATED = 143


@dataclass(frozen=True)
class SourceLocation:
    """Where in a file something is wrong; lines and columns count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, in the user's words."""

    slug: str
    message: str
    hint: str = ""
    place: SourceLocation | None = None


class HptError(Exception):
    """An expected failure: shown as its problems, never as a traceback."""

    exit_code = ExitCode.FAILED

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems
        super().__init__("; ".join(problem.message for problem in problems))

    @classmethod
    def of(cls, slug: str, message: str, hint: str = "") -> Self:
        """An error with a single problem."""
        return cls(Problem(slug, message, hint))


class UsageError(HptError):
    """The spec or the command line is wrong."""

    exit_code = ExitCode.USAGE


def damaged_journal(why: str) -> HptError:
    """What a journal says cannot be so."""
    return HptError.of(
        "journal-damaged",
        f"the journal is damaged: {why}",
        "was it edited? 'hpt doctor NAME --repair' saves what can be saved",
    )


def did_you_mean(wrong: str, allowed: Iterable[str]) -> str:
    """A hint at the closest of the allowed words, or nothing if none is close."""
    by_lower = {each.lower(): each for each in allowed}
    close = difflib.get_close_matches(wrong.lower(), list(by_lower), n=1, cutoff=0.6)
    close = close or [
        each for each in by_lower if len(wrong) > 2 and each.startswith(wrong.lower())
    ]
    return f"did you mean '{by_lower[close[0]]}'?" if close else ""
