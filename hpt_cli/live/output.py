"""Outputs that neither delay nor end the tuner: its screen, what it prints, and its log.

A terminal may stop reading (Ctrl-S, an ssh connection whose laptop sleeps) or go away, the reader
of a pipe may end, a disk may be full. So a thread of each output does the writing, and the tuner
only hands text over.
"""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TextIO, cast

from hpt_cli.formatting import count

CHUNK_BYTES = 4096
"""What is written in one go: the finer, the better it is known whether anybody reads."""
MAX_WAITING = 10_000
"""How many texts wait to be written; beyond, the oldest are left out."""
STALLED_SECONDS = 5.0
"""An output that takes nothing for so long is said to be read by nobody."""
DRAIN_SECONDS = 1.0
"""How long the end waits for an output that takes nothing."""
MAX_DRAIN_SECONDS = 60.0
"""How long it waits for one that takes little."""
RETRY_SECONDS = 0.05
GONE = (errno.EPIPE, errno.EIO, errno.EBADF, errno.ENXIO, errno.ECONNRESET)
"""Errors after which an output is given up; others, such as a full disk, may pass."""


class Output(io.TextIOBase):
    """A text file whose methods return at once, and raise nothing that the system says."""

    def __init__(self, name: str, write: Callable[[memoryview], int]) -> None:
        """Start the thread, so that none has to be had later.

        Args:
            name: what people call it.
            write: writes some bytes, and returns how many; it may take any time, and may raise
                OSError.

        Raises:
            OSError: there are no more threads.
        """
        self.name = name
        self._write = write
        self._line = ""
        self._waiting: deque[str] = deque()
        self._left_out = 0
        self._is_busy = False
        self._advanced_at = 0.0
        self._failure = ""
        self.is_gone = False
        """Whether it is given up: nothing will ever be written again."""
        self._changed = threading.Condition()
        try:
            threading.Thread(target=self._work, name=f"write {name}", daemon=True).start()
        except RuntimeError as error:
            raise OSError(errno.EAGAIN, "no thread can be started now") from error

    @property
    def is_idle(self) -> bool:
        """Whether all has been written, and more would be."""
        return not (self._waiting or self._is_busy or self.is_gone)

    @property
    def trouble(self) -> str:
        """What keeps this output from being written, in words; empty if nothing does."""
        if self.is_gone:
            return f"{self.name} is gone ({self._failure})"
        if self._failure:
            return f"{self.name} cannot be written ({self._failure})"
        stalled = self._is_busy and time.monotonic() - self._advanced_at > STALLED_SECONDS
        return f"{self.name} is not being read" if stalled else ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        """Hand text over, a line at a time."""
        self._line += text
        if "\n" in text:
            self.flush()
        return len(text)

    def flush(self) -> None:
        """Hand over what is there of a line."""
        with self._changed:
            if self._line and not self.is_gone:
                self._waiting.append(self._line)
                if len(self._waiting) > MAX_WAITING:
                    self._left_out += self._waiting.popleft().count("\n")
                self._changed.notify_all()
            self._line = ""

    def drain(self) -> None:
        """Wait until all is written, but not for an output that takes nothing."""
        self.flush()
        begin = time.monotonic()
        with self._changed:
            while self._waiting or self._is_busy:
                now = time.monotonic()
                if now - max(begin, self._advanced_at) > DRAIN_SECONDS:
                    return
                if now - begin > MAX_DRAIN_SECONDS:
                    return
                self._changed.wait(RETRY_SECONDS)

    def _work(self) -> None:
        # Signals are for the main thread. And where background jobs must not write to the terminal
        # (stty tostop), writing would suspend all of hpt, unless SIGTTOU is blocked.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        while True:
            with self._changed:
                self._is_busy = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._waiting)
                text, left_out = "".join(self._waiting), self._left_out
                self._waiting.clear()
                self._advanced_at, self._is_busy = time.monotonic(), True
            lines = count(left_out, "line")
            note = f"[{lines} left out: nothing could be written]\n" if left_out else ""
            is_said = not self._write_out(note)
            lost = self._write_out(text) - left_out if is_said else text.count("\n")
            with self._changed:
                self._left_out += lost

    def _write_out(self, text: str) -> int:
        """Write a text, and return how many lines of it could not be written."""
        rest = memoryview(text.encode(self.encoding or "utf-8", errors="replace"))
        while rest:
            try:
                rest = rest[self._write(rest[:CHUNK_BYTES]) :]
            except BlockingIOError:  # another program has made it so, for all that share it
                time.sleep(RETRY_SECONDS)
            except OSError as error:
                self._failure = error.strerror or str(error)
                self.is_gone = error.errno in GONE
                return bytes(rest).count(b"\n")
            else:
                self._advanced_at, self._failure = time.monotonic(), ""
        return 0


class StreamOutput(Output):
    """Takes the place of one of Python's standard streams."""

    def __init__(self, name: str, stream: TextIO) -> None:
        # Kept, as it closes its descriptor when it is freed.
        self._stream = stream
        self._descriptor = stream.fileno()
        super().__init__(name, lambda data: os.write(self._descriptor, data))

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of the stream."""
        return self._stream.encoding

    def fileno(self) -> int:
        """Return the descriptor of the stream."""
        return self._descriptor

    def isatty(self) -> bool:
        """Return whether it is a terminal."""
        return os.isatty(self._descriptor)


def guard_outputs() -> list[Output]:
    """Have all that is printed from now on go through outputs, and return these.

    Standard output and error have one output where they are one file, so that what is printed
    keeps its order. Streams that are no files of this process, as in a notebook, stay as they are.
    """
    try:
        out, err = os.fstat(sys.stdout.fileno()), os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):
        return []
    if (out.st_dev, out.st_ino) == (err.st_dev, err.st_ino):
        shared = StreamOutput("the terminal" if sys.stderr.isatty() else "the output", sys.stderr)
        outputs = [shared, shared]
    else:
        outputs = [
            StreamOutput("the terminal" if stream.isatty() else name, stream)
            for name, stream in (("standard output", sys.stdout), ("standard error", sys.stderr))
        ]
    sys.stdout, sys.stderr = (cast("TextIO", each) for each in outputs)
    return list(dict.fromkeys(outputs))


def drain_outputs() -> None:
    """Wait for what has been printed to be written, but not for outputs that take nothing."""
    for stream in {sys.stdout, sys.stderr}:
        if isinstance(stream, Output):
            stream.drain()
