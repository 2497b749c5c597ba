"""What lines of a log ask for: to stop, fail or retry a training job, or to warn of it."""

from __future__ import annotations

from typing import Literal, NamedTuple

from hpt_cli.metrics.patterns import Pattern, compile_line_regex

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


class Rule(NamedTuple):
    """A log rule, ready to be looked for; each answers once in a log."""

    pattern: Pattern
    action: Action

    def match(self, text: str) -> LogMatch | None:
        """What it says of a line, if anything."""
        if self.pattern.search(text) is None:
            return None
        return LogMatch(self.action, self.pattern.source, text.strip()[:MAX_LINE])


def compile_rule(pattern: str, action: Action) -> Rule:
    """A log rule, ready to be looked for.

    Raises:
        ValueError: its pattern cannot be.
    """
    return Rule(compile_line_regex(pattern), action)
