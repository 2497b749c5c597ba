"""hpt metrics on logs of real programs: from a log to a tuning job, without the docs."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import yaml

from tests.acceptance.conftest import HPT

SAMPLES = Path(__file__).parents[1] / "unit" / "metrics" / "samples"


def hpt(*words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([HPT, "metrics", *words], input=stdin, capture_output=True, timeout=60)


def test_what_is_proposed_can_be_pasted_into_a_spec_and_finds_the_same(tmp_path: Path) -> None:
    log = SAMPLES / "xgboost.log"
    proposed = hpt(str(log))
    assert proposed.returncode == 0
    assert yaml.safe_load(proposed.stdout)["objective_metric_name"] == "validation-auc"
    spec = tmp_path / "spec.yaml"
    ranges = "name: x\ncommand: x\nhyperparameter_ranges: {a: {type: Categorical, values: [1]}}\n"
    spec.write_text(ranges + proposed.stdout.decode())
    found = hpt(str(log), "--spec", str(spec), "--json")
    assert found.returncode == 0
    first = json.loads(found.stdout)["definitions"][0]
    truth = json.loads((SAMPLES / "xgboost.json").read_text())["validation-auc"]
    assert [step for step, _ in first["curve"]] == [step for step, _ in truth]


def test_a_data_set_that_only_a_heading_names_is_read_alone(tmp_path: Path) -> None:
    log = "".join(
        f"Epoch {n}\nTraining:\nloss 0.{n} acc 0.9{n}\nValidation:\nloss 0.5 acc 0.8{n}\n"
        for n in range(1, 4)
    ).encode()
    proposed = hpt("-", stdin=log).stdout.decode()
    assert yaml.safe_load(proposed)["objective_metric_name"] == "Validation_acc"
    spec = tmp_path / "spec.yaml"
    ranges = "name: x\ncommand: x\nhyperparameter_ranges: {a: {type: Categorical, values: [1]}}\n"
    spec.write_text(ranges + proposed)
    found = hpt("-", "--spec", str(spec), "--json", stdin=log)
    first = json.loads(found.stdout)["definitions"][0]
    assert first["curve"] == [[1, 0.81], [2, 0.82], [3, 0.83]]
    spec.write_text(ranges + proposed.replace("after: '", "after: '("))
    refused = hpt("-", "--spec", str(spec), stdin=log).stderr.decode()
    assert "missing )" in refused
    assert "after" in refused


def test_a_regex_that_misreads_is_shown_with_its_lines(tmp_path: Path) -> None:
    log = b"epoch 1 val_loss: 9.1e-04\nepoch 2 val_loss: 1.2\n"
    shown = hpt("-", "--regex", r"val_loss: ([0-9\.]+)", stdin=log)
    text = shown.stdout.decode()
    assert "1 epoch 1 val_loss: 9.1e-04" in text
    assert "warning[number-cut]: line 1: 9.1e-04 is read as 9.1" in text


def test_what_finds_nothing_ends_with_1_and_says_what_would() -> None:
    shown = hpt(str(SAMPLES / "lightgbm.log"), "--regex", "auc=({num})")
    assert shown.returncode == 1
    assert b"finds nothing" in shown.stdout
    assert b"{name: 'valid_0''s auc', preset: 'lightgbm'}" in shown.stdout


def test_a_log_that_is_searched_in_parts_says_so_and_ends_with_its_last_values(
    tmp_path: Path,
) -> None:
    log = tmp_path / "train.log"
    lines = []
    for number in range(60_000):
        lines.append(f"step {number} loss {1 - number / 1e5:.5f}\n")
        if number % 3_000 == 0:
            lines.append(f"step {number} val_acc {0.5 + number / 2e5:.4f}\n")
    log.write_text("".join(lines))
    found = json.loads(hpt(str(log), "--json").stdout)
    accuracy, loss = found["proposals"]
    assert (len(accuracy["curve"]), accuracy["curve"][-1]) == (20, [57_000, 0.785])
    assert (len(loss["curve"]) < 60_000, loss["curve"][-1]) == (True, [59_999, 0.40001])
    (warning,) = [each for each in found["warnings"] if each["slug"] == "log-sampled"]
    assert "only the values in these parts" in warning["hint"]


def test_a_log_in_utf_16_is_read_as_powershell_writes_it(tmp_path: Path) -> None:
    log = tmp_path / "train.log"
    log.write_bytes("Epoch 1 val_loss: 0.5\r\nEpoch 2 val_loss: 0.4\r\n".encode("utf-16"))
    proposed = json.loads(hpt(str(log), "--json").stdout)["proposals"]
    assert proposed[0]["curve"] == [[1, 0.5], [2, 0.4]]
    found = json.loads(hpt(str(log), "--regex", "val_loss: ({num})", "--json").stdout)
    assert found["definitions"][0]["count"] == 2


def test_a_regex_that_backtracks_is_given_up() -> None:
    log = b"x=" + b"a" * 60 + b"!\n"
    shown = hpt("-", "--regex", r"x=(?:(?:a|aa)+)+b({num})", stdin=log * 5)
    assert shown.returncode == 1
    text = " ".join(shown.stdout.decode().split())
    assert "warning[regex-slow]" in text
    assert "warning[regex-given-up]: searching took too long" in text


def test_mistakes_are_errors_with_a_way_out() -> None:
    for words, hint in [
        (("/none",), b"No such file"),
        (("-", "--preset", "xgbost"), b"did you mean 'xgboost'?"),
        (("-", "--preset", "ultralytics", "--metric", "map50"), b"did you mean 'mAP50'?"),
        (("-", "--regex", "("), b"does not compile"),
        (("-", "--regex", "x={num}", "--preset", "keras"), b"cannot be combined"),
    ]:
        shown = hpt(*words)
        assert shown.returncode == 2, words
        assert hint in shown.stderr
    assert hpt("-", stdin=b"hello\n").returncode == 1
