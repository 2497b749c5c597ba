"""What every executor must do, against a real Slurm."""

from __future__ import annotations

import pytest

from hpt_cli.executors import Executor, load_executor
from tests.contracts.conftest import launch_request  # noqa: F401
from tests.contracts.test_executors import *  # noqa: F403
from tests.slurm.conftest import Cluster


@pytest.fixture
def executor(cluster: Cluster) -> Executor:
    return load_executor("slurm")
