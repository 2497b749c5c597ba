"""What the results say to do next, through the real hpt."""

from __future__ import annotations

from tests.acceptance.conftest import Terminal


def test_a_best_at_the_edge_is_told_with_a_command_and_a_spec(terminal: Terminal) -> None:
    ranges = {"x": {"type": "Continuous", "min_value": 1, "max_value": 2}}
    spec = terminal.write_spec(
        command="echo loss={x}", hyperparameter_ranges=ranges, max_jobs=12, max_parallel_jobs=4
    )
    terminal.hpt("run", spec, "--set", "objective_type=Maximize")
    advised = terminal.json("advise", "t")
    first = advised["advice"][0]
    assert (first["slug"], advised["healthy"]) == ("edge", False)
    assert first["changes"] == {"hyperparameter_ranges.x.max_value": 2.5}
    command = "hpt update t --set hyperparameter_ranges.x.max_value=2.5 --set max_jobs=32"
    assert first["command"] == f"{command} && hpt resume t"
    text = terminal.hpt("advise", "t", "--write", "next.yaml")
    assert "1. the best x lies at the edge of its range: widen it to 2.5" in text
    assert f"   {first['command']}\n" in text, "in one line, to be pasted"
    terminal.hpt("run", "next.yaml", "--set", "max_jobs=1")
    (parent,) = terminal.json("show", "t-next")["warm_start_parents"]
    assert parent["jobs_used"] == 12
    terminal.hpt("advise", "t", "--write", "next.yaml", code=2)


def test_commands_to_paste_find_the_home(terminal: Terminal) -> None:
    noise = "sh -c 'echo loss=$(echo {x} | cksum | cut -c1-4)'"
    spec = terminal.write_spec(command=noise, max_jobs=20, max_parallel_jobs=4)
    terminal.hpt("run", spec, "--home", "else where")
    home = ("--home", "else where")
    first = terminal.json("advise", "t", *home)["advice"][0]
    assert (first["slug"], first["command"]) == ("noise", "hpt confirm t --home 'else where'")
    text = terminal.hpt("advise", "t", "--write", "next.yaml", *home)
    assert "to run it: hpt run next.yaml --home 'else where'" in text
    text = terminal.hpt("try", "t", "x=1", *home)
    assert "to continue: hpt resume t --home 'else where'" in text


def test_with_few_results_it_says_so(terminal: Terminal) -> None:
    terminal.hpt("run", terminal.write_spec(command="echo loss={x}", max_jobs=2))
    (only,) = terminal.json("advise", "t")["advice"]
    assert (only["slug"], "too few" in only["evidence"]) == ("more", True)
