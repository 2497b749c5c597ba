"""What a journal holds after a power loss, from a trace of every write to its files."""

from __future__ import annotations

import contextlib
import random
import sqlite3
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hpt_cli.storage.journal import open_journal


@dataclass(frozen=True)
class Change:
    """One change to a file; its kind is w (written), t (truncated) or s (synced)."""

    kind: str
    name: str
    offset: int
    data: bytes

    def cut(self, length: int) -> Change:
        """Return the same write, of which only the beginning came to the disk."""
        return Change(self.kind, self.name, self.offset, self.data[:length])


def read_trace(path: Path) -> list[Change]:
    """Return the changes to the journal, in order."""
    data, at, changes = path.read_bytes(), 0, []
    while at < len(data):
        kind, name_length, offset, length = struct.unpack_from("=4q", data, at)
        at += 32
        name = Path(data[at : at + name_length].decode()).name
        at += name_length
        changes.append(
            Change(
                chr(kind),
                name.replace("journal.new", "journal.first"),
                offset,
                data[at : at + length],
            )
        )
        at += length
    return changes


def apply_changes(changes: list[Change], directory: Path) -> Path:
    """Write the files that changes make to a directory, and return it.

    The journal begins as a copy of `journal.new`.
    """
    files: dict[str, bytearray] = {}
    for each in changes:
        if each.name == "journal.sqlite" and each.name not in files:
            files[each.name] = bytearray(files["journal.first"])
        content = files.setdefault(each.name, bytearray())
        if each.kind == "t":
            del content[each.offset :]
            content.extend(b"\0" * (each.offset - len(content)))
        elif each.kind == "w":
            content.extend(b"\0" * (each.offset - len(content)))
            content[each.offset : each.offset + len(each.data)] = each.data
    if "journal.sqlite" not in files:
        files["journal.sqlite"] = files["journal.first"]
    directory.mkdir(exist_ok=True)
    for name in ("journal.sqlite", "journal.sqlite-journal"):
        (directory / name).write_bytes(files.get(name, b""))
    return directory


def drop_unsynced(changes: list[Change], rng: random.Random) -> Iterator[Change]:
    """Yield the same changes, but for some that no sync has followed."""
    synced: dict[str, int] = {}
    for index, each in enumerate(changes):
        if each.kind == "s":
            synced[each.name] = index
    for index, each in enumerate(changes):
        if each.name == "journal.first" or index <= synced.get(each.name, -1) or rng.random() < 0.5:
            yield each


def count_synced(changes: list[Change], directory: Path) -> int:
    """Return how many rows were committed before the last sync of the journal itself."""
    ends = [
        i for i, each in enumerate(changes) if each.kind == "s" and each.name == "journal.sqlite"
    ]
    return count_events(apply_changes(changes[: ends[-1]], directory)) if ends else 0


def count_events(directory: Path) -> int:
    """Return how many rows a journal has, after folding it."""
    with open_journal(directory / "journal.sqlite") as journal:
        journal.state()
    with contextlib.closing(sqlite3.connect(directory / "journal.sqlite")) as connection:
        tables = ("event", "observation", "judgement")
        return sum(connection.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in tables)
