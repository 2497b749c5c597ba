"""From nothing to a tuning job: the commands that write and check specs."""

from __future__ import annotations

import json
from pathlib import Path

from hpt_cli.specfile import read_spec
from tests.acceptance.conftest import Terminal

REQUEST = Path(__file__).parents[1] / "data" / "request.json"


def test_a_sagemaker_request_becomes_a_spec(terminal: Terminal) -> None:
    out = terminal.hpt("import", str(REQUEST), "-o", "mnist.yaml")
    assert "left out: RoleArn" in out
    assert read_spec(terminal.directory / "mnist.yaml").name == "pytorch-mnist-241124"
    assert "is there already" in terminal.hpt("import", str(REQUEST), "-o", "mnist.yaml", code=2)
    (terminal.directory / "bad.json").write_text('{"a": 1,}')
    assert "bad.json:1:9" in terminal.hpt("import", "bad.json", code=2)


def test_a_script_written_for_sagemaker_finds_its_variables(terminal: Terminal) -> None:
    spec = terminal.write_spec(
        options="--mode sagemaker", max_jobs=1, environment={"SM_CHANNEL_TRAIN": "data"}
    )
    terminal.hpt("run", spec)
    directory = terminal.directory / ".hpt" / "t" / "jobs" / "0001"
    (job,) = terminal.json("jobs", "t")
    x = job["hyperparameters"]["x"]
    assert float((directory / "model" / "kept.txt").read_text()) == x
    assert float((directory / "output" / "data" / "kept.txt").read_text()) == x
    log = terminal.log("t", 1).read_text()
    for words in ("'SM_CHANNELS': '[\"train\"]'", "'SM_CURRENT_HOST': 'algo-1'", "SM_NUM_CPUS"):
        assert words in log
    assert json.dumps({"x": x}) in log
