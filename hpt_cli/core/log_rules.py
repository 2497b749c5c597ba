"""What lines of a log ask for: to stop, fail or retry a training job, or to warn of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from hpt_cli.core.metrics import Line

Action = Literal["stop", "fail", "retry", "warn"]

MAX_LINE = 200
"""How many characters of a line that matched are kept."""


class LogMatch(NamedTuple):
    """A line that a rule was looking for."""

    action: Action
    pattern: str
    line: str

    def __str__(self) -> str:
        """The match in words."""
        return f"'{self.pattern}' in its output: {self.line}"


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Compile a pattern that lines are searched for.

    Raises:
        ValueError: it does not compile, or would be found in every line.
    """
    try:
        compiled = re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"the regex does not compile: {error}") from None
    if compiled.search("") is not None:
        raise ValueError("the regex can match nothing at all, so it would match every line")
    return compiled


class LogWatch:
    """Looks for what rules ask for in the lines of one attempt; each rule answers once."""

    def __init__(self, rules: Sequence[tuple[str, Action]]) -> None:
        self._waiting = [(compile_pattern(pattern), action) for pattern, action in rules]

    def read(self, lines: Iterable[Line]) -> list[LogMatch]:
        """The rules that these lines are the first to match, in order of line."""
        found: list[LogMatch] = []
        if not self._waiting:
            return found
        for line in lines:
            matched = [rule for rule in self._waiting if rule[0].search(line.text)]
            found += [
                LogMatch(action, pattern.pattern, line.text.strip()[:MAX_LINE])
                for pattern, action in matched
            ]
            self._waiting = [rule for rule in self._waiting if rule not in matched]
        return found
