"""Specs that somebody got wrong, in every way: a spec, or mistakes with places, and nothing else.

HPT_FUZZ_EXAMPLES says how many; 50,000 take some minutes.
"""

from __future__ import annotations

import copy
import os
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hpt_cli.core.spec import TuningSpec
from hpt_cli.errors import UsageError
from hpt_cli.specfile import parse_spec
from tests.adapters.test_specfile import GOOD

EXAMPLES = int(os.environ.get("HPT_FUZZ_EXAMPLES", "150"))
FULL: dict[str, Any] = {
    **yaml.safe_load(GOOD),
    "environment": {"A": "${HOME}"},
    "retry": {"max_attempts": 2, "when": ["x"], "not_when": ["y"]},
    "log_rules": [{"pattern": "oom", "action": "retry"}],
    "warm_start": {"type": "TransferLearning", "parents": ["p"]},
    "initial_hyperparameters": [{}],
    "early_stopping_type": "Auto",
    "early_stopping": {"rule": "median"},
    "max_resource": 9,
}
HOSTILE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["nan", "1e999", "((", "(a+)+$", "${", "{x}", "Off", "\x1b[31m", "9" * 5000]),
    st.lists(st.one_of(st.none(), st.integers(), st.text(max_size=5)), max_size=3),
    st.dictionaries(st.text(max_size=5), st.one_of(st.none(), st.integers()), max_size=3),
)


def list_places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else ()
    items = enumerate(value) if isinstance(value, list) else items
    return [path, *(place for key, each in items for place in list_places(each, (*path, key)))]


PLACES = [place for place in list_places(FULL) if place]


def change(spec: Any, place: tuple[Any, ...], what: str, value: Any) -> None:
    *way, last = place
    for key in way:
        spec = spec[key]
    if what == "drop":
        del spec[last]
    elif what == "rename" and isinstance(spec, dict):
        spec[str(value)] = spec.pop(last)
    else:
        spec[last] = value


def check_text(text: str) -> None:
    try:
        assert isinstance(parse_spec(text, "spec.yaml", (), os.environ), TuningSpec)
    except UsageError as error:
        found = error.problems
    else:
        return
    assert found
    assert all(each.message for each in found)
    assert all(each.place is None or each.place.line >= 1 for each in found)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(PLACES), st.sampled_from(["put", "put", "drop", "rename"]), HOSTILE
        ),
        min_size=1,
        max_size=4,
    )
)
def test_a_spec_with_anything_anywhere(changes: list[tuple[tuple[Any, ...], str, Any]]) -> None:
    spec = copy.deepcopy(FULL)
    for place, what, value in changes:
        try:
            change(spec, place, what, value)
        except (KeyError, IndexError, TypeError):
            continue  # another change took it away
    check_text(yaml.safe_dump(spec, allow_unicode=True))


def test_numbers_without_end_and_text_without_bottom() -> None:
    check_text(GOOD.replace("max_jobs: 10", "max_jobs: " + "9" * 5000))
    check_text(GOOD.replace("max_jobs: 10", "max_jobs: 1e999"))
    for depth in (50, 300, 900, 3000):
        check_text(GOOD + "description: " + "[" * depth)
        check_text(GOOD + "description: " + "[" * depth + "]" * depth)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.data())
def test_a_spec_with_characters_lost_and_added(data: st.DataObject) -> None:
    text = GOOD
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(text)))
        more = data.draw(st.text(alphabet="{}[]:,&*!|>'\"%@`-?# \n\tx0\x00é", max_size=4))
        text = text[:at] + more + text[at + data.draw(st.integers(0, 8)) :]
    check_text(text)
