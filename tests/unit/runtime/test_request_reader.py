"""Requests are looked for in a thread."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from threading import Event

import pytest

from hpt_cli.errors import HptError
from hpt_cli.runtime import request_reader
from hpt_cli.runtime.request_reader import RequestReader
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.storage.mailbox import send_request

pytestmark = pytest.mark.usefixtures("in_time")


@pytest.fixture
def woken() -> Event:
    return Event()


@pytest.fixture
def reader(
    handed_over: JobDir, woken: Event, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RequestReader]:
    monkeypatch.setattr(request_reader, "LOOK_SECONDS", 0.01)
    send_request(handed_over, {"n": 1})
    reader = RequestReader(handed_over, woken.set)
    reader.start()
    assert reader.looked.wait(10)
    yield reader
    reader.close()


def wait_for_request(reader: RequestReader, woken: Event) -> list[dict[str, object]]:
    assert woken.wait(10)
    woken.clear()
    return reader.pop()


def test_what_is_there_at_the_start_is_known_then(reader: RequestReader) -> None:
    assert reader.pop() == [{"n": 1}]
    assert reader.pop() == []


def test_requests_wake_the_tuner(reader: RequestReader, handed_over: JobDir, woken: Event) -> None:
    assert wait_for_request(reader, woken) == [{"n": 1}]
    send_request(handed_over, {"n": 2})
    assert wait_for_request(reader, woken) == [{"n": 2}]


def test_a_disk_that_is_away_is_waited_for(
    reader: RequestReader, handed_over: JobDir, woken: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert wait_for_request(reader, woken) == [{"n": 1}]
    tried = Event()

    def fail(jobdir: JobDir) -> list[dict[str, object]]:
        tried.set()
        raise OSError("the disk is away")

    with monkeypatch.context() as patch:
        patch.setattr(request_reader, "pop_requests", fail)
        assert tried.wait(10)
        assert reader.pop() == []
    send_request(handed_over, {"n": 2})
    assert wait_for_request(reader, woken) == [{"n": 2}]


def test_requests_are_not_looked_for_behind_a_link(
    reader: RequestReader, handed_over: JobDir, woken: Event
) -> None:
    assert wait_for_request(reader, woken) == [{"n": 1}]
    shutil.rmtree(handed_over.path / "requests")
    (handed_over.path / "requests").symlink_to("/")
    assert woken.wait(10)
    with pytest.raises(HptError, match="symbolic link"):
        reader.pop()
