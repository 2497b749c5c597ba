"""From scripts without an option parser to the settings that their command line takes."""

from __future__ import annotations

from typing import Any

import pytest

from hpt_cli.scaffold.settings import find_config, find_settings

Found = dict[str, tuple[str, Any]]


def find(text: str, *words: str, **files: str) -> Found:
    """Return flag -> (kind, default); a file is named by its path, `__` for each slash."""
    contents = {f"{name.replace('__', '/')}.py": text for name, text in files.items()}
    found = find_settings(text, words, lambda name: contents.get(name, ""))
    return {each.flag: (each.kind, each.default) for each in found}


FIRE = """
import fire
from typing import List, Literal, Optional

def train(base: str, lr: float = 3e-4, rank: int = 1, drop: Optional[float] = None, width=64,
          layers: List[int] = [1], amp: bool = True, opt: Literal["adam", "sgd"] = "adam",
          *, wd=0.1):
    ...

class Trainer:
    def __init__(self, lr=0.1): ...
    def fit(self, batch=32): ...
    def test(self, k=5): ...
"""


def test_fire_takes_the_parameters_of_a_function() -> None:
    assert find(FIRE + "fire.Fire(train)", "--lr", "1") == {
        "--base": ("text", None),
        "--lr": ("float", 3e-4),
        "--rank": ("int", 1),
        "--drop": ("float", None),
        "--width": ("int", 64),
        "--layers=": ("list", None),
        "--amp=": ("switch", None),
        "--opt": ("choice", "adam"),
        "--wd": ("float", 0.1),
    }


@pytest.mark.parametrize(
    ("call", "words", "flags"),
    [
        ("fire.Fire(Trainer)", ["fit"], ["--lr", "--batch"]),
        ("Fire(Trainer())", ["test"], ["--lr", "--k"]),
        ("fire.Fire({'go': Trainer, 'no': train})", ["go", "fit"], ["--lr", "--batch"]),
        ("fire.Fire()", ["Trainer"], ["--lr"]),
        ("fire.Fire()", [], []),
        ("fire.Fire(elsewhere.train)", [], []),
    ],
)
def test_fire_takes_those_of_the_command(call: str, words: list[str], flags: list[str]) -> None:
    assert list(find(FIRE + call, *words)) == flags


@pytest.mark.parametrize(
    "text",
    [
        "c = OmegaConf.create({'lr': 1e-3, 'model': {'width': 128}, 'bn': True})\n"
        "c.merge_with_cli()",
        "base = dict(lr=1e-3, model=dict(width=128), bn=True)\n"
        "c = OmegaConf.merge(OmegaConf.create(base), OmegaConf.from_cli())",
        "c = OmegaConf.merge(OmegaConf.load('conf.py'), OmegaConf.from_cli())",
        "@dataclass\nclass Model:\n    width: int = 128\n"
        "@dataclass\nclass Config:\n    lr: float = 1e-3\n    model: Model = field()\n"
        "    bn: bool = True\n"
        "c = OmegaConf.merge(OmegaConf.structured(Config), OmegaConf.from_cli())",
    ],
)
def test_omegaconf_takes_the_values_of_its_configuration(text: str) -> None:
    assert find(text, conf="lr: 0.001\nmodel: {width: 128}\nbn: true\n") == {
        "lr=": ("float", 1e-3),
        "model.width=": ("int", 128),
        "bn=": ("switch", None),
    }


def test_omegaconf_without_the_command_line_has_no_settings() -> None:
    assert find("c = OmegaConf.create({'lr': 1})") == {}


NANOGPT = """
import os
learning_rate = 6e-4  # the largest
n_layer = 12
n_embd: int = 64 * 12
betas = (0.9, 0.95)
bias = False
dropout = 0
_hidden = 1
dataset = 'text'
config_keys = [k for k, v in globals().items() if isinstance(v, (int, float, bool, str))]
exec(open('configurator.py').read())
tokens = 100
"""
CONFIGURATOR = """
for arg in sys.argv[1:]:
    if '=' not in arg:
        exec(open(arg).read())
    else:
        assert arg.startswith('--')
        key, val = arg.split('=')
        globals()[key[2:]] = literal_eval(val)
"""


def test_variables_that_a_configurator_replaces_are_settings() -> None:
    found = find(NANOGPT, "small.py", "--n_layer=3", configurator=CONFIGURATOR, small="n_layer = 6")
    assert found == {
        "--learning_rate=": ("float", 6e-4),
        "--n_layer=": ("int", 6),
        "--n_embd=": ("int", 768),
        "--betas=": ("list", None),
        "--bias=": ("switch", None),
        "--dropout=": ("int", 0),
        "--dataset=": ("text", "text"),
    }


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        (
            "lr = 0.1\nfor a in sys.argv[1:]:\n"
            "    k, v = a.split('=')\n    globals()[k] = float(v)",
            ["lr="],
        ),
        ("lr = 0.1\nfor a in sys.argv[1:]:\n    exec(a)", ["lr="]),
        (
            "c = dict(lr=0.1, sub={'x': 1})\nfor a in sys.argv[1:]:\n"
            "    k, v = a.lstrip('-').split('=')\n    c[k] = float(v)",
            ["--lr="],
        ),
        ("lr = 0.1\nprint(sys.argv[1])", []),
        ("lr = 0.1\nprint(globals())", []),
        ("no python (", []),
    ],
)
def test_the_form_of_an_assignment_is_that_which_the_script_reads(
    text: str, flags: list[str]
) -> None:
    assert list(find(f"import sys\n{text}")) == flags


CONFIG = """
def get_config():
    config = ml_collections.ConfigDict()
    config.lr = 0.1
    config.rank = 1
    config.model = model = ConfigDict()
    model.width = 64
    config.opt = ConfigDict({"name": "adam", "wd": 1e-4})
    config.opt.beta = 0.9
    config.bn = True
    return config
"""
SCRIPT = 'c = config_flags.DEFINE_config_file("config", "configs/a.py", "The configuration.")'


@pytest.mark.parametrize("words", [[], ["--config=configs/b.py:x"], ["--config", "configs/b.py"]])
def test_ml_collections_takes_the_values_of_its_file(words: list[str]) -> None:
    file = "configs/b.py" if words else "configs/a.py"
    found = find_config(SCRIPT, words, lambda name: CONFIG if name == file else "")
    assert {each.flag: (each.kind, each.default) for each in found} == {
        "--config.lr=": ("float", 0.1),
        "--config.rank=": ("int", 1),
        "--config.model.width=": ("int", 64),
        "--config.opt.name=": ("text", "adam"),
        "--config.opt.wd=": ("float", 1e-4),
        "--config.opt.beta=": ("float", 0.9),
        "--config.bn=": ("switch", None),
    }


def test_ml_collections_takes_a_configuration_in_the_script() -> None:
    text = (
        "c = ConfigDict(dict(lr=0.1, net=dict(width=8)))\nf = DEFINE_config_dict('settings', c)\n"
    )
    found = find_config(text, [], lambda name: "")
    assert [each.flag for each in found] == ["--settings.lr=", "--settings.net.width="]
    inner = "def get_config():\n    return ConfigDict({'lr': 0.1})"
    assert [each.flag for each in find_config(SCRIPT, [], lambda name: inner)] == ["--config.lr="]
