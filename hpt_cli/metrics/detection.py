"""Detects the metrics in a log: definitions that find values in it, the likeliest objective first.

Tried in this order: presets, JSON lines, tables with a header, and names before numbers.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Literal

from hpt_cli.metrics.extractors import (
    compile_definition,
    find_delimiter,
    iterate_matches,
    parse_json_line,
    split_cells,
)
from hpt_cli.metrics.patterns import GROUPED, NUMBER, expand, parse_number
from hpt_cli.metrics.presets import PRESETS, Preset

MAX_NAME_LENGTH = 60
MAX_LINES = 5000
MAX_LINE_LENGTH = 1000
MAX_CHARACTERS = 1 << 18
"""The part of a log that is read; the first lines of a training run are like the rest."""

Fields = Mapping[str, str]
Direction = Literal["Maximize", "Minimize"]


@dataclass(frozen=True)
class DetectedMetric:
    """A metric definition that finds values in a log."""

    definition: Fields
    """As in a spec: `name`, one of `regex`, `json`, `column`, `preset`, and their options."""
    objective_type: Direction
    curve: tuple[tuple[float, float], ...]
    """(step, value) in order of the lines; values without a step are counted."""
    example: str
    """The latest line with a value."""
    program: str = ""
    """The program that a preset is for."""
    is_cut: bool = False
    """Whether its numbers continue after a comma, where they are cut."""

    @property
    def name(self) -> str:
        """The metric's name."""
        return self.definition["name"]


def detect_metrics(lines: Sequence[str]) -> tuple[DetectedMetric, ...]:
    """Return the metrics in a log, the likeliest objective first.

    Args:
        lines: as a terminal would show them; the first MAX_LINES are read.
    """
    lines = _cut(lines)
    detected: dict[str, DetectedMetric] = {}
    # Lines are blanked in it and not removed, so that their numbers stay the same.
    unexplained = list(lines)
    for detect in (_detect_presets, _detect_json, _detect_tables, _detect_pairs):
        for definition, program in detect(unexplained):
            metric = _evaluate(definition, lines, program)
            if metric is not None:
                # Of two kinds that find the same name, the one tried first is more specific.
                detected.setdefault(metric.name, metric)
                _blank_explained(definition, unexplained)
    found = list(detected.values())
    likely = [each for each in found if len(each.curve) > 1 or _is_quality(each.name)]
    return tuple(sorted(likely or found, key=_rank))


def write_definition(definition: Fields) -> str:
    """Return a definition as a line of YAML, ready to paste."""
    quoted = (f"{key}: '{text.replace(chr(39), chr(39) * 2)}'" for key, text in definition.items())
    return "{" + ", ".join(quoted) + "}"


def _evaluate(definition: Fields, lines: list[str], program: str) -> DetectedMetric | None:
    """Return a definition with what it finds; None if it finds nothing."""
    found = list(iterate_matches(compile_definition(definition), lines))
    if not found:
        return None
    curve = tuple(
        (count if match.step is None else match.step, match.value)
        for count, (_, match) in enumerate(found, 1)
    )
    direction = guess_direction(definition["name"], [value for _, value in curve])
    is_cut = "regex" in definition and any(
        re.match(r",\d", lines[number][match.value_span[1] :]) and match.value.is_integer()
        for number, match in found
    )
    return DetectedMetric(definition, direction, curve, lines[found[-1][0]], program, is_cut)


def _blank_explained(definition: Fields, lines: list[str]) -> None:
    """Blank the lines that a preset, JSON or a table explains, to hide them from what follows."""
    if "regex" not in definition:
        for number, _ in iterate_matches(compile_definition(definition), list(lines)):
            lines[number] = ""


# -- the likeliest objective -----------------------------------------------------------------------


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_HELD_OUT = _words("val valid validation eval test dev holdout cv")
_HIGHER = _words(
    "acc accuracy auc auroc roc f1 score map map50 ap bleu reward rew return precision recall r2"
    " iou miou dice ndcg psnr ssim rouge top1 top5 hits mrr correlation likelihood elbo"
)
_LOWER = _words(
    "loss logloss error err rmse mse mae mape perplexity ppl wer cer deviance inertia nll"
    " crossentropy entropy fid rmsle mlogloss regret cost bpc merror l1 l2"
)
_STEPS = (
    *("epoch", "ep", "iteration", "iter", "step", "global_step"),
    *("round", "update", "num_updates"),
)
_BESIDE = _words(
    "epoch epochs iteration iterations iter step steps round batch time eta lr rate sec secs second"
    " seconds ms speed it memory mem gpu cpu runtime seed remaining elapsed num params parameters"
    " norm gnorm wall wps ups wpb bsz clip version momentum decay samples size images instances"
    " count port pid best patience total workers classes features leaves depth trees tree"
    " timesteps fps"
)
"""Words for numbers that are printed beside metrics, and that nobody tunes."""


def _split_words(name: str) -> set[str]:
    """Return the words of a name in lower case: `valLoss` gives valloss, val and loss."""
    apart = re.sub(r"([a-z])([A-Z])", r"\1 \2", name)
    return set(re.findall(r"[a-z]+\d*|\d+", f"{name} {apart}".lower()))


def guess_direction(name: str, values: Sequence[float]) -> Direction:
    """Return in which direction a metric is better, by its name or else by its trend."""
    words = _split_words(name)
    if _is_lower(words):
        return "Minimize"
    if words & _HIGHER:
        return "Maximize"
    half = len(values) // 2
    rises = half and statistics.fmean(values[-half:]) > statistics.fmean(values[:half])
    return "Maximize" if rises else "Minimize"


def _is_lower(words: set[str]) -> bool:
    return bool(words & _LOWER) or any(word.endswith(("loss", "error")) for word in words)


def _is_quality(name: str) -> bool:
    """Return whether a name is usual for a metric."""
    words = _split_words(name)
    return bool(words & _HIGHER) or _is_lower(words)


def _rank(metric: DetectedMetric) -> tuple[float, ...]:
    """Return a sort key: the lowest is the likeliest objective."""
    words = _split_words(metric.name)
    values = {value for _, value in metric.curve}
    return (
        metric.is_cut,
        bool(words & _BESIDE),
        # What never changes is a setting rather than a metric.
        len(metric.curve) > 1 and len(values) < 2,
        not _is_quality(metric.name),
        not words & _HELD_OUT,
        len(metric.curve) < 2,
        not words & _HIGHER,
        -len(metric.curve),
    )


# -- metrics of each kind --------------------------------------------------------------------------


def _detect_presets(lines: list[str]) -> Iterator[tuple[Fields, str]]:
    """Yield the metrics of presets; of two presets for the same lines, the one that finds more."""
    read = {name: _find_preset_lines(preset, lines) for name, preset in PRESETS.items()}
    taken: set[int] = set()
    for name in sorted(read, key=lambda each: -sum(map(len, read[each].values()))):
        fresh = {metric: numbers for metric, numbers in read[name].items() if numbers - taken}
        for metric, numbers in fresh.items():
            taken |= numbers
            yield {"name": metric, "preset": name}, PRESETS[name].program


def list_metrics(preset: str, lines: Sequence[str]) -> list[str]:
    """Return the metrics of a preset that these lines have."""
    return list(_find_preset_lines(PRESETS[preset], _cut(lines)))


def _cut(lines: Sequence[str]) -> list[str]:
    shown = [line[:MAX_LINE_LENGTH] for line in lines[:MAX_LINES]]
    sizes = accumulate(map(len, shown))
    return [line for line, size in zip(shown, sizes, strict=True) if size <= MAX_CHARACTERS]


def _find_preset_lines(preset: Preset, lines: list[str]) -> dict[str, set[int]]:
    """Return the metrics of a preset in a log, each with the indices of its lines."""
    found: dict[str, set[int]] = {}
    if preset.names is not None:
        line, name = re.compile(preset.names.line), re.compile(preset.names.name)
        for number, text in enumerate(lines):
            if text and line.search(text):
                for match in name.finditer(text):
                    found.setdefault(match.group(1), set()).add(number)
        return found
    for metric, regex in preset.metrics.items():
        extractor = compile_definition({"name": metric, "regex": regex})
        numbers = {number for number, _ in iterate_matches(extractor, lines)}
        if numbers:
            found[metric] = numbers
    return found


def _detect_json(lines: list[str]) -> Iterator[tuple[Fields, str]]:
    """Yield the paths of numbers in JSON lines."""
    paths: dict[str, str] = {}
    for text in lines:
        parsed = parse_json_line(text)
        if parsed is None:
            continue
        leaves = [path for path, _ in _iterate_leaves(parsed[0], "")]
        step = next((each for each in _STEPS if each in leaves), "")
        paths.update({path: step for path in leaves if path not in _STEPS})
    for path, step in paths.items():
        yield {"name": path, "json": path} | ({"step": step} if step else {}), ""


def _iterate_leaves(document: Mapping[str, Any], above: str) -> Iterator[tuple[str, float]]:
    for key, value in document.items():
        if isinstance(value, Mapping) and above.count(".") < 5:
            yield from _iterate_leaves(value, f"{above}{key}.")
        elif isinstance(value, (int, float, str)) and not isinstance(value, bool):
            number = parse_number(value) if isinstance(value, str) else value
            if number is not None:
                yield f"{above}{key}", number


def _detect_tables(lines: list[str]) -> Iterator[tuple[Fields, str]]:
    """Yield the columns of tables: a line of names, soon followed by one with as many numbers."""
    for number, text in enumerate(lines):
        delimiter = find_delimiter(text)
        names = [cell for cell, _ in split_cells(text, delimiter)]
        if len(names) < 2 or not all(_NAME.fullmatch(name) for name in names):
            continue
        # A rule or a blank line may stand between the header and the first row.
        rows = (split_cells(row, delimiter) for row in lines[number + 1 : number + 4])
        row = next((row for row in rows if len(row) == len(names) and _is_numeric(row)), None)
        if row is None:
            continue
        step = next((name for name in names if name.lower() in _STEPS), "")
        for name, (cell, _) in zip(names, row, strict=True):
            # A cell that is empty in the first row may have values later, as where the validation
            # loss is not measured at every epoch.
            if name != step and (not cell or parse_number(cell) is not None):
                yield {"name": name, "column": name} | ({"step": step} if step else {}), ""


_NAME = re.compile(r"[A-Za-z_][^\s=]{0,60}(?: [^\s=]{1,30}){0,2}")


def _is_numeric(row: Sequence[tuple[str, Any]]) -> bool:
    numbers = sum(parse_number(cell) is not None for cell, _ in row)
    return numbers >= 1 and numbers * 2 >= sum(bool(cell) for cell, _ in row)


_WORD = r"[A-Za-z_][\w@./'-]*"
_PAIR = re.compile(
    rf"(?<![\w.@/-])(?P<name>(?:{_WORD} ){{0,2}}?{_WORD})(?P<sign> ?[=:] ?|: +| +)"
    rf"(?P<value>(?P<grouped>{GROUPED})|{NUMBER}(?P<ratio> ?/ ?\d+\b)?)(?![\w:]|\.\d)"
)
"""A name before a number, with `=`, `:` or blanks between; not a time or a version."""

_STEP = re.compile(
    rf"(?P<word>\b(?i:{'|'.join(_STEPS)}))(?P<sign>[\s:=\[(#]{{1,3}})"
    rf"(?:(?P<grouped>{GROUPED})|\d+)(?![\w.])"
)
_SPLIT = re.compile(
    r"\b(?i:train|training|valid|validation|val|dev|test|testing|eval|evaluation)"
    r"(?:(?P<mark> ?[:|>\]]| -) |(?= (?i:epoch|iter|step)))"
)
"""The name of a data set, before the metrics of a line that were measured on it."""


@dataclass(frozen=True)
class _Pair:
    """A way in which a log prints a number with a name."""

    split: str
    """The name of the data set before it, such as `valid:`; or ""."""
    name: str
    sign: str
    is_ratio: bool


def _detect_pairs(lines: list[str]) -> Iterator[tuple[Fields, str]]:
    """Yield names before numbers, each with how its lines, or lines before them, print the step."""
    found: dict[_Pair, list[str]] = {}
    grouped: set[_Pair] = set()
    for text in lines:
        for match in _PAIR.finditer(text):
            name = _find_pair_name(match)
            sign = match["sign"].strip() or " "
            if name.lower() in _STEPS or _STEP.match(f"{name}{match['sign']}1"):
                continue
            pair = _Pair(_find_split(match), name, sign, bool(match["ratio"]))
            found.setdefault(pair, []).append(text)
            if match["grouped"]:
                grouped.add(pair)
    names = {pair.name for pair in found}
    steps = [match for match in map(_STEP.search, lines) if match]
    for pair, texts in found.items():
        regex = _build_regex(pair, names, groups_thousands=pair in grouped)
        word = pair.split.rstrip(" :|>]-")
        name = f"{word} {pair.name}" if word else pair.name
        yield {"name": _to_name(name), **_add_step(regex, pair.split, texts, steps)}, ""


def _find_split(pair: re.Match[str]) -> str:
    """Return the nearest name of a data set before a pair; empty without one."""
    before = list(_SPLIT.finditer(pair.string, 0, pair.start()))
    return before[-1].group().strip() if before else ""


def _find_pair_name(match: re.Match[str]) -> str:
    """Return what a line calls a number: a word before `=`, a phrase about a metric before `:`."""
    name = match["name"]
    if "=" in match["sign"]:
        return name.rpartition(" ")[2]
    if ":" in match["sign"] and not _is_quality(name):
        phrase = _PHRASE.search(match.string[: match.end("name")])
        text = phrase.group() if phrase else ""
        words = (word.start() for word in re.finditer(_WORD, text) if _is_quality(word.group()))
        start = next(words, None)
        return name if start is None else text[start:]
    return name


_PHRASE = re.compile(r"[^:=|,;]{1,80}$")


def _build_regex(pair: _Pair, names: set[str], *, groups_thousands: bool) -> str:
    """Return the regex for a name before a number that does not match inside longer names."""
    # `loss` must not be found within `val_loss`, where the log has both.
    inside = any(other != pair.name and other.endswith(pair.name) for other in names)
    guard = r"(?<![\w./-])" if inside else r"\b"
    between = {"=": r" ?= ?", ":": r": *", " ": r" +"}[pair.sign]
    number = "ratio" if pair.is_ratio else "num," if groups_thousands else "num"
    return f"{guard}{_escape(pair.name)}{between}({{{number}}})"


def _escape(text: str) -> str:
    return re.escape(text).replace(r"\ ", " ").replace(r"\-", "-")


def _add_step(
    regex: str, split: str, texts: list[str], steps: list[re.Match[str]]
) -> dict[str, str]:
    """Return `regex`, preceded by its split and its step, or with a `step` from other lines."""
    text = texts[-1]
    begin = max(0, text.find(split))
    value = re.compile(expand(regex)).search(text, begin + len(split))
    step = _STEP.search(text)
    parts = [(begin, rf"\b{_escape(split)}")] if split else []
    if value and step:
        parts.append((step.start(), _describe_step(step, steps)))
    if value:
        parts.append((value.start(), regex))
        regex = ".*?".join(part for _, part in sorted(parts))
    # A step that is printed but once, or never changes, does not say where values belong.
    if not (value and step) and len({match.group() for match in steps}) > 1:
        return {"regex": regex, "step": _describe_step(steps[-1], steps)}
    return {"regex": regex}


def _describe_step(match: re.Match[str], steps: list[re.Match[str]]) -> str:
    """Return the regex for a step as one line prints it, with commas if any line has them."""
    sign = re.escape(match["sign"]).replace(r"\ ", " ")
    step = "{step,}" if any(each["grouped"] for each in steps) else "{step}"
    return rf"\b{match['word']}{re.sub(' +', ' *', sign) if len(sign) > 1 else sign}{step}"


def _to_name(text: str) -> str:
    """Return a valid name for a metric from what the log calls it."""
    plain = re.sub(r"[^\w.:@/-]+", "_", text)
    return re.sub(r"\.(?=_)", "", plain).strip("_.:/-")[:MAX_NAME_LENGTH] or "metric"


def nearest_lines(lines: list[str], metric: str, limit: int = 5) -> list[str]:
    """Return the lines that most likely hold a metric: they share words, and have numbers."""
    words = {word for word in re.split(r"[\W_]+", metric.lower()) if len(word) > 1}

    def likeness(text: str) -> int:
        lowered = text.lower()
        has_number = re.search(r"\d", text) is not None
        return 2 * sum(word in lowered for word in words) + has_number

    ranked = sorted(enumerate(lines), key=lambda item: (-likeness(item[1]), -item[0]))
    # At least one word in common: a number alone stands in most lines.
    best = [item for item in ranked if likeness(item[1]) >= 2][:limit]
    return [text for _, text in sorted(best)]
