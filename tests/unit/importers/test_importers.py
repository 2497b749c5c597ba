"""What other programs are told, as specs."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from hpt_cli.importers import import_text

REQUEST = (Path(__file__).parents[2] / "data" / "request.json").read_text()


def test_a_yaml_request_is_the_same_as_a_json_request() -> None:
    text = yaml.safe_dump(json.loads(REQUEST), sort_keys=False)
    assert import_text(text, "request.yaml") == import_text(REQUEST, "request.json")


def test_a_guessed_regex_is_marked() -> None:
    request = json.loads(REQUEST)
    del request["TrainingJobDefinition"]["AlgorithmSpecification"]["MetricDefinitions"]
    ((field, words),) = import_text(json.dumps(request), "request.json").fill_in
    assert field == "metric_definitions"
    assert words.startswith("this regex of average test loss is a guess")
