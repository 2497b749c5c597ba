"""The line on a terminal while a training job is tried."""

from __future__ import annotations

from contextlib import nullcontext
from unittest.mock import MagicMock

import pytest

from hpt_cli.cli.commands import check


def test_the_lines_of_a_trial_job_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    status, console = MagicMock(), MagicMock()
    console.return_value.status.return_value = nullcontext(status)
    monkeypatch.setattr(check, "Console", console)
    with check.show_progress(20.0) as show:
        show(1.0, 0, ["a", "b"])
        show(3.0, 2, ["c"])
    said = [call.args[0] for call in status.update.call_args_list]
    assert said[0].endswith("1 of 20 s, 2 lines read")
    assert said[1].endswith("3 of 20 s, 3 lines read, 2 values")
