"""Faults of what hpt writes to: a terminal that is closed or does not read; no pipe, no log."""

from __future__ import annotations

import shlex
import signal
import subprocess

from ground import PARALLEL, Ground, check, wait_until
from terminals import (
    CTRL_BACKSLASH,
    CTRL_C,
    CTRL_Q,
    CTRL_S,
    Terminal,
    await_no_tuner,
    await_tuner,
    open_hpt,
    open_shell,
)

SCREEN_ENTERED, SCREEN_LEFT, CURSOR_SHOWN = b"\x1b[?1049h", b"\x1b[?1049l", b"\x1b[?25h"


def _open(ground: Ground, slow: float) -> Terminal:
    """Open hpt in one of four ways, with training jobs that end at once or need time to save."""
    ground.most_attempts = 2
    options = {"save": slow} if slow else {}
    ground.write_spec(seconds=0.4, options=options, stop_grace_seconds=20)
    views = ["--plain"] if ground.rng.random() < 0.5 else []
    return (open_hpt if ground.rng.random() < 0.5 else open_shell)(ground, *views)


def _choose_saving(ground: Ground) -> float:
    return ground.rng.choice((0.0, 2.0))


def close_early(ground: Ground) -> int:
    """Close the terminal before the first training job has begun."""
    with _open(ground, _choose_saving(ground)) as terminal:
        ground.pause(2.5)
        terminal.close()
        await_no_tuner(ground)
    ground.finish()
    return 1


def close_at_work(ground: Ground) -> int:
    """Close the terminal while training jobs run."""
    with _open(ground, _choose_saving(ground)) as terminal:
        await_tuner(ground)
        ground.await_jobs(ground.rng.randrange(1, PARALLEL + 1))
        ground.pause(0.8)
        terminal.close()
        await_no_tuner(ground)
    ground.finish()
    return 1


def close_while_stopping(ground: Ground) -> int:
    """Press Ctrl-C, and close the terminal while training jobs are saving."""
    with _open(ground, 2.0) as terminal:
        await_tuner(ground)
        ground.await_jobs()
        terminal.type(CTRL_C)
        ground.pause(1.5)
        terminal.close()
        await_no_tuner(ground)
    ground.finish()
    return 1


def close_at_the_end(ground: Ground) -> int:
    """Close the terminal while the last training jobs end or the final tables are printed."""
    with _open(ground, 0.0) as terminal:
        await_tuner(ground)
        ground.await_jobs(ground.jobs)
        ground.pause(2.5)
        terminal.close()
        await_no_tuner(ground)
    ground.finish()
    return 1


def stall(ground: Ground) -> int:
    """Let the terminal read no more: Ctrl-S, or a laptop that sleeps."""
    by_key = ground.rng.random() < 0.5
    ground.write_spec(seconds=0.4, max_jobs=12)
    # What --plain prints fits into the buffer of a terminal: only Ctrl-S holds it back.
    views = ["--plain"] if by_key and ground.rng.random() < 0.5 else []
    with open_hpt(ground, *views) as terminal:
        await_tuner(ground)
        ground.await_jobs(1)
        terminal.type(CTRL_S) if by_key else terminal.stall()
        wait_until(lambda: ground.read_status() == "Completed", "all jobs", 60, pause=1)
        terminal.type(CTRL_Q) if by_key else terminal.read_on()
        check(terminal.process.wait(30) == 0, f"exit code {terminal.process.returncode}")
    return 1


def stall_and_stop(ground: Ground) -> int:
    """Send SIGTERM to a tuner whose terminal reads no more."""
    ground.most_attempts = 2
    ground.write_spec(seconds=0.4, options={"save": 1.0}, stop_grace_seconds=20)
    with open_hpt(ground) as terminal:
        tuner = await_tuner(ground)
        ground.await_jobs()
        terminal.type(CTRL_S) if ground.rng.random() < 0.5 else terminal.stall()
        ground.pause(1.0)
        tuner.send_signal(signal.SIGTERM)
        wait_until(lambda: not ground.find_processes(), "the end of the jobs", 20)
        terminal.type(CTRL_Q)
        terminal.read_on()
        await_no_tuner(ground)
    ground.finish()
    return 1


def interrupt_through_tee(ground: Ground) -> int:
    """Press Ctrl-C in `hpt run 2>&1 | tee log`: it reaches all of the pipe, tee first or not."""
    ground.most_attempts = 2
    ground.write_spec(seconds=0.4, options={"save": 1.0}, stop_grace_seconds=20)
    with open_shell(ground, after="2>&1 | tee log") as terminal:
        await_tuner(ground)
        ground.await_jobs(ground.rng.randrange(1, PARALLEL + 1))
        ground.pause(0.8)
        terminal.type(CTRL_C)
        await_no_tuner(ground)
    ground.finish()
    return 1


OUTPUTS = ("2>&1 | head -1", "2>&1 | true", "> out 2> /dev/full", "2>&- > out", ">&- 2> out")


def lose_output(ground: Ground) -> int:
    """Give hpt a pipe without a reader, a log on a full disk, or no output at all."""
    output = ground.rng.choice(OUTPUTS)
    ground.write_spec(seconds=0.2)
    command = f"{shlex.join(ground.words('run', 't.yaml'))} {output}; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=ground.root,
        env=ground.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    code = done.returncode
    ground.note_unwatched()
    check(ground.read_status() == "Completed", f"{output}: exit code {code}")
    return 1


def quit_by_key(ground: Ground) -> int:
    """Press Ctrl-\\: the screen must be as it was."""
    ground.most_attempts = 2
    ground.write_spec(seconds=0.4, options={"save": 1.0}, stop_grace_seconds=20)
    with open_hpt(ground) as terminal:
        await_tuner(ground)
        ground.await_jobs()
        terminal.await_text(SCREEN_ENTERED)
        terminal.type(CTRL_BACKSLASH)
        await_no_tuner(ground)
        terminal.await_text(SCREEN_LEFT)
        terminal.await_text(CURSOR_SHOWN)
    ground.finish()
    return 1
