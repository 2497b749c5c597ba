"""Metric definitions for what another program only names."""

from __future__ import annotations

from hpt_cli.importers import Imported, import_text
from hpt_cli.metrics.detection import detect_metrics

LOG = [f"epoch {n} val_loss={1 / n:.3f} val_acc={n / 10:.3f}" for n in range(1, 6)]
SWEEP = """
program: train.py
method: random
run_cap: 3
metric: {name: METRIC}
parameters: {x: {values: [1, 2]}}
"""
HYDRA = "hydra: {sweeper: {n_trials: 3, DIRECTIONparams: {x: 'interval(0, 1)'}}}"


def complete(text: str, file: str = "s.yaml") -> Imported:
    return import_text(text, file, log="train.log", detected=detect_metrics(LOG))


def test_a_named_metric_is_found_however_its_words_are_written() -> None:
    imported = complete(SWEEP.replace("METRIC", "validation/accuracy"))
    (definition,) = imported.fields["metric_definitions"]
    assert definition["name"] == "validation/accuracy"
    assert "val_acc" in definition["regex"]
    assert "{step}" in definition["regex"]
    assert imported.fill_in == ()


def test_a_metric_that_the_log_does_not_have_stays_a_guess_and_is_told() -> None:
    imported = complete(SWEEP.replace("METRIC", "f1"))
    ((field, words),) = imported.fill_in
    assert field == "metric_definitions"
    assert "train.log has no f1" in words
    assert "val_acc" in words


def test_an_objective_without_a_name_is_the_likeliest() -> None:
    fields = complete(HYDRA.replace("DIRECTION", ""), "c.yaml").fields
    assert (fields["objective_metric_name"], fields["objective_type"]) == ("val_acc", "Maximize")
    imported = complete(HYDRA.replace("DIRECTION", "direction: minimize, "), "c.yaml")
    assert imported.fields["objective_metric_name"] == "val_loss"
    assert dict(imported.fill_in)["objective_metric_name"].startswith("val_loss is the likeliest")
