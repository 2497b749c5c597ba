"""The docs: pages made from the code are as it is, specs are right, and commands can be typed."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from hpt_cli.checks.prerequisites import find_unset_variables
from hpt_cli.cli import app as cli
from hpt_cli.metrics.extractors import compile_definition
from hpt_cli.metrics.reader import MetricReader
from hpt_cli.spec.model import TuningSpec
from hpt_cli.spec.yaml.reader import parse_raw
from hpt_cli.stop_rules import STOP_RULES, list_parameters
from tests.guides import BLOCK, ROOT, read_blocks

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
TYPED = re.compile(r"`(hpt [^`]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
FILE = re.compile(r"`((?:tests|hpt_cli|configs)/[a-z0-9_/.-]*[a-z])`")
ELLIPSES = ("...", "…", "[", "COMMAND", "|")
"""A command with one of these is a pattern, not something to type."""


def find_specs() -> Iterator[Any]:
    """Every YAML block that is a whole spec: it has a name and a command."""
    for page in PAGES:
        for number, text in enumerate(read_blocks(page, "yaml")):
            if re.search(r"^name:", text, re.M) and re.search(r"^command:", text, re.M):
                yield pytest.param(text, id=f"{page.relative_to(ROOT)}-{number}")


def find_commands() -> list[str]:
    """Every `hpt ...` that a page says to type, in a block or in a line."""
    found = set()
    for page in PAGES:
        text = page.read_text()
        for kind, block in BLOCK.findall(text):
            lines = [line.removeprefix("$ ") for line in block.splitlines()]
            found |= {
                line for line in lines if kind in ("", "bash", "console") and line[:4] == "hpt "
            }
        found |= {" ".join(each.split()) for each in TYPED.findall(BLOCK.sub("", text))}
    return sorted(each for each in found if not any(mark in each for mark in ELLIPSES))


SPECS = list(find_specs())
COMMANDS = find_commands()


def test_the_pages_made_from_the_code_are_as_it_is() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "docs" / "write_all.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def read(text: str, file: str) -> TuningSpec:
    raw = parse_raw(text, file)
    return raw.validate(*find_unset_variables(raw.fields, os.environ))


@pytest.mark.parametrize("text", SPECS)
def test_a_spec_in_the_docs_is_right(text: str) -> None:
    read(text, "docs")


@pytest.mark.parametrize("page", [page for page in PAGES if read_blocks(page, "log")], ids=str)
def test_a_spec_reads_the_log_beside_it(page: Path) -> None:
    (log,) = read_blocks(page, "log")
    for text in read_blocks(page, "yaml"):
        if not text.startswith("name:"):
            continue
        spec = read(text, str(page))
        fields = [each.model_dump(exclude_none=True) for each in spec.metric_definitions]
        reader = MetricReader([compile_definition(each) for each in fields])
        found = {each.metric for each in reader.feed(log.encode())}
        assert spec.objective_metric_name in found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_has_no_broken_yaml_python_file_or_link(page: Path) -> None:
    for text in read_blocks(page, "yaml"):
        yaml.safe_load(text)
    for text in read_blocks(page, "python"):
        ast.parse(text)
    prose = BLOCK.sub("", page.read_text())
    for file in FILE.findall(prose):
        assert (ROOT / file).exists(), file
    for target in LINK.findall(prose):
        file, _, anchor = target.partition("#")
        if "://" in file:
            continue
        there = page.parent / file if file else page
        assert there.exists(), target
        if anchor:
            assert anchor in list_anchors(there.read_text()), target


def list_anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as forges make them."""
    headings = re.findall(r"^#+ (.*)$", BLOCK.sub("", text), re.M)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower().replace("&", "")) for heading in headings]
    return {each.replace(" ", "-") for each in plain}


def test_every_field_of_a_spec_is_in_its_table() -> None:
    table = (ROOT / "docs" / "spec.md").read_text().partition("\n## ")[0]
    documented: dict[str, str] = {}
    for line in table.splitlines():
        if line.startswith("| `"):
            names, defaults = line.split("|")[1:3]
            for name in re.findall(r"\w+", names):
                documented[name] = defaults.strip(" `")
    fields = TuningSpec.model_fields
    assert documented.keys() == fields.keys()
    for name, field in fields.items():
        assert (documented[name] == "required") == field.is_required(), name
        if isinstance(field.default, (bool, str)) and field.default:
            assert documented[name].lower() == str(field.default).lower()


@pytest.mark.parametrize("name", STOP_RULES)
def test_a_stop_rule_s_parameters_are_in_its_table(name: str) -> None:
    text = (ROOT / "docs" / "early-stopping.md").read_text().partition("## The rules")[2]
    text = text.partition("\n###")[0]
    (row,) = re.findall(rf"^\| `{name}` \|.*?\|(.*?)\|", text, re.M)
    found = re.findall(r"`(\w+)` ([\w.]+)", row.replace("infinite", "inf"))
    assert {parameter: float(value) for parameter, value in found} == list_parameters(name)


def test_there_is_something_to_test() -> None:
    assert len(SPECS) >= 13
    assert len(COMMANDS) >= 80


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_in_the_docs_can_be_typed(line: str) -> None:
    parse_command(line)


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_has_examples_that_can_be_typed(name: str) -> None:
    _, examples = cli.load_command(name)
    assert examples
    for line in examples:
        inside = re.sub(r'^sh -c "\$\((.*)\)"$', r"\1", line)
        assert parse_command(inside.removeprefix("nohup ")) == name


def parse_command(line: str) -> str:
    """The name of the command in a line, which has to be one that hpt understands."""
    words = shlex.split(re.split(r" [>|&]|\s2?> ", line)[0], comments=True)
    assert words[0] == "hpt"
    if words[1].startswith("-"):
        return ""
    group = typer.main.get_command(cli.app)
    command = group.get_command(typer.Context(group), words[1])  # type: ignore[attr-defined]
    assert command is not None, f"there is no command {words[1]}"
    if len(words) > 2:
        command.make_context(words[1], words[2:])
    return words[1]


def test_the_design_lists_the_modules_that_there_are() -> None:
    layout = next(
        each for each in read_blocks(ROOT / "docs" / "design.md", "") if "hpt_cli/" in each
    )
    listed = set(re.findall(r"\b(\w+\.py)\b", layout))
    commands = ROOT / "hpt_cli" / "cli" / "commands"
    there = {path.name for path in (ROOT / "hpt_cli").rglob("*.py") if path.parent != commands}
    assert there - {"__init__.py"} == listed - {"__init__.py"}
