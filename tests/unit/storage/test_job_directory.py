"""Directories, locks and requests on a real file system."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import pytest

from hpt_cli.errors import HptError, UsageError
from hpt_cli.storage.home import find_home, find_job_dir, list_job_dirs, make_job_dir
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.storage.lock import find_lock_holder, hold_lock
from hpt_cli.storage.mailbox import pop_requests, send_request


def make(home: Path, name: str) -> JobDir:
    jobdir = make_job_dir(home, name)
    jobdir.journal.touch()
    return jobdir


def test_jobs_are_found_by_name_or_by_its_beginning(tmp_path: Path) -> None:
    for name in ("digits", "digits-off", "other"):
        make(tmp_path, name)
    assert find_job_dir(tmp_path, "digits").name == "digits"
    assert find_job_dir(tmp_path, "oth").name == "other"
    with pytest.raises(UsageError, match="could be any of"):
        find_job_dir(tmp_path, "dig")
    with pytest.raises(UsageError) as caught:
        find_job_dir(tmp_path, "digist")
    assert caught.value.problems[0].hint == "did you mean 'digits'?"


def test_the_last_is_the_newest_whatever_was_written_since(tmp_path: Path) -> None:
    for place, name in enumerate(("new", "old")):
        jobdir = make(tmp_path, name)
        jobdir.spec.touch()
        os.utime(jobdir.spec, (1000 - place, 1000 - place))
    assert find_job_dir(tmp_path, "@last").name == "new"


@pytest.mark.parametrize("name", ["../x", "/etc", "", ".", "a/b", "x\0y", "y" * 500])
def test_names_cannot_climb_out_of_the_home(tmp_path: Path, name: str) -> None:
    make(tmp_path / "home", "inside")
    make(tmp_path, "x")
    with pytest.raises(UsageError):
        find_job_dir(tmp_path / "home", name)


def test_other_folders_are_no_tuning_jobs(tmp_path: Path) -> None:
    make(tmp_path, "real")
    (tmp_path / "empty").mkdir()
    (tmp_path / ".hidden").mkdir()
    assert [each.name for each in list_job_dirs(tmp_path)] == ["real"]
    assert list_job_dirs(tmp_path / "none") == []


def test_files_are_private(tmp_path: Path) -> None:
    assert make_job_dir(tmp_path / "home", "x").path.stat().st_mode & 0o077 == 0


def _hold(path: Path, ready: multiprocessing.synchronize.Event) -> None:
    with hold_lock(JobDir(path)):
        ready.set()
        multiprocessing.Event().wait(30)


def test_the_lock_has_one_holder_and_says_who(tmp_path: Path) -> None:
    jobdir = make(tmp_path, "x")
    assert find_lock_holder(jobdir) is None
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    other = context.Process(target=_hold, args=(jobdir.path, ready))
    other.start()
    assert ready.wait(30)
    holder = find_lock_holder(jobdir)
    assert holder is not None
    assert holder["pid"] == other.pid
    with pytest.raises(HptError, match=f"process {other.pid}"), hold_lock(jobdir):
        pass
    other.kill()
    other.join()
    assert find_lock_holder(jobdir) is None
    with hold_lock(jobdir):
        holder = find_lock_holder(jobdir)
        assert holder is not None
        assert holder["pid"] == os.getpid()


def test_requests_are_taken_once_in_order(tmp_path: Path) -> None:
    jobdir = make(tmp_path, "x")
    send_request(jobdir, {"n": 1})
    send_request(jobdir, {"n": 2})
    (jobdir.path / "requests" / "junk.json").write_text("{")
    assert pop_requests(jobdir) == [{"n": 1}, {"n": 2}]
    assert pop_requests(jobdir) == []


def test_the_home_is_the_option_or_the_variable_or_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HPT_HOME", raising=False)
    assert find_home(None) == Path(".hpt")
    monkeypatch.setenv("HPT_HOME", "/var/hpt")
    assert find_home(None) == Path("/var/hpt")
    assert find_home(tmp_path) == tmp_path
