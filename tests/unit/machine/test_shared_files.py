"""Files that several training jobs change, told from those of one job and of others."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hpt_cli.machine.shared_files import MAX_ENTRIES, SharedFiles
from hpt_cli.tuning.state import TuningState
from tests import builders as b

# Jobs 1 and 2 run side by side, and then 3 and 4: number, from when, to when.
TIMES = ((1, 10, 20), (2, 12, 30), (3, 21, 40), (4, 31, 50))


@pytest.fixture
def shared(tmp_path: Path) -> SharedFiles:
    return SharedFiles(tmp_path, tmp_path / "home", ThreadPoolExecutor(1))


def make_state(now: int) -> TuningState:
    events = []
    for number, since, until in TIMES:
        if since <= now:
            events += [*b.suggested(number), *b.launched(number, at=since)]
            events += [b.exited(number, at=until)] if until <= now else []
    return b.fold_all(*b.created(b.make_spec()), *events)


def change(path: Path, at: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.utime(path, (at, at))


def look(shared: SharedFiles, path: Path, *moments: int) -> list[str]:
    found = []
    for at in moments:
        change(path, at)
        found += shared.look(make_state(at + 1))
    return found


def test_two_jobs_that_change_a_file_share_it(shared: SharedFiles, tmp_path: Path) -> None:
    path = tmp_path / "checkpoints/last.pt"
    change(path, 5)  # of yesterday
    assert look(shared, path, 13, 29) == []
    assert look(shared, path, 45) == ["checkpoints/last.pt"]


@pytest.mark.parametrize(
    ("name", "moments"),
    [
        ("model.pt", (13, 19, 25)),  # each time job 2 ran
        ("model.pt", (11, 20)),
        ("output", (11, 55, 45)),  # it changed when none ran
        ("train.py", (11, 45)),
        ("hpt.log", (11, 45)),
        ("report.html", (11, 45)),
        (".cache/model.pt", (11, 45)),
        ("home/t/jobs/0001/model.pt", (11, 45)),
        ("a/b/c/d/model.pt", (11, 45)),
    ],
)
def test_others_are_not_said_to_be_shared(
    shared: SharedFiles, tmp_path: Path, name: str, moments: tuple[int, ...]
) -> None:
    assert look(shared, tmp_path / name, *moments) == []


def test_a_file_that_is_open_in_this_session_is_not_of_jobs(
    shared: SharedFiles, tmp_path: Path
) -> None:
    with (tmp_path / "output.txt").open("w"):
        assert look(shared, tmp_path / "output.txt", 11, 45) == []


def test_a_large_tree_is_not_searched_for_long(shared: SharedFiles, tmp_path: Path) -> None:
    many = tmp_path / "data"
    many.mkdir()
    for number in range(MAX_ENTRIES):
        (many / f"{number}.png").touch()
    assert look(shared, tmp_path / "model.pt", 11, 45) == ["model.pt"]
    assert look(shared, many / "deeper/model.pt", 11, 45) == []


def test_it_is_looked_in_a_thread_after_each_end(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as threads:
        shared = SharedFiles(tmp_path, tmp_path / "home", threads)
        change(tmp_path / "model.pt", 11)
        assert shared.pop(make_state(15)) == [], "none has ended"
        assert shared.pop(make_state(25)) == []
        threads.submit(int).result()  # the look before it is over
        change(tmp_path / "model.pt", 44)
        assert shared.pop(make_state(25)) == [], "nothing that it would be looked at for"
        assert shared.pop(make_state(45)) == []
        threads.submit(int).result()
        assert shared.pop(make_state(45)) == ["model.pt"]
