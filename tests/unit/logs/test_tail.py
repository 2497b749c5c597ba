"""Following a log that grows."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hpt_cli.logs.log_file import read_blocks, read_lines, read_tail
from hpt_cli.logs.tail import MAX_BLOCK_BYTES, AttemptTail, FileTail, find_newest
from hpt_cli.metrics.curve import Observation
from hpt_cli.metrics.extractors import compile_definition
from hpt_cli.metrics.reader import MAX_SLOW_LINES
from hpt_cli.metrics.thinning import Thinner

LOSS = compile_definition({"name": "loss", "regex": "loss=({num})"})
STEPPED = compile_definition({"name": "loss", "json": "loss", "step": "epoch"})
COLUMN = compile_definition({"name": "acc", "column": "acc", "file": "m.csv"})


def points(found: list[Observation]) -> list[tuple[float, float]]:
    return [(each.step, each.value) for each in found]


def test_a_log_is_read_as_it_grows(tmp_path: Path) -> None:
    log = tmp_path / "output.log"
    tail = FileTail(log, [LOSS])
    assert tail.read() == []
    log.write_bytes(b"loss=1\nlo")
    assert [each.value for each in tail.read()] == [1]
    with log.open("ab") as file:
        file.write(b"ss=2\nloss=3")
    found = tail.read()
    assert [(each.offset, each.step, each.value) for each in found] == [(7, 2, 2)]
    assert [each.value for each in tail.read(final=True)] == [3]
    assert tail.read(final=True) == []


def test_a_long_log_is_read_in_pieces(tmp_path: Path) -> None:
    log = tmp_path / "output.log"
    line = b"loss=0.5 " + b"x" * 990 + b"\n"
    count = 3 * MAX_BLOCK_BYTES // len(line)
    log.write_bytes(line * count)
    found = FileTail(log, [LOSS]).read()
    assert [each.offset for each in found] == [len(line) * i for i in range(count)]


def truncate(log: Path, data: bytes) -> None:
    log.write_bytes(data)


def replace(log: Path, data: bytes) -> None:
    log.rename(log.with_suffix(".1"))
    log.write_bytes(data)


@pytest.mark.parametrize("change", [truncate, replace])
@pytest.mark.parametrize("data", [b"loss=7\n", b"a line that is longer than what was\nloss=7\n"])
def test_a_log_that_was_truncated_or_rotated_goes_on(
    tmp_path: Path, change: Callable[[Path, bytes], None], data: bytes
) -> None:
    log = tmp_path / "output.log"
    tail = FileTail(log, [LOSS])
    log.write_bytes(b"loss=1\nloss=2\nloss=3")
    first = tail.read()
    change(log, data)
    second = tail.read(final=True)
    assert points(first + second) == [(1, 1), (2, 2), (3, 3), (4, 7)]
    offsets = [each.offset for each in first + second]
    assert offsets == sorted(set(offsets))


def test_a_tuner_that_takes_over_a_truncated_log_finds_what_is_new(tmp_path: Path) -> None:
    log = tmp_path / "output.log"
    log.write_bytes(b"loss=7\n")
    (found,) = FileTail(log, [LOSS], known_to=1000).read()
    assert found.offset > 1000


def test_a_file_that_is_written_again_tells_all_again(tmp_path: Path) -> None:
    file = tmp_path / "metrics.json"
    tail = FileTail(file, [STEPPED, LOSS], is_whole=True)
    file.write_text('{"epoch": 1, "loss": 5}\nloss=1\n')
    assert points(tail.read()) == [(1, 5), (1, 1)]
    file.write_text('{"epoch": 2, "loss": 4}\nloss=3\n')
    os.utime(file, ns=(1, 1))  # as if time had passed: the size is the same
    assert points(tail.read(final=True)) == [(2, 4), (1, 3)]


def test_metrics_come_from_the_log_and_from_files(tmp_path: Path) -> None:
    log, table = tmp_path / "a1" / "output.log", tmp_path / "m.csv"
    log.parent.mkdir()
    log.write_bytes(b"loss=1\n")
    table.write_text("acc\n0.9\n")
    os.utime(table, (100, 100))
    tail = AttemptTail([LOSS, COLUMN], log, tmp_path, started_at=200, last_offsets={})
    assert [each.metric for each in tail.read()] == ["loss"], "an earlier attempt wrote the file"
    with table.open("a") as file:
        file.write("0.8\n")
    assert points(tail.read()) == [(1, 0.9), (2, 0.8)]


@pytest.mark.parametrize(
    "regex",
    [r"(?:a+)+b({num})", r"(?:\w+\s?)*:=({num})", r"(.*)(?:.*)(?:.*)(?:.*)x=(?P<value>{num})$"],
)
def test_a_regex_that_backtracks_is_given_up_and_said(tmp_path: Path, regex: str) -> None:
    bad = compile_definition({"name": "bad", "regex": regex})
    log = tmp_path / "output.log"
    line = b"a" * 3000 + b"b :=  x=1 !\n"
    log.write_bytes(line * 5 + b"loss=2\n")
    tail = AttemptTail([bad, LOSS], log, tmp_path, started_at=0, last_offsets={})
    before = time.process_time()
    found = tail.read(final=True)
    assert time.process_time() - before < 20
    assert [(each.metric, each.value) for each in found] == [("loss", 2)]
    notes = tail.pop_notes()
    assert "'bad' took more than" in notes[0]
    assert notes[1] == f"'bad' is no longer searched for, after {MAX_SLOW_LINES} such lines"
    assert tail.pop_notes() == []


def test_the_last_lines_are_as_a_terminal_would_show_them(tmp_path: Path) -> None:
    log = tmp_path / "output.log"
    log.write_bytes(b"1\n2\r3\r\n\x1b[1m4\x1b[0m\n\xff5")
    assert read_tail(log, 3) == ("3", "4", "\ufffd5")
    assert read_lines(log)[-2:] == ["4", "\ufffd5"]
    assert read_tail(tmp_path / "none") == ()
    assert read_lines(tmp_path / "none") == []


def test_the_hole_of_a_log_that_an_earlier_hpt_trimmed_is_left_out(tmp_path: Path) -> None:
    log = tmp_path / "output.log"
    head = b"loss=1\n" + b"x" * 4089
    log.write_bytes(head + bytes(3 << 20) + b"x\nloss=2\nlast\n")
    assert b"".join(block for _, block in read_blocks(log)) == head + b"x\nloss=2\nlast\n"
    assert read_tail(log) == tuple(read_lines(log)) == ("x", "loss=2", "last")
    assert [each.value for each in FileTail(log, [LOSS]).read(final=True)] == [1, 2]


def test_each_version_of_a_file_is_counted_for_itself(tmp_path: Path) -> None:
    table, thinner = tmp_path / "m.csv", Thinner()
    tail = AttemptTail([COLUMN], tmp_path / "log", tmp_path, 0, {}, thinner=thinner)
    for version in range(3):
        table.write_text("acc\n" + f"0.{version}\n" * 9_999)
        os.utime(table, (100, 100 + version))
        assert len(tail.read()) == 9_999
    assert thinner.pop_totals(final=True) == {}
    with table.open("a") as file:
        file.write("0.5\n" * 9_998 + "0.25\n")
    found = tail.read(final=True)
    assert 1_000 < len(found) < 2_000
    assert found[-1].value == 0.25
    assert thinner.pop_totals(final=True)["acc"].count == 19_998


@pytest.mark.parametrize("harm", ["deleted", "replaced"])
def test_a_log_that_somebody_removed_is_read_on(tmp_path: Path, harm: str) -> None:
    log = tmp_path / "output.log"
    tail = AttemptTail([LOSS], log, tmp_path, 0, {}, keep_open=True)
    with log.open("ab", buffering=0) as file:
        file.write(b"loss=1\n")
        assert points(tail.read()) == [(1, 1)]
        assert tail.pop_notes() == []
        log.unlink()
        if harm == "replaced":
            log.write_bytes(b"loss=9\n")
        file.write(b"loss=2\nloss=3")
    assert points(tail.read()) == [(2, 2)]
    (note,) = tail.pop_notes()
    assert f"output.log was {harm}: what the command prints is read on" in note
    assert points(tail.read(final=True)) == [(3, 3)]
    assert tail.pop_notes() == []
    before = len(os.listdir("/proc/self/fd"))
    tail.close()
    assert len(os.listdir("/proc/self/fd")) == before - 1


@pytest.mark.parametrize(
    ("harm", "keep_open"),
    [("deleted", False), ("replaced", False), ("shortened", False), ("shortened", True)],
)
def test_what_is_lost_of_a_log_is_said(tmp_path: Path, harm: str, keep_open: bool) -> None:
    log = tmp_path / "output.log"
    tail = AttemptTail([LOSS], log, tmp_path, 0, {}, keep_open=keep_open)
    log.write_bytes(b"loss=1\nloss=2\n")
    tail.read()
    if harm == "deleted":
        log.unlink()
    elif harm == "replaced":
        replace(log, b"loss=3\n")
    else:
        truncate(log, b"loss=3\n")
    found = tail.read(final=True)
    assert points(found) == ([] if harm == "deleted" else [(3, 3)])
    assert tail.pop_notes() == [f"its output.log was {harm}: what had not been read of it is lost"]


def test_a_resumed_tuner_says_that_a_log_is_gone(tmp_path: Path) -> None:
    def find_notes(**last_offsets: int) -> list[str]:
        tail = AttemptTail([LOSS], tmp_path / "output.log", tmp_path, 0, last_offsets)
        assert tail.read(final=True) == []
        return tail.pop_notes()

    assert find_notes() == []
    assert find_notes(loss=7) == [
        "its output.log was deleted: what had not been read of it is lost"
    ]


def test_of_a_pattern_the_newest_file_of_this_attempt_is_read(tmp_path: Path) -> None:
    for version, at in ((0, 50), (1, 200), (2, 100)):
        file = tmp_path / f"version_{version}" / "metrics.csv"
        file.parent.mkdir()
        file.write_text(f"epoch,loss\n1,0.{version}\n")
        os.utime(file, (at, at))
    pattern = tmp_path / "version_*" / "metrics.csv"
    assert find_newest(pattern).parent.name == "version_1"
    assert find_newest(pattern, written_since=150).parent.name == "version_1"
    assert find_newest(pattern, written_since=300) == pattern
    assert find_newest(tmp_path / "other.csv") == tmp_path / "other.csv"
    extractor = compile_definition({"name": "loss", "column": "loss", "step": "epoch"})
    (found,) = FileTail(pattern, [extractor], is_whole=True).read()
    assert found.value == 0.1
