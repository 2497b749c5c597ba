"""Outputs that neither delay nor end the tuner, whatever becomes of what they write to."""

from __future__ import annotations

import errno
import io
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hpt_cli.live import output
from hpt_cli.live.output import Output, StreamOutput


class Wall:
    """Something to write to that takes nothing until it is opened."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.entered = threading.Event()
        self.written = b""

    def write(self, data: memoryview) -> int:
        self.entered.set()
        self.opened.wait()
        self.written += data
        return len(data)

    @property
    def text(self) -> str:
        return self.written.decode()


def raising(number: int) -> Callable[[memoryview], int]:
    def write(data: memoryview) -> int:
        raise OSError(number, os.strerror(number))

    return write


def test_what_is_written_arrives_in_order_and_whole() -> None:
    wall = Wall()
    wall.opened.set()
    file = Output("it", lambda data: wall.write(data[:3]))
    print("one", "zwei", "três", file=file)
    print("no end of line", end="", file=file)
    file.drain()
    assert wall.text == "one zwei três\nno end of line"
    assert file.is_idle
    assert file.trouble == ""


def test_who_does_not_read_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "MAX_WAITING", 3)
    monkeypatch.setattr(output, "STALLED_SECONDS", 0.0)
    monkeypatch.setattr(output, "DRAIN_SECONDS", 0.1)
    wall = Wall()
    file = Output("it", wall.write)
    print("first", file=file)
    assert wall.entered.wait(60)
    for number in range(10):
        print(number, file=file)
    file.drain()
    assert wall.text == ""
    assert not file.is_idle
    assert file.trouble == "it is not being read"
    wall.opened.set()
    file.drain()
    assert wall.text == "first\n[7 lines left out: nothing could be written]\n7\n8\n9\n"
    assert file.trouble == ""


def test_a_little_at_a_time_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "DRAIN_SECONDS", 1.0)
    written = []

    def write(data: memoryview) -> int:
        time.sleep(0.05)
        written.append(bytes(data[:1]))
        return 1

    file = Output("it", write)
    print("x" * 30, file=file)
    file.drain()
    assert b"".join(written) == b"x" * 30 + b"\n", "longer in all than it waits for nothing"


@pytest.mark.parametrize("number", [errno.EPIPE, errno.EIO, errno.EBADF])
def test_what_is_gone_is_given_up(number: int) -> None:
    file = Output("it", raising(number))
    print("one", file=file)
    file.drain()
    print("two", file=file)
    file.drain()
    assert file.is_gone
    assert file.trouble == f"it is gone ({os.strerror(number)})"


def test_a_full_disk_is_tried_again() -> None:
    wall = Wall()
    wall.opened.set()
    write = raising(errno.ENOSPC)
    file = Output("it", lambda data: write(data))
    print("one", file=file)
    file.drain()
    assert file.trouble == "it cannot be written (No space left on device)"
    assert not file.is_gone
    for _ in range(2):
        print("two", "lines", sep="\n", file=file)
        file.drain()
    write = wall.write
    print("last", file=file)
    file.drain()
    assert wall.text == "[5 lines left out: nothing could be written]\nlast\n"
    assert file.trouble == ""


def test_a_terminal_that_another_program_has_made_non_blocking() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with open(reading, "rb") as reader, open(writing, "w") as stream:
        file = StreamOutput("it", stream)
        print("x" * 100_000, file=file)
        assert len(reader.read(100_001)) == 100_001
        assert not file.isatty()
        assert file.fileno() == writing


def test_no_thread_is_started_later(monkeypatch: pytest.MonkeyPatch) -> None:
    wall = Wall()
    wall.opened.set()
    file = Output("it", wall.write)
    monkeypatch.delattr(threading.Thread, "start")
    print("one", file=file)
    file.drain()
    assert wall.text == "one\n"


def test_bytes_are_no_text() -> None:
    file = Output("it", len)
    with pytest.raises(TypeError):
        file.write(b"")  # type: ignore[arg-type]
    assert isinstance(file, io.TextIOBase)


def test_where_there_are_no_threads_an_output_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(OSError, match="no thread can be started now"):
        Output("it", len)


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the standard streams back after the test."""
    monkeypatch.setattr("sys.stdout", sys.stdout)
    monkeypatch.setattr("sys.stderr", sys.stderr)


@pytest.mark.usefixtures("streams")
def test_what_is_printed_on_one_file_keeps_its_order(tmp_path: Path) -> None:
    with open(tmp_path / "both", "w") as sys.stdout, open(tmp_path / "both", "a") as sys.stderr:
        (both,) = output.guard_outputs()
        for number in range(100):
            print(number, file=(sys.stdout, sys.stderr)[number % 2])
        output.drain_outputs()
        assert both.name == "the output"
    assert (tmp_path / "both").read_text().split() == [str(each) for each in range(100)]


@pytest.mark.usefixtures("streams")
def test_two_files_have_an_output_each(tmp_path: Path) -> None:
    with open(tmp_path / "out", "w") as sys.stdout, open(tmp_path / "err", "w") as sys.stderr:
        names = [each.name for each in output.guard_outputs()]
        print("one")
        print("two", file=sys.stderr)
        output.drain_outputs()
    assert names == ["standard output", "standard error"]
    assert [(tmp_path / each).read_text() for each in ("out", "err")] == ["one\n", "two\n"]


@pytest.mark.usefixtures("streams")
def test_a_notebook_keeps_its_streams() -> None:
    sys.stdout = sys.stderr = notebook = io.StringIO()
    assert output.guard_outputs() == []
    assert sys.stdout is notebook
