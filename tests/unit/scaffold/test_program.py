"""The options of a real script, from its help and its files."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from hpt_cli.scaffold.program import list_options

OPTIONS = """
import argparse
def parse():
    p = argparse.ArgumentParser()
    p.add_argument("--c_out", type=int, default=7)
    p.add_argument("--lr", type=float, default=1)
    return p.parse_args()
"""


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_parser_in_a_module_of_its_own_is_read(directory: Path) -> None:
    (directory / "src" / "lib").mkdir(parents=True)
    (directory / "src" / "lib" / "options.py").write_text(OPTIONS)
    (directory / "src" / "train.py").write_text("from lib.options import parse\nparse()\n")
    options = {each.flag: each for each in list_options([sys.executable, "src/train.py"])}
    assert {flag: (each.kind, each.default) for flag, each in options.items()} == {
        "--c_out": ("int", 7),
        "--lr": ("float", 1),
    }


def test_a_script_without_a_parser_is_not_run_for_its_help(directory: Path) -> None:
    text = (
        "from omegaconf import OmegaConf\nc = OmegaConf.create({'lr': 0.1})\nc.merge_with_cli()\n"
    )
    (directory / "train.py").write_text(f"open('ran', 'w')\n{text}")
    assert [each.flag for each in list_options([sys.executable, "train.py"])] == ["lr="]
    assert not (directory / "ran").exists()


LOOPS = (
    """
class Config:
    lr: float = 1e-3
    n_layers: int = field(default=2)
    verbose: bool = False
for f in dataclasses.fields(Config):
    p.add_argument(f"--{f.name}", type=type(f.default), default=f.default)
""",
    """
for key, value in {"lr": 1e-3, "n_layers": 2}.items():
    p.add_argument("--" + key, type=type(value), default=value)
""",
    """
for name, kind, default in [("lr", float, 1e-3), ("n_layers", int, 2)]:
    p.add_argument("--{}".format(name), type=kind, default=default)
""",
)


@pytest.mark.parametrize("source", LOOPS)
def test_options_declared_in_a_loop_have_the_defaults_that_it_goes_over(
    directory: Path, source: str
) -> None:
    (directory / "loop.py").write_text(source)
    text = "if 0: import loop\nprint('options:\\n  --lr LR\\n  --n_layers N_LAYERS')\n"
    (directory / "train.py").write_text(text)
    options = list_options([sys.executable, "train.py"])
    assert [(each.flag, each.kind, each.default) for each in options] == [
        ("--lr", "float", 1e-3),
        ("--n_layers", "int", 2),
    ]
