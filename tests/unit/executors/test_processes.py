"""How what outlives a job is ended."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence

import psutil
import pytest

from hpt_cli.executors.processes import SLICE_SECONDS, end_processes


def test_patience_is_time_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was frozen for a hundred seconds with its tuner still has its patience and grace."""
    now, asleep, waits = 0.0, 100.0, list[float]()

    def wait_procs(
        processes: Sequence[psutil.Process], timeout: float
    ) -> tuple[list[psutil.Process], list[psutil.Process]]:
        nonlocal now, asleep
        waits.append(timeout)
        now, asleep = now + timeout + asleep, 0.0
        gone = [each for each in processes if each.status() == psutil.STATUS_ZOMBIE]
        return gone, [each for each in processes if each not in gone]

    with subprocess.Popen(["sh", "-c", "trap '' TERM; echo; sleep 60"], stdout=-1) as shell:
        assert shell.stdout is not None
        shell.stdout.readline()
        process = psutil.Process(shell.pid)
        monkeypatch.setattr(psutil, "wait_procs", wait_procs)
        monkeypatch.setattr(time, "monotonic", lambda: now)
        swept = end_processes(
            lambda: [each for each in [process] if each.status() != psutil.STATUS_ZOMBIE], 3.0, 2.0
        )
        assert (len(swept.ended), swept.refused) == (1, [])
        assert waits.count(SLICE_SECONDS) * SLICE_SECONDS == 3.0 + 2.0
        assert now > 105
