"""One home in several places: copied, moved, and seen from another machine."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

from tests.acceptance.conftest import Terminal, wait_until
from tests.acceptance.test_interrupt import check_complete


def count_epochs(log: Path) -> int:
    return log.read_text().count("epoch=") if log.exists() else 0


def test_a_copy_runs_again_what_the_original_goes_on_with(terminal: Terminal) -> None:
    run = terminal.start("run", terminal.write_spec(options="--seconds 1.5", max_jobs=2))
    terminal.wait_for_log("t", 2, "epoch=1")
    original, copy = terminal.directory / ".hpt", terminal.directory / "copy"
    shutil.copytree(original, copy)
    resumed = terminal.start("resume", "t", "--home", "copy", "--plain")
    wait_until((copy / "t/jobs/0002/a2").exists, "the copy's own attempt")
    terminal.hpt("stop", "t", "--home", "copy")
    _, err = resumed.communicate(timeout=60)
    assert f"runs it for {original / 't/jobs/0001/a1'}, of which this directory is a copy" in err
    assert run.wait(60) == 0
    rows = check_complete(terminal, "t", jobs=2, epochs=4)
    assert {row["attempts"] for row in rows} == {1}
    rows = terminal.json("jobs", "t", "--home", "copy")
    assert {row["training_job_status"] for row in rows} == {"Stopped"}


def test_a_home_that_was_moved_keeps_its_jobs(terminal: Terminal) -> None:
    spec = terminal.write_spec(options="--seconds 1 --epochs 3", max_jobs=2)
    run = terminal.start("run", spec)
    terminal.wait_for_log("t", 2, "epoch=1")
    run.kill()
    run.wait()
    moved = (terminal.directory / ".hpt").rename(terminal.directory / "moved")
    terminal.hpt("resume", "t", "--home", "moved")
    moved.rename(terminal.directory / ".hpt")
    rows = terminal.json("jobs", "t")
    assert {row["training_job_status"] for row in rows} == {"Completed"}
    # What the program wrote after the move went to files that it could not find, but its output
    # and its end are there.
    assert [(row["attempts"], row["epochs"]) for row in rows] == [(1, 3), (1, 3)]
    assert terminal.find_processes() == []


def test_jobs_that_run_on_another_machine_are_not_run_again(terminal: Terminal) -> None:
    run = terminal.start("run", terminal.write_spec(options="--epochs 1000"))
    terminal.wait_for_log("t", 2, "epoch=1")
    journal = sqlite3.connect(terminal.directory / ".hpt/t/journal.sqlite")
    launched = "SELECT count(*) FROM event WHERE type = 'JobLaunched'"
    wait_until(lambda: journal.execute(launched).fetchone() == (2,), "both launches")
    run.kill()
    run.wait()
    changed = "json_set(body, '$.handle.host', 'far', '$.handle.identity', 'boot:1')"
    with journal:
        journal.execute(f"UPDATE event SET body = {changed} WHERE type = 'JobLaunched'")
    journal.close()
    before = {process.pid for process in terminal.find_processes()}
    for command in ("resume", "stop"):
        text = terminal.hpt(command, "t", code=1)
        assert "error[running-elsewhere]" in text
        assert "training jobs of t are still running on far: 1, 2" in text
    assert {process.pid for process in terminal.find_processes()} == before
    for process in terminal.find_processes():
        process.kill()
    assert "looking whether training jobs still run on far" in terminal.hpt("stop", "t")
    rows = terminal.json("jobs", "t")
    assert {row["training_job_status"] for row in rows} == {"Stopped"}


class Project:
    """A directory with a spec and a script, both named by relative paths, of which half has run."""

    def __init__(self, terminal: Terminal, home: str = ".hpt") -> None:
        self.root, self.terminal, self.home = terminal.directory, terminal, home
        self.path = self.root / "project"
        (self.path / "sub").mkdir(parents=True)
        (self.path / "sub/train.sh").write_text('pwd >> ran; echo "epoch=1 loss=$1"\n')
        terminal.directory = self.path
        spec = terminal.write_spec(
            command="sh train.sh {x}", working_directory="sub", max_jobs=2, max_parallel_jobs=1
        )
        terminal.hpt("run", spec, "--home", home)

    def go_on(self, place: Path, home: str | None = None) -> str:
        """Resume it in a place for two more training jobs; what it prints."""
        self.terminal.directory = place
        options = ("t", "--home", home or self.home)
        self.terminal.hpt("update", *options, "--max-jobs", "4")
        text = self.terminal.hpt("resume", *options)
        assert self.terminal.json("show", *options)["training_job_status_counters"] == {
            "completed": 4,
            "in_progress": 0,
            "stopped": 0,
            "failed": 0,
        }
        return text

    @staticmethod
    def list_runs(path: Path) -> list[str]:
        """The directories that its training jobs ran in."""
        return (path / "sub/ran").read_text().splitlines()


def test_a_project_that_was_moved_goes_on_where_it_is(terminal: Terminal) -> None:
    project = Project(terminal)
    moved = project.path.rename(project.root / "moved")
    (moved / "t.yaml").write_text((moved / "t.yaml").read_text() + "description: changed\n")
    text = project.go_on(moved)
    assert f"t was started in {project.path}, and continues in {moved}" in text
    assert f"{moved / 't.yaml'} has changed since" in text
    assert project.list_runs(moved) == [f"{project.path}/sub"] * 2 + [f"{moved}/sub"] * 2
    assert str(moved / ".hpt") in str(terminal.json("list", "--all-homes"))


def test_a_spec_beside_a_project_that_was_moved_is_still_known(terminal: Terminal) -> None:
    spec = terminal.write_spec(max_jobs=1)
    project, root = terminal.directory / "project", terminal.directory
    project.mkdir()
    terminal.directory = project
    terminal.hpt("run", f"../{spec}")
    (root / "deep").mkdir()
    terminal.directory = project.rename(root / "deep/moved")
    (root / spec).write_text((root / spec).read_text() + "description: changed\n")
    terminal.hpt("update", "t", "--max-jobs", "2")
    assert f"{root / spec} has changed since" in terminal.hpt("resume", "t")


def test_a_project_may_be_resumed_from_outside(terminal: Terminal) -> None:
    project = Project(terminal)
    moved = project.path.rename(project.root / "moved")
    project.go_on(project.root, "moved/.hpt")
    assert project.list_runs(moved)[2:] == [f"{moved}/sub"] * 2


def test_a_copy_of_a_project_leaves_the_original_alone(terminal: Terminal) -> None:
    project = Project(terminal)
    copy = Path(shutil.copytree(project.path, project.root / "copy"))
    project.go_on(copy)
    assert project.list_runs(project.path) == [f"{project.path}/sub"] * 2
    assert project.list_runs(copy)[2:] == [f"{copy}/sub"] * 2
    assert "continues in" not in project.go_on(project.path)


def test_a_copy_of_the_home_alone_goes_on_in_the_project(terminal: Terminal) -> None:
    project = Project(terminal)
    backup = Path(shutil.copytree(project.path / ".hpt", project.root / "backup/.hpt"))
    project.go_on(project.root, str(backup))
    assert project.list_runs(project.path) == [f"{project.path}/sub"] * 4


def test_a_project_whose_home_is_elsewhere_goes_on_where_one_is(terminal: Terminal) -> None:
    project = Project(terminal, home=str(terminal.directory / "home"))
    moved = project.path.rename(project.root / "moved")
    terminal.directory = project.root
    terminal.hpt("update", "t", "--home", project.home, "--max-jobs", "4")
    text = terminal.hpt("resume", "t", "--home", project.home, code=2)
    assert f"working_directory {project.path}/sub is not a directory" in text
    assert "if the project was moved, resume where it is now" in text
    terminal.directory = moved
    terminal.hpt("resume", "t", "--home", project.home)
    assert project.list_runs(moved)[2:] == [f"{moved}/sub"] * 2


def test_a_project_behind_a_link_goes_on(terminal: Terminal) -> None:
    project = Project(terminal)
    link = project.root / "link"
    link.symlink_to(project.path)
    assert "continues in" not in project.go_on(link)
    assert project.list_runs(project.path) == [f"{project.path}/sub"] * 4
