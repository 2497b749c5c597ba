"""Logs that are links, pipes or devices."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hpt_cli.logs.log_file import read_blocks, read_lines, read_tail
from hpt_cli.logs.tail import FileTail
from hpt_cli.metrics.extractors import compile_definition
from tests.untrusted import NO_FILES

pytestmark = pytest.mark.usefixtures("in_time")
FINDERS = [compile_definition({"name": "loss", "regex": "loss=({num})"})]


@pytest.mark.parametrize("make", NO_FILES)
def test_what_is_no_file_is_not_read(tmp_path: Path, make: Callable[[Path], None]) -> None:
    log = tmp_path / "output.log"
    make(log)
    tail = FileTail(log, FINDERS)
    assert tail.read() + tail.read(final=True) == []
    assert read_tail(log) == ()
    assert read_lines(log) == []
    with pytest.raises(FileNotFoundError):
        list(read_blocks(log))
