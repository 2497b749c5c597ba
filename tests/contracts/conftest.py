"""An executor, and what it is to launch."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from hpt_cli.executors import Executor, LaunchRequest, load_executor
from tests.contracts.processes import find_marked


@pytest.fixture
def executor() -> Executor:
    """The one that needs nothing; tests/slurm asks the same of another, of a real cluster."""
    return load_executor("local")


@pytest.fixture(params=["file", "pty"])
def launch_request(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Callable[..., LaunchRequest]]:
    """Makes launch requests for Python code, and leaves no process behind."""
    directory = tmp_path / "a1"

    def make(code: str, **environment: str) -> LaunchRequest:
        return LaunchRequest(
            argv=[sys.executable, "-c", code],
            environment={**os.environ, "HPT_ATTEMPT_DIR": str(directory), **environment},
            working_directory=tmp_path,
            directory=directory,
            pty=request.param == "pty",
        )

    yield make
    for process in find_marked(directory):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
