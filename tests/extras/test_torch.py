"""The guides to PyTorch and what is built on it tune end to end: `make test-torch`."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.guides import tune_guide


@pytest.mark.parametrize(
    ("guide", "module"), [("pytorch", "torch"), ("lightning", "lightning"), ("keras", "keras")]
)
def test_a_guide_tunes_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, guide: str, module: str
) -> None:
    if not all(map(find_spec, ("torch", module))):
        pytest.skip(f"no torch, or no {module}")
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    tune_guide(guide, tmp_path, "--set", "static_hyperparameters={epochs: 5}")
