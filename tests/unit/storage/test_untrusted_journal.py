"""A directory that somebody else made: what it cannot do to whoever looks at it or goes on."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import sqlite3
import struct
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from hpt_cli.cli import app as cli
from hpt_cli.cli.completion import complete_column, complete_job, complete_metric, complete_name
from hpt_cli.cli.liveness import find_live_jobs
from hpt_cli.cli.output import write_file
from hpt_cli.errors import HptError
from hpt_cli.executors.attempt_files import read_claim, read_exit
from hpt_cli.executors.slurm.client import run
from hpt_cli.logs import trimming as gaps
from hpt_cli.logs.tail import FileTail, read_lines, read_tail
from hpt_cli.logs.trimming import Gap, find_gap, make_gap, read_kept
from hpt_cli.metrics.extractors import compile_definition
from hpt_cli.metrics.reader import Bookmark
from hpt_cli.runtime.notify import Notifier
from hpt_cli.spec.model import Notify
from hpt_cli.storage import ownership
from hpt_cli.storage.connection import SUPER_JOURNAL
from hpt_cli.storage.home import make_job_dir
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.storage.journal import create_journal, open_journal
from hpt_cli.storage.known_homes import find_record, remember_home
from hpt_cli.storage.lock import find_lock_holder, hold_lock
from hpt_cli.storage.mailbox import pop_requests, send_request
from hpt_cli.storage.repair import salvage
from hpt_cli.tuning import events as ev
from tests.builders import launched, suggested
from tests.unit.storage.test_journal import FIRST, STORY

BOMB = "[" * 200_000
FINDERS = [compile_definition({"name": "loss", "regex": "loss=({num})"})]


@pytest.fixture(autouse=True)
def _in_time() -> Iterator[None]:
    """What is a pipe or a device must not be waited for."""

    def give_up(*_: object) -> None:
        raise TimeoutError("it waits for what never ends")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(30)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def handed_over(tmp_path: Path) -> JobDir:
    made = make_job_dir(tmp_path / "home", "t")
    create_journal(made.journal, FIRST, *STORY)
    return made


def read_all(path: Path) -> None:
    with open_journal(path) as journal:
        journal.creation()
        journal.state()


def change(journal: Path, *statements: str) -> None:
    with closing(sqlite3.connect(journal)) as connection:
        for each in statements:
            connection.execute(each)
        connection.commit()


# -- the journal ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        f"UPDATE event SET body = '{BOMB}' WHERE seq = 3",
        "UPDATE event SET body = '{}' WHERE seq = 1",
        "UPDATE event SET body = json_set(body, '$.spec.name', '../x') WHERE seq = 1",
        "UPDATE event SET body = json_set(body, '$.spec.name', char(27) || '[2J') WHERE seq = 1",
        "UPDATE event SET body = json_set(body, '$.spec.name', 7) WHERE seq = 1",
        *(
            f"UPDATE event SET body = json_set(body, '$.spec.{field}', json('{value}'))"
            " WHERE seq = 1"
            for field, value in [
                *(("command", "[7]"), ("command", "{}"), ("shell", "null"), ("description", "7")),
                *(("metric_definitions", "7"), ("metric_definitions", '[[""]]')),
                *(("metric_definitions[0].name", "null"), ("hyperparameter_ranges", "[]")),
                *(("static_hyperparameters", '{"x": []}'), ("objective_metric_name", "1.5")),
                *(("warm_start", "[1]"), ("warm_start", "{}"), ("early_stopping", "7")),
                *(("executor", "[]"), ("max_jobs", '"x"'), ("early_stopping_type", "1")),
            ]
        ),
        "UPDATE event SET body = json_set(body, '$.status', char(27)) WHERE body LIKE '%done%'",
        "UPDATE event SET body = json_set(body, '$.attempt', '1/../..') WHERE type = 'JobLaunched'",
        "UPDATE event SET job = 'x' WHERE job = 1",
        "UPDATE event SET at = 'x'",
        "UPDATE event SET body = '[]'",
        "DELETE FROM event",
    ],
)
def test_what_hpt_would_not_write_is_damage(handed_over: JobDir, statement: str) -> None:
    change(handed_over.journal, statement)
    with pytest.raises(HptError, match="damaged"):
        read_all(handed_over.journal)


@pytest.mark.parametrize("best", [{}, {"training_job_name": "x", "hyperparameters": {}}])
def test_a_best_job_of_a_parent_that_is_none_is_damage(
    handed_over: JobDir, best: dict[str, object]
) -> None:
    warm = ev.WarmStarted(at=1, parent="p", jobs=(), left_out=0, best=best)
    with open_journal(handed_over.journal, write=True) as journal:
        journal.append([warm])
    with pytest.raises(HptError, match="damaged"):
        read_all(handed_over.journal)


@pytest.mark.parametrize(
    "handle", [{"pid": 1}, {"pid": "x", "identity": 1, "directory": 7}, {"pid": 1e999}]
)
def test_a_handle_that_is_none_is_damage(tmp_path: Path, handle: dict[str, object]) -> None:
    made = make_job_dir(tmp_path, "t")
    launch = ev.JobLaunched(at=1, number=1, attempt=1, handle=handle)
    create_journal(made.journal, FIRST, *suggested(1), launched(1)[0], launch)
    with pytest.raises(HptError, match="damaged"):
        find_live_jobs(made)


def test_a_bomb_in_the_evidence_is_damage(handed_over: JobDir) -> None:
    change(
        handed_over.journal,
        f"INSERT INTO judgement VALUES (1, 1, 1, 0, 'why', '{BOMB}', 99, 1)",
    )
    with open_journal(handed_over.journal) as journal, pytest.raises(HptError, match="damaged"):
        journal.read_judgements(1)


def test_what_is_salvaged_goes_around_bombs(handed_over: JobDir) -> None:
    before = len(list(salvage(handed_over.journal)))
    change(handed_over.journal, f"UPDATE event SET body = '{BOMB}' WHERE seq = 3")
    assert len(list(salvage(handed_over.journal))) == before - 1


@pytest.mark.parametrize(
    "statements",
    [
        (
            "ALTER TABLE event RENAME TO real",
            "CREATE VIEW event AS SELECT * FROM real, (WITH RECURSIVE n(i) AS"
            " (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n WHERE i < 0)",
        ),
        ("CREATE TRIGGER t AFTER INSERT ON event BEGIN DELETE FROM observation; END",),
        ("DROP TABLE judgement",),
    ],
)
@pytest.mark.parametrize("write", [False, True])
def test_a_schema_that_computes_is_no_journal(
    handed_over: JobDir, statements: tuple[str, ...], write: bool
) -> None:
    change(handed_over.journal, *statements)
    with pytest.raises(HptError, match="damaged"):
        open_journal(handed_over.journal, write=write)


def leave_half_written(journal: Path, names: Path) -> None:
    """As a tuner that died while it wrote would leave it; the rollback journal names a file."""
    with closing(sqlite3.connect(journal, isolation_level=None)) as connection:
        connection.execute("PRAGMA cache_size = 1")
        connection.execute("BEGIN IMMEDIATE")
        rows = [(number, "y" * 500) for number in range(90, 900)]
        connection.executemany("INSERT INTO event VALUES (?, 1, 'x', NULL, ?)", rows)
        kept = Path(f"{journal}.kept")
        kept.write_bytes(journal.read_bytes())
        hot = Path(f"{journal}-journal").read_bytes()
    name = os.fsencode(names)
    hot += struct.pack(">I", 0x40000000 // 4096 + 1) + name
    hot += struct.pack(">II", len(name), sum(name)) + SUPER_JOURNAL
    kept.rename(journal)
    Path(f"{journal}-journal").write_bytes(hot)


@pytest.mark.parametrize("write", [False, True])
def test_rolling_back_removes_no_other_file(
    handed_over: JobDir, tmp_path: Path, write: bool
) -> None:
    precious = tmp_path / "precious.txt"
    precious.write_text("precious")
    leave_half_written(handed_over.journal, precious)
    with pytest.raises(HptError, match="names another file"):
        open_journal(handed_over.journal, write=write)
    with pytest.raises(HptError, match="names another file"):
        list(salvage(handed_over.journal))
    assert precious.exists()


# -- links, pipes and devices ---------------------------------------------------------------------


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def link_to_zero(path: Path) -> None:
    path.symlink_to("/dev/zero")


def link_to_itself(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize("make", [make_pipe, link_to_zero, link_to_itself, Path.mkdir])
def test_what_is_no_file_is_not_read(tmp_path: Path, make: Callable[[Path], None]) -> None:
    log = tmp_path / "output.log"
    for path in (log, log.with_suffix(".gap"), tmp_path / "exit", tmp_path / "launcher"):
        make(path)
    tail = FileTail(log, FINDERS, may_have_gap=True)
    assert tail.read() + tail.read(final=True) == []
    assert read_tail(log) == ()
    assert read_lines(log) == []
    assert find_gap(log) is None
    with pytest.raises(FileNotFoundError):
        list(read_kept(log))
    assert read_claim(tmp_path) is None
    assert read_exit(tmp_path, this_boot=True) is None


def test_no_hole_is_made_behind_a_link(tmp_path: Path) -> None:
    log, other = tmp_path / "output.log", tmp_path / "other"
    other.write_bytes(b"x" * 100_000)
    log.symlink_to(other)
    with pytest.raises(OSError, match="symbolic links"):
        make_gap(log, Gap(4096, 8192, 90_000, "", Bookmark(90_000, False, (), (), (), ())))
    assert other.read_bytes() == b"x" * 100_000
    assert find_gap(log) is None


@pytest.mark.parametrize("text", [BOMB, '{"begin": "x"}', '{"begin": 1e999}', "[]", "{}"])
def test_a_gap_that_hpt_did_not_write_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "output.gap").write_text(text)
    assert gaps.find_gap(tmp_path / "output.log") is None


def test_the_lock_is_not_written_through_a_link(handed_over: JobDir, tmp_path: Path) -> None:
    precious = tmp_path / "precious.txt"
    precious.write_text("precious")
    (handed_over.path / "lock").symlink_to(precious)
    with pytest.raises(OSError, match="symbolic links"), hold_lock(handed_over):
        pass
    assert precious.read_text() == "precious"


@pytest.mark.parametrize("make", [make_pipe, link_to_zero, link_to_itself, Path.mkdir])
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


# -- what hpt writes ------------------------------------------------------------------------------


def test_a_working_directory_that_is_no_text_is_recorded(tmp_path: Path) -> None:
    directory = os.fsdecode(b"/tmp/\xff")
    made = make_job_dir(tmp_path, "t")
    create_journal(made.journal, dataclasses.replace(FIRST, directory=directory))  # type: ignore[type-var]
    with open_journal(made.journal) as journal:
        assert journal.state().directory == directory


def test_what_is_written_beside_is_private(
    handed_over: JobDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    before = os.umask(0)
    try:
        remember_home(tmp_path / "home")
        notify = Notify(command="echo said")
        with (
            Notifier(notify, handed_over) as notifier,
            open_journal(handed_over.journal) as journal,
        ):
            state = dataclasses.replace(journal.state(), directory=str(tmp_path))
            notifier.show(state, STORY, 9.0)
    finally:
        os.umask(before)
    assert (handed_over.path / "notify.log").read_text() == "said\n"
    for path in (handed_over.path / "notify.log", find_record()):
        assert path.stat().st_mode & 0o777 == 0o600, path


def test_an_answer_is_not_written_through_a_link_to_nothing(tmp_path: Path) -> None:
    (tmp_path / "page.html").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(HptError, match="cannot be written"):
        write_file("page", tmp_path / "page.html", force=False)
    assert not (tmp_path / "elsewhere").exists()


def test_what_a_crash_leaves_can_be_passed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    url = "http://me:hunter2@host/x"
    monkeypatch.setattr("sys.argv", ["hpt", "export", "--mlflow", url, "\udcff"])

    def crash() -> None:
        raise RuntimeError(f"no such server: {url}\x1b[2J\udcff")

    monkeypatch.setattr(cli, "app", crash)
    with pytest.raises(SystemExit) as ending:
        cli.main()
    assert ending.value.code == 3
    (report,) = tmp_path.glob("hpt-crash-*.txt")
    said = capsys.readouterr().err
    assert "host/x" in said
    assert "\x1b" not in said
    assert "host/x" in report.read_text()
    assert "hunter2" not in said + report.read_text()
    assert report.stat().st_mode & 0o777 == 0o600


def test_a_script_for_a_cluster_has_the_bytes_of_its_paths(tmp_path: Path) -> None:
    path = os.fsdecode(b"cd /tmp/\xff\n")
    assert run(["od", "-An", "-tx1"], path).split() == [f"{each:02x}" for each in os.fsencode(path)]


def test_what_is_offered_on_tab_is_a_plain_word(
    handed_over: JobDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(complete: Callable[..., list[str]], **given: object) -> list[str]:
        params = {"home": handed_over.path.parent, "name": "t", **given}
        return complete(SimpleNamespace(params=params, args=[]), "")

    metrics = '[{"name": "$(touch pwned)"}, {"name": "a b"}, {"name": "loss"}]'
    ranges = '{"`x`": {}, "y": {}}'
    change(
        handed_over.journal,
        "UPDATE event SET body = json_set(body, '$.spec.metric_definitions', "
        f"json('{metrics}'), '$.spec.hyperparameter_ranges', json('{ranges}')) WHERE seq = 1",
    )
    for name in ("0001", "2;x", "3$(x)"):
        (handed_over.path / "jobs" / name).mkdir()
    assert ask(complete_metric) == ["loss"]
    assert {"y", "loss"} <= {*ask(complete_column)}
    assert all(each.isidentifier() for each in ask(complete_column))
    assert ask(complete_job) == ["1"]
    assert ask(complete_name) == ["t", "@last"]
    change(
        handed_over.journal,
        "UPDATE event SET body = json_set(body, '$.spec.metric_definitions', 7)",
    )
    assert ask(complete_metric) == []
    handed_over.journal.write_text("no journal")
    assert ask(complete_metric) == []

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr("hpt_cli.cli.completion.list_job_dirs", refuse)
    assert ask(complete_name) == []
