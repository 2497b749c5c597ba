"""What somebody else may have put into the directory of a tuning job."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

BOMB = "[" * 200_000


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def link_to_zero(path: Path) -> None:
    path.symlink_to("/dev/zero")


def link_to_itself(path: Path) -> None:
    path.symlink_to(path)


NO_FILES = [make_pipe, link_to_zero, link_to_itself, Path.mkdir]


def change(journal: Path, *statements: str) -> None:
    with closing(sqlite3.connect(journal)) as connection:
        for each in statements:
            connection.execute(each)
        connection.commit()
