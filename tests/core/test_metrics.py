"""Bytes of a log -> observations."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpt_cli.core.metrics import (
    MetricReader,
    Observation,
    clean,
    nearest_lines,
    split_lines,
)
from hpt_cli.core.patterns import compile_regex


def read(log: bytes, regex: str = r"loss=({num})", final: bool = True) -> list[Observation]:
    lines, _ = split_lines(log, 0, final=final)
    return list(MetricReader({"loss": compile_regex(regex)}).read(lines))


def values(log: bytes, regex: str = r"loss=({num})") -> list[float]:
    return [each.value for each in read(log, regex)]


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
    assert len(read(b"loss=1\nloss=2", final=False)) == 1
    assert len(read(b"loss=1\nloss=2", final=True)) == 2


def test_ansi_sequences_and_backspaces_are_taken_out() -> None:
    assert values(b"\x1b[1mloss=\x1b[32m0.5\x1b[0m\b\b\n") == [0.5]
    assert clean(b"\x1b]0;title\x07x") == "x"


def test_bytes_that_are_not_utf8_survive() -> None:
    assert values(b"\xff\xfe loss=2 \xc3\n") == [2]


def test_steps_are_counted_or_captured() -> None:
    assert [each.step for each in read(b"loss=5\nx\nloss=4\n")] == [1, 2]
    found = read(b"epoch 3 loss=5\nepoch 4 loss=4\n", r"epoch (?P<step>\d+) loss=({num})")
    assert [(each.step, each.value) for each in found] == [(3, 5), (4, 4)]


def test_every_match_in_a_line_is_an_observation() -> None:
    assert values(b"loss=1 loss=2\n") == [1, 2]


def test_what_is_not_a_number_is_no_observation() -> None:
    assert values(b"loss=dog;\n", r"loss=(.*?);") == []


def test_offsets_tell_observations_apart() -> None:
    assert [each.offset for each in read(b"loss=1 loss=2\nloss=3\n")] == [0, 7, 14]


@pytest.mark.parametrize(
    ("regex", "why"),
    [
        ("loss=(", "does not compile"),
        ("loss=.*", "no group"),
        ("(a)=(b)", "2 groups"),
        ("(.*)", "nothing at all"),
    ],
)
def test_a_regex_that_cannot_work_is_refused(regex: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        compile_regex(regex)


@given(
    log=st.lists(
        st.sampled_from([b"loss=1", b"\n", b"\r", b"x\xc3\xa9", b" loss=2e-3 ", b"\x1b[1m"])
    ),
    cuts=st.lists(st.integers(0, 200), max_size=5),
)
def test_any_blocks_give_the_same_observations(log: list[bytes], cuts: list[int]) -> None:
    data = b"".join(log)
    whole = read(data)
    reader = MetricReader({"loss": compile_regex(r"loss=({num})")})
    edges = sorted({0, *(min(cut, len(data)) for cut in cuts), len(data)})
    found: list[Observation] = []
    begin = 0
    for end in edges[1:]:
        lines, begin_next = split_lines(data[begin:end], begin, final=False)
        found += reader.read(lines)
        begin = begin_next
    lines, _ = split_lines(data[begin:], begin, final=True)
    found += reader.read(lines)
    assert found == whole


def test_the_nearest_lines_are_those_with_the_metric_s_words() -> None:
    lines = ["hello", "val accuracy : 0.5", "Accuracy is high", "42", "validation: 3 accuracy 0.7"]
    assert nearest_lines(lines, "validation:accuracy", limit=2) == [
        "val accuracy : 0.5",
        "validation: 3 accuracy 0.7",
    ]
