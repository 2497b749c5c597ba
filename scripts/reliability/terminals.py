"""A pseudo-terminal with hpt in it, as a window or ssh has one, to type into and to close."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import shlex
import subprocess
import sys
import threading
import time
from types import TracebackType

import psutil
from ground import PATIENCE, Ground, wait_until

CTRL_C, CTRL_S, CTRL_Q, CTRL_BACKSLASH = b"\x03", b"\x13", b"\x11", b"\x1c"
OWN_TERMINAL = """
import fcntl, os, signal, sys, termios
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
    signal.signal(number, signal.SIG_DFL)
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""
"""Makes the terminal the controlling one, so that to close it is a hang-up."""
PROMPT = b"ready> "


class Terminal:
    """A terminal in which a command runs. Use it in a `with` block."""

    def __init__(self, ground: Ground, *words: str) -> None:
        self._ours, theirs = pty.openpty()
        self._ground = ground
        self.seen = b""
        """What was printed."""
        self._is_read = threading.Event()
        self._is_read.set()
        self._is_closed = False
        environment = {**ground.environment, "PS1": PROMPT.decode()}
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", OWN_TERMINAL, *words],
            cwd=ground.root,
            env=environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        path = self._ground.root / f"terminal-{len(self._ground.said):03d}"
        path.write_bytes(self.seen)
        self._ground.said.append(str(path))
        self.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(5 if error is None else 0.1)
        self.process.kill()
        self.process.wait()

    def _read(self) -> None:
        while not self._is_closed:
            self._is_read.wait(0.1)
            if not self._is_read.is_set():
                continue
            with contextlib.suppress(OSError, ValueError):
                if select.select([self._ours], [], [], 0.1)[0]:
                    self.seen += os.read(self._ours, 65536)
                    continue
            time.sleep(0.02)

    def stall(self) -> None:
        """Read no more, as a terminal on a laptop that sleeps."""
        self._is_read.clear()

    def read_on(self) -> None:
        """Read again."""
        self._is_read.set()

    def type(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._ours, keys)

    def close(self) -> None:
        """Close the window: who runs in it is sent SIGHUP, and what they print is an error."""
        if not self._is_closed:
            self._is_closed = True
            self._reader.join()
            os.close(self._ours)

    def await_text(self, text: bytes) -> None:
        """Wait until something is printed."""
        wait_until(lambda: text in self.seen, f"{text!r} in the terminal")


def open_hpt(ground: Ground, *options: str) -> Terminal:
    """Return a terminal that has hpt alone in it."""
    return Terminal(ground, *ground.words("run", "t.yaml", *options))


def open_shell(ground: Ground, *options: str, after: str = "") -> Terminal:
    """Return a terminal with an interactive shell, in which hpt was started."""
    terminal = Terminal(ground, "bash", "--norc", "--noprofile", "-i")
    terminal.await_text(PROMPT)
    line = f"{shlex.join(ground.words('run', 't.yaml', *options))} {after}\n"
    terminal.type(line.encode())
    return terminal


def await_tuner(ground: Ground) -> psutil.Process:
    """Wait until a tuner is at work, and return it."""
    wait_until(ground.find_tuner, "a tuner at work")
    tuner = ground.find_tuner()
    assert tuner is not None
    return tuner


def await_no_tuner(ground: Ground) -> None:
    """Wait until the hpt in a terminal has ended, and note what it left unwatched."""
    wait_until(lambda: not ground.find_tuners(), "the end of the tuner", PATIENCE / 3)
    ground.note_unwatched()
