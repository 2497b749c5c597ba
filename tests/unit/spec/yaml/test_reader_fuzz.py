"""Specs that somebody got wrong, in every way: a spec, or mistakes with places, and nothing else.

HPT_FUZZ_EXAMPLES says how many; 50,000 take some minutes.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
from collections import Counter
from pathlib import Path

import pytest

from hpt_cli.checks.prerequisites import find_unset_variables
from hpt_cli.cli.app import print_problems
from hpt_cli.errors import UsageError
from hpt_cli.spec.model import TuningSpec
from hpt_cli.spec.ranges import CategoricalRange
from hpt_cli.storage.spec_file import MAX_BYTES, read_raw, read_spec
from tests.unit.spec.hostile_specs import draw_spec
from tests.unit.spec.yaml.test_reader import GOOD

EXAMPLES = int(os.environ.get("HPT_FUZZ_EXAMPLES", "500"))


def check_file(path: Path) -> UsageError | None:
    """A spec that can be used, or its mistakes, each in its place."""
    try:
        raw = read_raw(path)
        spec = raw.validate(*find_unset_variables(raw.fields, os.environ))
    except UsageError as error:
        check_problems(error, path)
        return error
    check_use(spec)
    return None


def check_problems(error: UsageError, path: Path) -> None:
    lines = len(path.read_bytes().decode("utf-8", "replace").splitlines()) + 1
    assert error.problems
    for each in error.problems:
        assert each.message
        assert each.place is not None, each
        assert each.place.file == str(path)
        assert 1 <= each.place.line <= lines
        assert each.place.column >= 1
    printed = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="replace")
    with contextlib.redirect_stderr(printed):
        print_problems(error)
    printed.seek(0)
    shown = printed.read()
    assert "\x1b" not in shown
    assert len(shown) < 100_000


def check_use(spec: TuningSpec) -> None:
    """What is done with a spec later goes well too."""
    fields = json.dumps(spec.model_dump(), ensure_ascii=False, allow_nan=False).encode()
    again = TuningSpec.model_validate(json.loads(fields))
    assert again == spec
    assert spec.extractors
    assert spec.job_limit >= 1
    assert spec.count_slots(None) >= 1
    assert spec.stop_rule is None or spec.stop_rule.parameters is not None
    for each in spec.hyperparameter_ranges.values():
        for unit in (0.0, 0.3, 1.0):
            value = each.from_unit(unit)
            assert each.contains(value)
            assert 0 <= each.to_unit(value) <= 1
            assert isinstance(each, CategoricalRange) or math.isfinite(float(value))


def test_a_spec_with_anything_anywhere(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    found: Counter[str] = Counter()
    for seed in range(EXAMPLES):
        path.write_bytes(draw_spec(seed))
        try:
            error = check_file(path)
        except Exception as unexpected:
            text = path.read_bytes().decode("utf-8", "backslashreplace")
            unexpected.add_note(f"seed {seed}:\n{text[:5000]}")
            raise
        found.update(["good"] if error is None else {each.slug for each in error.problems})
    assert found["good"] > EXAMPLES / 20, found
    assert found["yaml"] > EXAMPLES / 20, found
    assert len(found) > 30, found


def test_a_file_that_is_much_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_bytes(GOOD.encode() + b"#" * MAX_BYTES)
    for each in (path, Path("/dev/zero")):
        with pytest.raises(UsageError, match="too large for a spec"):
            read_spec(each)
