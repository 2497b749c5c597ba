"""The launcher: a small process that runs one attempt's command and writes down how it ended.

It is started as a program, in a session of its own, and outlives the tuner. Signals to its process
group reach the command; the launcher itself stays until the command is gone, so that its exit code
is known. Only the quickest of imports, as there is one launcher for every attempt:

    python -I -S launcher.py DIRECTORY WORKING_DIRECTORY COMMAND [ARGUMENT...]

Files in DIRECTORY: `launcher` ("pid identity", made once: a second launcher gives way),
`output.log`, and `exit` ("exit_code ended_at", written under another name and renamed).
"""

import os
import signal
import sys
import time

CANNOT_RUN = 127
CLAIM = "launcher"
EXIT = "exit"
LOG = "output.log"


def read_boot_id() -> str:
    """What tells this boot of the machine from all others; empty without /proc."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:
        return ""


BOOT_ID = read_boot_id()


def identify(pid: int) -> str:
    """What tells a process from any other that ever has its pid: the boot, and its start in ticks.

    Wall clock times would change whenever the clock is set. Empty for a process that is dead, or on
    a system without /proc.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        return "" if fields[0] == b"Z" else f"{BOOT_ID}:{int(fields[19])}"
    except OSError:
        return ""


def write_whole(path: str, text: str) -> None:
    """Write a file so that a reader finds all of it or nothing.

    Not flushed to the disk: what a power cut could lose is in the tuner's journal, or the attempt
    counts as lost and runs again.
    """
    with open(f"{path}.new", "w") as file:
        file.write(text)
    os.rename(f"{path}.new", path)


def claim(directory: str) -> bool:
    """Be the one launcher of this directory."""
    claimed = f"{directory}/{CLAIM}"
    temporary = f"{claimed}.{os.getpid()}"
    with open(temporary, "w") as file:
        file.write(f"{os.getpid()} {identify(os.getpid())}")
    try:
        os.link(temporary, claimed)
    except FileExistsError:
        return False
    finally:
        os.unlink(temporary)
    return True


def run(log: int, working_directory: str, argv: list[str]) -> int:
    """Run the command to its end; its exit code, negative for a signal."""
    pid = os.fork()
    if pid == 0:
        try:
            # Python ignores SIGPIPE, and what is ignored stays so in the command.
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            os.dup2(log, 1)
            os.dup2(log, 2)
            os.chdir(working_directory)
            os.execvp(argv[0], argv)
        except OSError as error:
            what = f"{argv[0]!r} in {working_directory}"
            os.write(2, f"hpt: cannot run {what}: {error.strerror}\n".encode())
        finally:
            os._exit(CANNOT_RUN)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def main(directory: str, working_directory: str, argv: list[str]) -> None:
    """Claim the directory, run the command there, and write down how it ended."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    if not claim(directory):
        return
    log = os.open(f"{directory}/{LOG}", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    code = run(log, working_directory, argv)
    write_whole(f"{directory}/{EXIT}", f"{code} {time.time()!r}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
