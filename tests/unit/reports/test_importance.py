"""What the importance report shows: at any width, to people and programs."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from hpt_cli.analysis.importance import Choice, Importance, Influence, Interval, Share
from hpt_cli.formatting import to_json_value
from hpt_cli.reports.importance import (
    describe_basis,
    describe_region,
    draw_bar,
    list_notes,
    render,
    to_json,
)

SHARE = Share(0.5, 0.25, 0.75)
IMPORTANCE = Importance(
    influences=(
        Influence("learning_rate_of_the_very_deep_part", SHARE, SHARE, Interval(1e-5, 0.02, 0.4)),
        Influence("\x1b[31mevil", SHARE, SHARE, (Choice("adam", 0.6), Choice("sgd", 0.4))),
        Influence("momentum", Share(0, 0, 0), Share(0, 0, 0), None),
    ),
    results=20,
    inherited=0,
    stopped=6,
    left_out=1,
    fit=0.5,
)


@pytest.mark.parametrize("width", [40, 80, 200])
def test_it_fits_any_terminal(width: int) -> None:
    console = Console(file=io.StringIO(), width=width)
    console.print(render("digits", "loss", IMPORTANCE))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert max(map(len, text.splitlines())) <= width
    assert "\x1b" not in text
    assert "20 results" in text
    assert "50%" in text


def test_it_says_how_many_results_were_inherited() -> None:
    assert describe_basis(replace(IMPORTANCE, inherited=12)).startswith(
        "learned from 20 results, 12 of them inherited, 6 of them of stopped jobs; 1 job left out"
    )


def test_a_weak_model_is_said_to_be_one() -> None:
    notes = {fit: list_notes(replace(IMPORTANCE, fit=fit)) for fit in (0.05, 0.13, 0.5)}
    assert "do not rely on it" in notes[0.05][-1]
    assert "as a hint" in notes[0.13][-1]
    assert len(notes[0.5]) == 1
    unsure = replace(IMPORTANCE.influences[0], total=Share(0.04, 0.04, 0.52))
    assert "may be higher" in list_notes(replace(IMPORTANCE, influences=(unsure,)))[-1]


def test_a_bar_is_lighter_where_it_is_not_sure() -> None:
    assert draw_bar(SHARE, 8) == "██▒▒░░"


def test_regions_in_words() -> None:
    assert describe_region(Interval(1e-5, 0.0213, 0.4)) == "1e-05 to 0.0213"
    assert describe_region(Interval(0, 0.9, 0.9)) == "anywhere"
    assert describe_region((Choice("a", 0.9), Choice("b", 0.1), Choice("c", 0))) == "a"
    assert describe_region((Choice("a", 0.4), Choice("b", 0.3), Choice("c", 0.3))) == "any"
    assert describe_region(None) == "not active there"


def test_programs_get_fractions() -> None:
    document = to_json("digits", "loss", IMPORTANCE)
    assert json.loads(json.dumps(to_json_value(document)))["hyperparameters"][0] == {
        "name": "learning_rate_of_the_very_deep_part",
        "importance": 0.5,
        "importance_interval": [0.25, 0.75],
        "alone": 0.5,
        "alone_interval": [0.25, 0.75],
        "good_values": {"low": 1e-5, "high": 0.02, "covers": 0.4},
    }
