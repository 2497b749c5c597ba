"""A real Slurm of one node, for all tests here; without Debian's packages they fail."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "reliability" / "slurm_one_node.sh"
CPUS = 8


class Cluster:
    """The one-node Slurm, and what a person might do to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *argv: str) -> str:
        """What a command of Slurm answers."""
        done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60)
        return done.stdout.strip()

    def start(self) -> None:
        """Start the daemons that do not run."""
        self.run(str(SCRIPT), "start", str(self.folder), str(CPUS))

    def stop_controller(self) -> None:
        """End the controller, as for an update: nobody answers until `start`."""
        file = self.folder / "slurmctld.pid"
        os.kill(int(file.read_text()), signal.SIGTERM)
        while file.exists():
            time.sleep(0.05)

    def list_jobs(self, *which: str) -> dict[str, str]:
        """The name and the state of each job, the ones that have ended among them."""
        lines = self.run("squeue", "--noheader", "--states=all", "--format=%j %T", *which)
        return dict(line.split() for line in lines.splitlines())

    def find_number(self, name: str) -> str:
        """The number of the live job whose name begins so."""
        lines = self.run("squeue", "--noheader", "--format=%i %j").splitlines()
        return next(line.split()[0] for line in lines if line.split()[1].startswith(name))


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    found = Cluster(tmp_path_factory.mktemp("slurm"))
    os.environ["SLURM_CONF"] = str(found.folder / "slurm.conf")
    found.start()
    yield found
    subprocess.run([SCRIPT, "stop", found.folder], check=True, timeout=60)
    del os.environ["SLURM_CONF"]
