"""A directory that somebody else made: its links, pipes and devices, and whose it is."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hpt_cli.errors import HptError
from hpt_cli.storage import ownership
from hpt_cli.storage.home import find_job_dir, list_job_dirs, make_job_dir
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.storage.known_homes import find_record, remember_home
from hpt_cli.storage.lock import find_lock_holder, hold_lock
from hpt_cli.storage.mailbox import pop_requests, send_request
from tests.untrusted import BOMB, NO_FILES, link_to_zero, make_pipe

pytestmark = pytest.mark.usefixtures("in_time")


def test_the_lock_is_not_written_through_a_link(handed_over: JobDir, tmp_path: Path) -> None:
    precious = tmp_path / "precious.txt"
    precious.write_text("precious")
    (handed_over.path / "lock").symlink_to(precious)
    with pytest.raises(OSError, match="symbolic links"), hold_lock(handed_over):
        pass
    assert precious.read_text() == "precious"


@pytest.mark.parametrize("make", NO_FILES)
def test_a_lock_that_is_no_file_is_not_waited_for(
    handed_over: JobDir, make: Callable[[Path], None]
) -> None:
    make(handed_over.path / "lock")
    assert find_lock_holder(handed_over) in (None, {})


def test_requests_are_not_taken_from_behind_a_link(handed_over: JobDir, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "package.json").write_text("{}")
    (handed_over.path / "requests").rmdir()
    (handed_over.path / "requests").symlink_to(project)
    with pytest.raises(HptError, match="symbolic link"):
        pop_requests(handed_over)
    with pytest.raises(HptError, match="symbolic link"):
        send_request(handed_over, {"stop_jobs": None})
    assert [each.name for each in project.iterdir()] == ["package.json"]


def test_what_is_no_request_is_passed_over(handed_over: JobDir) -> None:
    requests = handed_over.path / "requests"
    make_pipe(requests / "1.json")
    link_to_zero(requests / "2.json")
    (requests / "3.json").mkdir()
    (requests / "4.json").write_text(BOMB)
    (requests / "5.json").write_bytes(b"\xff")
    (requests / "6.json").write_text("[1]")
    send_request(handed_over, {"stop_jobs": [1]})
    assert pop_requests(handed_over) == [{"stop_jobs": [1]}]
    assert pop_requests(handed_over) == []


@pytest.mark.parametrize("part", [".", "requests", "jobs"])
def test_a_new_tuning_job_is_not_made_behind_links(tmp_path: Path, part: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    home = tmp_path / "home"
    path = home / "t" / part
    path.parent.mkdir(parents=True)
    path.symlink_to(elsewhere)
    with pytest.raises(HptError, match="symbolic link"):
        make_job_dir(home, "t")
    assert list(elsewhere.iterdir()) == []


def test_a_directory_that_was_open_to_others_is_closed(tmp_path: Path) -> None:
    open_to_all = tmp_path / "t"
    (open_to_all / "requests").mkdir(parents=True)
    for path in (open_to_all, open_to_all / "requests"):
        path.chmod(0o777)
    made = make_job_dir(tmp_path, "t")
    for path in (made.path, made.path / "requests", made.path / "jobs"):
        assert path.stat().st_mode & 0o777 == 0o700


def test_another_user_cannot_say_what_is_run(
    handed_over: JobDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = handed_over.path.stat().st_uid
    monkeypatch.setattr(ownership.os, "geteuid", lambda: owner + 1)
    monkeypatch.setattr(ownership, "_find_own_id", lambda _: owner + 1)
    with pytest.raises(HptError, match="belongs to another user"), hold_lock(handed_over):
        pass
    with pytest.raises(HptError, match="belongs to another user"):
        make_job_dir(handed_over.path.parent, "t")
    # A file system that gives all that this user makes to somebody else.
    monkeypatch.setattr(ownership, "_find_own_id", lambda _: owner)
    with hold_lock(handed_over):
        assert json.loads((handed_over.path / "lock").read_text())["pid"] == os.getpid()


def test_the_list_of_homes_is_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    before = os.umask(0)
    try:
        remember_home(tmp_path / "home")
    finally:
        os.umask(before)
    assert find_record().stat().st_mode & 0o777 == 0o600


def test_what_may_not_be_looked_at_hides_nothing_else(
    handed_over: JobDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = make_job_dir(handed_over.path.parent, "private")
    see = os.stat

    def refuse(path: Any, *arguments: Any, **options: Any) -> os.stat_result:
        if str(path).startswith(f"{private.path}/"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return see(path, *arguments, **options)

    monkeypatch.setattr(os, "stat", refuse)
    assert [each.name for each in list_job_dirs(handed_over.path.parent)] == ["private", "t"]
    assert private.created_at == 0
    assert find_job_dir(handed_over.path.parent, "@last").name == "t"
