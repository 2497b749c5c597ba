"""Names as experiment trackers accept them."""

from __future__ import annotations

import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpt_cli.exports.names import MLFLOW_REFUSES, TENSORBOARD_REFUSES, fit_names


def test_a_name_that_is_accepted_stays_and_others_are_told_apart() -> None:
    fitted = fit_names(["layers[0]", "layers(0)", "layers_0_", "a:b", "+key"], MLFLOW_REFUSES)
    assert fitted == {
        "layers[0]": "layers_0__2",
        "layers(0)": "layers_0__3",
        "layers_0_": "layers_0_",
        "a:b": "a:b",
        "+key": "_key",
    }


@pytest.mark.parametrize(
    ("name", "fitted"),
    [
        ("/", "_/_"),
        ("../x", "_/x"),
        ("..x", "_x"),
        (".", "_"),
        ("a//b/", "a/_/b/_"),
        ("a/b", "a/b"),
    ],
)
def test_no_name_leads_elsewhere_as_a_path(name: str, fitted: str) -> None:
    assert fit_names([name], MLFLOW_REFUSES) == {name: fitted}


def test_a_name_that_is_a_file_is_no_directory() -> None:
    names = ["loss", "loss/train", "loss_train"]
    assert fit_names(names, MLFLOW_REFUSES) == {name: name for name in names}
    assert fit_names(names, MLFLOW_REFUSES, as_files=True) == {
        "loss": "loss",
        "loss/train": "loss_train_2",
        "loss_train": "loss_train",
    }


@given(
    st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=255), max_size=9),
    st.sampled_from([MLFLOW_REFUSES, TENSORBOARD_REFUSES]),
    st.booleans(),
)
def test_any_names_are_accepted_and_differ(names: list[str], refused: object, files: bool) -> None:
    fitted = fit_names(names, refused, as_files=files)  # type: ignore[arg-type]
    assert fitted.keys() == {*names}
    assert len({*fitted.values()}) == len(fitted)
    for each in fitted.values():
        assert not refused.search(each)  # type: ignore[attr-defined]
        assert posixpath.normpath(each) == each
        assert not each.startswith(("/", ".."))
        assert 0 < len(each.encode()) <= 240
