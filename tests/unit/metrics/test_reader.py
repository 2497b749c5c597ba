"""Bytes of a log -> observations."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpt_cli.metrics.curve import Observation
from hpt_cli.metrics.detection import nearest_lines
from hpt_cli.metrics.extractors import compile_definition, iterate_matches
from hpt_cli.metrics.lines import MAX_LINE_BYTES, clean, split_lines
from hpt_cli.metrics.patterns import Pattern, compile_regex
from hpt_cli.metrics.reader import MAX_SLOW_LINES, MetricReader

LOSS = {"regex": r"loss=({num})"}


def make_reader(*definitions: dict[str, str]) -> MetricReader:
    return MetricReader(
        [
            compile_definition({"name": f"m{number}"} | fields)
            for number, fields in enumerate(definitions or (LOSS,))
        ]
    )


def read(log: bytes, *definitions: dict[str, str]) -> list[Observation]:
    reader = make_reader(*definitions)
    return reader.feed(log) + reader.finish()


def values(log: bytes, regex: str = LOSS["regex"]) -> list[float]:
    return [each.value for each in read(log, {"regex": regex})]


def curve(log: bytes, **fields: str) -> list[tuple[float, float]]:
    return [(each.step, each.value) for each in read(log, fields)]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1.0),
        ("-0.5", -0.5),
        ("+3.", 3.0),
        (".25", 0.25),
        ("9.1e-04", 9.1e-4),
        ("1E5", 1e5),
        ("inf", math.inf),
        ("-Infinity", -math.inf),
    ],
)
def test_num_takes_every_way_to_write_a_number(text: str, value: float) -> None:
    assert values(f"loss={text}".encode()) == [value]


def test_nan_is_a_value() -> None:
    assert math.isnan(values(b"loss=nan\n")[0])


def test_lines_end_at_lf_cr_and_crlf() -> None:
    assert values(b"loss=1\nloss=2\rloss=3\r\nloss=4") == [1, 2, 3, 4]


def test_a_last_line_without_an_ending_waits_for_the_end() -> None:
    reader = make_reader()
    assert [each.value for each in reader.feed(b"loss=1\nloss=2")] == [1]
    assert [each.value for each in reader.finish()] == [2]


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"\x1b[1mloss=\x1b[32m0.5\x1b[0m", "loss=0.5"),
        (b"lo\x1b[1mss=0.5", "loss=0.5"),
        (b"\x1b]0;title\x07x", "x"),
        (b"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        (b"\x1b]0;never ended", ""),
        (b"\x1b(Bx\x1b7y\x1bcz", "xyz"),
        (b"10%\b\b\b20%", "20%"),
        (b"loss=0.5\b\b\b\b\b\b\b\b", "loss=0.5"),
        (b"\b\bab\bc", "ac"),
        (b"\xff\xc3", "\ufffd\ufffd"),
    ],
)
def test_a_line_is_what_a_terminal_would_show(raw: bytes, text: str) -> None:
    assert clean(raw) == text


def test_what_escapes_split_is_found_all_the_same() -> None:
    assert values(b"lo\x1b[1mss=\x1b[32m0.5\x1b[0m\nlosx\bs=2\n") == [0.5, 2]


def test_bytes_that_are_not_utf8_survive() -> None:
    assert values(b"\xff\xfe loss=2 \xc3\n") == [2]


def test_steps_are_counted_or_captured() -> None:
    assert [each.step for each in read(b"loss=5\nx\nloss=4\n")] == [1, 2]
    log = b"epoch 3 loss=5\nepoch 4 loss=4\n"
    for regex in (r"epoch (?P<step>\d+) loss=({num})", "epoch {step} loss={num}"):
        assert curve(log, regex=regex) == [(3, 5), (4, 4)]


def test_lines_that_cannot_matter_are_not_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[str] = []
    for name in ("search", "finditer"):
        search = getattr(Pattern, name)
        monkeypatch.setattr(
            Pattern,
            name,
            lambda own, text, search=search: searched.append(text) or search(own, text),
        )
    batches = b"".join(b"Epoch: [1][%d] Acc@1 0.5\n" % number for number in range(50))
    log = batches + b" * Acc@1 0.7\n" + batches.replace(b"[1]", b"[2]") + b" * Acc@1 0.8\n"
    found = read(log, {"name": "Acc@1", "preset": "torchvision"})
    assert [(each.step, each.value) for each in found] == [(1, 0.7), (2, 0.8)]
    assert len(searched) == 4  # each summary, and the line before it


def test_a_line_may_tell_the_step_of_those_after_it() -> None:
    log = b"loss=9\nEpoch 3\nloss=5 loss=6\nEpoch 4\n"
    assert curve(log, regex="loss={num}", step="Epoch {step}") == [(1, 9), (3, 5), (3, 6)]


@pytest.mark.parametrize(
    ("fields", "value"),
    [({"regex": "loss[=:] ?{num}"}, "loss={}"), ({"json": "loss"}, '{{"loss": {}}}')],
)
def test_after_a_heading_the_first_value_counts_and_no_other(
    fields: dict[str, str], value: str
) -> None:
    text = "{}\nTrain\n{}\nVal 1\n\n{} {}\n{}\nVal 2\nTrain\nVal loss: 0\n{}\n"
    log = text.format(*(value.format(number) for number in range(1, 7))).encode()
    expected = [3, 0] if "regex" in fields else [3, 6]
    assert [number for _, number in curve(log, **fields, after="^Val")] == expected


def test_every_match_in_a_line_is_an_observation() -> None:
    assert values(b"loss=1 loss=2\n") == [1, 2]


def test_what_is_not_a_number_is_no_observation() -> None:
    assert values(b"loss=dog;\n", r"loss=(.*?);") == []


def test_numbers_beyond_all_bounds_are_infinite_and_small_ones_are_exact() -> None:
    assert values(b"loss=1e308 loss=-1e200 loss=5e-324 loss=-1e-310 loss=1e100\n") == [
        *(math.inf, -math.inf, 5e-324, -1e-310, 1e100)
    ]


@pytest.mark.parametrize("regex", ["loss=({num})", "loss={num}", "loss=({num,})"])
@pytest.mark.parametrize("text", [b"0x10", b"-0XfF", b"0x1.8p3"])
def test_a_hexadecimal_number_is_not_read_as_0(regex: str, text: bytes) -> None:
    assert values(b"loss=" + text + b"\nloss=0 loss=0.5x\n", regex) == [0, 0.5]


@pytest.mark.parametrize("step", [b"1e17", b"5e-324", b"-1.7e308"])
def test_a_step_beyond_all_bounds_is_counted(step: bytes) -> None:
    regex = r"epoch (?P<step>\S+) loss=({num})"
    assert curve(b"epoch " + step + b" loss=5\n", regex=regex) == [(1, 5)]


def test_a_step_without_end_is_none() -> None:
    log = b'{"l": 1, "s": 1e999}\n{"l": 2, "s": NaN}\n{"l": 3, "s": 7}\n'
    assert [each.step for each in read(log, {"json": "l", "step": "s"})] == [1, 2, 7]


def test_offsets_tell_observations_apart() -> None:
    assert [each.offset for each in read(b"loss=1 loss=2\nloss=3\n")] == [0, 7, 14]


@pytest.mark.parametrize(
    ("regex", "why"),
    [
        ("loss=(", "does not compile"),
        ("loss=.*", "no group"),
        ("(a)=(b)", "2 groups"),
        ("(.*)", "match the empty string"),
    ],
)
def test_a_regex_that_cannot_work_is_refused(regex: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        compile_regex(regex)


DEFINITIONS = [
    LOSS,
    {"regex": r"(?i)ACC ({num})"},
    {"regex": r"é=({num})", "step": r"ep {step}"},
    {"json": "a.b", "step": "s"},
    {"column": "c", "step": "ep"},
    {"regex": r"x={ratio}$"},
    {"regex": r"loss=({num})", "after": r"ep|c"},
]
PIECES = [
    *(
        b"loss=1",
        b"\n",
        b"\r",
        b"\r\n",
        b"x\xc3",
        b"\xa9",
        b"\xc3\xa9=5",
        b" loss=2e-3 ",
        b"\x1b[1m",
    ),
    *(
        b"\x1b]0;",
        b"\x07",
        b"\b",
        b"\x1b[",
        b"acc 3",
        b"ep 4",
        b'{"a": {"b": 1}, "s": 2}',
        b'{"a.b":',
    ),
    *(b"ep,c\n", b"1,2\n", b"ep c\n", b"|", b"x=1/2", b"x=1/0", b"\0", b"nan", b"9" * 400),
    b"y" * (MAX_LINE_BYTES - 3),
]


@given(
    log=st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=5)), max_size=30),
    cuts=st.lists(st.integers(0, 1000), max_size=8),
)
def test_any_blocks_give_the_same_observations(log: list[bytes], cuts: list[int]) -> None:
    data = b"".join(log)
    edges = sorted({0, *(min(cut, len(data)) for cut in cuts), len(data)})
    reader = make_reader(*DEFINITIONS)
    found = [each for a, b in pairwise(edges) for each in reader.feed(data[a:b])]
    found += reader.finish()
    whole = read(data, *DEFINITIONS)
    assert repr(found) == repr(whole)  # NaN is not NaN
    keys = [(each.metric, each.offset) for each in whole]
    assert len(keys) == len(set(keys))
    for metric in {key[0] for key in keys}:
        offsets = [offset for name, offset in keys if name == metric]
        assert offsets == sorted(offsets)
    if not reader.cut_lines:
        assert_same_as_line_by_line(data, whole)


def assert_same_as_line_by_line(data: bytes, found: list[Observation]) -> None:
    """What is looked for first, in whole blocks, keeps no match away."""
    lines = split_lines(data)
    for number, fields in enumerate(DEFINITIONS):
        extractor = compile_definition({"name": f"m{number}"} | fields)
        alone = [repr(each.value) for _, each in iterate_matches(extractor, lines)]
        assert [repr(each.value) for each in found if each.metric == extractor.metric] == alone


def test_case_is_ignored_also_where_letters_are_not_ascii() -> None:
    log = "LOSS=1\nlo\u017f\u017f=2\nnone\n".encode()
    assert values(log, r"(?i)loss=({num})") == [1, 2]
    assert values(b"LOSS=1\n", r"(?i)loss=({num})") == [1]


def test_a_line_without_end_is_searched_at_its_beginning_and_costs_no_memory() -> None:
    reader = make_reader()
    assert reader.feed(b"loss=1 ") == []
    found = [each for _ in range(1000) for each in reader.feed(b"loss=2 " * 1000)]
    assert len(found) == (MAX_LINE_BYTES - len("loss=2")) // len("loss=2 ") + 1
    assert reader.cut_lines == 1
    assert [each.offset for each in reader.feed(b"\nloss=3\n")] == [7 + 7_000_000 + 1]


def test_a_number_that_the_cut_goes_through_is_no_value() -> None:
    for shift in range(12):
        line = b"x" * (MAX_LINE_BYTES - shift) + b"loss=12345\n"
        assert values(line) == ([12345] if shift >= len("loss=12345") else [])


def test_a_search_that_takes_too_long_is_given_up_after_some_lines() -> None:
    class Slow:
        literal = "loss"

        def find(self, text: str, state: object) -> list[object]:
            raise TimeoutError

    quick = compile_definition({"name": "quick", **LOSS})
    reader = MetricReader([quick._replace(metric="slow", form=Slow()), quick])  # type: ignore[arg-type]
    found = reader.feed(b"loss=1\n" * 10)
    assert [each.metric for each in found] == ["quick"] * 10
    assert reader.given_up == ["slow"]
    assert reader._slow_lines["slow"] == MAX_SLOW_LINES


def test_words_that_are_abbreviated_come_near_too() -> None:
    lines = ["epoch 1 lr=0.1", "val_acc=0.5 f=2", "f1: 0.3"]
    assert nearest_lines(lines, "validation:accuracy") == ["val_acc=0.5 f=2"]
    assert nearest_lines(lines, "f1") == ["f1: 0.3"]


def test_the_nearest_lines_are_those_with_the_metric_s_words() -> None:
    lines = ["hello", "val accuracy : 0.5", "Accuracy is high", "42", "validation: 3 accuracy 0.7"]
    assert nearest_lines(lines, "validation:accuracy", limit=2) == [
        "val accuracy : 0.5",
        "validation: 3 accuracy 0.7",
    ]


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_a_json_document_over_several_lines_is_read(size: int) -> None:
    log = b'epoch 1 {\n{\n  "step": 1,\n  "val": {\n    "acc": 0.5, "why": "}{"\n  }\n}\n'
    log += b'{"step": 2, "val": {"acc": 0.6}}\n{ broken\n{"step": 3, "val": {"acc": 0.7}}\n'
    log += b'{"step": 4,\n "val": {"acc": 0.8}}'
    reader = MetricReader([compile_definition({"name": "a", "json": "val.acc", "step": "step"})])
    found = [each for at in range(0, len(log), size) for each in reader.feed(log[at : at + size])]
    found += reader.finish()
    assert [(each.step, each.value) for each in found] == [(1, 0.5), (2, 0.6), (3, 0.7), (4, 0.8)]
    assert [log[each.offset : each.offset + 1] for each in found] == [b"{"] * 4
