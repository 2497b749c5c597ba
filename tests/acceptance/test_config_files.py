"""Hyperparameters on their way to the program: in config files, in words that are left out, and in
the command line of the best training job."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import Terminal

READ = """\
import json, os, sys
config = json.load(open(sys.argv[sys.argv.index("--config") + 1]))
print(json.dumps([sys.argv[1:], config]))
if os.environ.get("HPT_ATTEMPT") == "1" and not os.environ.get("FINE"):
    open(sys.argv[2], "w").write("changed by the program")
    sys.exit(3)
print("epoch=1 loss=%f" % config["model"]["dropout"])
"""
TEMPLATE = {"model": {"dropout": 0.5, "bn": True, "act": "relu"}, "momentum": 0, "old": [1, 2]}
RANGES = {
    "dropout": {"type": "Continuous", "min_value": 0.1, "max_value": 0.9},
    "bn": {"type": "Categorical", "values": ["true", "false"]},
    "opt": {"type": "Categorical", "values": ["sgd", "adam"]},
    "momentum": {"type": "Continuous", "min_value": 0.1, "max_value": 0.9, "when": {"opt": "sgd"}},
}


@pytest.fixture
def spec(terminal: Terminal) -> dict[str, Any]:
    (terminal.directory / "read.py").write_text(READ)
    (terminal.directory / "conf").mkdir()
    (terminal.directory / "conf" / "train.json").write_text(json.dumps(TEMPLATE))
    (terminal.directory / "conf" / "more.txt").write_text("{dropout} {other} {{dropout}}")
    return {
        "command": terminal.python() + " read.py --config {config} {more} --momentum {momentum}",
        "config_files": [
            {
                "template": "conf/train.json",
                "name": "config",
                "keys": {"model.dropout": "dropout", "model.bn": "bn", "momentum": "momentum"},
            },
            {"template": "conf/more.txt", "name": "more"},
        ],
        "hyperparameter_ranges": RANGES,
        "initial_hyperparameters": [
            {"momentum": 0.25, "bn": "true", "dropout": 0.5},
            {"opt": "adam", "bn": "false", "dropout": 0.75},
        ],
        "max_jobs": 2,
        "retry": {"max_attempts": 2},
    }


def read_printed(terminal: Terminal, number: int, attempt: int) -> tuple[list[str], Any]:
    line = terminal.log("t", number, attempt).read_text().splitlines()[0]
    arguments, config = json.loads(line)
    return arguments, config


def test_each_job_and_each_attempt_finds_its_own_files(
    terminal: Terminal, spec: dict[str, Any]
) -> None:
    terminal.hpt("run", terminal.write_spec(**spec))
    for number, made, option in (
        (1, {"model": {"dropout": 0.5, "bn": True, "act": "relu"}, "momentum": 0.25}, True),
        (2, {"model": {"dropout": 0.75, "bn": False, "act": "relu"}}, False),
    ):
        for attempt in (1, 2):
            (_, path, more, *rest), config = read_printed(terminal, number, attempt)
            assert config == {**made, "old": [1, 2]}
            assert rest == (["--momentum", "0.25"] if option else [])
            directory = terminal.log("t", number).parents[1] / "config_files"
            assert [Path(path), Path(more)] == [directory / "config.json", directory / "more.txt"]
        assert Path(more).read_text() == f"{made['model']['dropout']} {{other}} {{dropout}}"  # type: ignore[index]


def test_a_tuning_job_goes_on_with_the_template_as_it_was(
    terminal: Terminal, spec: dict[str, Any]
) -> None:
    terminal.hpt("run", terminal.write_spec(**{**spec, "retry": None}), code=1)
    (terminal.directory / "conf" / "train.json").unlink()
    (terminal.directory / "conf" / "more.txt").write_text("other")
    terminal.hpt("resume", "t", "--retry-failed")
    assert read_printed(terminal, 1, 2) == read_printed(terminal, 1, 1)
    assert "{other}" in Path(read_printed(terminal, 1, 2)[0][2]).read_text()


def run_elsewhere(terminal: Terminal, line: str, tmp_path: Path) -> str:
    """Paste a line into a shell in another directory, outside hpt."""
    elsewhere = tmp_path / "else where"
    elsewhere.mkdir(exist_ok=True)
    environment = {"PATH": os.environ["PATH"], "FINE": "1"}
    done = subprocess.run(
        ["sh", "-uc", line],
        cwd=elsewhere,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_the_best_runs_anywhere_with_its_config_files(
    terminal: Terminal, spec: dict[str, Any], tmp_path: Path
) -> None:
    terminal.hpt("run", terminal.write_spec(**spec))
    line = terminal.hpt("best", "t", "--command")
    assert "epoch=1 loss=0.500000" in run_elsewhere(terminal, line, tmp_path)
    line = terminal.hpt("best", "t", "--command", "--config-dir", "the best")
    assert "epoch=1 loss=0.500000" in run_elsewhere(terminal, line, tmp_path)
    written = terminal.directory / "the best" / "config.json"
    assert json.loads(written.read_text())["momentum"] == 0.25
    assert str(terminal.directory / "the best" / "more.txt") in shlex.split(line)
    terminal.hpt("best", "t", "--config-dir", "the best")
    written.write_text("mine")
    assert "--force" in terminal.hpt("best", "t", "--config-dir", "the best", code=2)
    assert written.read_text() == "mine"


def test_the_best_has_the_variables_that_its_command_uses(
    terminal: Terminal, tmp_path: Path
) -> None:
    (terminal.directory / "read.py").write_text(
        "import os; print(os.environ['SM_HP_NOTE'], os.environ['TOKEN'], os.environ['SM_OWN'])"
    )
    command = (
        f'{terminal.python()} read.py && test -d "$HPT_CHECKPOINT_DIR"'
        " && echo $A 'a  b' {note} x={x}; echo epoch=1 loss=1 # {y}"
    )
    note = 'it\'s $HOME; "q" `id`'
    terminal.environment["MY_TOKEN"] = "secret"
    terminal.hpt(
        "run",
        terminal.write_spec(
            command=command,
            shell=True,
            static_hyperparameters={"note": note, "y": 1},
            environment={"A": "it's b", "TOKEN": "t-${MY_TOKEN}", "SM_OWN": "mine"},
            max_jobs=1,
        ),
    )
    line = terminal.hpt("best", "t", "--command").strip()
    assert "secret" not in line
    script = f"export MY_TOKEN=other; {line}"
    printed = run_elsewhere(terminal, script, tmp_path).splitlines()
    assert printed[0] == f"{note} t-other mine"
    assert printed[1].startswith(f"it's b a  b {note} x=")
    # The page may be read by others: values of variables are not in it.
    terminal.hpt("report", "t")
    page = (terminal.directory / "t.html").read_text()
    assert "it&#39;s b" not in page
    assert "mine" not in page
    assert "${A:?}" in page


def test_the_best_of_a_plain_command_is_words_for_every_program(
    terminal: Terminal, tmp_path: Path
) -> None:
    terminal.hpt("run", terminal.write_spec(max_jobs=1))
    words = shlex.split(terminal.hpt("best", "t", "--command"))
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "loss=" in done.stdout


def test_config_files_are_written_for_a_cluster_too(
    terminal: Terminal, spec: dict[str, Any], tmp_path: Path
) -> None:
    from tests.acceptance.test_slurm import Fake

    Fake(tmp_path / "fake", terminal).run(**{**spec, "max_jobs": 2})
    assert read_printed(terminal, 2, 2)[1]["model"]["dropout"] == 0.75


def test_all_mistakes_in_config_files_are_told_in_their_places(
    terminal: Terminal, spec: dict[str, Any]
) -> None:
    (terminal.directory / "conf" / "bad.json").write_text('{"a": 1,\n "b": }')
    config_files = """\
config_files:
  - {template: conf/trian.json, name: config, keys: {a: dropout}}
  - {template: conf/train.json, name: opt, keys: {model.dropuot: droput, old.7: bn}}
  - {template: conf/bad.json, name: bad, keys: {a: bn}}
  - {template: conf/more.txt, name: more, keys: {a: bn}}
  - {template: conf/train.json, name: plain}
  - {template: conf/train.json, keyz: {}}
"""
    del spec["config_files"]
    path = terminal.directory / terminal.write_spec(**spec)
    path.write_text(config_files + path.read_text())
    text = terminal.hpt("check", "t.yaml", code=2)
    for fault in (
        "t.yaml:2:16: error[template-unreadable]",
        "did you mean 'train.json'?",
        "t.yaml:3:39: error[config-name]: {opt} already stands for a hyperparameter",
        "t.yaml:3:51: error[config-key]: there is no key 'model.dropuot' in conf/train.json",
        "did you mean 'model.dropout'?",
        "t.yaml:3:66: error[config-hyperparameter]: there is no hyperparameter 'droput'",
        "did you mean 'dropout'?",
        "t.yaml:3:74: error[config-key]: there is no key 'old.7'",
        "t.yaml:4:16: error[config-template]: conf/bad.json:2:7: this is not JSON",
        "t.yaml:4:37: error[config-unused]: nothing uses {bad}",
        "t.yaml:5:43: error[config-format]",
        "t.yaml:6:16: error[config-plain]",
        "t.yaml:7:5: error[missing]: config_files.5.name: the field is missing",
        "error[field-unknown]: there is no field 'keyz' here",
    ):
        assert fault in text
    assert text.count("error[") == 12


def test_a_key_is_looked_for_by_its_own_name(terminal: Terminal) -> None:
    (terminal.directory / "c.yaml").write_text("train: {n_iter: 5, lr: 0.1}\nmodel: {depth: 2}\n")
    keys = {"train.learning_rate": "x"}
    spec = terminal.write_spec(
        name="ridge_cv",
        command="python c.py {c}",
        config_files=[{"template": "c.yaml", "name": "c", "keys": keys}],
    )
    text = terminal.hpt("check", spec, code=2)
    assert "did you mean 'train.lr'?" in text
    assert "did you mean 'ridge-cv'?" in text
    path = terminal.directory / spec
    path.write_text(path.read_text().replace("train.learning_rate", "modell.depth"))
    assert "did you mean 'model.depth'?" in terminal.hpt("check", spec, code=2)


def test_init_shows_how_a_config_file_in_the_command_is_tuned(terminal: Terminal) -> None:
    (terminal.directory / "c.yaml").write_text("train: {lr: 0.1, name: x}\ndepth: 2\n")
    (terminal.directory / "cv.py").write_text("import sys\nopen(sys.argv[1])\n")
    text = terminal.hpt("init", "--yes", Terminal.python(), "cv.py", "c.yaml", code=1)
    assert "cv.py {config}" in text
    assert "{template: c.yaml, name: config, keys: {train.lr: lr, depth: depth}}" in text
