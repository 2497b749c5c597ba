"""Journals damaged at random: opened with a clear error, or repaired."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path

import pytest

from hpt_cli.errors import HptError
from hpt_cli.storage.journal import open_journal
from hpt_cli.tuning.summary import summarize
from tests.acceptance.conftest import Terminal

FROZEN = Path(__file__).parents[1] / "journals" / "schema-3.sqlite"


def damage(data: bytes, rng: random.Random) -> bytes:
    spoiled = bytearray(data)
    kind = rng.randrange(3)
    if kind == 0:
        for _ in range(rng.randrange(1, 20)):
            spoiled[rng.randrange(len(spoiled))] = rng.randrange(256)
    elif kind == 1:
        del spoiled[rng.randrange(len(spoiled)) :]
    else:
        begin = rng.randrange(len(spoiled))
        length = rng.randrange(1, 5000)
        spoiled[begin : begin + length] = bytes(len(spoiled[begin : begin + length]))
    return bytes(spoiled)


def test_a_damaged_journal_is_read_or_refused(tmp_path: Path) -> None:
    data, refused = FROZEN.read_bytes(), 0
    for seed in range(400):
        path = tmp_path / f"{seed}.sqlite"
        path.write_bytes(damage(data, random.Random(seed)))
        try:
            with open_journal(path) as journal:
                state = journal.state()
            if state.spec:
                summarize(state, 0.0, at_work=False)
        except HptError:
            refused += 1
    assert refused > 50


@pytest.mark.parametrize("way", ["rows", "page", "all"])
def test_the_doctor_repairs_a_journal_from_the_logs(terminal: Terminal, way: str) -> None:
    terminal.hpt("run", terminal.write_spec())
    whole = terminal.json("jobs", "t", "--curves")
    path = terminal.directory / ".hpt" / "t" / "journal.sqlite"
    assert "the journal is intact, 4 training jobs" in terminal.hpt("doctor", "t")
    if way == "rows":
        connection = sqlite3.connect(path)
        with connection:
            connection.execute("DELETE FROM observation WHERE job = 2")
            connection.execute("UPDATE event SET body = '{' WHERE type = 'JobExited' AND job = 3")
        connection.close()
    elif way == "page":
        data = bytearray(path.read_bytes())
        data[len(data) - 4096 :] = bytes(4096)
        path.write_bytes(data[: len(data) - 5000])
    else:
        path.write_bytes(b"not a journal" * 1000)
    text = terminal.hpt("show", "t", code=1)
    assert "error[journal-damaged]" in text
    assert "hpt doctor t --repair" in text
    assert "repaired;" in terminal.hpt("doctor", "t", "--repair")
    terminal.hpt("resume", "t")
    assert [
        (row["training_job_number"], row["hyperparameters"], row["curve"])
        for row in terminal.json("jobs", "t", "--curves")
    ] == [(row["training_job_number"], row["hyperparameters"], row["curve"]) for row in whole]
    assert list(path.parent.glob("journal.damaged-*"))
