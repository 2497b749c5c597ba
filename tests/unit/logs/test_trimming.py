"""Logs whose middle is given up: what they told stays known, and what is kept is read as before."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path

import pytest

from hpt_cli.logs import trimming as gaps
from hpt_cli.logs.tail import FileTail, read_lines, read_tail
from hpt_cli.logs.trimming import find_gap, read_kept
from hpt_cli.metrics.curve import Observation
from hpt_cli.metrics.extractors import compile_definition
from hpt_cli.metrics.log_rules import compile_rule

LIMIT = 1 << 18
COUNTED = compile_definition({"name": "loss", "regex": "loss=({num})"})
TOLD = compile_definition({"name": "acc", "regex": "acc=({num})", "step": "epoch {step}"})
COLUMN = compile_definition({"name": "f1", "column": "f1"})
FINDERS = [COUNTED, TOLD, COLUMN]
RULE = compile_rule("oom", "warn")


def print_epochs(log: Path, first: int, last: int) -> None:
    """Some 10 kB for each epoch; a header, and what a rule looks for, at the beginning only."""
    with log.open("a") as file:
        for epoch in range(first, last + 1):
            if epoch == 1:
                file.write("id,f1\noom\n")
            noise = "".join(f"{row}: {'x' * 95}\n" for row in range(100))
            file.write(f"epoch {epoch}\n{noise}loss={epoch / 2}\nacc={epoch}\n{epoch},{epoch}\n")


def points(found: list[Observation], metric: str) -> list[tuple[float, float]]:
    return [(each.step, each.value) for each in found if each.metric == metric]


def measure(log: Path) -> int:
    return log.stat().st_blocks * 512


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log on a file system that can make holes."""
    path = tmp_path / "output.log"
    path.write_bytes(bytes(1 << 16))
    try:
        with path.open("r+b") as file:
            gaps._punch_hole(file.fileno(), 4096, 8192)
    except OSError as error:
        pytest.skip(f"no holes here: {error}")
    path.write_bytes(b"")
    return path


def follow(log: Path) -> FileTail:
    return FileTail(log, FINDERS, rules=[RULE], may_have_gap=True)


def test_a_log_keeps_its_bounds_and_tells_all_through_a_change_of_tuners(log: Path) -> None:
    tail, found = follow(log), []
    for first in range(1, 200, 7):
        print_epochs(log, first, first + 6)
        found += tail.read()
        tail.trim(LIMIT)
        assert measure(log) <= LIMIT
        if first % 3 == 0 and find_gap(log):  # another tuner takes over
            tail = follow(log)
            found += tail.read()
            assert tail.pop_matches() == []
    found += tail.read(final=True)
    assert log.stat().st_size > 7 * LIMIT
    assert points(found, "loss") == [(n, n / 2) for n in range(1, 204)]
    assert points(found, "acc") == points(found, "f1") == [(n, n) for n in range(1, 204)]
    offsets = [each.offset for each in found if each.metric == "loss"]
    assert offsets == sorted(set(offsets))


def test_a_person_sees_the_head_one_line_and_the_tail(log: Path) -> None:
    tail = follow(log)
    print_epochs(log, 1, 100)
    whole = log.read_bytes()
    tail.read()
    tail.trim(LIMIT)
    gap = find_gap(log)
    assert gap is not None
    shown = b"".join(block for _, block in read_kept(log)).splitlines(keepends=True)
    (line,) = (each for each in shown if b"left out" in each)
    assert line == f"[... {gap.end - gap.begin:,} bytes left out, by max_log_bytes ...]\n".encode()
    head, rest = shown[: shown.index(line)], shown[shown.index(line) + 1 :]
    assert whole.startswith(b"".join(head))
    assert whole.endswith(b"\n" + b"".join(rest))
    assert LIMIT // 5 < sum(map(len, head)) < sum(map(len, rest)) <= LIMIT
    middle = b"".join(block for _, block in read_kept(log, gap.begin + 100)).splitlines()
    assert (middle[0].split()[-1], middle[1]) == (b"...]", rest[0].rstrip())
    assert read_tail(log)[-1] == "100,100"
    assert not any("\0" in each for each in read_lines(log, 10_000))


def test_a_log_that_is_begun_anew_has_no_gap(log: Path) -> None:
    tail = follow(log)
    print_epochs(log, 1, 100)
    tail.read()
    tail.trim(LIMIT)
    log.write_text("loss=7\n")
    assert points(tail.read(final=True), "loss") == [(101, 7)]
    assert find_gap(log) is None


@pytest.mark.parametrize("code", [errno.EOPNOTSUPP, errno.ENOSPC])
def test_where_no_hole_can_be_made_nothing_is_given_up(
    log: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    tail = follow(log)
    print_epochs(log, 1, 40)
    found = tail.read()
    tail.trim(LIMIT)
    before = find_gap(log)

    def refuse(path: Path, begin: int, end: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(gaps, "_punch_hole", refuse)
    print_epochs(log, 41, 100)
    found += tail.read()
    with pytest.raises(OSError, match=os.strerror(code)):
        tail.trim(LIMIT)
    assert find_gap(log) == before
    print_epochs(log, 101, 101)
    assert points(found + tail.read(), "loss")[-1] == (101, 50.5)


def test_a_gap_that_was_written_down_but_not_made_is_a_gap_all_the_same(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The power went between the two."""
    tail = follow(log)
    print_epochs(log, 1, 100)
    tail.read()
    monkeypatch.setattr(gaps, "_punch_hole", lambda *_: None)
    tail.trim(LIMIT)
    print_epochs(log, 101, 102)
    assert points(follow(log).read(), "loss") == [(101, 50.5), (102, 51)]
    assert subprocess.run(["grep", "-c", "loss=", log], capture_output=True).stdout == b"102\n"
