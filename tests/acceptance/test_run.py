"""Whole tuning jobs through the real command."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.conftest import HPT, TRAIN, Terminal, wait_until
from tests.acceptance.warm import WarmHpt

ISO_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00")


def test_a_whole_tuning_job(terminal: Terminal) -> None:
    text = terminal.hpt("run", terminal.write_spec())
    assert "t-0001 started: x=" in text
    assert "Completed: max_jobs (4) reached" in text

    shown = terminal.json("show", "t")
    assert shown["tuning_job_name"] == "t"
    assert shown["tuning_job_status"] == "Completed"
    assert shown["training_job_status_counters"] == {
        "completed": 4,
        "in_progress": 0,
        "stopped": 0,
        "failed": 0,
    }
    assert shown["objective_status_counters"] == {"succeeded": 4, "pending": 0, "failed": 0}
    assert shown["completion_reason"] == "max_jobs (4) reached"
    assert shown["tuning_time_seconds"] > 0

    rows = terminal.json("jobs", "t", "--curves")
    assert [row["training_job_name"] for row in rows] == [f"t-000{n}" for n in (1, 2, 3, 4)]
    for row in rows:
        assert row["final_objective_value"] == pytest.approx(
            row["hyperparameters"]["x"] + 0.25, abs=1e-5
        )
        assert [step for step, _ in row["curve"]] == [1, 2, 3, 4]
        assert row["epochs"] == 4
        assert row["attempts"] == 1
        assert ISO_TIME.fullmatch(row["training_start_time"])
        assert ISO_TIME.fullmatch(row["training_end_time"])
    total = sum(row["training_elapsed_time_seconds"] for row in rows)
    assert shown["total_training_time_seconds"] == pytest.approx(total, abs=0.01)
    best = min(rows, key=lambda row: row["final_objective_value"])
    assert shown["best_training_job"]["training_job_name"] == best["training_job_name"]
    assert terminal.json("list")[0]["best_training_job"] == best["training_job_name"]


@pytest.mark.parametrize(("chosen", "extra"), [("mean", 0.75), ("best", 0.5)])
def test_every_command_has_what_counts(terminal: Terminal, chosen: str, extra: float) -> None:
    """The values of a job are x + 1 and x + 1/2, and then NaN where the best of them counts."""
    command = terminal.train_command("--x {x} --epochs 2")
    if chosen == "best":
        command = f"{command} && echo epoch=3 loss=nan"
    terminal.hpt(
        "run",
        terminal.write_spec(command=command, shell=True, max_jobs=2, objective_value=chosen),
    )
    rows = terminal.json("jobs", "t")
    finals = [row["hyperparameters"]["x"] + extra for row in rows]
    assert [row["final_objective_value"] for row in rows] == pytest.approx(finals, abs=1e-5)
    assert [row["failure_reason"] for row in rows] == [None, None]
    best = min(rows, key=lambda row: row["final_objective_value"])
    (listed,), (compared, _) = terminal.json("list"), terminal.json("compare", "t", "t")
    for each in (listed, compared):
        assert each["best_training_job"] == best["training_job_name"]
        assert each["best_objective_value"] == best["final_objective_value"]
    texts = terminal.hpt("best", "t") + terminal.hpt("jobs", "t", "--wide")
    assert texts.count(f"{best['final_objective_value']:.12g}") == 2
    assert f"job {best['training_job_name'][-1]}, {best['final_objective_value']:.4g}" in (
        terminal.hpt("curves", "t")
    )


def test_at_most_max_parallel_jobs_run_at_once(terminal: Terminal) -> None:
    terminal.hpt("run", terminal.write_spec(max_jobs=6, max_parallel_jobs=3))
    rows = terminal.json("jobs", "t")
    edges = [(row["training_start_time"], 1) for row in rows]
    edges += [(row["training_end_time"], -1) for row in rows]
    running = highest = 0
    for _, change in sorted(edges):
        running += change
        highest = max(highest, running)
    assert highest == 3


def test_results_tables(terminal: Terminal) -> None:
    terminal.hpt("run", terminal.write_spec())
    rows = terminal.json("jobs", "t", "--top", "2")
    values = [row["final_objective_value"] for row in terminal.json("jobs", "t")]
    assert [row["final_objective_value"] for row in rows] == sorted(values)[:2]
    by_x = [row["hyperparameters"]["x"] for row in terminal.json("jobs", "t", "--sort", "x")]
    assert by_x == sorted(by_x)
    assert terminal.json("jobs", "t", "--status", "Failed") == []
    table = list(csv.DictReader(io.StringIO(terminal.hpt("jobs", "t", "--format", "csv"))))
    assert [float(row["final_objective_value"]) for row in table] == values
    assert "★" in terminal.hpt("jobs", "t")
    worst = terminal.json("jobs", "@last", "--sort", "objective", "--desc", "--top", "1")
    assert worst[0]["final_objective_value"] == max(values)
    near = terminal.json("jobs", "t", "--where", f"x <= {by_x[1]} and status == completed")
    assert sorted(row["hyperparameters"]["x"] for row in near) == by_x[:2]
    terminal.hpt("jobs", "t", "--columns", "number,x", "--top", "1", "-o", "best.md")
    assert (terminal.directory / "best.md").read_text().splitlines()[1] == "| ---: | ---: |"
    assert "--columns names no column" in terminal.hpt("jobs", "t", "--columns", ",", code=2)
    terminal.environment |= {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    assert " ?" in terminal.hpt("jobs", "t")
    assert "did you mean 'status'" in terminal.hpt("jobs", "t", "--where", "stats = 1", code=2)
    assert "did you mean 'objective'" in terminal.hpt("jobs", "t", "--sort", "objektive", code=2)
    assert "did you mean 'Failed'" in terminal.hpt("jobs", "t", "--status", "failed", code=2)


def test_the_best_is_ready_to_paste(terminal: Terminal) -> None:
    terminal.hpt(
        "run",
        terminal.write_spec(options="--epochs {epochs}", static_hyperparameters={"epochs": 2}),
    )
    best = terminal.json("best", "t")
    line = terminal.hpt("best", "t", "--command").strip()
    assert line == best["command"]
    printed = subprocess.run(line, shell=True, capture_output=True, text=True, check=True).stdout
    assert printed.splitlines()[-1].endswith(f"loss={best['final_objective_value']:.6f}")


def test_logs_by_number_and_by_name(terminal: Terminal) -> None:
    terminal.hpt("run", terminal.write_spec(max_jobs=1))
    text = terminal.log("t", 1).read_text()
    assert terminal.hpt("logs", "t", "1") == text == terminal.hpt("logs", "t", "t-0001")
    assert "has no training job '9'" in terminal.hpt("logs", "t", "9", code=2)


def test_logs_follow_until_the_end(terminal: Terminal) -> None:
    run = terminal.start("run", terminal.write_spec(max_jobs=1, options="--epochs 20"))
    terminal.wait_for_log("t", 1, "epoch=1 ")
    text = terminal.hpt("logs", "t", "1", "--follow")
    assert "epoch=20 " in text
    assert run.wait(60) == 0


def test_early_stopping_in_real_life(terminal: Terminal) -> None:
    spec = terminal.write_spec(
        max_jobs=24, early_stopping_type="Auto", options="--epochs 12 --seconds 0.04"
    )
    terminal.hpt("run", spec)
    rows = terminal.json("jobs", "t")
    stopped = [row for row in rows if row["stop_reason"] == "EarlyStopped"]
    assert stopped
    for row in stopped:
        assert row["training_job_status"] == "Stopped"
        assert row["objective_status"] == "Succeeded"
        assert row["final_objective_value"] is not None
        assert row["stop_explanation"]
    assert min(row["epochs"] for row in stopped) <= 6
    assert terminal.json("show", "t")["training_job_status_counters"]["stopped"] == len(stopped)
    terminal.hpt("run", terminal.write_spec("off", max_jobs=2))
    compared = terminal.json("compare", "off", "t")
    assert compared[1]["stopped_training_jobs"] == [row["training_job_name"] for row in stopped]
    text = terminal.hpt("compare", "off", "t")
    assert "total training time" in text
    assert "top 5 training jobs of t" in text


def test_a_training_job_sees_the_contract_s_environment(terminal: Terminal) -> None:
    code = (
        "import json, os; e = os.environ; print(json.dumps({k: v for k, v in e.items()"
        " if k.startswith(('HPT_', 'SM_', 'MY_', 'PYTHONUNBUFFERED'))})); print('loss=1')"
    )
    spec = terminal.write_spec(
        command=["python3", "-c", code],
        max_jobs=1,
        environment={"MY_OWN": 3},
        static_hyperparameters={"epochs": 2},
    )
    terminal.hpt("run", spec)
    import json

    seen = json.loads(terminal.log("t", 1).read_text().splitlines()[0])
    hyperparameters = json.loads(seen["HPT_HYPERPARAMETERS"])
    job_dir = terminal.directory / ".hpt/t/jobs/0001"
    assert set(hyperparameters) == {"x", "epochs"}
    assert seen["SM_HPS"] == seen["HPT_HYPERPARAMETERS"]
    assert seen["SM_HP_EPOCHS"] == "2"
    assert seen["HPT_TUNING_JOB"] == "t"
    assert seen["HPT_TRAINING_JOB"] == "t-0001"
    assert (seen["HPT_TRAINING_JOB_NUMBER"], seen["HPT_SLOT"]) == ("1", "0")
    assert Path(seen["HPT_JOB_DIR"]) == job_dir
    assert Path(seen["HPT_CHECKPOINT_DIR"]).is_dir()
    assert seen["HPT_ATTEMPT"] == "1"
    assert seen["PYTHONUNBUFFERED"] == "1"
    assert seen["MY_OWN"] == "3"


def test_a_small_space_is_tried_once_and_then_done(terminal: Terminal) -> None:
    for strategy in ("Random", "Bayesian"):
        spec = terminal.write_spec(
            strategy.lower(),
            strategy=strategy,
            hyperparameter_ranges={"x": {"type": "Categorical", "values": [1, 2, 3]}},
            options="--epochs 1",
            max_jobs=50,
        )
        assert "all 3 points" in terminal.hpt("run", spec)
        rows = terminal.json("jobs", strategy.lower())
        assert sorted(row["hyperparameters"]["x"] for row in rows) == [1, 2, 3]


def test_mistakes_in_the_spec_come_all_at_once(terminal: Terminal) -> None:
    name = terminal.write_spec(max_job=3, objective_metric_name="los", early_stopping_type="Of")
    text = terminal.hpt("run", name, code=2)
    assert re.search(r"t\.yaml:\d+:1: error\[field-unknown\].*'max_job'", text)
    assert "did you mean 'max_jobs'?" in text
    assert "did you mean 'loss'?" in text
    assert "did you mean 'Off'?" in text
    assert not (terminal.directory / ".hpt").exists()


def test_unknown_commands_and_names_are_usage_errors(terminal: Terminal) -> None:
    terminal.hpt("rnu", code=2)
    assert "there is none yet" in terminal.hpt("show", "t", code=2)
    assert "No such file" in terminal.hpt("run", "none.yaml", code=2)


def test_a_name_is_used_once(terminal: Terminal) -> None:
    spec = terminal.write_spec(max_jobs=1)
    terminal.hpt("run", spec)
    assert "already exists" in terminal.hpt("run", spec, code=2)
    terminal.hpt("run", spec, "--name", "other")
    assert len(terminal.json("list")) == 2
    assert "is Completed" in terminal.hpt("resume", "t")


def test_a_home_elsewhere(terminal: Terminal, tmp_path: Path) -> None:
    spec = terminal.write_spec(max_jobs=1)
    terminal.hpt("run", spec, "--home", str(tmp_path / "elsewhere"))
    assert terminal.json("list") == []
    terminal.environment["HPT_HOME"] = str(tmp_path / "elsewhere")
    assert len(terminal.json("list")) == 1


def run_in_pty(terminal: Terminal, *arguments: str, act: Callable[[int, str], None]) -> str:
    """Run hpt on a real terminal of 80 by 24; `act` sees its pid and what it has written."""
    pid, descriptor = pty.fork()
    if pid == 0:
        os.chdir(terminal.directory)
        environment = {**terminal.environment, "TERM": "xterm-256color", "COLUMNS": "80"}
        environment |= {"LINES": "24"}
        environment.pop("CI", None)
        os.execve(HPT, [HPT, *arguments], environment)
    text = ""
    while True:
        try:
            data = os.read(descriptor, 65536)
        except OSError:
            break
        if not data:
            break
        text += data.decode(errors="replace")
        act(pid, text)
    os.close(descriptor)
    os.waitpid(pid, 0)
    return text


def test_the_live_screen_on_a_terminal(terminal: Terminal) -> None:
    spec = terminal.write_spec(max_jobs=3, options="--epochs 10 --seconds 0.15")
    text = run_in_pty(terminal, "run", spec, act=lambda _pid, _text: None)
    for words in ("hyperparameters", "2 running", "best loss", "left", "▁"):
        assert words in text


def test_ctrl_c_on_a_terminal(terminal: Terminal) -> None:
    pressed: list[float] = []

    def press(pid: int, text: str) -> None:
        if "2 running" in text and not pressed:
            pressed.append(time.monotonic())
            os.kill(pid, signal.SIGINT)

    spec = terminal.write_spec(options="--epochs 400")
    text = run_in_pty(terminal, "run", spec, act=press)
    assert text.rstrip().endswith("hpt resume t")
    wait_until(lambda: terminal.find_processes() == [])


def test_the_views_never_import_scikit_optimize(terminal: Terminal) -> None:
    terminal.hpt("run", terminal.write_spec(max_jobs=1))
    python = str(Path(HPT).parent / "python")
    code = (
        "import sys; sys.argv = ['hpt', *sys.argv[1:]]\n"
        "from hpt_cli.cli.app import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'skopt', 'sklearn', 'scipy', 'numpy'}\n"
        "if sys.argv[1] == 'list': heavy.add('regex')\n"
        "assert heavy.isdisjoint(sys.modules), heavy & set(sys.modules)"
    )
    for arguments in (["--help"], ["list"], ["show", "t"], ["jobs", "t"], ["run", "--help"]):
        subprocess.run(
            [python, "-c", code, *arguments],
            cwd=terminal.directory,
            check=True,
            stdout=subprocess.DEVNULL,
        )


def test_the_last_line_counts_without_its_ending(terminal: Terminal) -> None:
    terminal.hpt("run", terminal.write_spec(max_jobs=1, options="--mode 'quiet end'"))
    assert terminal.json("jobs", "t")[0]["final_objective_value"] == 0.125
    assert TRAIN.exists()


def test_directories_need_not_be_utf8(tmp_path: Path, warm_hpt: WarmHpt) -> None:
    directory = tmp_path / os.fsdecode(b"\xff\xfe")
    directory.mkdir()
    terminal = Terminal(directory, warm_hpt)
    terminal.write_spec(max_jobs=2)
    spec = os.fsdecode(b"s\xff.yaml")
    (directory / "t.yaml").rename(directory / spec)
    terminal.hpt("run", spec, "--plain")
    home = os.fsdecode(b"home\xff")
    terminal.hpt("run", spec, "--home", home, "--quiet")
    assert terminal.json("show", "t")["training_job_status_counters"]["completed"] == 2
    assert len(json.loads(terminal.hpt("list", "--all-homes", "--json"))) == 2
    terminal.hpt("jobs", "t", "--curves", "--json")
    terminal.hpt("export", "t", "-o", os.fsdecode(b"\xff.csv"))
    terminal.hpt("doctor", "t")
    assert (directory / home / "t" / "journal.sqlite").is_file()


def test_a_working_directory_may_be_too_long_for_the_journal(
    tmp_path: Path, warm_hpt: WarmHpt
) -> None:
    directory = tmp_path.joinpath(*["d" * 100] * 6)
    directory.mkdir(parents=True)
    terminal = Terminal(directory, warm_hpt)
    spec = terminal.write_spec(max_jobs=2)
    refused = terminal.hpt("run", spec, code=1)
    assert "error[path-long]" in refused
    assert "--home DIR" in refused
    home = str(tmp_path / "home")
    terminal.hpt("run", spec, "--home", home)
    assert "2 of 2 done: 2 completed" in terminal.hpt("show", "t", "--home", home)
    assert "error[path-long]" not in terminal.hpt("list")


WRITTEN = """\
name: t
command:
  - sh
  - -c
  - |
    echo "$@"; env | grep ^SM_HP_; echo $HPT_HYPERPARAMETERS; echo loss=1
    exit $((HPT_ATTEMPT % 2))
  - sh
  - '{args}'
hyperparameter_ranges:
  hidden: {type: Categorical, values: [1e3]}
  shard: {type: Categorical, values: [007]}
  drop: {type: Categorical, values: [2.50]}
  mask: {type: Categorical, values: [0x10]}
  rows: {type: Categorical, values: [1_000]}
  flag: {type: Categorical, values: [yes]}
  depth: {type: Continuous, min_value: 7, max_value: 7, step: 1}
  lr: {type: Continuous, min_value: 1e-4, max_value: 1}
static_hyperparameters: {seed: 012, scale: 1.0}
initial_hyperparameters: [{lr: 1e-3, hidden: 1000}]
metric_definitions: [{name: loss, regex: 'loss=({num})'}]
objective_metric_name: loss
objective_type: Minimize
"""


def test_values_arrive_as_they_are_written_and_after_a_resume_too(terminal: Terminal) -> None:
    (terminal.directory / "t.yaml").write_text(WRITTEN)
    given = {
        "hidden": "1e3",
        "shard": "007",
        "drop": "2.50",
        "mask": "0x10",
        "rows": "1_000",
        "flag": "yes",
        "depth": "7",
        "lr": "1e-3",
        "seed": "012",
        "scale": "1.0",
    }
    terminal.hpt("run", "t.yaml", code=1)
    terminal.hpt("resume", "t", "--retry-failed")
    for attempt in (1, 2):
        arguments, *variables, numbers, _ = terminal.log("t", 1, attempt).read_text().splitlines()
        words = arguments.split()
        assert dict(zip(words[::2], words[1::2], strict=True)) == {
            f"--{name}": text for name, text in given.items()
        }
        assert sorted(variables) == sorted(f"SM_HP_{k.upper()}={v}" for k, v in given.items())
        expected = {"hidden": 1000, "shard": 7, "depth": 7, "lr": 0.001, "seed": 12, "scale": 1}
        assert expected.items() <= json.loads(numbers).items()
    line = terminal.hpt("best", "t", "--command")
    assert all(f"--{name} {text}" in line for name, text in given.items())
    tuned = [text for name, text in given.items() if name not in ("seed", "scale")]
    for table in (
        terminal.hpt("jobs", "t", "--where", "shard = 07"),
        terminal.hpt("check", "t.yaml"),
    ):
        assert [text for text in tuned if text not in table.split()] == []
    (row,) = terminal.json("jobs", "t")
    assert row["hyperparameters"]["shard"] == 7
