#!/usr/bin/env python3
"""A pretended Slurm, for what one real node cannot show: sbatch, squeue, scancel and sacct in one.

Jobs are processes of this machine, in files of FAKE_SLURM: `1.job` ("name pid"), `1.state` (what
it is said to have come to). `plan` there says what goes wrong, in lines of "NUMBER WHAT":

    3 refuse MESSAGE    the third submission is refused, once
    3 lose MESSAGE      it is made, but the answer is lost
    3 end STATE         its processes are killed when it has printed, and it is in this state
    3 forget CLUE       the same, but Slurm no longer knows it; the clue stands in its output
"""

import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

HOME = Path(os.environ["FAKE_SLURM"])


def read_plan():
    lines = (HOME / "plan").read_text().splitlines() if (HOME / "plan").exists() else []
    return {int(line.split()[0]): line.split(None, 2)[1:] for line in lines}


def option(name, default=""):
    found = [word.partition("=")[2] for word in sys.argv[1:] if word.startswith(f"--{name}=")]
    return found[0] if found else default


def sbatch():
    lock = (HOME / "lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    tried = HOME / "tried"
    count = int(tried.read_text()) + 1 if tried.exists() else 1
    tried.write_text(str(count))
    what, text = (*read_plan().get(count, ["", ""]), "")[:2]
    script = sys.stdin.read()
    (HOME / "seen").open("a").write(f"{sys.argv} {script}\n")
    (HOME / "environment").write_text("\n".join(sorted(os.environ)))
    if what == "refuse":
        sys.exit(f"sbatch: error: {text}")
    number = len(list(HOME.glob("*.job"))) + 1
    output = Path(option("output").replace("%%", "%"))
    environment = {**os.environ, "SLURM_JOB_ID": str(number)}
    runner = f"bash -s; echo $(( $? << 8 )) > {HOME}/{number}.status"
    process = subprocess.Popen(
        ["bash", "-c", runner],
        stdin=subprocess.PIPE,
        stdout=output.open("a"),
        stderr=subprocess.STDOUT,
        env=environment,
        start_new_session=True,
        cwd=option("chdir"),
    )
    process.stdin.write(script.encode())
    process.stdin.close()
    (HOME / f"{number}.job").write_text(f"{option('job-name')} {process.pid}")
    if what == "lose":
        sys.exit(f"sbatch: error: Batch job submission failed: {text}")
    if what in ("end", "forget"):
        if os.fork() == 0:
            os.setsid()
            lock.close()
            for stream in (0, 1, 2):
                os.close(stream)
            spoil(number, process.pid, output, what, text)
        text = ""
    print(number)


def spoil(number, pid, output, what, text):
    log = output.parent / "output.log"
    while not (log.exists() and log.read_text()):
        time.sleep(0.02)
    if what == "forget":
        output.open("a").write(f"slurmstepd-n1: error: *** JOB {number} ON n1 {text} ***\n")
    (HOME / f"{number}.state").write_text("" if what == "forget" else text)
    os.killpg(pid, signal.SIGKILL)
    os._exit(0)


def describe(number):
    """The name, state and status of a job; None for one that is forgotten."""
    name = (HOME / f"{number}.job").read_text().split()[0]
    state, status = HOME / f"{number}.state", HOME / f"{number}.status"
    if state.exists():
        return (name, state.read_text(), 9) if state.read_text() else None
    if status.exists() and status.read_text():
        code = int(status.read_text())
        return name, "FAILED" if code else "COMPLETED", code
    return name, "RUNNING", 0


def squeue():
    with (HOME / "asked").open("a") as file:
        file.write(f"{time.time()}\n")
    widths = dict(pair.split(":") for pair in option("Format").split(","))
    wanted = [int(each) for each in option("jobs").split(",") if each]
    for path in sorted(HOME.glob("*.job")):
        number = int(path.stem)
        found = describe(number)
        if found is None or (wanted and number not in wanted):
            continue
        name, state, status = found
        if option("name", name) == name:
            fields = {"JobID": number, "Name": name, "State": state, "exit_code": status}
            fields |= {"RestartCnt": 0, "Reason": "None"}
            print("".join(str(fields[key]).ljust(int(width)) for key, width in widths.items()))


def scancel():
    if option("signal") == "TERM":
        pid = int((HOME / f"{sys.argv[-1]}.job").read_text().split()[1])
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            os.killpg(os.getpgid(int(child)), signal.SIGTERM)


def sacct():
    sys.exit("sacct: error: Slurm accounting storage is disabled")


{"sbatch": sbatch, "squeue": squeue, "scancel": scancel, "sacct": sacct}[Path(sys.argv[0]).name]()
