"""Constraints: what they say, and how mistakes in them are told."""

from __future__ import annotations

from typing import Any

import pytest

from hpt_cli.filter.constraint import ConstraintError, Domain, parse_constraint

DOMAINS = {
    **dict.fromkeys(("hidden", "layers", "lr", "lr_min", "batch-size", "momentum"), Domain()),
    "optimizer": Domain(False, ("adam", "sgd")),
    "size": Domain(True, ("auto",)),
}
VALUES: dict[str, Any] = {
    "hidden": 512,
    "layers": 8,
    "lr": 0.01,
    "lr_min": 0.001,
    "batch-size": 32,
    "optimizer": "adam",
    "size": "auto",
}


@pytest.mark.parametrize(
    ("text", "met"),
    [
        ("hidden * layers <= 4096", True),
        ("hidden*layers<4096", False),
        ("hidden + layers * 2 == 528", True),
        ("(hidden + layers) * 2 == 528", False),
        ("hidden / layers / 2 - 1 >= 31", True),
        ("batch-size - 2 = 30", True),
        ("-lr < -lr_min < 0", True),
        ("lr_min < lr < 0.005", False),
        ("lr_min + 0.009 == lr", True),
        ("lr_min + 0.009 < lr", False),
        ("optimizer == Adam or lr < lr_min", True),
        ("not (optimizer in (sgd, 'adam') and lr > 0)", False),
        ("optimizer != sgd and layers not in (1, 2)", True),
        ("size == auto or size > 3", True),
        ("hidden / 0 < 1e9", False),
        ("0 * hidden / 0 < 1", False),
        ("momentum < lr", None),
        ("not momentum < lr", None),
        ("momentum + 1 < lr and lr < 1", None),
        ("momentum < 1 and lr > 1", False),
        ("momentum < 1 or lr < 1", True),
    ],
)
def test_constraints(text: str, met: bool | None) -> None:
    constraint = parse_constraint(text, DOMAINS)
    assert constraint.check(VALUES) is met
    assert all(name in text for name in constraint.names)


@pytest.mark.parametrize(
    ("text", "message", "column", "hint"),
    [
        ("hiden * layers <= 3", "there is no 'hiden'", 0, "did you mean 'hidden'?"),
        ("lr < lr_mim", "there is no 'lr_mim'", 5, "did you mean 'lr_min'?"),
        ("optimizer < 3", "optimizer is a text, and 3 is a number", 0, ""),
        ("lr == optimizer", "optimizer is a text, and lr is a number", 6, ""),
        ("lr == 'x'", "'x' is a text, and lr is a number", 6, ""),
        ("optimizer == adm", "'adm' is no value of 'optimizer'", 13, "did you mean 'adam'?"),
        ("optimizer < sgd", "texts can only be equal", 10, ""),
        ("optimizer * 2 < 3", "only numbers can be calculated", 0, ""),
        ("hidden * layers", "a comparison is missing", 15, ""),
        ("lr and lr < 1", "a comparison is missing", 0, ""),
        ("lr < 1 lr", "this is one too many", 7, ""),
        ("lr <", "a value is missing here", 4, ""),
        ("lr ** 2 < 1", "a value is missing here", 4, ""),
        ("(lr < 1", "')' is missing here", 7, ""),
        ("(lr < 1) < 2", "a comparison cannot be compared", 1, ""),
        ("3 < 4", "it names none of hidden", 0, ""),
        ("__import__('os')", "one too many", 10, ""),
        ("(" * 60 + "lr < 1", "nested too deep", 50, ""),
        ("lr < \\", "there is no", 5, ""),
    ],
)
def test_mistakes_have_their_places(text: str, message: str, column: int, hint: str) -> None:
    with pytest.raises(ConstraintError) as caught:
        parse_constraint(text, DOMAINS)
    assert message in str(caught.value)
    assert caught.value.column == column
    assert hint in caught.value.hint
