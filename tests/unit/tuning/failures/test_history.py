"""Failures that are alike, and quick."""

from __future__ import annotations

import time

import pytest

from hpt_cli.tuning.failures.history import MAX_LINE, MAX_QUICK_SECONDS, FailureHistory, mask


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("line 12, in <module>", "line 7, in <module>"),
        ("FileNotFoundError: '/data/0001.npy'", "FileNotFoundError: '/mnt/x/0002.npy'"),
        ("<Tensor object at 0x7f3a>", "<Tensor object at 0x55e1b0>"),
        ("[pid 123] 12:34:56.789 killed", "[pid 99999] 01:02:03.4 killed"),
        ("KeyError: 'adam'", "KeyError: 'sgd'"),
        ("lr=0.1 failed", "lr=1e-05 failed"),
        ("run 0a1b2c3d4e5f broke", "run ffffffffffff broke"),
    ],
)
def test_what_differs_from_job_to_job_makes_no_difference(one: str, other: str) -> None:
    assert mask(one, ["adam"]) == mask(other, ["sgd"])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ImportError: libcuda", "ImportError: libcudnn"),
        ("CUDA out of memory", "loss is nan"),
        ("no adamant", "no sgdant"),
        ("", "error"),
    ],
)
def test_what_says_something_else_is_not_alike(one: str, other: str) -> None:
    assert mask(one, ["adam", ""]) != mask(other, ["sgd", ""])


def test_the_longest_line_takes_no_time() -> None:
    started = time.perf_counter()
    for text in ("a" * MAX_LINE, "/" * MAX_LINE, "1" * MAX_LINE, "1e" * (MAX_LINE // 2)):
        mask(text, ["a", "1"])
    assert time.perf_counter() - started < 1


@pytest.mark.parametrize(
    ("usual", "quick"),
    [(0.6, 0.15), (20, 5), (86_400, MAX_QUICK_SECONDS)],
)
def test_quick_is_a_share_of_the_usual_time(usual: float, quick: float) -> None:
    assert FailureHistory(usual=(usual,) * 3).quick_seconds == quick


def test_without_a_success_nothing_is_quick() -> None:
    assert FailureHistory().quick_seconds is None
    assert not FailureHistory().is_unresolved
