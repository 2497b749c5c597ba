"""What people type first: words and options of other programs, no name, no spec; the help."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import pytest

from hpt_cli.cli.catalog import COMMANDS, GROUPS
from hpt_cli.cli.usage.meant import find_command
from hpt_cli.cli.usage.words import COMMAND_WORDS
from tests.acceptance.conftest import Terminal
from tests.acceptance.test_terminal import Screen
from tests.acceptance.warm import WarmHpt


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, warm_hpt: WarmHpt) -> Iterator[Terminal]:
    """A directory with two tuning jobs that have been run: old, and then new."""
    terminal = Terminal(tmp_path_factory.mktemp("two"), warm_hpt)
    for seed, name in enumerate(("old", "new")):
        fields = {"max_jobs": 2, "random_seed": seed, "options": "--seconds 0.01"}
        terminal.hpt("run", terminal.write_spec(name, **fields), "-q")
    yield terminal
    terminal.close()


def refuse(terminal: Terminal, line: str) -> str:
    """What hpt says to a line that it does not understand."""
    text = terminal.hpt(*shlex.split(line), code=2)
    assert text.startswith("error["), text
    return text


@pytest.mark.parametrize(
    ("line", "right"),
    [
        ("status", "hpt show"),
        ("describe old", "hpt show old"),
        ("rm old", "hpt delete old"),
        ("kill old 2", "hpt stop old 2"),
        ("cancel", "hpt stop"),
        ("top", "hpt watch"),
        ("plot old 1", "hpt curves old 1"),
        ("PS", "hpt list"),
        ("tail old 1 -f", "hpt logs old 1 -f"),
        ("describe-tuning-job --json", "hpt show --json"),
        ("retry old", "hpt resume --retry-failed old"),
        ("jbos --json", "hpt jobs --json"),
        ("cancle new", "hpt stop new"),
        ("old.yaml --quiet", "hpt run old.yaml --quiet"),
        ("old", "hpt show old"),
        ("python train.py --lr 1", "hpt init python train.py --lr 1"),
    ],
)
def test_words_that_people_try_lead_to_the_command(two: Terminal, line: str, right: str) -> None:
    text = refuse(two, line)
    assert text.splitlines()[-1].endswith(f": {right}")
    assert text.splitlines()[2].strip() == "^" * len(line.split()[0])


@pytest.mark.parametrize(
    ("line", "right"),
    [
        ("list-training-jobs", "hpt jobs"),
        (
            "list-training-jobs-for-hyper-parameter-tuning-job --hyper-parameter-tuning-job-name a",
            "hpt jobs a",
        ),
        ("list-hyper-parameter-tuning-jobs --region eu-west-1", "hpt list"),
        ("describe-training-job --training-job-name=a-0007", "hpt explain a-0007"),
        ("describe-hyper-parameter-tuning-job --hyper-parameter-tuning-job-name a", "hpt show a"),
        ("stop_hyper_parameter_tuning_job a", "hpt stop a"),
        ("analytics a", "hpt export a"),
        (
            "create-hyper-parameter-tuning-job --profile p --cli-input-json file://request.json",
            "hpt import request.json",
        ),
    ],
)
def test_words_of_sagemaker_lead_to_a_command(line: str, right: str) -> None:
    word, *rest = line.split()
    assert find_command(word, rest) == f"try: {right}"


def test_every_word_leads_to_a_command_that_there_is() -> None:
    assert not {*COMMAND_WORDS} & {*COMMANDS}
    commands = {each.split()[0] for each in COMMAND_WORDS.values() if each[0] != "-"}
    assert commands <= {*COMMANDS}


@pytest.mark.parametrize(
    ("line", "right"),
    [
        ("jobs --csv", "hpt jobs --format csv"),
        ("jobs old --markdown", "hpt jobs old --format md"),
        ("jobs old --failed", "hpt jobs old --status Failed"),
        ("jobs old --limit 5", "hpt jobs old --top 5"),
        ("jobs --sort-by=time", "hpt jobs --sort=time"),
        ("export --parquet", "hpt export --format parquet"),
        ("curves old --loss", "hpt curves old --metric loss"),
        ("run old.yaml --max-jobs 5", "hpt run old.yaml --set max_jobs=5"),
        ("run old.yaml --seed=3 -q", "hpt run old.yaml --set random_seed=3 -q"),
        ("check --complete-on-convergence", "hpt check --set complete_on_convergence=true"),
        ("update old --max-runtime-seconds 9", "hpt update old --set max_runtime_seconds=9"),
        ("run old.yaml --strategy Random", "hpt run old.yaml --set strategy=Random"),
        ("run old.yaml --gpus 2", "hpt run old.yaml --set resources.gpus=2"),
        ("delete -f old", "hpt delete --yes old"),
        ("curves --metrics loss", "did you mean '--metric'?"),
        ("list --all", "hpt list --all-homes"),
        ("update --trials 9", "hpt update --max-jobs 9"),
        ("run old.yaml --background", "hpt run old.yaml --detach"),
        ("run old.yaml --dry-run", "hpt check old.yaml"),
        ("run old.yaml --max-parallel 3", "hpt run old.yaml --set max_parallel_jobs=3"),
        ("update old --max-parallel 3", "hpt update old --max-parallel-jobs 3"),
        ("show --hyper-parameter-tuning-job-name old", "hpt show old"),
        ("resume --name old", "hpt resume old"),
        ("check --spec=old.yaml", "hpt check old.yaml"),
        ("show old --best", "hpt best old"),
        ("jobs old --metric loss", "hpt curves old --metric loss"),
        ("list --status Failed", "hpt jobs has it: hpt jobs --status Failed"),
        ("show --all-homes", "hpt list --all-homes"),
        ("--json list --wide", "hpt list --wide --json"),
        ("--home . list", "hpt list --home ."),
        ("--list", "hpt list"),
        ("-V", "hpt --version"),
        ("jobs --wdie", "did you mean '--wide'?"),
        ("jobs --format cvs", "did you mean 'csv'?"),
        ("jobs --top", "--top needs a value"),
        ("jobs --top x", "must be a whole number, not 'x'"),
        ("jobs --top=0", "must be at least 1"),
        ("jobs --json=1", "--json does not take a value"),
        ("show old 1", "hpt logs old 1"),
        ("show old new", "hpt show [NAME]"),
        ("compare", "hpt compare needs NAME..."),
        ("run python train.py --lr 1", "hpt init python train.py --lr 1"),
        ("watch --zzz", "hpt watch --help"),
    ],
)
def test_options_lead_to_the_right_ones(two: Terminal, line: str, right: str) -> None:
    text = refuse(two, line)
    assert right in text
    assert "╭" not in text


def test_every_wrong_option_is_shown_at_once(two: Terminal) -> None:
    text = refuse(two, "jobs old --csv --wdie --sort x --no-such -z")
    assert re.findall("has no option (.*)", text) == ["--csv", "--wdie", "--no-such"]


@pytest.mark.parametrize("command", ["show", "best", "jobs", "wait", "watch", "curves"])
def test_without_a_name_the_newest_is_taken_and_named(two: Terminal, command: str) -> None:
    answer = two.try_hpt(command)
    assert answer.err.startswith("new is the newest tuning job\n")
    assert answer.code == 0
    named = two.try_hpt(command, "old")
    assert "newest" not in named.err
    assert (named.out != answer.out) == (command not in ("watch", "wait"))


def test_a_number_is_a_training_job_of_the_newest(two: Terminal) -> None:
    for command in ("logs", "explain", "curves"):
        assert "new is the newest" in two.hpt(command, "2")
        assert two.try_hpt(command, "2").out == two.try_hpt(command, "new", "2").out
    assert two.try_hpt("logs", "old-0001").out == two.try_hpt("logs", "old", "1").out
    assert "new has no training job '7'" in two.hpt("logs", "7", code=2)
    assert "--retry-failed 2" in two.hpt("resume", "2", code=2)
    assert "not been" not in two.hpt("report", "-o", "r.html")
    assert two.json("jobs") == two.json("jobs", "new")


def test_a_number_that_is_a_name_is_the_name(terminal: Terminal) -> None:
    for name in ("7", "2024-a", "last"):
        spec = terminal.write_spec(name, max_jobs=2, options="--seconds 0.01")
        terminal.hpt("run", spec, "-q")
    assert "name one training job" in terminal.hpt("logs", "7", code=2)
    assert terminal.hpt("logs", "7", "1") != terminal.hpt("logs", "2")
    assert "last is the newest" in terminal.hpt("curves", "2")
    assert "last is the newest" not in terminal.hpt("curves", "2024")


def test_stop_needs_a_name_without_a_terminal(two: Terminal) -> None:
    assert "hpt stop new 2" in two.hpt("stop", "2", code=2)
    assert "hpt stop new" in two.hpt("stop", code=2)
    assert "new is already Completed" in two.hpt("stop", "new")


def test_the_only_spec_here_is_taken(terminal: Terminal) -> None:
    assert "hpt init python train.py" in terminal.hpt("run", code=2)
    (terminal.directory / "fit.py").write_text("print(1)\n")
    assert "hpt init fit.py" in terminal.hpt("check", code=2)
    (terminal.directory / "values.yaml").write_text("a: 1\n")
    terminal.write_spec("t", max_jobs=1, options="--seconds 0.01")
    assert "t.yaml is the only spec here" in terminal.hpt("check")
    assert "t.yaml is the only spec here" in terminal.hpt("run", "--quiet")
    assert "it is a tuning job: hpt resume t" in terminal.hpt("run", "t", code=2)
    terminal.write_spec("u")
    assert "t.yaml, u.yaml" in terminal.hpt("run", code=2)
    assert "hpt init fit.py" in terminal.hpt("run", "fit.py", code=2)


def test_a_request_for_sagemaker_is_imported_first(terminal: Terminal) -> None:
    request = '{"HyperParameterTuningJobName": "a", "HyperParameterTuningJobConfig": {}}'
    (terminal.directory / "request.json").write_text(request)
    for command in ("run", "check"):
        text = terminal.hpt(command, "request.json", code=2)
        assert text.count("error[") == 1
        assert "hpt import request.json" in " ".join(text.split())


def test_a_mistake_on_the_command_line_is_shown_there(two: Terminal) -> None:
    text = refuse(two, "run old.yaml --name x_y --set hyperparameter_ranges.x.max_value=0")
    assert "    --name x_y\n           ^^^\n" in text
    assert "    --set hyperparameter_ranges.x.max_value=0\n" + " " * 44 + "^\n" in text
    assert "old.yaml:" not in text
    assert "    --max-jobs 0\n               ^" in refuse(two, "update old --max-jobs 0")


@pytest.mark.parametrize(
    ("line", "marked"),
    [
        ("jobs old --sort=foo", "--sort=foo"),
        ("jobs old --columns number,foo", "number,foo"),
        ("jobs old --status Completed --status foo", "foo"),
        ("curves old --metric loss --metric foo", "foo"),
        ("replay old --rule mdian", "mdian"),
        ("export old -o x.foo", "x.foo"),
    ],
)
def test_a_value_that_means_nothing_is_marked(two: Terminal, line: str, marked: str) -> None:
    _, shown, marks, _ = refuse(two, line).splitlines()
    assert shown == f"    hpt {line}"
    assert shown[marks.index("^") : marks.rindex("^") + 1] == marked


def test_a_part_of_a_field_is_set(two: Terminal) -> None:
    two.hpt(
        *("run", "old.yaml", "-q", "--name", "set", "--set", "hyperparameter_ranges.x.max_value=1"),
        *("--set", "early_stopping.rule=median", "--set", "early_stopping_type=Auto"),
        *("--set", "max_runtime_seconds="),
    )
    assert max(row["hyperparameters"]["x"] for row in two.json("jobs", "set")) <= 1
    text = two.hpt("update", "set", "--set", "retry.max_attempts=3")
    assert "set: retry.max_attempts None → 3\n" in text
    assert "retry.when" not in text
    two.hpt("delete", "set", "--yes")


WIDTHS = (60, 80)


@pytest.mark.parametrize("width", WIDTHS)
def test_help_fits_the_terminal(terminal: Terminal, width: int) -> None:
    terminal.environment["COLUMNS"] = str(width)
    for command in COMMANDS:
        text = terminal.hpt("help", command)
        assert text == terminal.hpt(command, "-h")
        assert text.startswith(f"Usage: hpt {command}")
        assert "\nExamples:\n  " in text
        assert [line for line in text.splitlines() if len(line) > width] == []
    overview = terminal.hpt("help")
    assert overview == terminal.hpt("--help")
    assert [line for line in overview.splitlines() if len(line) > width] == []
    places = [overview.index(f"\n{group}:\n") for group in GROUPS]
    assert places == sorted(places)


def test_help_says_what_a_command_does_in_a_line(terminal: Terminal) -> None:
    terminal.environment["COLUMNS"] = "80"
    lines = terminal.hpt("--help").splitlines()
    assert [each for each in COMMANDS if not any(f"  {each} " in line for line in lines)] == []
    assert [line for line in lines if line.startswith("       ")] == []


def test_help_is_not_read_as_markup(terminal: Terminal) -> None:
    assert "hpt-cli[plot]" in terminal.hpt("curves", "--help")


@pytest.mark.parametrize(("answer", "said"), [("n", ""), ("y", "new is already Completed")])
def test_stop_asks_what_was_not_named(two: Terminal, answer: str, said: str) -> None:
    screen = Screen(two, "stop")
    screen.wait_for(lambda text: "stop new? [y/N]" in text, "the question")
    screen.type(f"{answer}\n")
    screen.wait_for_end()
    assert screen.process.returncode == 0
    assert said in screen.text
