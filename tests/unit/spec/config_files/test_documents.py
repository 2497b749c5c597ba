"""Templates in YAML, JSON and TOML, with other values at some of their keys."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hpt_cli.spec.command_template import Filling
from hpt_cli.spec.config_files import ConfigFile, render_config
from hpt_cli.spec.config_files.documents import DocumentError, find_format
from hpt_cli.spec.config_files.paths import find_path
from hpt_cli.spec.hyperparameters import Value, read_value

KEYS = {
    "model.dropout": "dropout",
    "model.layers": "layers",
    "model.bn": "bn",
    "epochs": "epochs",
    "optim.0.lr": "lr",
    "optim.0.name": "opt",
    "with.dot": "dotted",
    "clip": "clip",
}
TREE = {
    "model": {"dropout": 0.5, "layers": [64, 64], "bn": True, "act": "relu"},
    "epochs": 10,
    "optim": [{"lr": 0.1, "name": "sgd"}, {"lr": 7}],
    "with.dot": 1,
    "clip": 1.0,
}
VALUES: dict[str, Value] = {
    "dropout": 0.25,
    "layers": "[128, 'a']",
    "bn": "False",
    "epochs": 20.0,
    "lr": read_value("1e-6"),
    "opt": "true",
    "dotted": 3,
    "clip": 2,
}
SET = {
    "model": {"dropout": 0.25, "layers": [128, "a"], "bn": False, "act": "relu"},
    "epochs": 20,
    "optim": [{"lr": 1e-06, "name": "true"}, {"lr": 7}],
    "with.dot": 3,
    "clip": 2.0,
}
TOML = """\
epochs = 10  # ten
"with.dot" = 1
clip = 1.0
[model]  # the model
dropout = 0.5
layers = [64, 64]
bn = true
act = "relu"
[[optim]]
lr = 0.1
name = "sgd"
[[optim]]
lr = 7
"""


def render(name: str, template: str, keys: dict[str, str], values: dict[str, Value]) -> str:
    file = ConfigFile(template=f"conf/{name}", name="config", keys=keys)
    return render_config(file, template, Filling(values))


def types(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: types(each) for key, each in tree.items()}
    return list(map(types, tree)) if isinstance(tree, list) else (type(tree), tree)


def test_json_keeps_types_and_order() -> None:
    made = render("a.json", json.dumps(TREE), KEYS, VALUES)
    assert types(json.loads(made)) == types(SET)
    assert list(json.loads(made)) == list(TREE)


def test_yaml_keeps_types_and_order() -> None:
    made = render("a.yml", yaml.safe_dump(TREE, sort_keys=False), KEYS, VALUES)
    assert types(yaml.safe_load(made)) == types(SET)
    assert list(yaml.safe_load(made)) == list(TREE)


def test_toml_keeps_types_and_comments() -> None:
    pytest.importorskip("tomlkit")
    made = render("a.toml", TOML, KEYS, VALUES)
    assert types(tomllib.loads(made)) == types(SET)
    assert "# ten" in made
    assert "# the model" in made


@pytest.mark.parametrize("name", ["a.json", "a.yaml", "a.toml"])
def test_a_key_whose_hyperparameter_does_not_exist_is_left_out(name: str) -> None:
    texts = {"a.json": json.dumps(TREE), "a.yaml": yaml.safe_dump(TREE), "a.toml": TOML}
    if name == "a.toml":
        pytest.importorskip("tomlkit")
    loads = {"a.json": json.loads, "a.yaml": yaml.safe_load, "a.toml": tomllib.loads}[name]
    keys = {"model.bn": "bn", "optim.0": "one", "optim.1": "two", "epochs": "epochs"}
    made = loads(render(name, texts[name], keys, {"epochs": 3}))
    rest = {each: TREE["model"][each] for each in ("dropout", "layers", "act")}  # type: ignore[index]
    assert made == {"model": rest, "epochs": 3, "optim": [], "with.dot": 1, "clip": 1.0}


YAML = """\
# about
base: &base {lr: 1e-4, opt: !mine {a: 1, b: 0o17}}
one: *base
two:
  <<: *base
  on: yes
  date: 2024-01-01
  text: |
    several
    lines
  missing: ???
"""


def test_what_is_not_set_in_yaml_looks_as_before() -> None:
    made = render("a.yaml", YAML, {"one.lr": "x", "two.opt.a": "y"}, {"x": 1e-7, "y": 5})
    assert made == (
        "base: {lr: 1e-4, opt: !mine {a: 1, b: 0o17}}\n"
        "one: {lr: 1.0e-07, opt: !mine {a: 1, b: 0o17}}\n"
        "two:\n"
        "  on: yes\n"
        "  date: 2024-01-01\n"
        "  text: |\n"
        "    several\n"
        "    lines\n"
        "  missing: ???\n"
        "  lr: 1e-4\n"
        "  opt: !mine {a: 5, b: 0o17}\n"
    )


@given(
    st.one_of(
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=8),
    )
)
def test_every_value_is_read_back(value: Value) -> None:
    old = "text" if isinstance(value, str) else value
    for name, write, read in (
        ("a.json", json.dumps, json.loads),
        ("a.yaml", yaml.safe_dump, yaml.safe_load),
    ):
        made = read(render(name, write({"a": {"b": old}}), {"a.b": "x"}, {"x": value}))
        assert types(made) == types({"a": {"b": value}})


@pytest.mark.parametrize(
    ("file", "text", "place"),
    [
        ("a.yaml", "a: 1\nb: [", (2, 5)),
        ("a.yaml", "- 1", (1, 1)),
        ("a.json", '{"a": 1,\n "b": }', (2, 7)),
        ("a.toml", "a = 1\nb = = 2", (2, 5)),
        ("a.json", "[" * 100_000, (1, 1)),
    ],
)
def test_what_is_no_document_is_refused_with_its_place(
    file: str, text: str, place: tuple[int, int]
) -> None:
    with pytest.raises(DocumentError) as caught:
        find_format(file).read(text)
    assert (caught.value.line, caught.value.column) == place


def test_keys_with_dots() -> None:
    tree = {"a.b": {"c": 1}, "a": {"b": {"d": 2}, "e": [{"f": 3}]}}
    assert find_path(tree, "a.b.c") == ("a.b", "c")
    assert find_path(tree, "a.b.d") == ("a", "b", "d")
    assert find_path(tree, "a.e.0.f") == ("a", "e", 0, "f")
    assert find_path(tree, "a.e.1.f") is None
    assert find_path(tree, "a.e.0.f.g") is None


def test_text_is_filled_and_other_braces_are_left_alone() -> None:
    template = "lr = {lr} {{lr}} {foo} {{foo}} ${HOME} { lr } x{m/n}"
    file = ConfigFile(template="a.cfg", name="config")
    made = render_config(file, template, Filling({"lr": read_value("1e3"), "m/n": "é"}))
    assert made == "lr = 1e3 {lr} {foo} {{foo}} ${HOME} { lr } xé"


@pytest.mark.parametrize(
    ("template", "name"),
    [("conf/a.b.yaml", "config.yaml"), ("conf.d/train", "config"), (".env", "config.env")],
)
def test_a_copy_ends_as_its_template(template: str, name: str) -> None:
    assert ConfigFile(template=template, name="config").file_name == name
