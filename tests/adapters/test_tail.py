"""Following a log that grows."""

from __future__ import annotations

from pathlib import Path

from hpt_cli.core.patterns import compile_regex
from hpt_cli.tail import CHUNK_BYTES, LogTail, read_lines, read_tail

PATTERNS = {"loss": compile_regex("loss=({num})")}


def test_a_log_is_read_as_it_grows(tmp_path: Path) -> None:
    log = tmp_path / "output.log"
    tail = LogTail(log, PATTERNS)
    assert tail.read() == ()
    log.write_bytes(b"loss=1\nlo")
    assert [each.value for each in tail.read()] == [1]
    with log.open("ab") as file:
        file.write(b"ss=2\nloss=3")
    found = tail.read()
    assert [(each.offset, each.step, each.value) for each in found] == [(7, 2, 2)]
    assert [each.value for each in tail.read(final=True)] == [3]
    assert tail.read(final=True) == ()


def test_a_long_log_is_read_in_pieces(tmp_path: Path) -> None:
    log = tmp_path / "output.log"
    line = b"loss=0.5 " + b"x" * 990 + b"\n"
    count = 3 * CHUNK_BYTES // len(line)
    log.write_bytes(line * count)
    found = LogTail(log, PATTERNS).read()
    assert [each.offset for each in found] == [len(line) * i for i in range(count)]


def test_the_last_lines_are_as_a_person_would_see_them(tmp_path: Path) -> None:
    log = tmp_path / "output.log"
    log.write_bytes(b"1\n2\r3\r\n\x1b[1m4\x1b[0m\n\xff5")
    assert read_tail(log, 3) == ("3", "4", "\ufffd5")
    assert read_lines(log)[-2:] == ["4", "\ufffd5"]
    assert read_tail(tmp_path / "none") == ()
    assert read_lines(tmp_path / "none") == []
