"""Follows what an attempt writes as it grows: its log, and the files that definitions name."""

from __future__ import annotations

import contextlib
import glob
import os
import stat
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from hpt_cli.errors import NO_DESCRIPTORS
from hpt_cli.metrics.curve import Observation
from hpt_cli.metrics.extractors import Extractor
from hpt_cli.metrics.lines import MAX_LINE_BYTES
from hpt_cli.metrics.log_rules import LogMatch, Purpose, Rule, compile_rule
from hpt_cli.metrics.patterns import SEARCH_SECONDS
from hpt_cli.metrics.reader import MAX_SLOW_LINES, MetricReader
from hpt_cli.metrics.thinning import Thinner

MIN_BLOCK_BYTES, MAX_BLOCK_BYTES = 1 << 14, 1 << 20
"""The first block is the shortest; later ones are as long as is searched in BLOCK_SECONDS."""
BLOCK_SECONDS = 0.008
ANCHOR_BYTES = 64
"""The last bytes read; they are compared with the file to see whether it was rewritten."""


def find_newest(path: Path, written_since: float = 0.0) -> Path:
    """Return the file of a pattern (`version_*/metrics.csv`) that was written last.

    Args:
        written_since: seconds since the epoch; files last written before are left alone.

    Returns:
        The path itself, if it is no pattern or no file fits it.
    """
    if not any(mark in str(path) for mark in "*?["):
        return path
    times: dict[str, float] = {}
    for name in glob.iglob(str(path)):
        with contextlib.suppress(OSError):
            times[name] = os.stat(name).st_mtime
    recent = {name: at for name, at in times.items() if at >= written_since}
    return Path(max(recent, key=recent.__getitem__)) if recent else path


class FileTail:
    """Reads a file while it is written.

    Reading starts at the beginning, also when a resumed tuner takes over, so that steps are counted
    right; observations that are known already are recognized by their offsets. A file that was
    truncated, replaced or rewritten is read from its beginning, with offsets that continue.
    """

    def __init__(
        self,
        path: Path,
        extractors: Sequence[Extractor],
        *,
        rules: Sequence[Rule] = (),
        is_whole: bool = False,
        written_since: float = 0.0,
        known_to: int = -1,
        slow_lines: Counter[str] | None = None,
        thinner: Thinner | None = None,
        keep_open: bool = False,
        counted_before: Mapping[str, int] | None = None,
    ) -> None:
        """Prepare to follow a file, which may not exist yet.

        Args:
            rules: log rules to match, too.
            is_whole: each version of the file holds all values, so a new one counts steps from 1;
                a new version of a log continues the old one.
            written_since: seconds since the epoch; a file last written before is not read yet.
            known_to: the offset of the last known observation.
            slow_lines: shared by all readers with these extractors.
            thinner: says which observations are returned; all, without one.
            keep_open: whether to read on in a file that was deleted or replaced.
            counted_before: by metric, the step after which counted steps go on.
        """
        self._path = path
        self._extractors = tuple(extractors)
        self._rules = tuple(rules)
        self._is_whole = is_whole
        self._written_since = written_since
        self._known_to = known_to
        self._slow_lines = slow_lines
        self._thinner = thinner
        self._is_kept_open = keep_open
        self._counted_before = counted_before
        self._open_file: int | None = None
        self._harm = ""
        self._reader: MetricReader | None = None
        self._seen: tuple[int, ...] = ()
        self._position = 0
        self._anchor = b""
        self._block_bytes = MIN_BLOCK_BYTES
        self._end: int | None = None
        self.size = 0
        """The number of bytes read."""
        self.unread = 0
        """The bytes that the file had at the last read, and that were not read."""

    @property
    def cut_lines(self) -> int:
        """The number of lines so long that only their beginning was searched."""
        return self._reader.cut_lines if self._reader else 0

    def pop_matches(self) -> list[LogMatch]:
        """Return the matches of log rules since the last call."""
        return self._reader.pop_matches() if self._reader else []

    def read(
        self, *, final: bool = False, may_go_on: Callable[[], bool] = lambda: True
    ) -> list[Observation]:
        """Return the observations that are new in the file.

        Args:
            final: nothing more will be written that counts, so a last line without an ending does.
            may_go_on: asked after each block; if it says no, there may be bytes unread.
        """
        found: list[Observation] = []
        self.unread = 0
        try:
            descriptor = self._open()
            try:
                found += self._read_from(descriptor, final, may_go_on)
            finally:
                self._keep_open_or_close(descriptor)
        except OSError as error:  # not there; a directory; a file system gone, perhaps to come back
            if final and error.errno in NO_DESCRIPTORS:
                raise  # what is there would never be read
        if final and not self.unread and self._reader is not None:
            found += self._keep(self._reader.finish())
        return found

    def close(self) -> None:
        """Close what is kept open."""
        if self._open_file is not None:
            os.close(self._open_file)
            self._open_file = None

    def _open(self) -> int:
        """Return a descriptor of the file, or of what it was before somebody removed it.

        Raises:
            OSError: it cannot be opened.
        """
        try:
            # To open a named pipe would otherwise block until somebody writes to it.
            path = find_newest(self._path, self._written_since)
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        except FileNotFoundError:
            if self._seen or self._known_to >= 0:
                self._harm = "deleted"
            if self._open_file is None:
                raise
            return self._open_file
        if self._open_file is None or _is_same(self._open_file, descriptor):
            return descriptor
        # The command goes on writing where it wrote before.
        os.close(descriptor)
        self._harm = "replaced"
        return self._open_file

    @property
    def harm(self) -> str:
        """What somebody has done to a log, and what it means; empty if nothing."""
        if not self._harm:
            return ""
        if self._open_file is None or self._harm == "shortened":
            return f"was {self._harm}: what had not been read of it is lost"
        return f"was {self._harm}: what the command prints is read on, but by this tuner alone"

    def _keep_open_or_close(self, descriptor: int) -> None:
        if self._is_kept_open and self._open_file is None and self._seen:
            self._open_file = descriptor
        elif descriptor != self._open_file:
            os.close(descriptor)

    def _keep(self, found: list[Observation]) -> list[Observation]:
        return found if self._thinner is None else self._thinner.add(found)

    def _read_from(
        self, descriptor: int, final: bool, may_go_on: Callable[[], bool]
    ) -> list[Observation]:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):  # a pipe, a device: it may have no end
            return []
        seen = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        is_known = seen == self._seen and self._position >= status.st_size
        if is_known or (not self._seen and status.st_mtime < self._written_since):
            return []
        if self._reader is None:
            # Shorter than what an earlier tuner read of it, it is another version of the file. Its
            # offsets must go on behind the known ones, or its values would be taken for known.
            was_truncated = status.st_size <= self._known_to
            begin = self._known_to + 1 if was_truncated else 0
            self._reader = MetricReader(
                self._extractors, self._rules, begin, self._slow_lines, self._counted_before
            )
        found: list[Observation] = []
        if self._seen and not self._goes_on(descriptor, seen):
            self._harm = "shortened" if seen[:2] == self._seen[:2] else "replaced"
            found += self._begin_anew(self._reader)
        # As of before reading: what is appended meanwhile must look like a change the next time.
        self._seen = seen
        # What an ended command left running may print for ever.
        self._end = status.st_size if final and self._end is None else self._end
        while block := self._read_block(descriptor):
            begun = time.thread_time()
            found += self._keep(self._reader.feed(block))
            self._fit_blocks(len(block), time.thread_time() - begun)
            if not may_go_on():
                end = status.st_size if self._end is None else self._end
                self.unread = max(0, end - self._position)
                break
        return found

    def _read_block(self, descriptor: int) -> bytes:
        left = self._block_bytes if self._end is None else self._end - self._position
        block = os.pread(descriptor, max(0, min(left, self._block_bytes)), self._position)
        self._position += len(block)
        self.size += len(block)
        self._anchor = (self._anchor + block[-ANCHOR_BYTES:])[-ANCHOR_BYTES:]
        return block

    def _fit_blocks(self, size: int, seconds: float) -> None:
        """Have the next block be as long as is searched in BLOCK_SECONDS at the pace of this."""
        fitting = int(size * BLOCK_SECONDS / max(seconds, 1e-6))
        # What comes next may be slower to search: so blocks grow step by step.
        longest = min(2 * max(size, MIN_BLOCK_BYTES), MAX_BLOCK_BYTES)
        self._block_bytes = min(max(fitting, MIN_BLOCK_BYTES), longest)

    def _goes_on(self, descriptor: int, seen: tuple[int, ...]) -> bool:
        """Return whether the file is the one that was read, perhaps with more at its end."""
        if seen[:2] != self._seen[:2] or seen[2] < self._position:
            return False
        start = self._position - len(self._anchor)
        return os.pread(descriptor, len(self._anchor), start) == self._anchor

    def _begin_anew(self, reader: MetricReader) -> list[Observation]:
        # No ending will ever follow on the last line of the old version.
        found = self._keep(reader.finish())
        self._position, self._anchor, self._end = 0, b"", None
        if self._is_whole:
            reader.restart()
            if self._thinner is not None:
                self._thinner.restart(each.metric for each in self._extractors)
        return found


def _is_same(kept: int, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.fstat(kept), os.fstat(descriptor))
    except OSError:  # stale, on a network file system
        return False


class AttemptTail:
    """Follows the log of an attempt and the files that its metrics are read from."""

    def __init__(
        self,
        extractors: Sequence[Extractor],
        log: Path,
        directory: Path,
        started_at: float,
        last_offsets: Mapping[str, int],
        rules: Sequence[tuple[str, Purpose]] = (),
        slow_lines: Counter[str] | None = None,
        thinner: Thinner | None = None,
        keep_open: bool = False,
        counted_before: Mapping[str, int] | None = None,
    ) -> None:
        """Prepare to follow an attempt.

        Args:
            log: the file with the command's output.
            directory: the directory of the files that definitions name.
            started_at: seconds since the epoch; files last written before are an earlier attempt's.
            last_offsets: the offset of each metric's last known observation.
            rules: patterns to match in the log, with what each is for.
            slow_lines: shared by all attempts of a tuning job.
            thinner: says which observations are returned; all, without one.
            keep_open: whether to read on in a log that was deleted or replaced.
            counted_before: by metric, the last step that earlier attempts had in their output.
        """
        self.thinner = thinner
        self._slow_lines = Counter[str]() if slow_lines is None else slow_lines
        self._noted: set[str] = set()
        self._tails: dict[str, FileTail] = {}
        # The log ("") is always followed, as log rules are matched there.
        for file in dict.fromkeys(["", *(extractor.file for extractor in extractors)]):
            own = [extractor for extractor in extractors if extractor.file == file]
            self._tails[file] = FileTail(
                directory / file if file else log,
                own,
                rules=() if file else [compile_rule(*rule) for rule in rules],
                is_whole=bool(file),
                written_since=started_at if file else 0.0,
                known_to=max((last_offsets.get(each.metric, -1) for each in own), default=-1),
                slow_lines=self._slow_lines,
                thinner=thinner,
                keep_open=keep_open and not file,
                # A file in the job's directory may hold what earlier attempts wrote.
                counted_before=None if file else counted_before,
            )

    @property
    def size(self) -> int:
        """The number of bytes read."""
        return sum(tail.size for tail in self._tails.values())

    def pop_matches(self) -> list[LogMatch]:
        """Return the matches of log rules since the last call."""
        return self._tails[""].pop_matches()

    @property
    def log_size(self) -> int:
        """The number of bytes read of the log."""
        return self._tails[""].size

    @property
    def unread(self) -> int:
        """The bytes that were there at the last read, and that were not read."""
        return sum(tail.unread for tail in self._tails.values())

    def read(
        self, *, final: bool = False, may_go_on: Callable[[], bool] = lambda: True
    ) -> list[Observation]:
        """Return the new observations; `final` when the attempt has ended.

        Of each file one block is read, and more while `may_go_on` says so.
        """
        tails = self._tails.values()
        found = [each for tail in tails for each in tail.read(final=final, may_go_on=may_go_on)]
        if final and not self.unread and self.thinner is not None:
            found += self.thinner.finish()
        return found

    def close(self) -> None:
        """Close what is kept open."""
        self._tails[""].close()

    def pop_notes(self) -> list[str]:
        """Return new notes for the user about what was not read, or not kept."""
        notes = [
            f"{file or 'the output'} has lines of more than {MAX_LINE_BYTES // 1024} KiB;"
            " only that much of each is searched"
            for file, tail in self._tails.items()
            if tail.cut_lines
        ]
        for metric, lines in self._slow_lines.items():
            notes.append(
                f"searching a line for '{metric}' took more than {SEARCH_SECONDS} s, so it was"
                " skipped: its regex backtracks"
            )
            if lines >= MAX_SLOW_LINES:
                notes.append(f"'{metric}' is no longer searched for, after {lines} such lines")
        if harm := self._tails[""].harm:
            notes.append(f"its output.log {harm}")
        if self.thinner is not None:
            notes += self.thinner.notes
        fresh = [note for note in notes if note not in self._noted]
        self._noted.update(fresh)
        return fresh
