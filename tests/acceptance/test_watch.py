"""Following a tuning job from another terminal."""

from __future__ import annotations

from tests.acceptance.conftest import Terminal


def test_watching_ends_with_the_tuning_job_and_never_disturbs_it(terminal: Terminal) -> None:
    run = terminal.start("run", terminal.write_spec(options="--epochs 40"))
    terminal.wait_for_log("t", 1, "epoch=1 ")
    text = terminal.hpt("watch", "t")
    assert "watching t: " in text
    assert "t-0004 Completed" in text
    assert text.endswith("t is Completed: max_jobs (4) reached\n")
    done = "4 of 4 done: 4 completed"
    assert text.splitlines()[-3] == done
    assert text.splitlines()[-2].startswith("best loss = ")
    assert done in terminal.hpt("show", "t")
    assert " 4/4 " in terminal.hpt("list")
    assert run.wait(60) == 0
    assert terminal.hpt("watch", "@last") == "t is Completed: max_jobs (4) reached\n"


def test_there_is_nothing_to_watch_without_a_tuner(terminal: Terminal) -> None:
    run = terminal.start("run", terminal.write_spec(options="--epochs 500"))
    terminal.wait_for_log("t", 1, "epoch=1 ")
    run.kill()
    run.wait(60)
    assert "no tuner is running for t" in terminal.hpt("watch", "t", code=1)
