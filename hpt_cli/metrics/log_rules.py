"""Log rules: what to do with a training job that prints a line of some kind."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

from hpt_cli.metrics.patterns import Pattern, compile_line_regex

Action = Literal["stop", "fail", "retry", "warn"]
Purpose: TypeAlias = Action | Literal["succeed"]
"""What a pattern is looked for: to act on it, or as it says that an attempt came to its end."""

MAX_LINE = 200
"""The number of characters that are kept of a line that matched."""


class LogMatch(NamedTuple):
    """A line that a log rule matched."""

    action: Purpose
    pattern: str
    line: str

    def __str__(self) -> str:
        """Return the match in words."""
        return f"'{self.pattern}' in its output: {self.line}"


class Rule(NamedTuple):
    """A compiled log rule."""

    pattern: Pattern
    action: Purpose

    def match(self, text: str) -> LogMatch | None:
        """Return its match in a line; None without one."""
        if self.pattern.search(text) is None:
            return None
        return LogMatch(self.action, self.pattern.source, text.strip()[:MAX_LINE])


def compile_rule(pattern: str, action: Purpose) -> Rule:
    """Compile a log rule.

    Raises:
        ValueError: the pattern does not compile, or would match every line.
    """
    return Rule(compile_line_regex(pattern), action)
