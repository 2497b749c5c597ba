"""From the lines of a log nobody has described yet to metric definitions, the likeliest first.

Looked for, in this order: what a preset reads, JSON lines, tables with a header, and a name before
a number. A proposal is a definition as it stands in a spec, and what it finds in these lines.
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
    iterate_findings,
    parse_json_line,
    split_cells,
)
from hpt_cli.metrics.patterns import GROUPED, NUMBER, expand, parse_number
from hpt_cli.metrics.presets import PRESETS, Preset

MAX_NAME_LENGTH = 60
MAX_LINES = 5000
MAX_LINE_LENGTH = 1000
MAX_CHARACTERS = 1 << 18
"""What is looked at of a log; the first lines of a training run are like the rest."""

Fields = Mapping[str, str]
Direction = Literal["Maximize", "Minimize"]


@dataclass(frozen=True)
class Proposal:
    """A metric definition that finds something, and what it finds."""

    definition: Fields
    """As in a spec: `name`, one of `regex`, `json`, `column`, `preset`, and what goes with it."""
    objective_type: Direction
    curve: tuple[tuple[float, float], ...]
    """(step, value) of what it finds, in order of the lines; steps not told are counted."""
    example: str
    """The latest line with a value."""
    program: str = ""
    """Which program's preset it is."""
    is_cut: bool = False
    """Whether its numbers go on behind a comma: they are not what is read."""

    @property
    def name(self) -> str:
        """The metric's name."""
        return self.definition["name"]


def propose_definitions(lines: Sequence[str]) -> tuple[Proposal, ...]:
    """Metric definitions for a log, the likeliest objective first.

    Args:
        lines: as a person would see them; the first MAX_LINES count.
    """
    shown = _cut(lines)
    proposals: dict[str, Proposal] = {}
    left = list(shown)
    for find in (_find_presets, _find_json, _find_tables, _find_pairs):
        for fields, program in find(left):
            proposal = _try(fields, shown, program)
            if proposal is not None:
                proposals.setdefault(proposal.name, proposal)
                _take(fields, left)
    found = list(proposals.values())
    likely = [each for each in found if len(each.curve) > 1 or _is_quality(each.name)]
    return tuple(sorted(likely or found, key=_rank))


def write_definition(definition: Fields) -> str:
    """A definition as a line of YAML, ready to paste."""
    quoted = (f"{key}: '{text.replace(chr(39), chr(39) * 2)}'" for key, text in definition.items())
    return "{" + ", ".join(quoted) + "}"


def _try(fields: Fields, lines: list[str], program: str) -> Proposal | None:
    """The proposal of a definition; None if it finds nothing."""
    found = list(iterate_findings(compile_definition(fields), lines))
    if not found:
        return None
    curve = tuple(
        (count if finding.step is None else finding.step, finding.value)
        for count, (_, finding) in enumerate(found, 1)
    )
    values = [value for _, value in curve]
    direction = guess_direction(fields["name"], values)
    is_cut = "regex" in fields and any(
        re.match(r",\d", lines[number][finding.value_span[1] :]) and values[place].is_integer()
        for place, (number, finding) in enumerate(found)
    )
    return Proposal(fields, direction, curve, lines[found[-1][0]], program, is_cut)


def _take(fields: Fields, left: list[str]) -> None:
    """Blank the lines that a preset, JSON or a table explains, so that nothing else reads them."""
    if "regex" not in fields:
        for number, _ in iterate_findings(compile_definition(fields), list(left)):
            left[number] = ""


# -- which is the objective ------------------------------------------------------------------------


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
    "epoch",
    "ep",
    "iteration",
    "iter",
    "step",
    "global_step",
    "round",
    "update",
    "num_updates",
)
_BESIDE = _words(
    "epoch epochs iteration iterations iter step steps round batch time eta lr rate sec secs second"
    " seconds ms speed it memory mem gpu cpu runtime seed remaining elapsed num params parameters"
    " norm gnorm wall wps ups wpb bsz clip version momentum decay samples size images instances"
    " count port pid best patience total workers classes features leaves depth trees tree"
    " timesteps fps"
)
"""What is printed beside metrics, and is none that anybody tunes."""


def _split_words(name: str) -> set[str]:
    """The words of a name in lower case: `valLoss` has three, `mAP50` is one too."""
    apart = re.sub(r"([a-z])([A-Z])", r"\1 \2", name)
    return set(re.findall(r"[a-z]+\d*|\d+", f"{name} {apart}".lower()))


def guess_direction(name: str, values: Sequence[float]) -> Direction:
    """Which way a metric is better: by its name, else by the way it went."""
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
    """Whether a name is one that metrics have."""
    words = _split_words(name)
    return bool(words & _HIGHER) or _is_lower(words)


def _rank(proposal: Proposal) -> tuple[float, ...]:
    """Lower is likelier."""
    words = _split_words(proposal.name)
    values = {value for _, value in proposal.curve}
    return (
        proposal.is_cut,
        bool(words & _BESIDE),
        len(proposal.curve) > 1 and len(values) < 2,
        not _is_quality(proposal.name),
        not words & _HELD_OUT,
        len(proposal.curve) < 2,
        not words & _HIGHER,
        -len(proposal.curve),
    )


# -- what a log holds ------------------------------------------------------------------------------


def _find_presets(lines: list[str]) -> Iterator[tuple[Fields, str]]:
    """The metrics of every program that these lines are of; of two that read a line, the better."""
    claims = {name: _claim(preset, lines) for name, preset in PRESETS.items()}
    taken: set[int] = set()
    for name in sorted(claims, key=lambda each: -sum(map(len, claims[each].values()))):
        fresh = {metric for metric, numbers in claims[name].items() if numbers - taken}
        for metric in claims[name]:
            if metric in fresh:
                taken |= claims[name][metric]
                yield {"name": metric, "preset": name}, PRESETS[name].program


def list_metrics(preset: str, lines: Sequence[str]) -> list[str]:
    """The metrics of a program that these lines have."""
    return list(_claim(PRESETS[preset], _cut(lines)))


def _cut(lines: Sequence[str]) -> list[str]:
    shown = [line[:MAX_LINE_LENGTH] for line in lines[:MAX_LINES]]
    sizes = accumulate(map(len, shown))
    return [line for line, size in zip(shown, sizes, strict=True) if size <= MAX_CHARACTERS]


def _claim(preset: Preset, lines: list[str]) -> dict[str, set[int]]:
    """The metrics of a program, and the numbers of the lines where they stand."""
    claim: dict[str, set[int]] = {}
    if preset.names is not None:
        line, name = re.compile(preset.names.line), re.compile(preset.names.name)
        for number, text in enumerate(lines):
            if text and line.search(text):
                for match in name.finditer(text):
                    claim.setdefault(match.group(1), set()).add(number)
        return claim
    for metric, regex in preset.metrics.items():
        extractor = compile_definition({"name": metric, "regex": regex})
        numbers = {number for number, _ in iterate_findings(extractor, lines)}
        if numbers:
            claim[metric] = numbers
    return claim


def _find_json(lines: list[str]) -> Iterator[tuple[Fields, str]]:
    """The numbers of JSON lines, by their paths."""
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


def _find_tables(lines: list[str]) -> Iterator[tuple[Fields, str]]:
    """The columns of tables: a line of names, and soon after it one of as many numbers."""
    for number, text in enumerate(lines):
        delimiter = find_delimiter(text)
        names = [cell for cell, _ in split_cells(text, delimiter)]
        if len(names) < 2 or not all(_NAME.fullmatch(name) for name in names):
            continue
        rows = (split_cells(row, delimiter) for row in lines[number + 1 : number + 4])
        row = next((row for row in rows if len(row) == len(names) and _is_numeric(row)), None)
        if row is None:
            continue
        step = next((name for name in names if name.lower() in _STEPS), "")
        for name, (cell, _) in zip(names, row, strict=True):
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
"""A name before a number, with `=`, `:` or blanks between; a clock and a version are none."""

_STEP = re.compile(
    rf"(?P<word>\b(?i:{'|'.join(_STEPS)}))(?P<sign>[\s:=\[(#]{{1,3}})"
    rf"(?:(?P<grouped>{GROUPED})|\d+)(?![\w.])"
)
_SPLIT = re.compile(
    r"\b(?i:train|training|valid|validation|val|dev|test|testing|eval|evaluation)"
    r"(?:(?P<mark> ?[:|>\]]| -) |(?= (?i:epoch|iter|step)))"
)
"""What says, before several metrics of a line, of which part of the data they are."""


@dataclass(frozen=True)
class _Pair:
    """A way that a log writes a number with a name."""

    split: str
    """What stands before it and says of which part of the data it is: `valid:`; or nothing."""
    name: str
    sign: str
    is_ratio: bool


def _find_pairs(lines: list[str]) -> Iterator[tuple[Fields, str]]:
    """Names before numbers, each with the way to tell its step that most of its lines have."""
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
    told = [match for match in map(_STEP.search, lines) if match]
    for pair, texts in found.items():
        regex = _build_regex(pair, names, groups_thousands=pair in grouped)
        word = pair.split.rstrip(" :|>]-")
        name = f"{word} {pair.name}" if word else pair.name
        yield {"name": _to_name(name), **_add_step(regex, pair.split, texts, told)}, ""


def _find_split(pair: re.Match[str]) -> str:
    """What stands nearest before a pair and says of which part of the data it is."""
    before = list(_SPLIT.finditer(pair.string, 0, pair.start()))
    return before[-1].group().strip() if before else ""


def _find_pair_name(match: re.Match[str]) -> str:
    """What a line calls a number: one word before `=`, and before `:` a phrase about a metric."""
    name = match["name"]
    if "=" in match["sign"]:
        return name.rpartition(" ")[2]
    if ":" in match["sign"] and not _is_quality(name):
        phrase = _PHRASE.search(match.string[: match.end("name")])
        told = phrase.group() if phrase else ""
        about = (word.start() for word in re.finditer(_WORD, told) if _is_quality(word.group()))
        start = next(about, None)
        return name if start is None else told[start:]
    return name


_PHRASE = re.compile(r"[^:=|,;]{1,80}$")


def _build_regex(pair: _Pair, names: set[str], *, groups_thousands: bool) -> str:
    """The regex of a name before a number, not found inside longer names."""
    inside = any(other != pair.name and other.endswith(pair.name) for other in names)
    guard = r"(?<![\w./-])" if inside else r"\b"
    between = {"=": r" ?= ?", ":": r": *", " ": r" +"}[pair.sign]
    number = "ratio" if pair.is_ratio else "num," if groups_thousands else "num"
    return f"{guard}{_escape(pair.name)}{between}({{{number}}})"


def _escape(text: str) -> str:
    return re.escape(text).replace(r"\ ", " ").replace(r"\-", "-")


def _add_step(
    regex: str, split: str, texts: list[str], told: list[re.Match[str]]
) -> dict[str, str]:
    """The fields of a definition behind a split that tells its step, if its lines or others do."""
    text = texts[-1]
    begin = max(0, text.find(split))
    value = re.compile(expand(regex)).search(text, begin + len(split))
    step = _STEP.search(text)
    parts = [(begin, rf"\b{_escape(split)}")] if split else []
    if value and step:
        parts.append((step.start(), _describe_step(step, told)))
    if value:
        parts.append((value.start(), regex))
        regex = ".*?".join(part for _, part in sorted(parts))
    if not (value and step) and len({match.group() for match in told}) > 1:
        return {"regex": regex, "step": _describe_step(told[-1], told)}
    return {"regex": regex}


def _describe_step(match: re.Match[str], told: list[re.Match[str]]) -> str:
    """The way that a line tells its step, with commas if any line has some."""
    sign = re.escape(match["sign"]).replace(r"\ ", " ")
    step = "{step,}" if any(each["grouped"] for each in told) else "{step}"
    return rf"\b{match['word']}{re.sub(' +', ' *', sign) if len(sign) > 1 else sign}{step}"


def _to_name(text: str) -> str:
    """A metric's name from what the log calls it."""
    plain = re.sub(r"[^\w.:@/-]+", "_", text)
    return re.sub(r"\.(?=_)", "", plain).strip("_.:/-")[:MAX_NAME_LENGTH] or "metric"


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
