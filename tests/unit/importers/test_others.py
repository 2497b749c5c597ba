"""Files that are not imported."""

from __future__ import annotations

import pytest

from hpt_cli.errors import UsageError
from hpt_cli.importers import import_text


@pytest.mark.parametrize(
    ("text", "file", "section"),
    [
        ("apiVersion: kubeflow.org/v1beta1\nkind: Experiment", "e.yaml", "Katib"),
        ("searcher: {}\nhyperparameters: {}", "d.yaml", "Determined"),
        ("searchSpaceFile: s.json", "n.yml", "NNI"),
        ('{"x": {"_type": "choice", "_value": [1]}}', "s.json", "NNI"),
        ("import optuna\n", "o.py", "Optuna"),
        ("from syne_tune import Tuner\n", "t.py", "Syne Tune"),
        ("from ray import tune\n", "t.py", "Ray Tune"),
        ("- model: x", "notes.txt", ""),
        ("[1]", "x.json", ""),
        ("print(1)", "x.py", ""),
    ],
)
def test_the_message_names_the_page_that_helps(text: str, file: str, section: str) -> None:
    with pytest.raises(UsageError) as caught:
        import_text(text, file)
    (problem,) = caught.value.problems
    assert problem.message.startswith(f"{file} is no SageMaker request")
    assert "docs/coming-from.md" in problem.hint
    assert problem.hint.endswith(f"see {section} there" if section else "by hand")


def test_a_spec_is_a_spec_already() -> None:
    with pytest.raises(UsageError, match="is a spec already"):
        import_text("hyperparameter_ranges: {}", "s.yaml")
