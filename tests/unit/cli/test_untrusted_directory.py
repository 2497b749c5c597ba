"""What a tuning job that somebody else made cannot do through the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from hpt_cli.cli import app as cli
from hpt_cli.cli.completion import complete_column, complete_job, complete_metric, complete_name
from hpt_cli.cli.liveness import find_live_jobs
from hpt_cli.cli.output import write_file
from hpt_cli.errors import HptError
from hpt_cli.storage.home import make_job_dir
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.storage.journal import create_journal
from hpt_cli.tuning import events as ev
from tests import builders as b
from tests.untrusted import change

pytestmark = pytest.mark.usefixtures("in_time")


@pytest.mark.parametrize(
    "handle", [{"pid": 1}, {"pid": "x", "identity": 1, "directory": 7}, {"pid": 1e999}]
)
def test_a_handle_that_is_none_is_damage(tmp_path: Path, handle: dict[str, object]) -> None:
    made = make_job_dir(tmp_path, "t")
    launch = ev.JobLaunched(at=1, number=1, attempt=1, handle=handle)
    create_journal(made.journal, b.FIRST, *b.suggested(1), b.launched(1)[0], launch)
    with pytest.raises(HptError, match="damaged"):
        find_live_jobs(made)


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

    def crash(**options: object) -> None:
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


def test_what_is_offered_on_tab_is_a_plain_word(
    handed_over: JobDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(complete: Callable[..., list[str]], **given: object) -> list[str]:
        params = {"home": handed_over.path.parent, "name": "t", **given}
        return complete(
            SimpleNamespace(params=params, args=[], command=SimpleNamespace(params=[])), ""
        )

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
