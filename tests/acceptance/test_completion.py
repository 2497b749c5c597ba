"""What a shell offers on Tab, in the protocol of each shell."""

from __future__ import annotations

import subprocess

import pytest

from tests.acceptance.conftest import HPT, Terminal


def complete(terminal: Terminal, line: str, shell: str = "bash") -> list[str]:
    """What is offered for the last word of a line."""
    words = line.split(" ")
    variables = {"_HPT_COMPLETE": f"complete_{shell}"}
    if shell == "bash":
        variables |= {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    else:
        variables |= {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    done = subprocess.run(
        [HPT],
        cwd=terminal.directory,
        env=terminal.environment | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    assert not done.stderr
    return done.stdout.split()


@pytest.fixture
def finished(terminal: Terminal) -> Terminal:
    terminal.hpt("run", terminal.write_spec("digits", max_jobs=2))
    return terminal


def test_names_numbers_metrics_and_columns_are_completed(finished: Terminal) -> None:
    assert "watch" in complete(finished, "hpt w")
    assert complete(finished, "hpt show d") == ["digits"]
    assert complete(finished, "hpt show @") == ["@last"]
    assert complete(finished, "hpt logs dig ") == ["1", "2"]
    assert complete(finished, "hpt logs ") == ["digits", "@last", "1", "2"]
    assert complete(finished, "hpt curves 1 2") == ["2"]
    assert complete(finished, "hpt stop digits 2") == ["2"]
    assert complete(finished, "hpt jobs digits --sort x") == ["x"]
    assert complete(finished, "hpt jobs digits --columns number,lo") == ["number,loss"]
    assert complete(finished, "hpt compare digits ") == []
    for shell in ("zsh", "fish"):
        assert "digits" in "".join(complete(finished, "hpt show d", shell))


def test_fields_are_completed_with_what_is_in_them(finished: Terminal) -> None:
    assert complete(finished, "hpt run digits.yaml --set max_jobs_") == ["max_jobs_not_improving"]
    ranges = complete(finished, "hpt check digits.yaml --set hyperparameter_ranges.x.m")
    assert ranges == [f"hyperparameter_ranges.x.{each}" for each in ("min_value", "max_value")]
    assert "metric_definitions.loss.regex" in complete(finished, "hpt run digits.yaml --set me")
    assert "early_stopping.risk" in complete(finished, "hpt run --set early_stopping.")
    assert complete(finished, "hpt update digits --set retry.m") == ["retry.max_attempts"]
    assert complete(finished, "hpt update digits --set random") == []
    assert "hyperparameter_ranges.x" in complete(finished, "hpt check --set hyperparameter_ranges.")


def test_nothing_is_offered_where_there_is_nothing(terminal: Terminal) -> None:
    assert complete(terminal, "hpt show ") == []
    assert complete(terminal, "hpt logs none ") == []
    assert "number" in complete(terminal, "hpt jobs none --sort ")
