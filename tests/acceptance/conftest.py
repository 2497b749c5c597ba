"""The real hpt, in a directory of its own."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from pydantic import ConfigDict, TypeAdapter
from typing_extensions import is_typeddict

from hpt_cli.reports import json_types
from tests.acceptance.warm import Answer, WarmHpt

HPT = str(Path(sys.executable).parent / "hpt")
TRAIN = Path(__file__).parent / "train.py"
PATIENCE = 60.0


def wait_until(is_done: Callable[[], bool], what: str = "it") -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_done():
        assert time.monotonic() < deadline, f"{what} did not happen in {PATIENCE:.0f} s"
        time.sleep(0.02)


@functools.cache
def _load_answer(command: str) -> TypeAdapter[Any]:
    for each in (*vars(json_types).values(), *vars(json_types.before_run).values()):
        if is_typeddict(each):
            each.__pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[attr-defined]
    return TypeAdapter(json_types.ANSWERS[command])


def check_answer(arguments: Sequence[str], out: str) -> None:
    """The document is what hpt_cli/reports/json_types says, without a field too many."""
    command = arguments[0]
    if command == "jobs" and "--curves" in arguments:
        command = "jobs --curves"
    if command in json_types.ANSWERS:
        _load_answer(command).validate_json(out)


class Terminal:
    """A working directory in which a user types commands."""

    def __init__(self, directory: Path, warm: WarmHpt) -> None:
        self.directory = directory
        self._warm = warm
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("HPT_")}
        self.environment["XDG_STATE_HOME"] = str(directory / "state")
        self._started: list[subprocess.Popen[Any]] = []

    @staticmethod
    def python() -> str:
        """The interpreter that runs the tests."""
        return sys.executable

    @staticmethod
    def train_command(options: str) -> str:
        """The command that runs train.py."""
        return f"{sys.executable} {TRAIN} {options}"

    def write_spec(self, name: str = "t", **changes: Any) -> str:
        """Write a spec that runs train.py; the name of its file."""
        options = changes.pop("options", "")
        fields: dict[str, Any] = {
            "name": name,
            "command": self.train_command(f"--x {{x}} {options}"),
            "hyperparameter_ranges": {
                "x": {"type": "Continuous", "min_value": 0.001, "max_value": 10}
            },
            "metric_definitions": [
                {"name": "loss", "regex": "loss=({num})", "step": "epoch={step}"}
            ],
            "objective_metric_name": "loss",
            "objective_type": "Minimize",
            "strategy": "Random",
            "max_jobs": 4,
            "max_parallel_jobs": 2,
            "stop_grace_seconds": 5,
        }
        path = self.directory / f"{name}.yaml"
        path.write_text(yaml.safe_dump(fields | changes))
        return path.name

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start hpt as a user does, and let it run."""
        process = subprocess.Popen(
            [HPT, *arguments],
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._started.append(process)
        return process

    def track(self, process: subprocess.Popen[Any]) -> None:
        """End a process with the test, if it has not ended before."""
        self._started.append(process)

    def hpt(self, *arguments: str, code: int = 0) -> str:
        """Run hpt to its end; what it printed on both outputs."""
        answer = self.try_hpt(*arguments)
        assert answer.code == code, f"exit code {answer.code}:\n{answer.out}\n{answer.err}"
        assert "Traceback (most" not in answer.err
        return answer.out + answer.err

    def try_hpt(self, *arguments: str) -> Answer:
        """Run hpt to its end, whatever that is."""
        return self._warm.run(arguments, self.directory, self.environment)

    def json(self, *arguments: str) -> Any:
        """Run hpt with --json; the document on its standard output."""
        answer = self.try_hpt(*arguments, "--json")
        assert answer.code == 0, answer.err
        check_answer(arguments, answer.out)
        return json.loads(answer.out)

    def log(self, name: str, number: int, attempt: int = 1) -> Path:
        return (
            self.directory / ".hpt" / name / "jobs" / f"{number:04d}" / f"a{attempt}" / "output.log"
        )

    def wait_for_log(self, name: str, number: int, text: str, attempt: int = 1) -> None:
        path = self.log(name, number, attempt)
        wait_until(lambda: path.exists() and text in path.read_text(), f"{text!r} in {path}")

    def find_processes(self) -> list[psutil.Process]:
        """Every process that belongs to a training job of this directory."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                mark = process.environ().get("HPT_JOB_DIR", "")
                if mark.startswith(str(self.directory)) and process.status() != "zombie":
                    found.append(process)
        return found

    def close(self) -> None:
        for process in self._started:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.communicate()
        for each in self.find_processes():
            with contextlib.suppress(psutil.Error):
                each.kill()


@pytest.fixture(scope="session")
def warm_hpt() -> Iterator[WarmHpt]:
    with WarmHpt() as warm:
        yield warm


@pytest.fixture
def terminal(tmp_path: Path, warm_hpt: WarmHpt) -> Iterator[Terminal]:
    terminal = Terminal(tmp_path, warm_hpt)
    yield terminal
    terminal.close()
