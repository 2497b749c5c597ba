"""Command + hyperparameters -> argument list."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hpt_cli.spec.command_template import Filling, find_misspelt, find_placeholders
from hpt_cli.spec.command_template import render_argv as render
from hpt_cli.spec.hyperparameters import Value
from hpt_cli.spec.shell_quoting import (
    find_commented,
    find_embedded,
    find_shell_syntax,
    hides_failure,
    needs_quotes,
)


def render_argv(
    command: str | list[str], values: dict[str, Value], *absent: str, shell: bool = False
) -> list[str]:
    return render(command, Filling(values, absent), shell=shell)


def test_a_placeholder_is_one_argument_whatever_it_holds() -> None:
    argv = render_argv("train --name '{name}' x{lr}", {"name": "a 'b' $(c) {lr}", "lr": 1e-05})
    assert argv == ["train", "--name", "a 'b' $(c) {lr}", "x1e-05"]


def test_args_is_all_of_them() -> None:
    assert render_argv("train {args} end", {"a": 1, "b": "x"}) == [
        *("train", "--a", "1", "--b", "x", "end"),
    ]


def test_without_a_placeholder_all_are_appended() -> None:
    assert render_argv(["train", "my file"], {"a": 1}) == ["train", "my file", "--a", "1"]


def test_doubled_braces_stand_for_themselves() -> None:
    assert find_placeholders("awk '{{print}}' {a}") == ["a"]
    assert render_argv("awk '{{print}}' {a}", {"a": 2}) == ["awk", "{print}", "2"]


def test_braces_of_other_kinds_are_left_alone() -> None:
    assert render_argv("""python -c 'd={}; print({1: 2})' --a {a}""", {"a": 1})[2] == (
        "d={}; print({1: 2})"
    )


@pytest.mark.parametrize(
    "name",
    ["+key", "db@x", "layers[0]", "a/b", "weight decay", "größe", "0", "~x", "it's", "$", "{"],
)
def test_any_name_is_a_placeholder(name: str) -> None:
    argv = render_argv(f"train x={{{name}}} '{{{name}}}'", {name: "v", "other": 1})
    assert argv == ["train", "x=v", "v"]
    script = render_argv(f"train x={{{name}}}", {name: "v"}, shell=True)
    assert script[-1] == "train x=v"


def test_a_name_is_not_the_beginning_of_another() -> None:
    assert render_argv("t {a b} {a b c}", {"a b": 1, "a b c": 2}) == ["t", "1", "2"]


def test_json_in_a_command_is_filled() -> None:
    argv = render_argv("""t '{"lr": {lr}}' '{"a": {"b": {lr}}}'""", {"lr": 0.1})
    assert argv == ["t", '{"lr": 0.1}', '{"a": {"b": 0.1}}']


@pytest.mark.parametrize(
    ("command", "argv"),
    [
        ("t --lr {lr} --m {m}", "t --lr 1"),
        ("t --m {m} --lr {lr}", "t --lr 1"),
        ("t --m={m} a.b={m} +c={m} -m{m} {m} {lr}", "t 1"),
        ("t -m {m} data/ --lr {lr}", "t data/ --lr 1"),
        ("t --betas {m} {n} --lr {lr}", "t --lr 1"),
        ("t --betas 0.9 {m} --lr {lr}", "t --betas 0.9 --lr 1"),
        ("t --set a={lr} b={m}", "t --set a=1"),
        ("t --verbose --lr {lr} -- {m}", "t --verbose --lr 1 --"),
        ("t --m {m} {args}", "t --lr 1"),
        ("t --m {m} {lr...}", "t 1"),
        ("t -1 {m} {lr}", "t -1 1"),
    ],
)
def test_what_does_not_exist_is_left_out_with_its_option(command: str, argv: str) -> None:
    assert render_argv(command, {"lr": 1}, "m", "n") == argv.split()
    assert render_argv(command.split(), {"lr": 1}, "m", "n") == argv.split()


def test_the_words_of_a_value() -> None:
    values: dict[str, Value] = {"bn": "--no-bn", "flag": "", "layers": "64 '6 4'", "x": "a 'b"}
    argv = render_argv("t {bn...} {flag...} --layers {layers...} {x...} y{layers...}", values)
    assert argv == ["t", "--no-bn", "--layers", "64", "6 4", "a", "'b", "y64 '6 4'"]
    script = render_argv("printf %s: {flag...} {layers...}", values, shell=True)
    printed = subprocess.run(script, capture_output=True, text=True, check=True).stdout
    assert printed == "64:6 4:"


@pytest.mark.parametrize(
    ("inside", "name"), [(" lr ", "lr"), ("+lr", "lr"), ("+keys", "+key"), ("a b", "a_b")]
)
def test_what_is_nearly_a_name_is_found(inside: str, name: str) -> None:
    assert list(find_misspelt(f"t {{{inside}}}", ["lr", "+key", "a_b"])) == [
        (inside, f"did you mean '{name}'?")
    ]


@pytest.mark.parametrize(
    "text", ["{print $1}", '{"a": 1}', "{{ lr }}", "{}", "{1,2}", "{lr}", "{+}"]
)
def test_other_braces_are_not(text: str) -> None:
    assert not list(find_misspelt(f"t {text}", ["lr", "print", "a", "+"]))


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=20))
def test_values_pass_through_a_shell_unharmed(value: str) -> None:
    argv = render_argv(f"{sys.executable} -c pass {{v}}", {"v": value}, shell=True)
    assert argv[:2] == ["/bin/sh", "-c"]
    words = subprocess.run(
        ["/bin/sh", "-c", argv[2].replace(f"{sys.executable} -c pass", "printf %s")],
        capture_output=True,
        check=True,
    )
    assert words.stdout.decode() == value


def test_a_list_of_words_is_the_same_words_with_a_shell() -> None:
    values = {"x": "$(touch pwned) ' \"", "y": 1}
    argv = render_argv(["printf", "%s\\n", "a b", "{x}", "{args}"], values, shell=True)
    printed = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    assert printed.splitlines() == ["a b", values["x"], "--x", values["x"], "--y", "1"]


EMBEDDED = [
    *("train '{x}'", 'train "{x}"', "sh -c 'train {x}'", '"$(train "{x}")"', "`train {x}`"),
    *(
        "# it's\ntrain '{x}'",
        "cat <<E\n{x}\nE",
        "cat <<< {x}",
        "$((1 + {x}))",
    ),
    *("${x}", "\\{x}", "$'it\\'s' {x}", '"$$({x})"', "case a in a) train {x};; esac"),
    *("train >&{x}", "train 0<& {x}"),
]
QUOTABLE = [
    *("train {x}", 'cd "$(pwd)"; train {x}', '"$(train {x})"', "# it's\ntrain {x}", "a#b {x}"),
    *(
        "'a'{x}'b'",
        "(train {x})",
        "f() { train {x}; }",
        "it\\'s {x}",
        '"a\\"" {x}',
        "a 'b\\' {x} '",
    ),
    *('"${{HOME}}" --x={x} && echo "done" | tee {x}', "echo '{{x}}'", "train 2>&1 | tee {x}"),
]


@pytest.mark.parametrize("script", EMBEDDED)
def test_where_quotes_would_not_hold(script: str) -> None:
    assert find_embedded(script) == ["x"]


@pytest.mark.parametrize("script", ["# a\\\n# {x}", "train # it is {x}", "# it's {x}\ntrain"])
def test_where_there_is_a_comment(script: str) -> None:
    assert (find_embedded(script), find_commented(script)) == ([], ["x"])


@pytest.mark.parametrize("script", QUOTABLE)
def test_where_quotes_hold(script: str) -> None:
    assert find_embedded(script) == []


PIECES = [
    *("{x}", "{x}", "{x}", "'", '"', "`", "$(", "$((", "))", ")", "(", "${", "}", "$", "$$", "$'"),
    *(
        "#",
        " #",
        " ",
        "\n",
        "\\",
        "\\'",
        '\\"',
        "<<E\n",
        "E\n",
        ";",
        "|",
        "&",
        "echo ",
        "a",
        "=",
        "-",
    ),
    *("{{x}}", "${{HOME}}", "case a in a)", " esac", "if true; then ", " fi"),
]
ATTACKS = [
    *("$(touch pwned)", "`touch pwned`", "'; touch pwned; '", '"; touch pwned; "', "; touch pwned"),
    *("\ntouch pwned\n", "a\n'\ntouch pwned\n'", ") ; touch pwned", "E\ntouch pwned\n"),
    *("'\"; touch pwned; \"'", "\\'; touch pwned; \\'"),
]


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=12), st.sampled_from(ATTACKS))
def test_a_shell_runs_nothing_that_a_value_says(
    tmp_path: Path, pieces: list[str], attack: str
) -> None:
    script = "".join(pieces)
    if not find_placeholders(script) or find_embedded(script):
        return
    if "\n" in attack and find_commented(script):
        return
    argv = render_argv(script, {"x": attack}, shell=True)
    silent = {"stdin": subprocess.DEVNULL, "capture_output": True, "timeout": 20}
    subprocess.run(argv, cwd=tmp_path, check=False, **silent)
    assert not (tmp_path / "pwned").exists(), argv


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_words_of_a_value_are_only_words(tmp_path: Path, attack: str) -> None:
    argv = render_argv("printf '%s ' {x...}", {"x": attack}, shell=True)
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split() == " ".join(render_argv("{x...}", {"x": attack})).split()
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("value", [1, -0.5, 1e-05, "adam", "a/b.c", "-rf"])
def test_plain_values_need_no_quotes(value: float | str) -> None:
    assert not needs_quotes(value)


@pytest.mark.parametrize("value", ["", "a b", "$HOME", "é", "a\nb", "~", "*"])
def test_others_do(value: str) -> None:
    assert needs_quotes(value)


@pytest.mark.parametrize("shell", [False, True])
def test_the_plain_case_reads_as_written(shell: bool) -> None:
    argv = render_argv("train --lr {lr}", {"lr": 0.1}, shell=shell)
    assert (argv[-1] if shell else " ".join(argv)) == "train --lr 0.1"


@pytest.mark.parametrize(
    ("command", "found"),
    [
        ("./t --data $DATA --out ${{OUT}}/$(date +%s)", ["$DATA", "${{OUT}}", "$(date +%s)"]),
        ('./t "$HOME/my data" "a | b" `hostname`', ["$HOME", "`hostname`"]),
        (["./t", "--data", "$DATA", "a $b", "&&", "./u"], ["$DATA", "&&"]),
        ("./t {lr} 2>&1 | tee log > x", ["2>", "|", ">"]),
        ("./t '$DATA' \\$x costs$ 5$ $1 >=3 --re='a|b' a>b {lr}", []),
        ("env A=1 bash -c './t $DATA && ./u'", []),
        ('ssh host "echo $HOME"', []),
    ],
)
def test_what_only_a_shell_acts_on_is_found(command: str | list[str], found: list[str]) -> None:
    assert find_shell_syntax(command) == found


@pytest.mark.parametrize(
    ("command", "shell", "hides"),
    [
        ("./t.sh {lr} | cat", True, True),
        ("(./t.sh {lr}) |& tee log", True, True),
        ("bash -c './t.sh {lr} | cat'", False, True),
        (["/bin/sh", "-c", "a|b"], False, True),
        ("set -o pipefail; ./t.sh {lr} | cat", True, False),
        ("bash -c 'set -o pipefail; ./t.sh {lr} | cat'", False, False),
        ("./t.sh {lr} || echo no >| log # a | b", True, False),
        ("./t.sh --re='a|b' \"c|d\" e\\|f", True, False),
        ("./t.sh {lr} | cat", False, False),
        ("./t.sh {lr}", True, False),
    ],
)
def test_a_pipe_hides_a_failure_before_it(
    command: str | list[str], shell: bool, hides: bool
) -> None:
    assert hides_failure(command, shell=shell) == hides


@pytest.mark.parametrize(("value", "words"), [("on", "x --amsgrad"), ("off", "x")])
def test_a_shell_writes_a_switch_or_leaves_it_out(value: str, words: str) -> None:
    script = "echo x $(test {amsgrad} = on && echo --amsgrad)"
    argv = render_argv(script, {"amsgrad": value}, shell=True)
    assert not find_embedded(script)
    assert subprocess.run(argv, capture_output=True, text=True, check=True).stdout == f"{words}\n"
