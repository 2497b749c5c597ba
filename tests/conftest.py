"""Property tests: the same examples every time, and no limit on a slow machine's time for one.

A shell lets what it starts in the background ignore Ctrl-C, and that is inherited: not by our hpt.
Where HPT_NO_SKIP is set, as in CI, a test that would be skipped fails: what it needs is missing.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Generator
from typing import TypeVar

import pytest
from hypothesis import settings

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)
NO_SKIP = bool(os.environ.get("HPT_NO_SKIP"))

signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("hpt", deadline=None, derandomize=True)
settings.load_profile("hpt")


def fail_if_skipped(report: Report) -> Report:
    """Return the report of a test, or of a file of tests: failed where nothing may be skipped."""
    if NO_SKIP and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, though HPT_NO_SKIP is set: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Look at each test."""
    return fail_if_skipped((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Look at each file, which may be skipped as a whole."""
    return fail_if_skipped((yield))
