"""JSON and YAML texts as plain values."""

from __future__ import annotations

import pytest

from hpt_cli.errors import UsageError
from hpt_cli.importers.documents import read_document


def test_numbers_can_stay_as_they_are_written() -> None:
    text = "a: 00123\nb: 1e5\nc: '7'\nd: true\ne:\nf: [0.10, x]"
    assert read_document(text, "r.yaml", as_written=True) == {
        "a": "00123",
        "b": "1e5",
        "c": "7",
        "d": True,
        "e": None,
        "f": ["0.10", "x"],
    }
    assert read_document('{"a": 1e5, "b": 2}', "-", as_written=True) == {"a": "1e5", "b": 2}
    assert read_document(text, "r.yaml")["b"] == 1e5


@pytest.mark.parametrize(
    "text", ['{"a": 1,}', "[" * 100_000, '{"a": ' + "9" * 5000 + "}", '{"a": NaN}']
)
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"r\.json"):
        read_document(text, "r.json")
