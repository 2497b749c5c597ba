"""Finds numbers that stand beside a name in free text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from hpt_cli.metrics.detection.metric import Fields
from hpt_cli.metrics.detection.pair_regex import (
    Pair,
    add_step,
    build_regex,
    escape,
    find_steps,
    to_name,
)
from hpt_cli.metrics.detection.templates import TOKEN, Templates
from hpt_cli.metrics.detection.vocabulary import (
    LEADS,
    PREPOSITIONS,
    STEP_WORDS,
    find_data_set,
    find_kind,
    find_set_word,
    is_activity,
    is_quality,
    names_data_set,
    split_words,
)
from hpt_cli.metrics.patterns import NUMBER, parse_number

MAX_LABEL_WORDS = 12
MAX_SHORT_UNIT = 3
"""Longer units, such as `seconds`, are of no metric whatever its name."""
FEW_WORDS = 3
"""Words before a number that are taken for its name where none of them is known."""

MAX_SIGN = 60
"""The characters of the longest sign."""
_SIGN = re.compile(
    r"(?P<sign>\s*(?:[=:|│┃]|[-=]>)\s*|\s+(?:is|was|of)\s+|\s+)?"
    r"(?P<wrap>(?:[A-Za-z_][\w.]*)?[(\[]{1,2}['\"]?|['\"])?$"
)
"""What stands between a name and its number: `=`, `:`, `|`, blanks; `np.float64(`, `[`."""
_LETTER = re.compile(r"[^\W\d_]")
_WORD = r"[^\W\d_][\w@./'%+-]*"
_AFTER = re.compile(
    rf"(?P<percent> ?%)? ?(?P<name>{_WORD}(?: {_WORD}){{0,3}}?)(?=\s*(?:[,;|)]|$| - ))"
)
"""A name behind its number, as in `98.06% Accuracy, 0.95 Loss`."""
_PIECES = re.compile(r"[|:;,\[\]()<>{}=│┃\t]| - | {2,}|(?<=[^\W\d]{4})\. ")
_UNIT = re.compile(r" ?(?:[KMGT]i?B|[mun]s|s|secs?|seconds?|mins?|minutes|hours?|hrs?|h)\b")
"""A unit of time or size behind a number."""
_CODE = re.compile(
    r"\s*(?:[+\-]\s+)?(?:return|raise|assert|def|class|import|from|if|for|while)\b.*[(:]"
)
"""A line of a program, as in a traceback."""
_FILE_OR_OPTION = re.compile(
    r"^--\w|\.(?:py|pyx|cc?|cpp|cu|cuh|hh?|hpp|js|ts|java|go|rs|sh|txt|log|md|yaml|cfg)$"
)
"""The name of a file, before the number of one of its lines, or an option of a command."""
_LEVELS = ("DEBUG", "INFO", "WARNING", "WARN", "ERROR", "CRITICAL")
"""What loggers write before a message."""
_ALONE = re.compile(rf"\s*{NUMBER}\s*%?\s*")
_PROGRESS = re.compile(
    r"(?i)\bbatch\W{1,3}\d"
    r"|(?<!poch)(?<!poch[ :\[])(?<!poch: )(?<!poch[ :]\[)[\[(| ] *\d+ ?/ ?\d+ ?[\])|]"
)
_MEAN = re.compile(rf" \( *({NUMBER})\)")
"""The mean so far behind a value, as meters print it: `Loss 0.41 (0.39)`."""
_BEST = re.compile(r"(?i)\bbest\b")
_METER = re.compile(rf"\d ?\( *{NUMBER}\)")
_TRAINING_MARKS = re.compile(
    r"(?i)\b(?:lr|learning[ _]rate|gnorm|grad[ _]?norm|[a-z]+/s(?:ec)?\b|it/s|samples/sec|eta)\b"
)
"""What programs print on the lines of training steps."""


_STEP_WORD = "|".join(sorted(STEP_WORDS, key=len, reverse=True))
_STEPPED = re.compile(
    rf"(?P<step>[\s,(\[]+(?:(?:at|after|for|in|of|on|@)\s+)?(?:the\s+)?(?:end\s+of\s+)?"
    rf"(?:(?i:{_STEP_WORD})\b[\s:=\[#]{{0,3}}\d+|\d+\s(?i:{_STEP_WORD})\b)(?:\s?/\s?\d+)?[\])]*)"
    r"\s*(?:[=:]|\sis\b|\s)\s*$"
)
"""The step between a name and its number: `Loss at step 175: 4.6`, `Error after 5 epochs = 0.2`."""
_NUMERIC = re.compile(r"(?=\S*\d)(?:[\d.,/%+:()_-]|(?<=\d)[eE](?=[-+]?\d))+\s+")
"""A number before a name, of something else."""


@dataclass
class _Found:
    """The occurrences of a pair."""

    texts: dict[str, str] = field(default_factory=dict)
    """The latest line of each template with it, the latest of them last."""

    def list_summaries(self, label: str) -> list[str]:
        """Return the lines of no batch, and of no best so far, where there are others too."""
        summaries = [text for text in self.texts.values() if not is_batch_line(text)]
        told = [text for text in summaries if not _BEST.search(text.partition(label)[0])]
        summaries = told or summaries
        return summaries if len(summaries) < len(self.texts) else []


def find_pairs(lines: Sequence[str]) -> Iterator[Fields]:
    """Yield definitions of the numbers that stand beside names, each with its step."""
    templates = Templates(lines)
    found: dict[Pair, _Found] = {}
    for text, template in templates.list_examples():
        if _CODE.match(text):
            continue
        for pair in _split_line(text, templates.list_constants(template)):
            each = found.setdefault(pair, _Found())
            each.texts.pop(template, None)
            each.texts[template] = text
    labels = {pair.label for pair in found}
    steps = find_steps(lines)
    for pair, each in found.items():
        regex = build_regex(pair, labels)
        name = to_name(f"{pair.data_set.rstrip(' :|>]')} {pair.label}".strip())
        counter = templates.find_counter(max(each.texts, key=templates.count))
        summaries = each.list_summaries(pair.label)
        text = (summaries or list(each.texts.values()))[-1]
        is_exact = bool(summaries)
        yield {"name": name, **add_step(regex, pair, text, steps, counter, is_exact=is_exact)}
    yield from _find_numbers_alone(lines)


def _find_numbers_alone(lines: Sequence[str]) -> Iterator[Fields]:
    """Yield a definition of the numbers that stand alone on their lines, below one name."""
    above = {
        before.strip(" :=*-")
        for before, text in pairwise(lines)
        if _ALONE.fullmatch(text) and not _ALONE.fullmatch(before)
    }
    label = above.pop() if len(above) == 1 else ""
    if is_quality(label) and len(label.split()) <= MAX_LABEL_WORDS and not TOKEN.search(label):
        yield {"name": to_name(label), "regex": r"^\s*({num})\s*%?\s*$"}


def is_training_line(text: str) -> bool:
    """Return whether a line has numbers that only lines of training steps have."""
    return _TRAINING_MARKS.search(text) is not None


def is_batch_line(text: str) -> bool:
    """Return whether a line is of a batch: it says which, or has a mean beside each value."""
    return _PROGRESS.search(text) is not None or _METER.search(text) is not None


# -- one line --------------------------------------------------------------------------------------


def _split_line(text: str, constants: frozenset[int]) -> Iterator[Pair]:
    """Yield the numbers of a line that have a name."""
    before = begin = 0  # of the number before, and of this one
    seen: set[Pair] = set()
    tokens = list(TOKEN.finditer(text))
    for place, token in enumerate(tokens):
        after = tokens[place + 1] if place + 1 < len(tokens) else None
        stepped = _find_pair_around_step(text, before, token)
        if stepped is None and not _has_letters(text, begin, token):
            begin = token.end()
            continue
        if ":" in token.group() or text.startswith("%|", token.end()):
            begin = token.end()  # a time is no metric, nor how long a bar of progress is
            continue
        is_constant = place in constants
        if _is_within_brackets(text, token) or (
            is_constant and _is_within_label(text, begin, token, after)
        ):
            continue
        pair = stepped or _find_pair(text, begin, token)
        before, begin = begin, token.end()
        # A line that has one name twice: which is meant cannot be told apart by a regex.
        if pair is not None and pair not in seen:
            seen.add(pair)
            yield pair


def _has_letters(text: str, begin: int, token: re.Match[str]) -> bool:
    """Return whether there may be a name before a number, or behind it."""
    behind = text[token.end() : token.end() + 3].lstrip(" %")[:1]
    return behind.isalpha() or _LETTER.search(text, begin, token.start()) is not None


def _is_within_brackets(text: str, token: re.Match[str]) -> bool:
    """Return whether a number stands in brackets of a name: `AP @[ IoU=0.50 | area=all ] = 0.4`."""
    opened, closed = (
        max(text.rfind(each, 0, token.start()) for each in marks) for marks in ("([", ")]")
    )
    if opened <= closed:
        return False
    return _CLOSING.match(text, token.end()) is not None


_CLOSING = re.compile(rf"[^()\[\]]*[)\]] *[=:] *{NUMBER}")


def _is_within_label(
    text: str, begin: int, token: re.Match[str], following: re.Match[str] | None
) -> bool:
    """Return whether a number belongs to the name of the number that follows."""
    if following is None or not token.group().isdigit():
        return False
    before, between = text[begin : token.start()], text[token.end() : following.start()]
    words = split_words(before)
    return (
        re.match(r" [^\W\d]", between) is not None
        and re.search(r"[=:|]\s*$", before) is None
        and re.search(r"[^\W\d]\s*[=:|]\s*$", between) is not None
        and re.search(r"[,;|]", between.rstrip(" |:=")) is None
        and bool(words)
        and words[-1] not in STEP_WORDS
        and find_kind(words[-1]) not in ("score", "loss")
    )


def _find_pair(text: str, begin: int, token: re.Match[str]) -> Pair | None:
    """Return the name of a number with what stands between them; None without one."""
    ratio = bool(token["ratio"])
    behind = _AFTER.match(text, token.end())
    sign = _SIGN.search(text, max(begin, token.start() - MAX_SIGN), token.start())
    start = (
        _find_label(text, begin, sign.start()) if sign and (sign["sign"] or sign["wrap"]) else -1
    )
    label = text[start : sign.start()].strip() if sign and start >= 0 else ""
    if behind and is_quality(behind["name"]) and not is_quality(label):
        if token.group().isdigit() and not (behind["percent"] or ratio):
            return None  # a count, as in `3 errors`
        percent = (behind["percent"] or "").strip()
        data_set = _find_data_set(text, token.start())
        return Pair(data_set, behind["name"], " ", "", ratio, is_before=True, percent=percent)
    if sign is None or not label or not _is_label(label):
        return None
    if "[(" in (sign["wrap"] or ""):
        return None  # `loss, acc=[(0.5, 0.9), ...]`
    mean = None if ratio else _MEAN.match(text, token.end())
    if _is_step_label(label):
        return None
    blank = "\t" if "\t" in (sign["sign"] or "") else " "
    mark = (sign["sign"] or "").strip() or (blank if sign["sign"] else "")
    mark = ":\t" if mark == ":" and blank == "\t" else mark
    blanks_before = (sign["sign"] or "").startswith(" ") and mark in ":"
    if ratio and ("[" in (sign["wrap"] or "") or not is_quality(label)):
        return None  # progress: `Train: [3/90]`, `rank: 1/8`
    if mark == blank and not _may_be_blank_named(label, token.group()):
        return None
    unit = _UNIT.match(text, token.end())
    if unit and _UNIT.fullmatch(label):
        return None  # `2 hr 3 min`
    if unit and (not is_quality(label) or len(unit.group().strip()) > MAX_SHORT_UNIT):
        return None
    own = " :" if blanks_before else mark
    data_set = "" if find_data_set(label) else _find_data_set(text, start)
    wrap = (sign["wrap"] or "").strip()
    is_glued = text[start - 1 : start].isdigit()
    return Pair(
        data_set, label, own, wrap, ratio, has_mean=_is_mean(token, mean), is_glued=is_glued
    )


def _find_pair_around_step(text: str, begin: int, token: re.Match[str]) -> Pair | None:
    """Return the name of a number with the step between them; None without one."""
    told = _STEPPED.search(text, begin, token.start())
    if told is None:
        return None
    start = _find_label(text, begin, told.start())
    label = text[start : told.start()].strip() if start >= 0 else ""
    if not is_quality(label) or _is_step_label(label):
        return None
    step = re.sub(r"\d+", "{step}", escape(told["step"]), count=1)
    step = re.sub(r"\d+", r"\\d+", step)
    data_set = "" if find_data_set(label) else _find_data_set(text, start)
    sign = text[told.end("step") : token.start()]
    mark = " :" if sign.startswith(" :") else sign.strip() or " "
    return Pair(data_set, label, mark, "", bool(token["ratio"]), step=step)


def _is_mean(token: re.Match[str], behind: re.Match[str] | None) -> bool:
    """Return whether what stands in brackets behind a value is its mean, and no deviation."""
    value = parse_number(token.group())
    mean = parse_number(behind[1]) if behind else None
    if value is None or mean is None or value * mean < 0:
        return False
    return abs(mean) > abs(value) / 2 or (value == 0 and mean == 0)


def _may_be_blank_named(label: str, number: str) -> bool:
    """Return whether a name that nothing but a blank parts from its number may be one."""
    if is_quality(label):
        words = re.sub(r"\s*[(\[].*[)\]]$", "", label).split()
        return is_quality(" ".join(words[-2:])) and words[-1].lower() not in PREPOSITIONS
    return " " not in label and not number.lstrip("+-").isdigit()


def _is_label(label: str) -> bool:
    return (
        re.search(r"[^\W\d_]", label) is not None
        and label.lower() not in PREPOSITIONS
        and len(label.split()) <= MAX_LABEL_WORDS
        and not any(map(_FILE_OR_OPTION.search, label.split()))
    )


def _is_step_label(label: str) -> bool:
    words = [word.rstrip(".") for word in label.lower().split() if not word.isdigit()]
    return not words or words[-1] in (*STEP_WORDS, "fold")


_OPENERS = {")": "(", "]": "[", "}": "{"}


def _find_label(text: str, begin: int, end: int) -> int:
    """Return where the name of a number begins that ends at a place; -1 without one.

    Brackets within it must be closed, and what parts it from what stands before is outside them.
    """
    depth, start = 0, end
    while start > begin:
        character = text[start - 1]
        if character in ")]}":
            if text.count(_OPENERS[character], begin, start) < text.count(character, begin, start):
                break  # opened before the number before this one
            depth += 1
        elif character in "([{":
            if depth == 0:
                break
            depth -= 1
        elif depth == 0 and (
            character in ",;|│┃\t>"
            or (character in ":=" and start < end)
            or text[max(begin, start - 3) : start] in (" - ", "-- ")
            or _ends_sentence(text, start)
        ):
            break
        start -= 1
    while start < end and (text[start].isspace() or text[start] in "*-#•_.!~<>"):
        start += 1
    number = _NUMERIC.match(text, start, end)
    start = number.end() if number else start
    if depth or start >= end:
        return -1
    return _trim_label(text, start, end)


def _ends_sentence(text: str, place: int) -> bool:
    """Return whether a sentence ends before a place: `improved. New best score`."""
    return (
        text[place - 1 : place] == " " and re.search(r"[^\W\d]{5,}\. $", text[:place]) is not None
    )


def _trim_label(text: str, start: int, end: int) -> int:
    """Return where the name begins in the phrase before a number."""
    sign = text[end:].lstrip()[:1]
    label = text[start:end]
    words = list(re.finditer(r"\S+", label))
    if not words:
        return -1
    if sign == "=" and text[end : end + 1] == "=":
        return start if _opens_bracket(label) else _start_name(start, words, len(words) - 1)
    for place, word in enumerate(words):
        before = label[: word.start()]
        if before.count("(") + before.count("[") > before.count(")") + before.count("]"):
            continue
        text_of = word.group().strip("()[]")
        behind = [each.group() for each in words[place + 1 : place + 2]]
        names_set = find_data_set(text_of) and not is_activity(text_of, behind)
        if is_quality(text_of) or names_set or _leads(text_of, label[word.end() :]):
            return _start_name(start, words, place)
    if sign in ("|", "│", "┃"):
        return start
    return start + words[-min(len(words), 1 if sign == "=" else FEW_WORDS)].start()


def _start_name(start: int, words: Sequence[re.Match[str]], place: int) -> int:
    """Return where a name begins that has one of these words: `actor loss` is not `critic loss`.

    One word before it is a part of the name; more are a sentence.
    """
    is_part = place == 1 and words[0].group().isalpha() and words[0].group() not in _LEVELS
    return start + words[0 if is_part else place].start()


def _opens_bracket(label: str) -> bool:
    return label.endswith((")", "]"))


def _leads(word: str, rest: str) -> bool:
    """Return whether a word begins the name of a metric, as in `mean 100 episode reward`."""
    return word.lower() in LEADS and is_quality(rest)


def _find_data_set(text: str, end: int) -> str:
    """Return the nearest words before a place that name a data set; empty without any.

    What names a number of its own, as in `Train: 0.9, Val: 0.8`, says nothing of the next one.
    """
    stops = [0, *(match.end() for match in _PIECES.finditer(text, 0, end)), end]
    for start, stop in zip(reversed(stops[:-1]), reversed(stops[1:]), strict=True):
        piece = text[start:stop]
        if find_set_word(re.findall(r"[^\W\d]+", piece)) is None:
            continue
        # Up to a mark or to the word for a step.
        body = re.split(r"[|:;,\[\]()<>{}=│┃\t]| - | {2,}", piece)[0]
        shown = re.match(r".*?(?=\s+(?i:epoch|iter|step|ep|batch)\b|$)", body)
        told = (shown.group() if shown else body).strip(" *#-_.>")
        valued = TOKEN.match(text, stop + len(text[stop:]) - len(text[stop:].lstrip()))
        if valued is not None and text.startswith("%|", valued.end()):
            valued = None  # a bar of progress
        if (
            valued is not None
            and not told.lower().endswith(("epoch", "step"))
            and told == body.strip(" *#-_.>")
        ):
            # `Val` names its own number alone; `val loss` tells the set of what follows it too.
            if len(told.split()) > 1 and not names_data_set("_".join(told.split())):
                return _shorten(told).split(" ")[0]
            continue
        short = _shorten(told)
        mark = re.match(r" ?[:|>\]]", text[start + piece.find(told) + len(told) :])
        return short + mark.group() if mark and told.endswith(short) else short
    return ""


def _shorten(told: str) -> str:
    """Return the words about a data set without numbers, and few of them."""
    words = told.split()
    place = find_set_word(words)
    if place is None:
        return ""
    kept = words[place:]
    while len(kept) > 1 and (len(kept) > FEW_WORDS or re.search(r"\d", kept[-1])):
        kept = kept[:-1]
    if any(re.search(r"\d", word) for word in kept):
        kept = [words[place]]
    return " ".join(kept)
