"""Calls in Python source that is read and never run."""

from __future__ import annotations

from typing import Any

import pytest

from hpt_cli.errors import UsageError
from hpt_cli.importers.python_source import Call, Unknown, read_calls


def read(text: str) -> dict[str, Any]:
    """Return the keywords of the last call of `f`."""
    return dict([each for each in read_calls([text]) if each.name == "f"][-1].keywords)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("f(a=1e-4)", 1e-4),
        ("f(a=-1)", -1),
        ("n = 60 * 60\nf(a=2 * n)", 7200),
        ("f(a=10 ** -3)", 0.001),
        ("f(a='x' + 'y')", "xy"),
        ("n = 3\nf(a=f'x-{n}')", "x-3"),
        ("d = {'k': 1}\nd['l'] = 2\nd.update({'m': 3})\nf(a=d)", {"k": 1, "l": 2, "m": 3}),
        ("d = dict(k=1)\nf(a={**d, 'l': [1, None, True]})", {"k": 1, "l": [1, None, True]}),
        ("a, b = 1, 2\nf(a=b)", 2),
        ("d = {'k': 5}\nf(a=d['k'])", 5),
        ("kw = {'a': 1}\nf(**kw)", 1),
        ("x: int = 4\nf(a=x)", 4),
        ("f(a=str(5))", "5"),
        ("n = 3\ndef g():\n    return f(a=n)", 3),
        ("def g():\n    f(a=n)\nn = 4", 4),
        ("with open('x') as h:\n    n = 2\nf(a=n)", 2),
        ("if c:\n    n = 2\nelse:\n    n = 2\nf(a=n)", 2),
    ],
)
def test_literals_are_values(text: str, value: Any) -> None:
    assert read(text)["a"] == value


@pytest.mark.parametrize(
    "text",
    [
        "f(a=n)",
        "n = input()\nf(a=n + 1)",
        "def g(n=3):\n    f(a=n)",
        "n = 1\nif c:\n    n = 2\nf(a=n)",
        "for n in range(3):\n    f(a=n)",
        "n = 1\nn += 1\nf(a=n)",
        "f(a=9 ** 9 ** 9)",
        "f(a=1 / 0)",
        "f(a=f'{n:03d}')",
        "f(a=[x for x in y])",
        "f(a=lambda: 1)",
        "f(a={**other, 'k': 1})",
        "f(a=2.0 ** 10000)",
    ],
)
def test_what_is_no_literal_is_unknown(text: str) -> None:
    assert isinstance(read(text)["a"], Unknown)


def test_what_is_called_of_a_result_is_kept() -> None:
    text = "e = Estimator('x', n=1)\ne.set_hyperparameters(k=2)\nt = Tuner(e)\nt.fit({'a': b})"
    calls = read_calls([text])
    (tuner,) = (each for each in calls if each.name == "Tuner")
    assert tuner.arguments[0].get("n") == 1
    assert tuner.arguments[0].methods == (Call("set_hyperparameters", (), {"k": 2}),)
    assert tuner.methods[0].get("inputs", 0) == {"a": Unknown("b")}


def test_cells_that_are_no_python_are_left_out() -> None:
    cells = ["%%bash\nls", "!pip install x\n%matplotlib inline\nn = 1", "x = (", "%%time\nf(a=n)"]
    assert [each.keywords["a"] for each in read_calls(cells) if each.name == "f"] == [1]
    with pytest.raises(UsageError, match="not Python"):
        read_calls(["x = ("])
    with pytest.raises(UsageError, match="not Python"):
        read_calls(["(" * 100_000])
