"""Whether the journal that a tuner has open is still the one at its path."""

from __future__ import annotations

import os
import time
from pathlib import Path

from hpt_cli.errors import HptError

MOVED_SECONDS = 10.0
"""How long the directory may be away: it may be mounted again, or moved back."""


class JournalPlace:
    """The place of an open journal. Use it in a `with` block."""

    def __init__(self, path: Path) -> None:
        self._path = path
        # Open, it is found wherever it is moved to. The file itself must not be opened here: to
        # close it would give up SQLite's locks on it.
        self._directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._identity = _identify(path.stat())
        self._moved_at: float | None = None

    def __enter__(self) -> JournalPlace:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._directory)

    @property
    def is_away(self) -> bool:
        """Whether the directory was not there at the last look."""
        return self._moved_at is not None

    def check(self) -> None:
        """Look whether the journal is there; what cannot be looked at may well be.

        Raises:
            HptError: it was deleted or replaced, or its directory moved away some time ago.
        """
        try:
            found = _identify(self._path.stat())
        except (FileNotFoundError, NotADirectoryError):
            found = None
        except OSError:
            return
        if found == self._identity:
            self._moved_at = None
        elif found is not None:
            raise self._describe(
                "another file is in its place", "what was recorded since then is lost"
            )
        elif not self._is_in_directory():
            raise self._describe("it was deleted", "without it nothing can be resumed")
        else:
            self._moved_at = self._moved_at or time.monotonic()
            if time.monotonic() - self._moved_at >= MOVED_SECONDS:
                why = "its directory was moved, or is no longer mounted"
                raise self._describe(why, "it can be resumed where its directory is")

    def _is_in_directory(self) -> bool:
        try:
            status = os.stat(self._path.name, dir_fd=self._directory)
        except OSError:
            return False
        return _identify(status) == self._identity

    def _describe(self, why: str, then: str) -> HptError:
        return HptError.of(
            "journal-write",
            f"the journal {self._path} is gone: {why}",
            f"its training jobs have been stopped; {then}",
        )


def _identify(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
