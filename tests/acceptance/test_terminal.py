"""The live screen of the real hpt on a real (pseudo-)terminal."""

from __future__ import annotations

import codecs
import contextlib
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from typing import Any

import pytest

from hpt_cli.live.views import BEGIN_UPDATE, ENTER, LEAVE
from tests.acceptance.conftest import HPT, PATIENCE, Terminal, wait_until

ESCAPE = re.compile(r"\x1b\[[?\d;]*[A-Za-z]")


class Screen:
    """A pseudo-terminal in which hpt runs."""

    def __init__(self, terminal: Terminal, *arguments: str, **variables: str) -> None:
        self._master, slave = pty.openpty()
        self.resize(80, 24, descriptor=slave)
        fixed = ("CI", "COLUMNS", "LINES")
        environment = {k: v for k, v in terminal.environment.items() if k not in fixed}
        self.process = subprocess.Popen(
            [HPT, *arguments],
            cwd=terminal.directory,
            env=environment | {"TERM": "xterm-256color"} | variables,
            stdin=slave,
            stdout=slave,
            stderr=slave,
        )
        terminal.track(self.process)
        os.close(slave)
        os.set_blocking(self._master, False)
        self.text = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def resize(self, columns: int, lines: int, descriptor: int | None = None) -> None:
        size = struct.pack("HHHH", lines, columns, 0, 0)
        fcntl.ioctl(descriptor or self._master, termios.TIOCSWINSZ, size)

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def hang_up(self) -> None:
        """Close the other end."""
        os.close(self._master)
        self._master = -1

    def read(self) -> str:
        with contextlib.suppress(BlockingIOError, OSError):
            while data := os.read(self._master, 65536):
                self.text += self._decoder.decode(data)
        return self.text

    def wait_for(self, is_there: Callable[[str], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not is_there(self.read()):
            assert time.monotonic() < deadline, f"{what} never came:\n{self.text[-2000:]}"
            time.sleep(0.05)

    def wait_for_end(self) -> None:
        self.wait_for(lambda _: self.process.poll() is not None, "the end")
        self.read()
        os.close(self._master)

    @property
    def frame(self) -> list[str]:
        """The lines of the last frame that is whole."""
        last = self.text.split(BEGIN_UPDATE)[-2]
        return [line.strip("\r") for line in ESCAPE.sub("", last).split("\n")]

    def fits(self, columns: int, lines: int) -> bool:
        """Whether the last frame does."""
        return len(self.frame) <= lines and max(map(len, self.frame)) < columns


def test_the_live_screen_follows_the_terminal_and_leaves_it_as_it_was(terminal: Terminal) -> None:
    spec = terminal.write_spec(max_jobs=6, options="--epochs 30 --seconds 0.1")
    screen = Screen(terminal, "run", spec)
    screen.wait_for(lambda text: text.count("best loss") > 2, "a best job")
    assert screen.fits(80, 24)
    assert any("of 6" in line for line in screen.frame)
    screen.resize(50, 10)
    screen.wait_for(lambda _: screen.fits(50, 10), "a frame of the new size")
    screen.wait_for_end()
    assert screen.process.returncode == 0
    assert screen.text.count(ENTER) == screen.text.count(LEAVE) == 1
    after = screen.text.split(LEAVE)[1]
    assert "★" in after
    assert "max_jobs (6) reached" in after


def test_a_suspended_tuner_gives_the_terminal_back(terminal: Terminal) -> None:
    spec = terminal.write_spec(max_jobs=2, options="--epochs 20 --seconds 0.1")
    screen = Screen(terminal, "run", spec)
    screen.wait_for(lambda text: "of 2" in text, "the screen")
    screen.process.send_signal(signal.SIGTSTP)
    screen.wait_for(lambda text: text.count(LEAVE) == 1, "the shell's screen")
    screen.process.send_signal(signal.SIGCONT)
    screen.wait_for(lambda text: text.count(ENTER) == 2, "the screen again")
    screen.wait_for_end()
    assert screen.process.returncode == 0
    assert screen.text.count(LEAVE) == 2


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [
        (["--plain"], {}),
        ([], {"TERM": "dumb"}),
        ([], {"CI": "true"}),
    ],
)
def test_lines_where_a_screen_is_not_wanted(
    terminal: Terminal, arguments: list[str], variables: dict[str, str]
) -> None:
    screen = Screen(terminal, "run", terminal.write_spec(max_jobs=1), *arguments, **variables)
    screen.wait_for_end()
    assert ENTER not in screen.text
    assert "t-0001 started" in screen.text


def test_quiet_is_quiet(terminal: Terminal) -> None:
    screen = Screen(terminal, "run", terminal.write_spec(max_jobs=1), "--quiet")
    screen.wait_for_end()
    assert screen.text == ""


def test_quiet_says_why_it_failed(terminal: Terminal) -> None:
    spec = terminal.write_spec(options="--mode fail")
    answer = terminal.try_hpt("run", spec, "--quiet")
    assert (answer.code, answer.out) == (1, "")
    assert "t is Failed: all training jobs failed" in answer.err
    assert "t-0001 Failed: exit code " in answer.err


@pytest.mark.parametrize(
    ("happens", "code", "said"),
    [
        ("os.kill(os.getpid(), signal.SIGINT)", -signal.SIGINT, ""),
        ("raise OSError(24, 'Too many open files')", 1, "error[system]: hpt cannot be loaded: "),
    ],
)
def test_what_happens_before_hpt_is_loaded_is_no_bug(happens: str, code: int, said: str) -> None:
    program = f"""
import os, signal, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "typer":
            {happens}
sys.meta_path.insert(0, Finder())
from hpt_cli.__main__ import main
main()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr.strip()[: len(said)]) == (code, said)
    assert "Traceback" not in done.stderr


SLOW = "trap 'sleep 1; exit 143' TERM; i=0; while [ $i -lt 300 ]; do i=$((i+1)); sleep 0.1; "
SLOW += "echo loss={x}; done"
"""A command that takes a second to end."""


def write_slow_spec(terminal: Terminal, **fields: Any) -> str:
    return terminal.write_spec(command=["sh", "-c", SLOW], **fields)


def check_interrupted(terminal: Terminal, screen: Screen, code: int) -> None:
    """The tuner has stopped in order, its jobs have been waited for, and will run again."""
    wait_until(lambda: screen.process.poll() is not None, "the end of the tuner")
    assert screen.process.returncode == code
    shown = terminal.json("show", "t")
    assert (shown["tuning_job_status"], shown["completion_reason"]) == ("Stopped", "interrupted")
    assert {row["training_job_status"] for row in terminal.json("jobs", "t")} == {"InProgress"}
    assert terminal.find_processes() == []


@pytest.mark.parametrize("arguments", [[], ["--plain"]])
@pytest.mark.parametrize("hangups", [1, 3])
def test_a_terminal_that_goes_away_stops_the_tuner_in_order(
    terminal: Terminal, arguments: list[str], hangups: int
) -> None:
    screen = Screen(terminal, "run", write_slow_spec(terminal), *arguments)
    terminal.wait_for_log("t", 2, "loss=")
    screen.hang_up()
    for _ in range(hangups):  # the kernel's, and those of a shell
        screen.process.send_signal(signal.SIGHUP)
    check_interrupted(terminal, screen, 143)
    log = terminal.hpt("logs", "t", "--tuner")
    assert "stopping: asking running jobs to end" in log
    assert "the terminal is gone (Input/output error); the tuner goes on without it" in log


def test_a_terminal_that_goes_away_while_jobs_are_stopping(terminal: Terminal) -> None:
    screen = Screen(terminal, "run", write_slow_spec(terminal))
    terminal.wait_for_log("t", 2, "loss=")
    screen.process.send_signal(signal.SIGINT)
    screen.wait_for(lambda text: "Interrupted" in text, "the stop")
    screen.hang_up()
    screen.process.send_signal(signal.SIGHUP)
    check_interrupted(terminal, screen, 130)


def test_ctrl_backslash_stops_in_order_and_restores_the_screen(terminal: Terminal) -> None:
    screen = Screen(terminal, "run", write_slow_spec(terminal))
    terminal.wait_for_log("t", 2, "loss=")
    screen.wait_for(lambda text: "of 4" in text, "the screen")
    screen.process.send_signal(signal.SIGQUIT)
    check_interrupted(terminal, screen, 130)
    assert screen.read().count(LEAVE) == 1
    assert "to continue: hpt resume t" in screen.text.split(LEAVE)[1]


@pytest.mark.parametrize("arguments", [[], ["--plain"]])
def test_a_terminal_that_is_not_read_delays_nothing(
    terminal: Terminal, arguments: list[str]
) -> None:
    spec = terminal.write_spec(max_jobs=4, options="--epochs 3 --seconds 0.1")
    screen = Screen(terminal, "run", spec, *arguments)
    screen.type("\x13")  # Ctrl-S
    assert screen.process.wait(PATIENCE) == 0
    assert terminal.json("show", "t")["tuning_job_status"] == "Completed"
    assert "max_jobs (4) reached" in terminal.hpt("logs", "t", "--tuner")


def test_a_tuner_whose_reader_leaves_goes_on(terminal: Terminal) -> None:
    spec = terminal.write_spec(max_jobs=2)
    run = terminal.start("run", spec)
    assert run.stdout is not None
    assert run.stderr is not None
    run.stdout.close()
    assert "tuning t" in run.stderr.readline()
    run.stderr.close()
    assert run.wait(PATIENCE) == 0
    log = terminal.hpt("logs", "t", "--tuner")
    assert "standard error is gone (Broken pipe)" in log
    assert "max_jobs (2) reached" in log


@pytest.mark.parametrize("redirections", ["2>&-", ">&- 2>&-", "<&- >&- 2>&-", ">/dev/full 2>&1"])
def test_outputs_that_cannot_be_written(terminal: Terminal, redirections: str) -> None:
    spec = terminal.write_spec(max_jobs=1)
    line = f"{HPT} run {spec} {redirections}"
    directory, environment = terminal.directory, terminal.environment
    assert subprocess.run(line, shell=True, cwd=directory, env=environment).returncode == 0
    assert "max_jobs (1) reached" in terminal.hpt("logs", "t", "--tuner")


def test_watching_leaves_the_tuner_alone(terminal: Terminal) -> None:
    run = terminal.start("run", write_slow_spec(terminal))
    terminal.wait_for_log("t", 2, "loss=")
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
        screen = Screen(terminal, "watch", "t")
        screen.wait_for(lambda text: ENTER in text, "the screen")
        screen.process.send_signal(number)
        screen.wait_for_end()
        assert screen.text.count(ENTER) == screen.text.count(LEAVE) == 1
        assert screen.process.returncode == (143 if number == signal.SIGTERM else 130)
        progress, way = screen.text.split(LEAVE)[1].splitlines()
        assert " done; 2 running" in progress
        assert way == "t goes on; to stop it: hpt stop t"
    screen = Screen(terminal, "watch", "t")
    screen.wait_for(lambda text: ENTER in text, "the screen")
    screen.hang_up()
    assert screen.process.wait(PATIENCE) == 1
    assert run.poll() is None


def test_init_asks_again_after_a_slip(terminal: Terminal) -> None:
    script = """
import argparse
p = argparse.ArgumentParser()
p.add_argument("--lr", type=float, default=0.01)
o = p.parse_args()
for epoch in range(4):
    print(f"epoch {epoch} loss {o.lr / (epoch + 1)}")
"""
    (terminal.directory / "train.py").write_text(script)
    screen = Screen(terminal, "init", "--try")
    for question, slip, said, answer in (
        (
            "Training command",
            "nowhere x",
            "there is no program 'nowhere'",
            f"{sys.executable} train.py",
        ),
        ("Tune which", "lrr", "did you mean 'lr'", "lr"),
        ("Tune which metric", "lost", "the output has no metric 'lost'", "1"),
        ("Maximize or Minimize", "up", "'up' is neither", "min"),
    ):
        screen.wait_for(lambda text, last=question: last in text, question)
        screen.type(f"{slip}\n")
        screen.wait_for(lambda text, last=said: last in text, said)
        screen.type(f"{answer}\n")
    screen.wait_for_end()
    assert screen.process.returncode == 0
    assert "objective_type: Minimize" in (terminal.directory / "spec.yaml").read_text()
