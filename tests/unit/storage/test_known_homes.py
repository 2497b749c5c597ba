"""The list of homes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hpt_cli.storage.known_homes import find_record, list_homes, remember_home


def test_homes_of_any_name_are_remembered_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    names = ("plain", "größe", os.fsdecode(b"\xff\xfe"), "a\x85b\u2028c")
    homes = [tmp_path / name for name in names]
    for home in [*homes, *homes]:
        home.mkdir(exist_ok=True)
        remember_home(home)
    assert list_homes() == homes
    record = find_record()
    record.write_bytes(b"\0\n\n/gone\n" + record.read_bytes())
    assert list_homes() == homes
