"""Logs that are links, pipes or devices, and notes about them that hpt did not write."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hpt_cli.logs.tail import FileTail, read_lines, read_tail
from hpt_cli.logs.trimming import Gap, find_gap, make_gap, read_kept
from hpt_cli.metrics.extractors import compile_definition
from hpt_cli.metrics.reader import Bookmark
from tests.untrusted import BOMB, NO_FILES

pytestmark = pytest.mark.usefixtures("in_time")
FINDERS = [compile_definition({"name": "loss", "regex": "loss=({num})"})]


@pytest.mark.parametrize("make", NO_FILES)
def test_what_is_no_file_is_not_read(tmp_path: Path, make: Callable[[Path], None]) -> None:
    log = tmp_path / "output.log"
    for path in (log, log.with_suffix(".gap")):
        make(path)
    tail = FileTail(log, FINDERS, may_have_gap=True)
    assert tail.read() + tail.read(final=True) == []
    assert read_tail(log) == ()
    assert read_lines(log) == []
    assert find_gap(log) is None
    with pytest.raises(FileNotFoundError):
        list(read_kept(log))


def test_no_hole_is_made_behind_a_link(tmp_path: Path) -> None:
    log, other = tmp_path / "output.log", tmp_path / "other"
    other.write_bytes(b"x" * 100_000)
    log.symlink_to(other)
    with pytest.raises(OSError, match="symbolic links"):
        make_gap(log, Gap(4096, 8192, 90_000, "", Bookmark(90_000, False, (), (), (), ())))
    assert other.read_bytes() == b"x" * 100_000
    assert find_gap(log) is None


@pytest.mark.parametrize("text", [BOMB, '{"begin": "x"}', '{"begin": 1e999}', "[]", "{}"])
def test_a_gap_that_hpt_did_not_write_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "output.gap").write_text(text)
    assert find_gap(tmp_path / "output.log") is None
