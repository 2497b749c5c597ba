"""What commands of `notify` print."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from hpt_cli.runtime.notify import Notifier
from hpt_cli.spec.parts import Notify
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.storage.journal import open_journal
from tests import builders as b

pytestmark = pytest.mark.usefixtures("in_time")


def test_what_they_print_is_private(handed_over: JobDir, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        notify = Notify(command="echo said")
        with (
            Notifier(notify, handed_over) as notifier,
            open_journal(handed_over.journal) as journal,
        ):
            state = dataclasses.replace(journal.state(), directory=str(tmp_path))
            notifier.show(state, b.STORY, 9.0)
    finally:
        os.umask(before)
    log = handed_over.path / "notify.log"
    assert log.read_text() == "said\n"
    assert log.stat().st_mode & 0o777 == 0o600
