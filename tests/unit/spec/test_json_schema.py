"""The JSON Schema of a spec says what hpt accepts, in an editor of YAML 1.1 or 1.2."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from hpt_cli.spec.json_schema import MODELS, make_schema, read_docstrings
from hpt_cli.spec.yaml.reader import parse_spec
from tests.unit.spec.yaml.test_reader import GOOD

jsonschema = pytest.importorskip("jsonschema")

ROOT = Path(__file__).parents[3]
SCHEMA = make_schema()
LENIENT = (
    GOOD.replace("Logarithmic}", "Logarithmic, when: {opt: yes}, prior: 1e-3}") + "shell: no\n"
)
LENIENT = LENIENT.replace("0.5]}", "0.5], prior: [on, 3]}")


def find_faults(text: str, loader: Any = yaml.SafeLoader) -> list[str]:
    validator = jsonschema.Draft7Validator(SCHEMA)
    return [each.message for each in validator.iter_errors(yaml.load(text, loader))]


def test_every_field_is_described() -> None:
    for model in MODELS:
        assert model.model_fields.keys() <= read_docstrings(model).keys(), model


def test_every_field_of_a_spec_is_in_the_docs() -> None:
    page = (ROOT / "docs" / "spec.md").read_text()
    assert [name for name in SCHEMA["properties"] if f"`{name}`" not in page] == []


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda p: p.name)
def test_it_accepts_the_examples(path: Path) -> None:
    assert find_faults(path.read_text()) == []


@pytest.mark.parametrize("loader", [yaml.SafeLoader, yaml.BaseLoader])
def test_it_accepts_what_the_dialects_of_yaml_make_of_a_spec(loader: Any) -> None:
    # SafeLoader: Off is False and 1e-4 text, as in YAML 1.1; BaseLoader: all is text.
    parse_spec(LENIENT, "spec.yaml")
    assert find_faults(LENIENT, loader) == []


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("max_jobs: 10", "max_jbos: 10", "max_jbos"),
        ("max_jobs: 10", "max_jobs: ten", "'ten' is not valid under any"),
        ("max_jobs: 10", "max_jobs: 0", "0 is not valid under any"),
        ("Off\n", "Off\nrandom_seed: -1\n", "less than the minimum"),
        ("Continuous", "Continous", "not valid under any"),
        ("Minimize", "minimize", "not one of"),
        ("type: Off", "type: Auto\nearly_stopping: {rule: meidan}", "meidan"),
        ("regex: 'loss=({num})'", "preset: xgbost", "xgbost"),
        ("Logarithmic}", "Logarithmic, prior: {}}", "not valid under any"),
        ("regex: 'loss=({num})'", "step: epoch", "not valid under any"),
        ("regex: 'loss=({num})'", "json: a, column: b", "valid under each of"),
    ],
)
def test_it_sees_a_mistake(old: str, new: str, words: str) -> None:
    assert old in GOOD
    assert any(words in fault for fault in find_faults(GOOD.replace(old, new)))
