"""The launcher as a process, with its times shortened."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import psutil
import pytest

from hpt_cli.executors import Lost, batch, launcher
from hpt_cli.executors.attempt_files import read_claim, read_exit
from hpt_cli.executors.local import LocalExecutor

PATIENCE = 20.0
SHORT = "TICK_SECONDS=0.02, BEAT_SECONDS=0.05, SUSPENDED_SECONDS=0.5"
BOTH = pytest.mark.parametrize("options", [[], [launcher.PTY]], ids=["file", "pty"])


def wait_until(is_done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_done():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


class Launched:
    """A launcher that runs a shell script."""

    def __init__(self, directory: Path, script: str, *options: str) -> None:
        self.directory = directory
        directory.mkdir()
        program = (
            "import os, sys; from hpt_cli.executors import launcher;"
            f"vars(launcher).update({SHORT}); os._exit(launcher.run(sys.argv[1:]))"
        )
        words = [*options, str(directory), str(directory.parent), "/bin/sh", "-c", script]
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, *words],
            start_new_session=True,
            env={**os.environ, "HPT_ATTEMPT_DIR": str(directory)},
        )

    def read(self, name: str) -> str:
        path = self.directory / name
        return path.read_text() if path.exists() else ""

    def wait_for_output(self, text: str) -> None:
        wait_until(lambda: text in self.read("output.log"))


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Callable[..., Launched]]:
    launched = []

    def start(script: str, *options: str) -> Launched:
        launched.append(Launched(tmp_path / f"a{len(launched)}", script, *options))
        return launched[-1]

    yield start
    for each in launched:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(each.process.pid, signal.SIGKILL)
        each.process.wait()


@BOTH
def test_a_claim_is_touched_while_the_command_runs(
    launch: Callable[..., Launched], options: list[str]
) -> None:
    running = launch("echo begun; sleep 60", *options)
    running.wait_for_output("begun")
    claim = running.directory / "launcher"
    os.utime(claim, (1, 1))
    wait_until(lambda: claim.stat().st_mtime > 1)


def test_a_claim_in_a_slurm_job_keeps_the_time_of_its_start(
    launch: Callable[..., Launched],
) -> None:
    running = launch("echo begun; sleep 0.3", launcher.ALONE, "0")
    running.wait_for_output("begun")
    claim = running.directory / "launcher"
    os.utime(claim, (1, 1))
    running.process.wait()
    assert claim.stat().st_mtime == 1


@BOTH
def test_a_command_ignores_a_hangup_that_its_tuner_ignores(
    launch: Callable[..., Launched], options: list[str]
) -> None:
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        running = launch("kill -HUP $PPID; kill -HUP $$; echo alive", *options)
    finally:
        signal.signal(signal.SIGHUP, former)
    assert running.process.wait(PATIENCE) == 0
    assert "alive" in running.read("output.log")


@BOTH
def test_the_time_that_a_launcher_stood_still_is_written_down(
    launch: Callable[..., Launched], options: list[str]
) -> None:
    running = launch("echo begun; until [ -e go ]; do sleep 0.02; done", *options)
    running.wait_for_output("begun")
    before = launcher.read_ticks()
    os.killpg(running.process.pid, signal.SIGSTOP)
    time.sleep(0.7)
    (running.directory.parent / "go").touch()
    os.killpg(running.process.pid, signal.SIGCONT)
    assert running.process.wait() == 0
    gaps = [[*map(float, line.split())] for line in running.read("suspended").splitlines()]
    # A busy machine may have let it stand still before.
    assert any(since < before + 0.2 and until > before + 0.7 for since, until, _ in gaps)


def test_a_directory_that_has_gone_does_not_end_the_command(
    launch: Callable[..., Launched],
) -> None:
    running = launch("echo begun; until [ -e go ]; do sleep 0.02; done; touch done")
    running.wait_for_output("begun")
    running.directory.rename(running.directory.with_name("moved"))
    os.killpg(running.process.pid, signal.SIGSTOP)
    time.sleep(0.7)
    os.killpg(running.process.pid, signal.SIGCONT)
    (running.directory.parent / "go").touch()
    wait_until((running.directory.parent / "done").exists)


ORPHAN = "(setsid env -i sleep 300 > /dev/null 2>&1 &) ; exit 0"
"""Leaves a process behind in a session of its own, with an empty environment."""


def list_children(pid: int) -> list[psutil.Process]:
    return [each for each in psutil.Process(pid).children() if each.status() != "zombie"]


@BOTH
def test_a_launcher_stays_while_something_is_left_of_its_command(
    launch: Callable[..., Launched], options: list[str]
) -> None:
    running = launch(ORPHAN, *options)
    wait_until(lambda: running.read("exit").startswith("0 "))
    wait_until(lambda: [each.name() for each in list_children(running.process.pid)] == ["sleep"])
    (orphan,) = list_children(running.process.pid)
    assert running.process.poll() is None
    orphan.kill()
    assert running.process.wait(PATIENCE) == 0


def test_a_launcher_that_cannot_adopt_orphans_says_so(tmp_path: Path) -> None:
    log = os.open(tmp_path / "output.log", os.O_WRONLY | os.O_CREAT)
    launcher.record_exit(str(tmp_path), log, 0, adopts=False)
    os.close(log)
    ended = read_exit(tmp_path, this_boot=False)
    assert ended is not None
    assert not ended.adopted


def test_a_launcher_alone_ends_what_its_command_left_after_the_grace(
    launch: Callable[..., Launched],
) -> None:
    running = launch(ORPHAN, launcher.ALONE, "0.3")
    assert running.process.wait(PATIENCE) == 0
    words = r"hpt: outlived the job and was killed: \w+ \(pid (\d+)\)"  # sleep, or not yet
    said = re.search(words, running.read("output.log"))
    assert said is not None
    assert not psutil.pid_exists(int(said[1]))


def test_a_launcher_alone_gives_what_is_left_of_a_failed_command_no_time(
    launch: Callable[..., Launched],
) -> None:
    running = launch(ORPHAN.replace("exit 0", "exit 3"), launcher.ALONE, "300")
    assert running.process.wait(PATIENCE) == 3


def test_a_command_on_a_terminal_dies_with_its_launcher(launch: Callable[..., Launched]) -> None:
    running = launch("echo begun; exec sleep 300", launcher.PTY)
    running.wait_for_output("begun")
    (command,) = list_children(running.process.pid)
    running.process.kill()
    command.wait(PATIENCE)


@pytest.fixture
def in_attempt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This process in an attempt's directory, as a launcher is."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refuse(*_: object) -> None:
    raise PermissionError(errno.EPERM, "Operation not permitted")


def test_a_claim_needs_no_links(in_attempt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.link", refuse)
    assert launcher.claim()
    assert not launcher.claim()
    claim = read_claim(in_attempt)
    assert claim is not None
    assert (claim.pid, claim.identity) == (os.getpid(), launcher.identify(os.getpid()))
    assert claim.machine == launcher.describe_machine()
    assert [path.name for path in in_attempt.iterdir()] == ["launcher"]


def test_a_claim_that_is_not_written_yet_is_none(tmp_path: Path) -> None:
    (tmp_path / "launcher").touch()
    assert read_claim(tmp_path) is None


def test_an_exit_needs_no_renaming(in_attempt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.rename", refuse)
    launcher.write_whole("exit", "7 12.5 2.5")
    ended = read_exit(in_attempt, this_boot=False)
    assert ended is not None
    assert (ended.exit_code, ended.ended_at) == (7, 12.5)


def test_a_launcher_says_why_it_failed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    assert launcher.run([str(tmp_path / "gone"), "/", "true"]) == launcher.CANNOT_RUN
    (tmp_path / "output.log").write_text(capfd.readouterr().err)
    gone = {"pid": os.getpid(), "identity": f"{launcher.BOOT_ID}:1"}
    handle = {**gone, "directory": str(tmp_path), **launcher.describe_machine()}
    (lost,) = LocalExecutor().poll([handle])
    assert isinstance(lost, Lost)
    assert f"[Errno 2] No such file or directory: '{tmp_path}/gone'" in lost.why


def test_an_attempt_may_be_moved_while_it_runs(launch: Callable[..., Launched]) -> None:
    running = launch("mkfifo go; echo begun; read line < go; exit 3")
    running.wait_for_output("begun")
    running.directory = running.directory.rename(running.directory.with_name("moved"))
    (running.directory.parent / "go").write_text("\n")
    assert running.process.wait(PATIENCE) == 3
    assert running.read("exit").split()[0] == "3"


COUNTING = """
trap 'echo USR1' USR1; trap 'echo USR2' USR2; trap 'echo TERM' TERM; trap 'echo CONT' CONT
echo begun
until [ -e go ]; do sleep 0.05; done
exit 7
"""
SIGNALS = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGCONT, signal.SIGTERM)


def finish(running: Launched) -> list[str]:
    """The signals that the command has handled; the shell tells of those that `sleep` died of."""
    (running.directory.parent / "go").touch()
    assert running.process.wait(PATIENCE) == 7
    names = [number.name[3:] for number in SIGNALS]
    return [line for line in running.read("output.log").splitlines() if line in names]


def test_a_launcher_alone_passes_on_what_only_it_was_sent(launch: Callable[..., Launched]) -> None:
    # The shell around it would die of a signal that is not for it.
    running = launch(f"sh -c {shlex.quote(COUNTING)}; exit $?", launcher.ALONE, "0")
    running.wait_for_output("begun")
    for number in SIGNALS:
        running.process.send_signal(number)
        running.wait_for_output(number.name[3:])
    assert finish(running) == ["USR1", "USR2", "CONT", "TERM"]


def test_what_all_processes_of_a_job_were_sent_is_passed_on_to_none(
    launch: Callable[..., Launched],
) -> None:
    running = launch(COUNTING, launcher.ALONE, "0")
    running.wait_for_output("begun")
    for number in SIGNALS:
        os.killpg(running.process.pid, number)
        running.wait_for_output(number.name[3:])
        time.sleep(0.3)
    assert finish(running) == ["USR1", "USR2", "CONT", "TERM"]


def test_a_launcher_alone_kills_all_when_it_is_told_to(launch: Callable[..., Launched]) -> None:
    running = launch(f"{ORPHAN.removesuffix('exit 0')} echo begun; sleep 300", launcher.ALONE, "9")
    running.wait_for_output("begun")
    running.process.send_signal(batch.KILL_ALL)
    assert running.process.wait(PATIENCE) == 128 + signal.SIGKILL


def test_a_launcher_s_own_witness_does_not_outlive_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    former, kill = signal.getsignal(batch.KILL_ALL), batch.kill
    job = batch.BatchJob(str(tmp_path), {signal.SIGUSR1}, 0.0, bool)
    witness, said = job._witness, list[str]()

    def kill_late(pids: Iterable[int], number: int) -> int:
        """Kill only the witness, which takes its time to die."""
        if [*pids] == [witness]:
            threading.Timer(0.2, kill, ([witness], number)).start()
        return 0

    monkeypatch.setattr(batch, "kill", kill_late)
    try:
        job.end_rest(lambda _: False, said.append, at_once=False)
    finally:
        signal.signal(batch.KILL_ALL, former)
    assert not any(f"pid {witness}" in each for each in said)


@BOTH
def test_a_launcher_outlives_signals_that_are_not_for_it(
    launch: Callable[..., Launched], options: list[str]
) -> None:
    running = launch(COUNTING, *options)
    running.wait_for_output("begun")
    os.killpg(running.process.pid, signal.SIGUSR1)
    running.wait_for_output("USR1")
    running.process.send_signal(signal.SIGALRM)
    assert finish(running) == ["USR1"]
    assert "signalled" not in running.read("exit")


def test_a_launcher_waits_for_a_process_to_be_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = [BlockingIOError(errno.EAGAIN, "no process"), OSError(errno.ENOMEM, "no memory")]

    def fork() -> int:
        if errors:
            raise errors.pop(0)
        return 7

    monkeypatch.setattr(os, "fork", fork)
    monkeypatch.setattr(launcher.time, "sleep", lambda _: None)
    with open(tmp_path / "log", "w+") as log:
        assert launcher.fork(log.fileno()) == 7
    assert (tmp_path / "log").read_text() == "hpt: waiting to start: no process\n"


def test_a_launcher_that_is_asked_to_end_does_not_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fork() -> int:
        raise BlockingIOError(errno.EAGAIN, "no process")

    monkeypatch.setattr(os, "fork", fork)
    monkeypatch.setattr(launcher, "_signals", [signal.SIGTERM])
    with open(tmp_path / "log", "w") as log, pytest.raises(BlockingIOError):
        launcher.fork(log.fileno())
