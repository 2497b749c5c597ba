"""Writes the regex that reads a number beside a name, with its data set and its step."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hpt_cli.metrics.detection.vocabulary import STEP_WORDS
from hpt_cli.metrics.patterns import GROUPED, expand

MAX_NAME_LENGTH = 60
MAX_BETWEEN = 60
"""The characters of the longest text between a step and a value that is kept as it is."""
MAX_HEADS = 6
"""Longer names that a regex keeps out by the word before the shorter one."""


def _compile_step(words: Iterable[str]) -> re.Pattern[str]:
    told = "|".join(sorted(words, key=len, reverse=True))
    return re.compile(
        rf"(?P<word>\b(?i:{told}))(?P<sign>\.? ?[\s:=\[(#|]{{1,3}} *)"
        rf"(?:{GROUPED}|\d+)(?![\w.]\d|\w)"
    )


STEP = _compile_step(STEP_WORDS)
"""A word for how far a training run has come, with a number."""
FOLD = _compile_step(("fold", "cv fold", "split"))
"""A part of a cross-validation, with its number: its epochs begin again with the next one."""


_FOLD_STEP = re.compile(r"(?i)(?:fold|split)[^\w{]{0,9}\{step\}")


@dataclass(frozen=True)
class Pair:
    """A way in which a log prints a number with a name."""

    data_set: str
    """What stands before it and names a data set, such as `valid` or `Eval metrics`; or ""."""
    label: str
    """As the log prints it."""
    sign: str
    wrap: str
    is_ratio: bool
    is_before: bool = False
    """Whether the number stands before its name."""
    percent: str = ""
    has_mean: bool = False
    """Whether the mean so far stands in brackets behind the value, and is read instead."""
    step: str = ""
    """The regex for the step where it stands between name and number: `Loss at step 5: 0.3`."""
    is_glued: bool = False
    """Whether it follows on another number without a blank: `prec:0.1recall:0.2`."""


def build_regex(pair: Pair, labels: set[str]) -> str:
    """Return the regex for a name beside a number that does not match inside longer names."""
    number = "ratio" if pair.is_ratio else "num"
    label = escape(pair.label)
    if pair.is_before:
        percent = " ?%" if pair.percent else ""
        ending = r"\b" if pair.label[-1].isalnum() else ""
        return rf"(?<![\w.])({{{number}}}){percent} {label}{ending}"
    # `loss` must not be found within `val_loss`, where the log has both.
    longer = sorted(each for each in labels if each != pair.label and each.endswith(pair.label))
    guard = _describe_beginning(pair, is_ending=bool(longer))
    heads = {
        each.removesuffix(pair.label).split(" ")[-2] for each in longer if f" {pair.label}" in each
    }
    guard += "".join(rf"(?<!{escape(head)} )" for head in sorted(heads)[:MAX_HEADS] if head)
    between = pair.step + _describe_sign(pair.sign)
    wrap = escape(pair.wrap) + (" *" if pair.wrap[-1:] in ("(", "[") else "")
    if pair.has_mean:
        return rf"{guard}{label}{between}{wrap}{{num}} \( *({{num}})\)"
    return f"{guard}{label}{between}{wrap}({{{number}}})"


def _describe_beginning(pair: Pair, *, is_ending: bool) -> str:
    """Return the regex for the place where a name begins, which may be the end of a longer name."""
    if pair.is_glued:
        return r"(?<![^\W\d])"
    if is_ending:
        return r"(?<![\w./-])"
    return r"\b" if pair.label[0].isalnum() or pair.label[0] == "_" else ""


def _describe_sign(sign: str) -> str:
    usual = {
        "=": " *= *",
        ":": ": *",
        ":\t": r":\s*",
        " :": r" *: *",
        " ": " +",
        "\t": r"\s+",
        "|": r"\s*\|\s*",
        "": "",
    }
    if sign in usual:
        return usual[sign]
    return rf"\s*{escape(sign)}\s*" if sign not in ("is", "was", "of") else f" +{sign} +"


def escape(text: str) -> str:
    escaped = re.escape(text).replace(r"\ ", " ").replace(r"\-", "-").replace("\\\t", r"\t")
    return re.sub(r" {2,}", " +", escaped)


def find_steps(lines: Sequence[str]) -> tuple[re.Pattern[str], list[re.Match[str]]]:
    """Return what the steps of a log are, and where it tells them; folds before epochs."""
    folds = [match for match in map(FOLD.search, lines) if match]
    if len({match.group() for match in folds}) > 1:
        return FOLD, folds
    return STEP, [match for match in map(STEP.search, lines) if match]


def reads_folds(definition: Mapping[str, object]) -> bool:
    """Return whether the step of a definition is the part of a cross-validation."""
    told = f"{definition.get('regex') or ''} {definition.get('step') or ''}"
    return _FOLD_STEP.search(told) is not None


def add_step(
    regex: str,
    pair: Pair,
    text: str,
    found: tuple[re.Pattern[str], list[re.Match[str]]],
    counter: str,
    *,
    is_exact: bool = False,
) -> dict[str, str]:
    """Return `regex`, preceded by its data set and its step, or with a `step` from other lines.

    Args:
        text: a line with the pair.
        is_exact: whether to read such lines only, where others have the pair too.
    """
    pattern, steps = found
    split = pair.data_set
    begin = max(0, text.find(split))
    value = re.compile(expand(regex)).search(text, begin + len(split))
    step = None if pair.step else pattern.search(text)
    parts = [(begin, rf"\b{escape(split)}")] if split else []
    if value and step and not value.start() <= step.start() < value.end():
        parts.append((step.start(), _describe_step(step)))
    elif value and not step and not pair.step and counter and pattern is STEP:
        counted = re.compile(expand(counter)).search(text)
        if counted and not value.start() <= counted.start() < value.end():
            parts.append((counted.start(), counter))
    has_own = bool(value and (step or pair.step)) or len(parts) > bool(split)
    if value:
        regex = _join(parts, (value.start(), regex), text if is_exact else "", step)
    # A step that is printed but once, or never changes, does not say where values belong.
    if not has_own and len({match.group() for match in steps}) > 1:
        return {"regex": regex, "step": _describe_step(steps[-1])}
    return {"regex": regex}


_NUMBERS = re.compile(r"[-+]?\d[\d.]*(?:[eE][-+]?\d+)?")


def _join(
    parts: list[tuple[int, str]], value: tuple[int, str], exact: str, step: re.Match[str] | None
) -> str:
    """Return the regex of parts of a line, each with its place, in order, with a gap after each.

    Args:
        exact: a line whose text between its step, or its beginning, and its value is kept, but for
            the numbers in it; or "".
    """
    at = step.end() if step and step.end() <= value[0] else 0
    between = exact[at : value[0]]
    before = ".*?".join(part for place, part in sorted(parts) if place < at)
    kept = f"{before or '^'}{'{num}'.join(map(escape, _NUMBERS.split(between)))}{value[1]}"
    if exact and len(between) <= MAX_BETWEEN and re.search(expand(kept), exact):
        return kept
    return ".*?".join(part for _, part in sorted([*parts, value]))


def _describe_step(match: re.Match[str]) -> str:
    """Return the regex for a step as one line prints it."""
    word, sign = match["word"], match["sign"]
    blank = r"\s" if "\t" in sign else " "
    marks = f"{blank}*".join(re.escape(each) for each in sign.split())
    before = f"{blank}+" if not marks else f"{blank}*" if sign[0].isspace() else ""
    behind = f"{blank}*" if marks else ""
    return rf"\b{word}{before}{marks}{behind}{{step}}"


def to_name(text: str) -> str:
    """Return a valid name for a metric from what the log calls it."""
    plain = re.sub(r"[^\w.:@/-]+", "_", text)
    return re.sub(r"\.(?=_)", "", plain).strip("_.:/-")[:MAX_NAME_LENGTH].strip("_") or "metric"
