"""Whether a command that lacks a module ran in hpt's own environment."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from hpt_cli.checks.interpreter import explain_missing_module

LINES = ["Traceback (most recent call last):", "ModuleNotFoundError: No module named 'pandas'"]
OWN = str(Path(sys.executable).parent)


@pytest.mark.parametrize(
    "words", [["python", "cv.py"], ["/bin/sh", "-c", "python cv.py | tee x"], ["./train.sh"]]
)
def test_an_activated_environment_of_hpt_is_told_of(words: list[str]) -> None:
    said = explain_missing_module(LINES, words, OWN)
    assert f"python is {OWN}/python" in said
    assert "has no pandas" in said
    assert f"{OWN}/hpt" in said
    assert explain_missing_module(["python: No module named train"], words, OWN)


def test_another_interpreter_is_not(tmp_path: Path) -> None:
    other = tmp_path / "python"
    other.symlink_to(sys.executable)
    assert explain_missing_module(LINES, ["python", "cv.py"], str(tmp_path)) == ""
    assert explain_missing_module(LINES, [str(other), "cv.py"], OWN) == ""
    assert explain_missing_module(["Killed"], ["python", "cv.py"], OWN) == ""
