"""What disks, crashes and people do to the files of a tuning job, drawn from a seed."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

Harm: TypeAlias = Callable[[random.Random, Path], None]
TABLES = ("event", "observation", "judgement")
HEADER_BYTES = 100


def flip_bytes(rng: random.Random, path: Path) -> None:
    data = bytearray(path.read_bytes())
    end = HEADER_BYTES if rng.random() < 0.2 else len(data)
    for _ in range(rng.choice([1, 1, 5, 50, 500])):
        if data:
            data[rng.randrange(min(end, len(data)))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)


def truncate(rng: random.Random, path: Path) -> None:
    size = path.stat().st_size
    os.truncate(path, rng.choice([0, rng.randrange(size + 1), size // 4096 // 2 * 4096, size * 2]))


def zero_pages(rng: random.Random, path: Path) -> None:
    data = bytearray(path.read_bytes())
    for _ in range(rng.choice([1, 1, 3])):
        begin = rng.randrange(len(data) // 4096 + 1) * 4096
        data[begin : begin + 4096] = bytes(len(data[begin : begin + 4096]))
    path.write_bytes(data)


def overwrite(rng: random.Random, path: Path) -> None:
    """A part of the file is another part of it, or noise."""
    data = bytearray(path.read_bytes())
    begin, length = rng.randrange(len(data) + 1), rng.randrange(1, 6000)
    source = rng.randrange(len(data) + 1)
    piece = data[source : source + length] if rng.random() < 0.5 else rng.randbytes(length)
    data[begin : begin + len(piece)] = piece
    path.write_bytes(data)


def replace_file(rng: random.Random, path: Path) -> None:
    """It is no file any more, or another one."""
    path.unlink()
    kind = rng.randrange(6)
    if kind == 0:
        path.mkdir()
    elif kind == 1:
        path.symlink_to(path)
    elif kind == 2:
        path.symlink_to("/nowhere/at/all")
    elif kind == 3:
        path.write_bytes(rng.choice([b"", b"SQLite format 3\x00", b"\x00" * 9000, b"{}\n" * 99]))
    elif kind == 4:
        with contextlib.closing(sqlite3.connect(path)) as other, other:
            other.execute("CREATE TABLE event (seq, something)")


def change_rows(rng: random.Random, path: Path) -> None:
    """What a person at a sqlite3 prompt can do."""
    table = rng.choice(TABLES)
    columns = {
        "event": ["seq", "at", "type", "job", "body"],
        "observation": ["job", "attempt", "metric", "offset", "step", "value", "seq", "at"],
        "judgement": ["job", "attempt", "step", "stop", "reason", "evidence", "seq", "at"],
    }[table]
    column = rng.choice(columns)
    where = rng.choice(["1", f"seq * {rng.randrange(1, 99)} % {rng.choice([2, 7, 11])} = 0"])
    values = ["'{'", "'{}'", "'[]'", "'null'", "x'00ff'", "x'ed'", "-1", "0", "1", "NULL", "9e999"]
    values += ["-9e999", "1e300", "'9e999'", "char(27) || '[31m'", "-9223372036854775808"]
    values += ["9223372036854775807", "'JobExited'", "'JobPlanned'", "'nothing'", "'\x00'", "1.5"]
    values += [f"replace({column}, '1', '2')", f"replace({column}, '\"', '')", "'TunerStarted'"]
    values += [f"substr({column}, 1, 20)", f"'[' || {column} || ']'", f"{column} || {column}"]
    values += [f"replace({column}, ':0', ':\"x\"')", f"replace({column}, 'null', '[]')"]
    statement = rng.choice(
        [
            f"DROP TABLE {table}",
            "DROP VIEW training_job",
            f"DELETE FROM {table} WHERE {where}",
            *[f"UPDATE OR IGNORE {table} SET {column} = {rng.choice(values)} WHERE {where}"] * 6,
            f"ALTER TABLE {table} RENAME COLUMN {column} TO other",
            f"PRAGMA user_version = {rng.choice([0, -1, 1, 5, 99, 2**31 - 1])}",
            "PRAGMA journal_mode = WAL",
            "PRAGMA encoding = 'UTF-16'",
        ]
    )
    with (
        contextlib.suppress(sqlite3.Error),
        contextlib.closing(sqlite3.connect(path)) as connection,
        connection,
    ):
        connection.execute(statement)


def leave_files_beside(rng: random.Random, path: Path) -> None:
    """What sqlite keeps beside a database: not of this one, or cut."""
    name = rng.choice(["-journal", "-wal", "-shm"])
    piece = rng.choice([path.read_bytes(), rng.randbytes(5000), b"", bytes(512)])
    path.with_name(path.name + name).write_bytes(piece[: rng.choice([32, 513, 5000, None])])


def die_while_writing(rng: random.Random, path: Path) -> None:
    """A tuner, or its machine, went down in the middle of a write; and the disk lost some of it."""
    copies = path.with_name("copy"), path.with_name("copy-journal")
    with (
        contextlib.suppress(sqlite3.Error),
        contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection,
    ):
        connection.execute("PRAGMA cache_size = 1")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE event SET body = body || ' '")
        connection.execute("INSERT INTO event SELECT seq + 9999, at, type, job, body FROM event")
        shutil.copy(path, copies[0])
        shutil.copy(f"{path}-journal", copies[1])
    if not copies[1].exists():
        return
    copies[0].replace(path)
    rollback = copies[1].replace(f"{path}-journal")
    kind = rng.randrange(4)
    if kind == 0:
        os.truncate(rollback, rng.randrange(rollback.stat().st_size + 1))
    elif kind == 1:
        flip_bytes(rng, rollback)
    elif kind == 2:
        rollback.unlink()


def harm_small_files(rng: random.Random, path: Path) -> None:
    """The files beside the journal."""
    target = path.with_name(
        rng.choice(["spec.yaml", "source", "lock", "requests", "notify.log", "tuner.log"])
    )
    if target.is_dir():
        shutil.rmtree(target)
    else:
        target.unlink(missing_ok=True)
    kind = rng.randrange(4)
    if kind == 0:
        target.mkdir()
        (target / "1-1.json").write_bytes(rng.randbytes(9))
    elif kind == 1:
        target.write_bytes(rng.choice([b"", b"\xff\xfe", b"\x00", b"{}", b"[1]", b"name: ["]))
    elif kind == 2:
        target.symlink_to(target)


def harm_logs(rng: random.Random, path: Path) -> None:
    """The files of some training jobs."""
    files = sorted(each for each in (path.parent / "jobs").rglob("*") if each.is_file())
    for _ in range(rng.choice([1, 1, 4])):
        each = rng.choice(files)
        if not each.is_file():
            continue
        kind = rng.randrange(8)
        if kind == 0:
            each.write_bytes(rng.randbytes(3000))
        elif kind == 1:
            each.write_bytes(bytes(5000) + each.read_bytes())
        elif kind == 2:
            each.write_bytes(b"loss=1" * 200_000 + b"\n" + each.read_bytes())
        elif kind == 3:
            with each.open("ab") as file:
                file.truncate(file.tell() + 10_000_000)
        elif kind == 4:
            each.unlink()
            each.mkdir()
        elif kind == 5:
            truncate(rng, each)
        elif kind == 6:
            shutil.rmtree(each.parent)
        else:
            each.unlink()


HARMS: list[Harm] = [
    *(flip_bytes, truncate, zero_pages, overwrite, replace_file, leave_files_beside),
    *([change_rows] * 4),
    *(die_while_writing, harm_small_files, harm_logs),
]


def do_harm(rng: random.Random, journal: Path) -> list[str]:
    """Damage a tuning job in one way, or in some; their names."""
    done = []
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        harm = rng.choice(HARMS)
        if journal.is_file():
            harm(rng, journal)
            done.append(harm.__name__)
    return done
