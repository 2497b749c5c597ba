"""The launcher: a small program that runs one attempt's command and writes down how it ended.

It leads a session of its own and outlives the tuner. Signals to its process group reach the
command; the launcher itself stays until the command has ended, so that its exit code is known. It
imports only what imports quickly, as there is one launcher for every attempt:

    python -I -S launcher.py[c] [--alone] [--pty] [--cores 0,1] DIRECTORY WORKING_DIRECTORY ARGV...

Files in DIRECTORY: `launcher` ("pid identity", in a Slurm job also its number and how often it was
started before; made once: a second launcher exits), `output.log`, `suspended` (a line "since
until", in ticks, for each time that the launcher stood still), and `exit` ("exit_code ended_at
ticks", and whether the launcher was asked to end; written under another name and renamed).

While the command runs, `launcher` is touched every few seconds, so that other machines can see that
it does. In a Slurm job it is not: there Slurm tells, and the file's time is when the job began.

The command writes to the log itself. With --pty it writes to a pseudo-terminal, which the launcher
copies to the log. It is not a controlling terminal, so signals arrive as they do without it, and
no process gets a SIGHUP when it is closed.

With --alone no executor on this machine cleans up after a command that failed or was stopped: the
launcher kills what it left behind, and on SIGUSR2 the command with all that it started.
"""

# What `signal` wraps: `signal` itself imports enum, which takes longer than all the rest.
import _signal as signal  # type: ignore[import-not-found]
import errno
import os
import sys
import time

CANNOT_RUN = 127
GAVE_WAY = 75
"""Exit code of a launcher whose directory was taken; otherwise it is the command's."""
SIGNALLED = "signalled"
CLAIM = "launcher"
EXIT = "exit"
LOG = "output.log"
SUSPENDED = "suspended"
ALONE = "--alone"
PTY = "--pty"
CORES = "--cores"
ROWS, COLUMNS = 50, 200
"""Size of the pseudo-terminal: wide enough that progress bars do not cut off metrics."""
CHUNK_BYTES = 1 << 16
DISK_FULL_ERRNOS = (errno.ENOSPC, errno.EDQUOT)
NO_ROOM = b"\nhpt: No space left on device when the command ended\n"
ROOM_SECONDS = 600
"""Time to wait for room on a full disk to write down how the command ended."""
TICK_SECONDS = 1.0
"""Longest time between two looks at the clock."""
BEAT_SECONDS = 5.0
"""Time between two touches of the claim."""
SUSPENDED_SECONDS = 5.0
"""A look at the clock that comes so much too late: the launcher was suspended meanwhile."""


def read_boot_id() -> str:
    """Return an identifier of this boot of the machine; empty without /proc."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:
        return ""


BOOT_ID = read_boot_id()
_signals: list[int] = []


def identify(pid: int) -> str:
    """Return what distinguishes a process from others with the same pid: boot, and start in ticks.

    Not a wall clock time, which changes when the clock is set. Empty for a process that is dead, or
    on a system without /proc.

    Raises:
        OSError: there are no file descriptors left.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The program's name, in parentheses, may hold blanks and parentheses. After it come
            # fields 3 on of proc(5): the state, and as number 22 when the process started.
            fields = file.read().rpartition(b")")[2].split()
        return "" if fields[0] == b"Z" else f"{BOOT_ID}:{int(fields[19])}"
    except (FileNotFoundError, ProcessLookupError):
        return ""


def read_ticks() -> float:
    """Return seconds since the machine booted, as clock.read_ticks: a clock that cannot be set."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


def write_whole(path: str, text: str) -> None:
    """Write a file so that a reader finds all of it or nothing.

    It is not flushed to the disk: after a power cut the attempt counts as lost and runs again,
    unless its end is in the tuner's journal.
    """
    with open(f"{path}.new", "w") as file:
        file.write(text)
    os.rename(f"{path}.new", path)


def claim(directory: str) -> bool:
    """Take a directory; return whether this process is now its only launcher."""
    claimed = f"{directory}/{CLAIM}"
    # With the node's name, as launchers on two nodes of a cluster may have the same pid.
    temporary = f"{claimed}.{os.uname().nodename}.{os.getpid()}"
    words = [str(os.getpid()), identify(os.getpid())]
    if "SLURM_JOB_ID" in os.environ:
        words += [os.environ["SLURM_JOB_ID"], os.environ.get("SLURM_RESTART_COUNT", "0")]
    with open(temporary, "w") as file:
        file.write(" ".join(words))
    try:
        # A link appears with all of its content, and never replaces another: one launcher succeeds.
        os.link(temporary, claimed)
    except FileExistsError:
        # NFS may say so of a link that it made, when its first answer was lost.
        return os.stat(temporary).st_nlink > 1
    finally:
        os.unlink(temporary)
    return True


def start(output: int, working_directory: str, argv: list[str]) -> int:
    """Start the command with its output to a descriptor; return its pid."""
    pid = os.fork()
    if pid == 0:
        try:
            # Python ignores SIGPIPE, and what is ignored stays so in the command.
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            os.dup2(output, 1)
            os.dup2(output, 2)
            os.chdir(working_directory)
            os.execvp(argv[0], argv)
        except OSError as error:
            what = f"{argv[0]!r} in {working_directory}"
            os.write(2, os.fsencode(f"hpt: cannot run {what}: {error.strerror}\n"))
        finally:
            # Whatever has failed, the child must not return and go on as a second launcher.
            os._exit(CANNOT_RUN)
    return pid


def pin_to_cores(cores: str) -> None:
    """Pin this process and its children to cores, where the system can and still has them."""
    if hasattr(os, "sched_setaffinity"):
        try:
            os.sched_setaffinity(0, {int(core) for core in cores.split(",")})
        except OSError:  # taken away since they were handed out: any core is better than none
            return


def open_terminal() -> tuple[int, int]:
    """Return both ends, ours and the command's, of a pseudo-terminal that alters no output."""
    import termios

    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (ROWS, COLUMNS))
    attributes = termios.tcgetattr(theirs)
    attributes[1] &= ~termios.OPOST  # no CR before every LF
    termios.tcsetattr(theirs, termios.TCSANOW, attributes)
    return ours, theirs


class Waiter:
    """Waits for what comes next; shows meanwhile that this process lives, and notes when it stood.

    It stands still when it is stopped (SIGSTOP), frozen with its control group, or when the machine
    sleeps.
    """

    def __init__(self, directory: str, *, beats: bool) -> None:
        """Prepare to wait: no signal that comes from now on is missed.

        Args:
            directory: the attempt's.
            beats: whether the claim in it is touched now and then.
        """
        self._directory = directory
        self._beats = beats
        self._gaps = ""
        self._looked_at = self._beat_at = read_ticks()
        # SIGCHLD is ignored unless it has a handler, and the wakeup descriptor must not block.
        self._wakeup, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def wait(self, *readers: int) -> bool:
        """Wait for a signal, or a second at most; return whether one of `readers` can be read."""
        import select  # not before the command has been started

        ready = select.select([self._wakeup, *readers], [], [], TICK_SECONDS)[0]
        now = read_ticks()
        if now - self._looked_at > TICK_SECONDS + SUSPENDED_SECONDS:
            self._gaps += f"{self._looked_at!r} {now!r}\n"
        if self._gaps:
            self._note_gaps()
        if self._wakeup in ready:
            os.read(self._wakeup, CHUNK_BYTES)
        elif self._beats and now - self._beat_at > BEAT_SECONDS:
            self._beat_at = now
            self._touch_claim()
        self._looked_at = read_ticks()
        return any(each in ready for each in readers)

    def _note_gaps(self) -> None:
        """Write down the times at which this process stood still; try again where that fails."""
        try:
            with open(f"{self._directory}/{SUSPENDED}", "a") as file:
                file.write(self._gaps)
            self._gaps = ""
        except OSError:
            pass

    def _touch_claim(self) -> None:
        try:
            # The time is the file system's: its clock is the same for all machines.
            os.utime(f"{self._directory}/{CLAIM}")
        except OSError:
            return


def copy(terminal: int, log: int) -> bool:
    """Copy output, waiting for some; return whether the terminal is still open for writing."""
    try:
        data = os.read(terminal, CHUNK_BYTES)
    except OSError:  # EIO: on Linux, no process has the other end open any more
        return False
    is_open = bool(data)
    try:
        while data:
            data = data[os.write(log, data) :]
    except OSError:
        pass  # no room on the disk: the command goes on
    return is_open


def has_output(terminal: int) -> bool:
    """Return whether the terminal has output to copy, or has come to its end."""
    import select

    return bool(select.select([terminal], [], [], 0)[0])


def wait_for_end(pid: int, waiter: Waiter, log: int, terminal: int | None) -> int:
    """Wait until a command has ended, and copy its output if it is on a terminal.

    Returns:
        Its status, as wait(2) has it.
    """
    opened = [] if terminal is None else [terminal]
    while True:
        if waiter.wait(*opened) and not copy(opened[0], log):
            opened = []
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            # Processes that the command left running may keep the terminal open: only what has been
            # printed by now is copied before the exit code is written down.
            while opened and has_output(opened[0]) and copy(opened[0], log):
                pass
            return status


def list_marked(directory: str) -> list[int]:
    """Return the pids of other processes with the attempt's directory in their environment."""
    mark = os.fsencode(f"HPT_ATTEMPT_DIR={directory}")
    found = []
    for name in os.listdir("/proc") if os.path.isdir("/proc/self") else []:
        if name.isdigit() and int(name) != os.getpid():
            try:
                with open(f"/proc/{name}/environ", "rb") as file:
                    if mark in file.read().split(b"\0"):
                        found.append(int(name))
            except OSError:
                continue  # gone, or another user's
    return found


def kill_marked(directory: str) -> None:
    """Kill the command and all that it started."""
    for pid in list_marked(directory):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def main(directory: str, working_directory: str, argv: list[str], *, pty: bool, alone: bool) -> int:
    """Claim the directory, run the command, and write down how it ended; return its exit code."""
    # Handlers, and not SIG_IGN: the command would inherit that, and never hear of them.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda number, _: _signals.append(number))
    if not claim(directory):
        return GAVE_WAY
    log = os.open(f"{directory}/{LOG}", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    waiter = Waiter(directory, beats=not alone)
    terminal, output = open_terminal() if pty else (None, log)
    pid = start(output, working_directory, argv)
    if terminal is not None:
        os.close(output)  # left open here, the terminal would never come to its end
    code = record_exit(directory, log, wait_for_end(pid, waiter, log, terminal))
    # What a command that succeeded has left running is meant to go on.
    if alone and (code or _signals):
        kill_marked(directory)
    while terminal is not None and copy(terminal, log):  # what the command left may print more
        pass
    return code


def record_exit(directory: str, log: int, status: int) -> int:
    """Write down how the command ended: its exit code, negative for a signal, and when.

    While the disk is full it tries again each second. A command that failed for that reason could
    not say so in its log, so a line is added there.

    Returns:
        The exit code as a shell would have it.
    """
    code = os.waitstatus_to_exitcode(status)
    text = f"{code} {time.time()!r} {read_ticks()!r}" + (f" {SIGNALLED}" if _signals else "")
    unsaid, is_full = NO_ROOM if code else b"", False
    for _ in range(ROOM_SECONDS):
        try:
            if is_full:
                unsaid = unsaid[os.write(log, unsaid) :]
            write_whole(f"{directory}/{EXIT}", text)
            break
        except OSError as error:
            if error.errno not in DISK_FULL_ERRNOS:
                raise
            is_full = True
            time.sleep(1)
    return code if code >= 0 else 128 - code


def run(words: list[str]) -> int:
    """Run a launcher with the arguments of its command line; return its exit code."""
    alone = words[0] == ALONE
    words = words[1:] if alone else words
    pty = words[0] == PTY
    words = words[1:] if pty else words
    if words[0] == CORES:
        pin_to_cores(words[1])
        words = words[2:]
    if alone:
        signal.signal(signal.SIGUSR2, lambda *_: kill_marked(words[0]))
    return main(words[0], words[1], words[2:], pty=pty, alone=alone)


if __name__ == "__main__":
    # Nothing is left to clean up, and the slot is free as soon as this process is gone.
    os._exit(run(sys.argv[1:]))
