"""From nothing to a tuning job: the commands that write and check specs."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from hpt_cli.spec.yaml.reader import parse_spec
from hpt_cli.storage.spec_file import read_spec
from tests.acceptance.conftest import Terminal, wait_until
from tests.guides import ROOT, read_blocks, write_guide

REQUEST = Path(__file__).parents[1] / "data" / "request.json"


def test_a_sagemaker_request_becomes_a_spec(terminal: Terminal) -> None:
    out = terminal.hpt("import", str(REQUEST), "-o", "mnist.yaml")
    assert "left out: RoleArn" in out
    assert read_spec(terminal.directory / "mnist.yaml").name == "pytorch-mnist-241124"
    assert "already exists" in terminal.hpt("import", str(REQUEST), "-o", "mnist.yaml", code=2)
    for text in ('{"HyperParameterTuningJobConfig": {"ResourceLimits": [1]}}', "9" * 5000):
        Path(terminal.directory, "odd.json").write_text(text)
        assert "error[request-" in terminal.hpt("import", "odd.json", code=2)
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


def test_check_explains_a_spec(terminal: Terminal) -> None:
    spec = terminal.write_spec(max_jobs=10, max_runtime_seconds=60)
    shown = terminal.json("check", spec)
    assert shown["hyperparameter_ranges"]["x"]["scaling"] == "Logarithmic"
    assert shown["ends_with"][:2] == ["max_jobs: 10", "max_runtime_seconds: 60"]
    assert shown["environment"]["HPT_TRAINING_JOB"] == "t-0001"
    assert shown["warnings"] == []
    assert not (terminal.directory / ".hpt").exists()
    text = terminal.hpt("check", spec)
    assert "Logarithmic (Auto: bounds 100 times apart)" in text
    assert ": the last value of each training job\n" in text
    text = terminal.hpt("check", spec, "--set", "objective_value={mean_of_last: 3}")
    assert ": the mean of the last 3 values of each training job\n" in text
    assert "\n  more points than can be tried, searched by" in text
    # The first commands are those that will run.
    terminal.hpt("run", spec, "--set", "max_jobs=3", "--set", "max_parallel_jobs=1")
    jobs = terminal.json("jobs", "t")
    assert [job["hyperparameters"] for job in jobs] == [
        each["hyperparameters"] for each in shown["first_training_jobs"]
    ]


def test_check_warns_of_what_is_probably_not_meant(terminal: Terminal) -> None:
    spec = terminal.write_spec(command="pyhton nowhere.py {y}", static_hyperparameters={"y": 1})
    slugs = [
        each["slug"] for each in terminal.json("check", spec, "--set", "max_jobs=1")["warnings"]
    ]
    assert slugs == [
        *("doubt-jobs", "doubt-placeholder", "doubt-parallel", "doubt-program", "doubt-file"),
    ]


def test_a_shell_that_is_missing_is_doubted(terminal: Terminal) -> None:
    spec = terminal.write_spec(command="echo $HOME {x}", max_jobs=2)
    (found,) = terminal.json("check", spec)["warnings"]
    assert (found["slug"], found["hint"][:17]) == ("doubt-shell", "add shell: true; ")
    assert "$HOME" in found["message"]
    assert terminal.json("check", spec, "--set", "shell=true")["warnings"] == []
    assert "warning[doubt-shell]" in terminal.try_hpt("run", spec).err


def test_a_value_that_an_option_does_not_take_is_explained(terminal: Terminal) -> None:
    for words, why in [
        (("jobs", "t", "--top", "0"), "must be at least 1, but is '0'"),
        (("jobs", "t", "--top", "x"), "must be a whole number, not 'x'"),
        (("jobs", "t", "--format", "xx"), "--format: 'xx' is not one of table"),
        (("init", "python", "nowhere.py"), "there is no file nowhere.py"),
    ]:
        assert why in " ".join(terminal.hpt(*words, code=2).split())


def test_run_warns_of_what_is_not_there_before_anything_fails(terminal: Terminal) -> None:
    spec = terminal.write_spec(command="pyhton nowhere.py {x}", max_jobs=1)
    tuner = terminal.start("run", spec)
    _, err = tuner.communicate(timeout=60)
    assert err.index("warning[doubt-program]") < err.index("t-0001")
    assert err.count("there is no file nowhere.py") == 1
    assert list_warnings(terminal).keys() == {"doubt-program", "doubt-file"}


def test_a_guide_gives_scripts_without_options_their_hyperparameters(terminal: Terminal) -> None:
    page = ROOT / "docs" / "howto" / "config-files.md"
    for script in read_blocks(page, "python"):
        (terminal.directory / script.splitlines()[0].removeprefix("# ")).write_text(script)
    (terminal.directory / "config.json").write_text(*read_blocks(page, "json"))
    terminal.environment["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    for text in read_blocks(page, "yaml"):
        (terminal.directory / "spec.yaml").write_text(text)
        terminal.hpt("run", "spec.yaml")
        for job in terminal.json("jobs", yaml.safe_load(text)["name"]):
            lr, layers = job["hyperparameters"]["lr"], job["hyperparameters"]["layers"]
            last = (lr - 0.1) ** 2 + layers / 5
            assert job["final_objective_value"] == pytest.approx(last, abs=1e-6)


def test_a_guide_tunes_a_script_that_opens_one_path_only(terminal: Terminal) -> None:
    page = ROOT / "docs" / "howto" / "config-files.md"
    (terminal.directory / "train.py").write_text("print('loss=' + open('config.yaml').read()[3:])")
    (terminal.directory / "config.yaml").write_text("x: 7\n")
    (fragment,) = read_blocks(page, "yml")
    fields = yaml.safe_load(fragment.replace("~/project", str(terminal.directory)))
    fields["command"] = fields["command"].replace("python", sys.executable)
    files = [{"template": "config.yaml", "name": "config_file", "keys": {"x": "x"}}]
    spec = terminal.write_spec(**fields, config_files=files, max_jobs=2, max_parallel_jobs=2)
    terminal.hpt("run", spec)
    for job in terminal.json("jobs", "t"):
        assert job["final_objective_value"] == pytest.approx(job["hyperparameters"]["x"])
    assert (terminal.directory / "config.yaml").read_text() == "x: 7\n"


def test_a_guide_takes_the_mean_of_the_folds_of_a_cross_validation(terminal: Terminal) -> None:
    name = write_guide("cross-validation", terminal.directory)
    terminal.environment["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    terminal.hpt("run", "spec.yaml", "--set", "max_jobs=2")
    for job in terminal.json("jobs", name, "--curves"):
        values = [value for _, value in job["curve"]]
        assert len(values) == 5
        assert job["final_objective_value"] == pytest.approx(sum(values) / 5)


def test_epochs_within_folds_count_with_the_last_of_each_fold(terminal: Terminal) -> None:
    page = (ROOT / "docs" / "howto" / "cross-validation.md").read_text()
    (regex,) = re.findall(r"`regex: '(.*epoch.*)'`", page)
    lines = "".join(f"fold {f} epoch {e} accuracy 0.{f}{e}\\n" for f in (1, 2) for e in (1, 2))
    spec = terminal.write_spec(
        command=f"printf '{lines}' {{x}}",
        metric_definitions=[{"name": "loss", "regex": regex}],
        objective_value="mean",
        max_jobs=1,
    )
    terminal.hpt("run", spec)
    (job,) = terminal.json("jobs", "t")
    assert job["final_objective_value"] == pytest.approx((0.12 + 0.22) / 2)


def test_check_tries_a_job_and_estimates_the_time(terminal: Terminal) -> None:
    spec = terminal.write_spec(options="--epochs 3", max_jobs=10)
    tried = terminal.json("check", spec, "--try")["try"]
    assert (tried["exit_code"], len(tried["values"])) == (0, 3)
    assert tried["estimated_tuning_seconds"] >= 5 * tried["seconds"] * 0.99
    few = {"x": {"type": "Integer", "min_value": 1, "max_value": 3}}
    spec = terminal.write_spec(hyperparameter_ranges=few, max_jobs=10, max_parallel_jobs=1)
    assert "; 3 training jobs: about" in " ".join(terminal.hpt("check", spec, "--try").split())
    assert not (terminal.directory / ".hpt").exists()


def test_check_explains_first_and_shows_a_trial_run_as_it_comes(terminal: Terminal) -> None:
    go = terminal.directory / "go"
    script = f"""
import os, time
print("loss=0.5", flush=True)
while not os.path.exists({str(go)!r}): time.sleep(0.02)
raise SystemExit("no more")
"""
    (terminal.directory / "wait.py").write_text(script)
    command = f"{terminal.python()} wait.py --x {{x}}"
    check = terminal.start("check", terminal.write_spec(command=command), "--try")
    assert check.stdout is not None
    seen = ""
    while "│ loss=0.5" not in seen:
        line = check.stdout.readline()
        assert line, seen
        seen += line
    assert seen.index("ends when one of these is met") < seen.index("trial run of one training job")
    go.touch()
    rest, _ = check.communicate(timeout=60)
    assert check.returncode == 1
    assert rest.startswith("  │ no more\n  failed after ")
    assert "1 value of loss" in rest


def test_check_cuts_a_long_job_off_and_reckons_by_its_epochs(terminal: Terminal) -> None:
    tag = f"cut-off-{os.getpid()}"
    spec = terminal.write_spec(tag, options="--seconds 0.2 --mode children", max_jobs=1)
    text = Path(terminal.directory / spec).read_text() + "static_hyperparameters: {epochs: 50}\n"
    Path(terminal.directory / spec).write_text(text.replace("{x}", "{x} --epochs {epochs}"))
    tried = terminal.json("check", spec, "--try", "--seconds", "3")["try"]
    assert tried["exit_code"] is None
    assert 9 < tried["estimated_job_seconds"] < 40
    assert not any(f"/{tag}/" in mark for mark in iterate_marks())


def iterate_marks() -> Iterator[str]:
    """The directories of training jobs that any process belongs to."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE:
                yield process.environ().get("HPT_JOB_DIR", "")


def test_check_says_what_would_read_a_job_that_prints_no_objective(terminal: Terminal) -> None:
    spec = terminal.write_spec(metric_definitions=[{"name": "loss", "regex": "Loss: ({num})"}])
    out = terminal.hpt("check", spec, "--try", code=1)
    assert "no value of loss in what it printed" in out
    assert "epoch=4 loss=" in out
    assert "{name: 'loss', regex: " in out


def test_check_says_where_a_file_of_the_objective_was_looked_for(terminal: Terminal) -> None:
    metric = [{"name": "loss", "file": "res.csv", "regex": "loss=({num})"}]
    command = "echo loss=1 > res.csv; : {x}"
    spec = terminal.write_spec(command=command, shell=True, metric_definitions=metric)
    out = " ".join(terminal.hpt("check", spec, "--try", code=1).split())
    assert "there is no res.csv in the job's directory, which HPT_JOB_DIR names" in out
    assert "the command wrote one into the working directory" in out


def test_jobs_on_a_terminal_live_through_a_crash_of_the_tuner(terminal: Terminal) -> None:
    spec = terminal.write_spec(pty=True, options="--seconds 0.3 --epochs 20", max_jobs=1)
    tuner = terminal.start("run", spec)
    terminal.wait_for_log("t", 1, "epoch=3 ")
    tuner.kill()
    tuner.wait()
    terminal.wait_for_log("t", 1, "epoch=5 ")
    terminal.hpt("resume", "t")
    (job,) = terminal.json("jobs", "t")
    assert (job["attempts"], job["epochs"]) == (1, 20)


def test_a_stopped_job_on_a_terminal_leaves_nothing_behind(terminal: Terminal) -> None:
    spec = terminal.write_spec(
        pty=True, options="--mode children --epochs 200", max_jobs=1, stop_grace_seconds=1
    )
    tuner = terminal.start("run", spec)
    terminal.wait_for_log("t", 1, "epoch=2 ")
    terminal.hpt("stop", "t")
    tuner.wait(timeout=30)
    assert terminal.find_processes() == []
    (job,) = terminal.json("jobs", "t")
    assert job["stop_reason"] == "StoppedByUser"


def list_warnings(terminal: Terminal) -> dict[str, dict[str, Any]]:
    return {each["slug"]: each for each in terminal.json("show", "t")["warnings"]}


def test_a_job_that_prints_no_objective_is_told_of_while_it_runs(terminal: Terminal) -> None:
    spec = terminal.write_spec(
        options="--seconds 0.02 --epochs 2000",
        max_jobs=1,
        metric_definitions=[{"name": "loss", "regex": "Loss: ({num})"}],
    )
    tuner = terminal.start("run", spec)
    terminal.wait_for_log("t", 1, "epoch=10 ")
    wait_until(lambda: list_warnings(terminal).keys() == {"no-objective"}, "the warning")
    warning = list_warnings(terminal)["no-objective"]
    assert "t-0001 has printed 2" in warning["message"]
    assert any(" loss=" in line for line in warning["lines"])
    assert "loss" in warning["metric_definitions"][0]
    assert "would find something" in terminal.hpt("show", "t")
    terminal.hpt("stop", "t")
    _, err = tuner.communicate(timeout=30)
    assert err.count("warning[no-objective]") == 1


def test_output_that_is_held_back_is_told_of(terminal: Terminal) -> None:
    environment = {"PYTHONUNBUFFERED": ""}
    fields = {"options": "--mode buffered --seconds 0.5 --epochs 5", "max_jobs": 1}
    terminal.hpt("run", terminal.write_spec(environment=environment, **fields))
    assert "pty: true" in list_warnings(terminal)["output-held-back"]["hint"]
    # With a terminal each line comes when it is printed.
    terminal.hpt("run", terminal.write_spec("p", environment=environment, pty=True, **fields))
    assert terminal.json("show", "p")["warnings"] == []


def test_jobs_that_are_all_the_same_are_told_of(terminal: Terminal) -> None:
    command = terminal.train_command("--x 1 --epochs {epochs}")
    spec = terminal.write_spec(command=command, static_hyperparameters={"epochs": 3})
    out = terminal.hpt("run", spec)
    assert "do the hyperparameters reach the program?" in out
    assert "the command does not name {x}" in list_warnings(terminal)["same-curves"]["hint"]


def test_numbers_that_are_cut_at_a_comma_are_told_of(terminal: Terminal) -> None:
    spec = terminal.write_spec(
        command=["sh", "-c", "echo {x} loss 0,912"],
        max_jobs=1,
        metric_definitions=[{"name": "loss", "regex": "loss ({num})"}],
    )
    assert "0,912 is read as 0" in " ".join(terminal.hpt("check", spec, "--try").split())
    terminal.hpt("run", spec)
    assert "0,912 is read as 0" in list_warnings(terminal)["number-cut"]["message"]


SCRIPT = """
import argparse
p = argparse.ArgumentParser()
p.add_argument("--lr", type=float, default=0.01)
p.add_argument("--hidden", type=int, default=64)
p.add_argument("--solver", choices=["adam", "sgd"], default="adam")
p.add_argument("--epochs", type=int, default=4)
o = p.parse_args()
for epoch in range(1, o.epochs + 1):
    loss, accuracy = 1 / epoch + o.lr, 1 - o.lr - 0.3 / epoch
    print(f"Epoch {epoch}/{o.epochs} - loss: {loss:.4f} - val_acc: {accuracy:.4f}")
"""


def test_from_a_script_to_a_tuning_job(terminal: Terminal) -> None:
    (terminal.directory / "train.py").write_text(SCRIPT)
    out = terminal.hpt("init", "--try", sys.executable, "train.py", "--epochs", "3")
    assert "hpt check spec.yaml --try" in out
    spec = read_spec(terminal.directory / "spec.yaml")
    assert list(spec.hyperparameter_ranges) == ["lr", "hidden", "solver"]
    assert spec.initial_hyperparameters == ({"lr": 0.01, "hidden": 64, "solver": "adam"},)
    assert (spec.objective_metric_name, spec.objective_type) == ("val_acc", "Maximize")
    assert "--epochs 3" in spec.command
    assert terminal.json("check", "spec.yaml")["warnings"] == []
    terminal.hpt("run", "spec.yaml", "--set", "max_jobs=3", "--set", "strategy=Random")
    jobs = terminal.json("jobs", "train")
    assert jobs[0]["hyperparameters"] == {"lr": 0.01, "hidden": 64, "solver": "adam"}
    assert [(job["objective_status"], job["epochs"]) for job in jobs] == [("Succeeded", 3)] * 3


def test_init_leaves_out_what_fails_at_the_ends_of_the_ranges(terminal: Terminal) -> None:
    refusal = "if o.hidden > 200: raise SystemExit('no room')\n"
    refusal += "if o.solver == 'sgd': raise SystemExit('no sgd')\n"
    (terminal.directory / "train.py").write_text(SCRIPT.replace("for epoch", f"{refusal}for epoch"))
    out = terminal.hpt("init", "--try", sys.executable, "train.py")
    assert "hidden 256 failed in a trial run (no room): left out" in out
    assert "solver sgd failed in a trial run (no sgd): it is not tuned" in out
    text = (terminal.directory / "spec.yaml").read_text()
    assert "# hidden 256 failed in a trial run" in text
    spec = read_spec(terminal.directory / "spec.yaml")
    assert list(spec.hyperparameter_ranges) == ["lr", "hidden"]
    assert spec.hyperparameter_ranges["hidden"].to_unit(64) > 0.9


def test_init_warns_of_its_own_options_after_the_command(terminal: Terminal) -> None:
    script = terminal.directory / "train.py"
    script.write_text(SCRIPT)
    out = terminal.hpt("init", sys.executable, "train.py", "--name", "x", "--solver", "sgd")
    assert "warning: --name: the program has no such option" in out
    script.write_text(SCRIPT.replace("o = ", 'p.add_argument("--name")\no = '))
    out = terminal.hpt("init", "--force", sys.executable, "train.py", "--name", "x")
    assert "warning" not in out


def test_init_runs_a_script_by_its_interpreter(terminal: Terminal) -> None:
    (terminal.directory / "train.py").write_text(SCRIPT)
    assert "the command is: python" in terminal.hpt("init", "train.py")
    assert " train.py --lr" in str(read_spec(terminal.directory / "spec.yaml").command)
    (terminal.directory / "train.sh").write_text("echo loss 1")
    out = terminal.hpt("init", "-o", "-", "train.sh", code=1)
    assert "the command is: bash train.sh" in out
    assert "./train.sh {lr=0.01} {depth=6}" in out
    assert "HPT_HYPERPARAMETERS" in out
    assert "there is no file nowhere.sh" in terminal.hpt("init", "-o", "-", "nowhere.sh", code=2)


def test_init_names_the_variables_that_a_script_reads(terminal: Terminal) -> None:
    source = "import os\nlr = float(os.environ.get('LR', '0.1'))\nport = os.getenv('PORT', 8080)\n"
    (terminal.directory / "train.py").write_text(source)
    out = terminal.hpt("init", sys.executable, "train.py", code=1)
    line = out.splitlines()[-1].strip()
    assert line == f"hpt init LR=0.1 {sys.executable} train.py"
    terminal.hpt(*line.split()[1:])
    assert list(read_spec(terminal.directory / "spec.yaml").hyperparameter_ranges) == ["LR"]


@pytest.mark.parametrize(
    ("words", "command", "names"),
    [
        (["sh", "train.sh", "{rate=0.1}", "{depth=3}"], "sh train.sh {rate} {depth}", "rate depth"),
        (["RATE=0.1", "sh", "train.sh"], "RATE={RATE} sh train.sh", "RATE"),
        (["RATE=0.1 sh train.sh"], "RATE={RATE} sh train.sh", "RATE"),
    ],
)
def test_init_of_a_script_without_options(
    terminal: Terminal, words: list[str], command: str, names: str
) -> None:
    (terminal.directory / "train.sh").write_text("echo loss=${1:-$RATE}\n")
    out = terminal.hpt("init", "--try", *words)
    assert "0.1  lower is better" in out
    spec = read_spec(terminal.directory / "spec.yaml")
    assert spec.command == command
    assert list(spec.hyperparameter_ranges) == names.split()
    assert spec.initial_hyperparameters[0][names.split()[0]] == 0.1


CONFIGURED = """
lr = 1e-3
width = 64
gamma = 0.99
exec(open("configurator.py").read())
for epoch in range(3):
    print(f"epoch {epoch} loss {lr + gamma + width / (epoch + 1)}")
"""
CONFIGURATOR = """
import sys
from ast import literal_eval
for arg in sys.argv[1:]:
    assert arg.startswith("--")
    key, value = arg.split("=")
    assert type(literal_eval(value)) == type(globals()[key[2:]])
    globals()[key[2:]] = literal_eval(value)
"""


def test_init_tunes_the_variables_of_a_script(terminal: Terminal) -> None:
    (terminal.directory / "train.py").write_text(CONFIGURED)
    (terminal.directory / "configurator.py").write_text(CONFIGURATOR)
    out = terminal.hpt("init", "--try", sys.executable, "train.py")
    assert "it runs with the first and with the last value of every range" in out
    spec = read_spec(terminal.directory / "spec.yaml")
    assert "--lr={lr} --width={width} --gamma={gamma}" in str(spec.command)
    terminal.hpt("run", "spec.yaml", "--set", "max_jobs=4", "--set", "strategy=Random")
    jobs = terminal.json("jobs", "train")
    assert [job["objective_status"] for job in jobs] == ["Succeeded"] * 4


def test_init_takes_what_it_is_told(terminal: Terminal) -> None:
    (terminal.directory / "train.py").write_text(SCRIPT)
    (terminal.directory / "old.log").write_text("step 1 err=0.5\nstep 2 err=0.4\n")
    command = (sys.executable, "train.py")
    options = ("--log", "old.log", "--tune", "lr", "--metric", "err", "-o", "-", "--name", "n")
    process = terminal.start("init", *options, *command)
    out, _ = process.communicate(timeout=60)
    spec = parse_spec(out, "out.yaml")
    assert list(spec.hyperparameter_ranges) == ["lr"]
    assert (spec.name, spec.objective_metric_name, spec.objective_type) == ("n", "err", "Minimize")
    assert "did you mean 'lr'" in terminal.hpt("init", "--tune", "lrr", *command, code=2)
    out = terminal.hpt("init", "-o", "-", "--name", "n", *command, "--epochs", "{epochs}")
    assert "epochs: {type: Integer" in " ".join(out.split())
    assert "epochs: {type: Integer" in " ".join(
        terminal.hpt("init", "-o", "-", "--tune", "epochs", *command).split()
    )
    terminal.hpt("init", "-o", "-", *command, "{what}", code=2)
    terminal.hpt("init", *command)
    assert "spec.yaml already exists" in terminal.hpt("init", *command, code=2)
    assert "no program" in terminal.hpt("init", "-o", "x.yaml", "nowhere", code=2)
    assert "exit code 2" in terminal.hpt("init", "-o", "x", "--try", *command, "--bad", "1", code=1)
