"""From the bytes of a log to observations.

Lines end at LF, CR or CRLF, so that progress bars count. ANSI sequences and backspaces are taken
out, and bytes that are not UTF-8 are kept as replacement characters. Every match of a definition is
one observation; its step is the group `step` if the regex has one, else a count that starts at 1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from hpt_cli.core.patterns import STEP_GROUP, Pattern, parse_number

_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\n|\r)")
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])")


class Observation(NamedTuple):
    """One value of one metric of one training job.

    `offset` is where in the log, in bytes, the match was found: with the job, the attempt and the
    metric it names the observation, so that reading a log twice records nothing twice.
    """

    metric: str
    offset: int
    step: float
    value: float


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a log, without its ending."""

    offset: int
    text: str


def clean(raw: bytes) -> str:
    """A line as a person would see it: decoded, without ANSI sequences and backspaces."""
    text = raw.decode("utf-8", errors="replace")
    if "\x1b" in text:
        text = _ANSI.sub("", text)
    return text.replace("\b", "")


def split_lines(data: bytes, offset: int, *, final: bool) -> tuple[list[Line], int]:
    """Cut bytes that begin at `offset` of a log into lines.

    Returns:
        The complete lines, and the offset after the last of them. With `final`, the rest without a
        line ending is a line too. A CR at the very end waits for what follows, as it may be half of
        a CRLF; reading it early would do no harm but for an empty line.
    """
    lines = []
    end = 0
    for match in _LINE.finditer(data):
        raw = match.group().rstrip(b"\r\n")
        if raw:
            lines.append(Line(offset + match.start(), clean(raw)))
        end = match.end()
    if final and end < len(data):
        lines.append(Line(offset + end, clean(data[end:])))
        end = len(data)
    return lines, offset + end


class MetricReader:
    """Finds the observations in the lines of one attempt's log, counting steps as it goes."""

    def __init__(self, patterns: Mapping[str, Pattern]) -> None:
        self._patterns = {
            name: (pattern.regex, pattern.value, pattern.has_step)
            for name, pattern in patterns.items()
        }
        self._counts: dict[str, int] = {}

    def read(self, lines: list[Line]) -> tuple[Observation, ...]:
        """The observations in these lines, in order."""
        return tuple(found for line in lines for found in self._read_line(line))

    def _read_line(self, line: Line) -> Iterator[Observation]:
        for metric, (pattern, group, has_step) in self._patterns.items():
            for match in pattern.finditer(line.text):
                value = parse_number(match.group(group) or "")
                if value is None:
                    continue
                count = self._counts[metric] = self._counts.get(metric, 0) + 1
                step = parse_number(match.group(STEP_GROUP) or "") if has_step else None
                yield Observation(
                    metric,
                    line.offset + match.start(),
                    float(count) if step is None else step,
                    value,
                )


def nearest_lines(lines: list[str], metric: str, limit: int = 5) -> list[str]:
    """The lines most likely to hold a metric that was not found: they share words and numbers."""
    words = {word for word in re.split(r"[\W_]+", metric.lower()) if len(word) > 1}

    def likeness(text: str) -> int:
        lowered = text.lower()
        has_number = re.search(r"\d", text) is not None
        return 2 * sum(word in lowered for word in words) + has_number

    ranked = sorted(enumerate(lines), key=lambda item: (-likeness(item[1]), -item[0]))
    best = [item for item in ranked if likeness(item[1]) >= 2][:limit]
    return [text for _, text in sorted(best)]
