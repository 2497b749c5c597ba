"""Commands that are advised find the home of the tuning job that they are about."""

from __future__ import annotations

from pathlib import Path

import pytest

from hpt_cli.storage.home import name_command
from hpt_cli.storage.job_directory import JobDir


def test_a_command_names_a_home_that_it_would_not_find(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for home in (".hpt", "other"):
        (tmp_path / home / "t").mkdir(parents=True)
    assert name_command("stop", JobDir(Path(".hpt/t"))) == "hpt stop t"
    assert name_command("stop", JobDir(tmp_path / ".hpt/t")) == "hpt stop t"
    assert name_command("stop", JobDir(Path("other/t"))) == "hpt stop t --home other"
