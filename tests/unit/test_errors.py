"""What a wrong word was likely meant to be."""

from __future__ import annotations

import pytest

from hpt_cli.errors import find_close


@pytest.mark.parametrize(
    ("wrong", "allowed", "meant"),
    [
        ("learning_rate", ["n_iter", "lr"], "lr"),
        ("lr", ["n_iter", "learning_rate"], "learning_rate"),
        ("lrate", ["layers", "learning_rate"], "learning_rate"),
        ("bs", ["n_iter", "batch_size"], "batch_size"),
        ("weight_decay", ["width", "wd"], "wd"),
        ("num_estimators", ["max_depth", "n_estimators"], "n_estimators"),
        ("layers", ["lr"], ""),
        ("momentum", ["lr", "wd", "n_iter"], ""),
        ("droput", ["dropout", "do"], "dropout"),
    ],
)
def test_a_word_or_what_is_short_for_it_is_found(
    wrong: str, allowed: list[str], meant: str
) -> None:
    assert find_close(wrong, allowed) == meant
