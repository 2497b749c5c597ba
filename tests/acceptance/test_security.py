"""docs/security.md, line by line: what a spec, a log or a name cannot do."""

from __future__ import annotations

import ast
import json
import os
import pty
import re
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.acceptance.conftest import HPT, Terminal

ROOT = Path(__file__).parents[2]
HOSTILE = ["; touch pwned", "$(touch pwned)", "`touch pwned`", "' \"; touch pwned #", "a\nb", "*"]
ECHO = "import sys, json; print('argv', json.dumps(sys.argv[1:])); print('loss=1.0')"
DRIVES = "\x1b]0;owned\x07\x1b[2J\x9b31m\x1b[999;999H\u202e\u2066\u200f\u2028[/b][red]"
CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def make_ranges(values: list[str]) -> dict[str, Any]:
    return {"x": {"type": "Categorical", "values": values}}


@pytest.mark.parametrize("shell", [False, True])
def test_values_never_pass_through_a_shell_unquoted(terminal: Terminal, shell: bool) -> None:
    (terminal.directory / "echo.py").write_text(ECHO)
    terminal.write_spec(
        command=f"{Terminal.python()} echo.py {{x}}",
        shell=shell,
        strategy="Grid",
        max_jobs=len(HOSTILE),
        hyperparameter_ranges=make_ranges(HOSTILE),
    )
    terminal.hpt("run", "t.yaml")
    assert not (terminal.directory / "pwned").exists()
    for number, value in enumerate(HOSTILE, 1):
        log = terminal.log("t", number).read_text()
        assert json.loads(log.splitlines()[0].removeprefix("argv ")) == [value]


def test_nothing_that_is_read_is_run() -> None:
    names = {"eval", "exec", "compile", "__import__", "system", "popen", "unsafe_load", "full_load"}
    modules = {"pickle", "marshal", "shelve", "dill", "joblib", "cloudpickle"}
    for path in (ROOT / "hpt_cli").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                of_module = isinstance(node.func, ast.Attribute)
                name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
                name = node.func.id if isinstance(node.func, ast.Name) else name
                is_re = of_module and ast.unparse(node.func) in ("re.compile", "engine.compile")
                assert name not in names or is_re, f"{path}: {ast.unparse(node)}"
                shell = [each.value for each in node.keywords if each.arg == "shell"]
                given = [each for each in shell if isinstance(each, ast.Constant) and each.value]
                assert given == [], f"{path}: {ast.unparse(node)}"
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                imported = {getattr(node, "module", None), *(each.name for each in node.names)}
                assert not imported & modules, path


def test_yaml_makes_no_objects(terminal: Terminal) -> None:
    path = terminal.directory / terminal.write_spec()
    path.write_text(
        path.read_text() + "description: !!python/object/apply:os.system [touch pwned]\n"
    )
    terminal.hpt("run", path.name, code=2)
    assert not (terminal.directory / "pwned").exists()


@pytest.mark.parametrize(
    "name", ["../x", "/tmp/x", "a/b", "..", ".", "a\0b", "x" * 300, "-rf", "a b", "ä", "a\nb"]
)
def test_names_cannot_climb_out_of_the_home(terminal: Terminal, name: str) -> None:
    path = terminal.directory / terminal.write_spec()
    fields = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump(fields | {"name": name}))
    before = sorted(terminal.directory.rglob("*"))
    terminal.hpt("run", path.name, code=2)
    assert sorted(terminal.directory.rglob("*")) == before
    if "\0" not in name:
        terminal.hpt("show", "--", name, code=2)


def test_a_link_in_the_home_is_not_followed_by_a_new_tuning_job(terminal: Terminal) -> None:
    elsewhere = terminal.directory / "elsewhere"
    elsewhere.mkdir()
    (terminal.directory / ".hpt").mkdir()
    (terminal.directory / ".hpt" / "t").symlink_to(elsewhere)
    assert "symbolic link" in terminal.hpt("run", terminal.write_spec(), code=1)
    assert list(elsewhere.iterdir()) == []


def test_what_a_link_leads_to_is_not_deleted(terminal: Terminal) -> None:
    terminal.hpt("run", terminal.write_spec(max_jobs=1))
    elsewhere = terminal.directory / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "t").symlink_to(terminal.directory / ".hpt" / "t")
    text = terminal.hpt("delete", "t", "--yes", "--home", "elsewhere", code=1)
    assert "error[home-link]" in text
    assert (elsewhere / "t").is_symlink()
    checkpoints = terminal.directory / ".hpt" / "t" / "jobs" / "0001" / "checkpoints"
    precious = terminal.directory / "precious"
    precious.mkdir()
    (precious / "file").touch()
    checkpoints.rmdir()
    checkpoints.symlink_to(precious)
    terminal.hpt("delete", "t", "--yes")
    assert (precious / "file").exists()


def read_terminal(terminal: Terminal, *arguments: str) -> str:
    """What hpt writes on a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [HPT, *arguments],
        cwd=terminal.directory,
        env={**terminal.environment, "TERM": "dumb", "NO_COLOR": "1"},
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    data = b""
    try:
        while chunk := os.read(ours, 65536):
            data += chunk
    except OSError:
        pass
    finally:
        os.close(ours)
    process.wait()
    return data.decode().replace("\r\n", "\n")


def test_a_log_or_a_name_cannot_drive_the_terminal(terminal: Terminal) -> None:
    words = repr(DRIVES)
    code = f"""
import sys
print({words}, '\\nloss=1.0\\n', {words}, 'oom', flush=True)
print({{'a' + {words}: 0.5, 'loss' + {words}: 1}})
print('{{"loss\\\\u001b[2J\\\\u202e": 1, "acc\\\\u009b31m": 2}}')
sys.exit(3 if 'a' in sys.argv[-1] else 0)
"""
    (terminal.directory / "bad.py").write_text(code)
    (terminal.directory / "opts.py").write_text(
        "import argparse\np = argparse.ArgumentParser()\np.add_argument('--lr', default=0.1)\n"
        f"p.add_argument('--opt', choices=['a' + {words}, 'b'])\np.parse_args()\n"
    )
    terminal.write_spec(
        command=f"{Terminal.python()} bad.py",
        description=DRIVES,
        max_jobs=2,
        hyperparameter_ranges={
            f"x{DRIVES}": {"type": "Categorical", "values": [f"a{DRIVES}", "b"]},
            "y": {"type": "Integer", "min_value": 1, "max_value": 9, "when": {f"x{DRIVES}": "b"}},
        },
        metric_definitions=[{"name": f"loss{DRIVES}", "regex": "loss=({num})"}],
        objective_metric_name=f"loss{DRIVES}",
        log_rules=[{"pattern": "oom", "action": "warn"}],
    )
    outputs = {"run": terminal.hpt("run", "t.yaml")}
    reading = [
        *(["show", "t"], ["jobs", "t"], ["jobs", "t", "--wide"], ["best", "t"], ["list"]),
        *(["explain", "t", "1"], ["compare", "t", "t"], ["check", "t.yaml"], ["logs", "t", "1"]),
        *(["curves", "t"], ["curves", "t", "2"], ["replay", "t"], ["export", "t"], ["wait", "t"]),
        *(["jobs", "t", "--format", form] for form in ("csv", "tsv", "json", "md")),
        *([each, "t", "--json"] for each in ("show", "jobs", "best", "curves", "replay")),
        *(["explain", "t", "1", "--json"], ["check", "t.yaml", "--json"]),
        *(["run", "t.yaml", "--set", f"strategy={DRIVES}"], ["resume", "t"], ["watch", "t"]),
        *(["update", "t", "--set", f"description={DRIVES}"], ["check", "t.yaml", "--try"]),
        *(["metrics", str(terminal.log("t", 1))], ["metrics", str(terminal.log("t", 1)), "--json"]),
        *(
            ["metrics", str(terminal.log("t", 1)), "--spec", "t.yaml"],
            ["export", "t", "--sagemaker"],
        ),
        *(["init", "--log", str(terminal.log("t", 1)), "--yes", "-o", "-", "python3", "opts.py"],),
        *(
            ["show", DRIVES],
            ["jobs", "t", "--where", f"x{DRIVES}==1"],
            ["curves", "t", "-m", DRIVES],
        ),
    ]
    for arguments in reading:
        differs = {*arguments} & {"best", "logs", "export", "init", "watch", "resume"}
        answer = None if differs else terminal.try_hpt(*arguments)
        text = read_terminal(terminal, *arguments) if answer is None else answer.out + answer.err
        assert "has a bug" not in text, text
        outputs[" ".join(arguments)] = text
    found = {each: CONTROL.findall(text) for each, text in outputs.items() if CONTROL.search(text)}
    assert found == {}
    assert all(text.strip() for text in outputs.values())


def test_files_are_private_to_the_user(terminal: Terminal) -> None:
    os.umask(0)
    try:
        terminal.hpt("run", terminal.write_spec(max_jobs=1))
    finally:
        os.umask(0o022)
    home = terminal.directory / ".hpt"
    for path in (home, home / "t"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700, path
    for path in (home / "t").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


SECRET = "hunter2-is-the-password"
SHOW = "import os; print('token', len(os.environ['TOKEN']), os.environ['PLAIN']); print('loss=1.0')"


def test_secrets_are_resolved_at_launch_and_written_nowhere(terminal: Terminal) -> None:
    (terminal.directory / "show.py").write_text(SHOW)
    terminal.write_spec(
        command=f"{Terminal.python()} show.py",
        environment={"TOKEN": "x-${MY_SECRET}", "PLAIN": "$${MY_SECRET} $HOME"},
        max_jobs=1,
    )
    text = terminal.hpt("run", "t.yaml", code=2)
    assert re.search(r"t\.yaml:\d+:\d+: error\[variable-unset\]: environment\.TOKEN", text)
    terminal.environment["MY_SECRET"] = SECRET
    said = terminal.hpt("check", "t.yaml") + json.dumps(terminal.json("check", "t.yaml"))
    said += terminal.hpt("run", "t.yaml")
    log = terminal.log("t", 1).read_text()
    assert f"token {len(SECRET) + 2} ${{MY_SECRET}} $HOME" in log
    for command in (["show", "t"], ["jobs", "t"], ["best", "t"], ["explain", "t", "1"]):
        said += terminal.hpt(*command)
    assert SECRET not in said
    assert "${MY_SECRET}" in said
    for path in (terminal.directory / ".hpt").rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes(), path


def test_a_reference_to_nothing_is_a_mistake_with_a_place(terminal: Terminal) -> None:
    terminal.write_spec(environment={"TOKEN": "${MY-SECRET}"})
    text = terminal.hpt("run", "t.yaml", code=2)
    assert re.search(r"t\.yaml:\d+:\d+: error\[reference\]", text)


def test_the_page_escapes_what_it_shows(terminal: Terminal) -> None:
    evil = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"
    (terminal.directory / "evil.py").write_text(f"print({evil!r}, flush=True); print('loss=1')")
    terminal.write_spec(
        command=f"{Terminal.python()} evil.py",
        description=evil,
        max_jobs=1,
        hyperparameter_ranges={f"x{evil}": {"type": "Categorical", "values": [evil]}},
        log_rules=[{"pattern": "alert", "action": "warn"}],
    )
    terminal.hpt("run", "t.yaml")
    terminal.hpt("report", "t", "-o", "page.html")
    page = (terminal.directory / "page.html").read_text()
    assert "alert(1)" in page
    assert "<script>alert" not in page
    assert "<img src=x" not in page
