"""Zombies that nobody waits for, as the process that adopts them sees them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import psutil
import pytest

from hpt_cli.runtime.orphans import OrphanReaper

ADOPTER = """
import os, subprocess, sys, time
from hpt_cli.executors.launcher import PR_SET_CHILD_SUBREAPER, control_process
from hpt_cli.runtime import orphans
assert control_process(PR_SET_CHILD_SUBREAPER, 1)
subprocess.run(["sh", "-c", "setsid sh -c 'sleep 0.2; exit 3' & exit 0"], check=True)
own = subprocess.Popen(["sh", "-c", "exit 7"])
orphans.LOOK_SECONDS = 0.1
reaper = orphans.OrphanReaper()
def list_children():
    path = f"/proc/self/task/{os.getpid()}/children"
    return {int(pid) for pid in open(path).read().split()}
deadline = time.monotonic() + 20
while list_children() != {own.pid}:
    assert time.monotonic() < deadline, list_children()
    reaper.reap()
    time.sleep(0.02)
assert own.wait() == 7, "what somebody waits for was reaped"
"""


@pytest.mark.skipif(
    not os.path.exists(f"/proc/self/task/{os.getpid()}/children"), reason="no /proc"
)
def test_an_adopted_zombie_is_reaped_and_no_child_that_is_waited_for() -> None:
    subprocess.run([sys.executable, "-c", ADOPTER], check=True, timeout=60)


def test_what_is_alive_is_left_alone() -> None:
    child = subprocess.Popen(["sleep", "300"], start_new_session=True)
    reaper = OrphanReaper()
    reaper.reap()
    assert psutil.Process(child.pid).is_running()
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
