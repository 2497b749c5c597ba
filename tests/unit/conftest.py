"""What tests of several rooms share."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from hpt_cli.storage.home import make_job_dir
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.storage.journal import create_journal
from tests import builders as b


@pytest.fixture
def in_time() -> Iterator[None]:
    """What is a pipe or a device must not be waited for."""

    def give_up(*_: object) -> None:
        raise TimeoutError("it waits for what never ends")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(30)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def handed_over(tmp_path: Path) -> JobDir:
    made = make_job_dir(tmp_path / "home", "t")
    create_journal(made.journal, b.FIRST, *b.STORY)
    return made
