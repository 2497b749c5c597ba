"""Files of programs for tuning that hpt does not import, but whose terms the documentation
translates.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hpt_cli.errors import UsageError

_WORDS = {
    "optuna": "Optuna",
    "syne_tune": "Syne Tune",
    "ray.tune": "Ray Tune",
    "from ray import tune": "Ray Tune",
    "import nni": "NNI",
    "wandb": "W&B Sweeps",
    "sagemaker": "SageMaker Automatic Model Tuning",
    "determined": "Determined",
    "guild": "Guild AI",
}
"""What a source text has, and the section about it."""


def describe_unknown(document: Any, text: str, file: str) -> UsageError:
    """Return what is to be raised for a file of no kind that is imported.

    Args:
        document: its values; None where it has none.
        text: its text.
        file: its name.
    """
    if isinstance(document, Mapping) and "hyperparameter_ranges" in document:
        message = f"{file} is a spec already"
        return UsageError.of("request", message, f"hpt check {file}")
    section = _recognize(document, text)
    looks = f"; it looks like {section}" if section else ""
    return UsageError.of(
        "request",
        f"{file} is no SageMaker request, HyperparameterTuner call, W&B sweep or Hydra sweeper"
        f"{looks}",
        "docs/coming-from.md says how to write the spec by hand"
        + (f": see {section} there" if section else ""),
    )


def _recognize(document: Any, text: str) -> str:
    """Return the section of docs/coming-from.md about a file; "" where none is."""
    if isinstance(document, Mapping):
        keys = {*document}
        if "kubeflow" in str(document.get("apiVersion")):
            return "Katib"
        if {"searcher", "hyperparameters"} <= keys:
            return "Determined"
        if {"searchSpace", "trialCommand", "searchSpaceFile"} & keys or _is_nni_space(document):
            return "NNI"
        if "operations" in keys:
            return "Guild AI"
        return "Hydra" if "hydra" in keys else ""
    return next((section for word, section in _WORDS.items() if word in text), "")


def _is_nni_space(document: Mapping[str, Any]) -> bool:
    values = list(document.values())
    return bool(values) and all(isinstance(each, Mapping) and "_type" in each for each in values)
