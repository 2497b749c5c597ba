"""Files of an attempt that are links, pipes or devices; paths that are no text."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from hpt_cli.executors.attempt_files import read_claim, read_exit
from hpt_cli.executors.slurm.client import run
from tests.untrusted import NO_FILES

pytestmark = pytest.mark.usefixtures("in_time")


@pytest.mark.parametrize("make", NO_FILES)
def test_what_is_no_file_is_not_read(tmp_path: Path, make: Callable[[Path], None]) -> None:
    for name in ("exit", "launcher"):
        make(tmp_path / name)
    assert read_claim(tmp_path) is None
    assert read_exit(tmp_path, this_boot=True) is None


def test_a_script_for_a_cluster_has_the_bytes_of_its_paths(tmp_path: Path) -> None:
    path = os.fsdecode(b"cd /tmp/\xff\n")
    assert run(["od", "-An", "-tx1"], path).split() == [f"{each:02x}" for each in os.fsencode(path)]
