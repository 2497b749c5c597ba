"""Regexes: read as `re` reads them, searched by another engine, and never for long."""

from __future__ import annotations

import math
import re
import threading
import time
from pathlib import Path

import pytest

from hpt_cli.metrics.extractors import compile_definition
from hpt_cli.metrics.lines import split_lines
from hpt_cli.metrics.patterns import (
    SEARCH_SECONDS,
    Pattern,
    compile_line_regex,
    compile_regex,
    compile_step_regex,
    expand,
)
from hpt_cli.metrics.presets import PRESETS, Preset
from hpt_cli.metrics.reader import MAX_SLOW_LINES, MetricReader

SAMPLES = Path(__file__).parent / "samples"
SAMPLE_LINES = [
    line for path in sorted(SAMPLES.glob("*.log")) for line in split_lines(path.read_bytes())
]


def list_spans(pattern: Pattern | re.Pattern[str], text: str) -> list[list[tuple[int, int]]]:
    """Return where each match and its groups are."""
    return [
        [match.span(group) for group in range(len(match.groups()) + 1)]
        for match in pattern.finditer(text)
    ]


def list_regexes(preset: Preset) -> list[Pattern]:
    metrics = list(preset.metrics)
    if preset.names is not None and preset.regex:
        line, name = re.compile(preset.names.line), re.compile(preset.names.name)
        shown = (text for text in SAMPLE_LINES if line.search(text))
        metrics += {match[1] for text in shown for match in name.finditer(text)} or {"loss"}
    patterns = [compile_regex(preset.fill(metric)) for metric in metrics]
    return [*patterns, compile_step_regex(preset.step)] if preset.step else patterns


@pytest.mark.parametrize("name", [name for name, each in PRESETS.items() if not each.column])
def test_a_preset_matches_what_re_matches(name: str) -> None:
    patterns = list_regexes(PRESETS[name])
    assert patterns
    for pattern in patterns:
        reference = re.compile(pattern.source)
        for text in SAMPLE_LINES:
            assert list_spans(pattern, text) == list_spans(reference, text), (pattern.source, text)


@pytest.mark.parametrize(
    ("regex", "text"),
    [
        (r"loss{e}: ({num})", "loss{e}: 1 losse: 2 loss: 3"),  # the engine's "with any errors"
        (r"(?:loss){e<=1} ({num})", "loss{e<=1} 1, lose 2"),
        (r"{i}=({num}) {", "{i}=1 { x=2 {"),
        (r"(?x) a {s} = ({num})  # {e} [", "a{s}=1 a=2"),
        (r"[[:digit:]]+=({num})", "d]=1 5=2 ]=3"),
        (r"[]{[]({num})", "[1 {2 ]3 x4"),
        (r"\N{DIGIT ONE}{2}: ({num})", "11: 5"),
        (r"(?i)STRASSE|straße ({num})", "Straße 1 STRASSE"),
        (r"a{,2}({num})", "aaa1 2"),
    ],
)
def test_a_regex_means_what_it_means_to_re(regex: str, text: str) -> None:
    assert list_spans(compile_regex(regex), text) == list_spans(re.compile(expand(regex)), text)
    assert list_spans(compile_regex(regex), text)


def test_what_is_wrong_with_a_regex_is_said_in_re_s_words() -> None:
    with pytest.raises(ValueError, match=r"does not compile: bad escape \\h at position 4"):
        compile_regex(r"loss\h({num})")
    with pytest.raises(ValueError, match="missing \\), unterminated subpattern at position 5"):
        compile_regex("loss=({num}")


def test_a_regex_that_would_take_all_memory_is_refused() -> None:
    for hidden in ("{}", "(?x:#)\n){}", "(?x:(?:(?: a{{500}} # )\n ){{500}} # (\n ){{500}})"):
        with pytest.raises(ValueError, match="more than 100,000 times"):
            compile_line_regex(hidden.format("(?:(?:a{500}){500}){500}b"))
    assert compile_line_regex("a{1000}{").search("a" * 1000 + "{")


@pytest.mark.parametrize(
    ("regex", "literal"),
    [
        ("loss=({num})", "loss="),
        (r"epoch {step}.*\bval_loss=({num})", "val_loss="),
        (r"(?:train|val)_loss: ({num})", "_loss: "),
        (r"(?:val_a|val_b) ({num})", "val_"),
        (r"a|b({num})", ""),
        (r"loss?=({num})", "los"),
        (r"(?:loss)?=({num})", "="),
        (r"(?:loss)+=({num})", "loss"),
        (r"(?i)LOSS ({num})", "loss "),
        (r"(?i:LOSS) ({num})", " "),
        (r"(?=loss)a({num})", "a"),
        (r"l\.[=]({num})", "l.="),
        (r"(?x) l o s s = ({num})  # epoch", "loss="),
        ("(?x: # a (\n loss)=({num})", ""),
        (r"\x41\101é({num})", "é"),
        (r"(a)bc\1xy({num})(?P<value>\d)", "abc"),
        (r"x{3}({num})", "x"),
    ],
)
def test_the_literal_is_in_every_match(regex: str, literal: str) -> None:
    assert compile_regex(regex).literal == literal


@pytest.mark.parametrize(
    ("regex", "beginnings"),
    [
        (r"^(?:Test:| \*)\s(?:.*\s)?acc ({num})", ("Test:", " *")),
        (r"^(?:Test:|Val)? acc ({num})", ()),
        (r"^(?:Te.t:|Val) acc ({num})", ()),
        (r"^(?:T\d|Val) acc ({num})", ()),
        (r"^(?:Test|Val) acc ({num})|b", ()),
        (r"(?i)^(?:Test|Val) acc ({num})", ()),
        (r"(?:Test|Val) acc ({num})", ()),
    ],
)
def test_the_beginnings_are_those_of_every_line_with_a_match(
    regex: str, beginnings: tuple[str, ...]
) -> None:
    assert compile_regex(regex).beginnings == beginnings


@pytest.mark.parametrize(
    ("regex", "can_explode", "can_capture_nothing"),
    [
        (r"(?:a+)+({num})", True, False),
        (r"(?:(?:a{2,}b)c)*({num})", True, False),
        (r"(?:a++)+({num})", False, False),
        (r"(?:a{2}b?)*({num})", False, False),
        (r"x(.*?);", False, True),
        (r"x(a?|b);", False, True),
        (r"x(?P<value>a{0,3})(b);", False, True),
        (r"x(\d+);", False, False),
        (r"[(]x+[)]*(y)", False, False),
    ],
)
def test_what_a_regex_can_do_wrong(
    regex: str, can_explode: bool, can_capture_nothing: bool
) -> None:
    pattern = compile_regex(regex)
    assert pattern.can_explode == can_explode
    assert pattern.can_capture_nothing == can_capture_nothing


def test_the_limit_holds_outside_the_main_thread() -> None:
    slow = compile_definition({"name": "slow", "regex": r"(?:a|aa)+b({num})"})
    quick = compile_definition({"name": "quick", "regex": "x=({num})"})
    reader = MetricReader([slow, quick])
    found, seconds = [], 0.0

    def read() -> None:
        nonlocal seconds
        before = time.thread_time()
        found.extend(reader.feed((b"a" * 200 + b"! x=1\n") * 5))
        seconds = time.thread_time() - before

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(60)
    assert not thread.is_alive()
    assert seconds < 2 * MAX_SLOW_LINES * SEARCH_SECONDS
    assert [each.metric for each in found] == ["quick"] * 5
    assert reader.given_up == ["slow"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3.4k", 3400),
        ("2M", 2e6),
        ("1.5B", 1.5e9),
        ("12.3ms", 12.3),
        ("98.5%", 98.5),
        ("100%|###", 100),
        ("00:12:31", 751),
        ("12:31", 751),
        ("1_000", 1000),
        ("1,234,567.5", 1234567.5),
        ("1,23", 1),
        ("0,912", 0),
        ("12345,678", 12345),
        ("1.5D-03", 0.0015),
        ("-2.5E+3", -2500),
        ("\u22120.5", -0.5),
        ("5D", 5),
        ("4GB", 4),
        ("7k/s", 7),
        ("1:2", 1),
        ("12:345", 12),
        (".5", 0.5),
        ("nan", None),
    ],
)
def test_a_number_is_read_whole_in_whatever_form_it_is_printed(
    text: str, value: float | None
) -> None:
    pattern = compile_regex("x=({num})")
    match = pattern.search(f"x={text} y")
    assert match is not None
    read = pattern.parse(match[1])
    assert read is not None
    assert read == pytest.approx(value) if value is not None else math.isnan(read)


@pytest.mark.parametrize(("text", "value"), [("3.4k", 3.4), ("1,234", 1), ("1:30", 1), ("1_0", 1)])
def test_a_tuning_job_of_before_reads_digits_alone(text: str, value: float) -> None:
    extractor = compile_definition({"name": "x", "regex": "x=({num})"}, is_plain=True)
    (found,) = MetricReader([extractor]).feed(f"x={text}\n".encode())
    assert found.value == value


@pytest.mark.parametrize(
    ("log", "value"),
    [
        ("epoch;loss\n1;0,912\n", 0.912),
        ("epoch\tacc\n1\t98.5%\n", 98.5),
        ("epoch,acc\n1,98.5 %\n", 98.5),
        ("epoch,time\n1,12.3ms\n", 12.3),
        ("epoch time\n1 00:12\n", 12),
    ],
)
def test_a_cell_may_have_a_unit_or_a_decimal_comma(log: str, value: float) -> None:
    column = log.split("\n")[0].replace(";", " ").replace(",", " ").split()[1]
    extractor = compile_definition({"name": "x", "column": column, "step": "epoch"})
    (found,) = MetricReader([extractor]).feed(log.encode())
    assert (found.step, found.value) == (1, value)
