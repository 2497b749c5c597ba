"""The launcher: a small program that runs one attempt's command and writes down how it ended.

It leads a session of its own and outlives the tuner. Signals to its process group reach the
command; the launcher itself stays until the command has ended, so that its exit code is known, and
then for as long as anything is left of it. It adopts orphans (PR_SET_CHILD_SUBREAPER), so whatever
the command started is a descendant of the launcher, in any session and with any environment.

It imports only what imports quickly, as there is one launcher for every attempt:

    python -I -S launcher.py[c] [--alone GRACE] [--pty] [--cores 0,1] DIRECTORY WORKING_DIRECTORY
        ARGV...

Files in DIRECTORY: `launcher` ("pid identity", in a Slurm job also its number and how often it was
started before, and where the pid is valid; made once: a second launcher exits), `output.log`,
`suspended` (a line "since until time" for each time that the launcher stood still: two in ticks,
and `until` by the time of day), and `exit` ("exit_code ended_at ticks", whether the launcher was
asked to end, and whether it could not adopt orphans; written under another name and renamed).

While the command runs, `launcher` is touched every few seconds, so that other machines can see that
it does. In a Slurm job it is not: there Slurm tells, and the file's time is when the job began.

The command writes to the log itself. With --pty it writes to a pseudo-terminal, which the launcher
copies to the log. It is not a controlling terminal, so signals arrive as they do without it, and
no process gets a SIGHUP when it is closed.

With --alone no executor on this machine cleans up after the command: the launcher ends what it left
running, after GRACE seconds if it succeeded, and on SIGUSR2 the command with all that it started.
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
UNADOPTED = "unadopted"
"""Said in `exit` where orphans of the command are no children of the launcher."""
FAILED = "hpt: the launcher failed:"
"""Beginning of the line that says why a launcher has ended without an exit code."""
CLAIM, LOG, SUSPENDED, EXIT = "launcher", "output.log", "suspended", "exit"
ALONE, PTY, CORES = "--alone", "--pty", "--cores"
ROWS, COLUMNS = 50, 200
"""Size of the pseudo-terminal: wide enough that progress bars do not cut off metrics."""
CHUNK_BYTES = 1 << 16
DISK_FULL_ERRNOS = (errno.ENOSPC, errno.EDQUOT)
NO_ROOM = b"\nhpt: No space left on device when the command ended\n"
ROOM_SECONDS = 600
"""Time to wait for room on a full disk to write down how the command ended."""
TICK_SECONDS = 1.0
"""Longest time between two looks at the clock."""
TERM_SECONDS = 2.0
"""Time between SIGTERM and SIGKILL for what outlives the command."""
BEAT_SECONDS = 5.0
"""Time between two touches of the claim."""
SUSPENDED_SECONDS = 2.0
"""A look at the clock that comes so much too late: the launcher was suspended meanwhile."""
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36


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


def describe_machine() -> dict[str, str]:
    """Return where the pids of this process are valid: the host, and the namespace of its pids."""
    try:
        namespace = os.readlink("/proc/self/ns/pid").strip("pid:[]")
    except OSError:
        namespace = ""
    return {"host": os.uname().nodename, "namespace": namespace}


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
    try:
        os.rename(f"{path}.new", path)
    except OSError:
        # Not every file system can rename; so short a text is written in one piece, or not at all.
        with open(path, "w") as file:
            file.write(text)


def claim() -> bool:
    """Take the working directory; return whether this process is now its only launcher."""
    # With the node's name, as launchers on two nodes of a cluster may have the same pid.
    temporary = f"{CLAIM}.{os.uname().nodename}.{os.getpid()}"
    words = [str(os.getpid()), identify(os.getpid())]
    if "SLURM_JOB_ID" in os.environ:
        words += [os.environ["SLURM_JOB_ID"], os.environ.get("SLURM_RESTART_COUNT", "0")]
    text = " ".join([*words, *(f"{name}={value}" for name, value in describe_machine().items())])
    with open(temporary, "w") as file:
        file.write(text)
    try:
        # A link appears with all of its content, and never replaces another: one launcher succeeds.
        os.link(temporary, CLAIM)
    except FileExistsError:
        # NFS may say so of a link that it made, when its first answer was lost.
        return os.stat(temporary).st_nlink > 1
    except OSError:  # exFAT, CIFS and many others have no links
        try:
            with open(CLAIM, "x") as file:
                file.write(text)
        except FileExistsError:
            return False
    finally:
        os.unlink(temporary)
    return True


def control_process(option: int, value: int) -> bool:
    """Call Linux's prctl(2); return whether it succeeded: never on other systems."""
    try:
        # What `ctypes` wraps: that takes as long to import as all the rest.
        import _ctypes

        address = _ctypes.dlsym(_ctypes.dlopen(None, 0), "prctl")  # type: ignore[arg-type]
        return bool(_ctypes.call_function(address, (option, value, 0, 0, 0)) == 0)
    except (ImportError, AttributeError, OSError, TypeError):
        return False


def start(output: int, working_directory: str, argv: list[str], *, dies_along: bool) -> int:
    """Start the command with its output to a descriptor; return its pid.

    With `dies_along` it is killed when this process dies, where the system can do that.
    """
    pid = os.fork()
    if pid == 0:
        try:
            if dies_along:
                control_process(PR_SET_PDEATHSIG, signal.SIGKILL)
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
    try:
        os.sched_setaffinity(0, {int(core) for core in cores.split(",")})
    except (AttributeError, OSError):  # taken away since: any core is better than none
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

    It stands still when it is stopped (SIGSTOP), frozen with its cgroup, or the machine sleeps.
    """

    def __init__(self, *, beats: bool) -> None:
        """Prepare to wait: no signal that comes from now on is missed.

        With `beats` the claim is touched now and then.
        """
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
            self._gaps += f"{self._looked_at!r} {now!r} {time.time()!r}\n"
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
            with open(SUSPENDED, "a") as file:
                file.write(self._gaps)
            self._gaps = ""
        except OSError:
            pass

    def _touch_claim(self) -> None:
        try:
            # The time is the file system's: its clock is the same for all machines.
            os.utime(CLAIM)
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


def reap(command: int) -> tuple[int | None, bool]:
    """Reap children; return the status of the command, if it has ended, and whether any live on."""
    found = None
    try:
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return found, True
            if pid == command:
                found = status
    except ChildProcessError:
        return found, False


def wait_for_end(command: int, waiter: Waiter, log: int, terminal: int | None) -> int:
    """Wait for the end of the command, copy what it prints on a terminal, and return its status."""
    opened = [] if terminal is None else [terminal]
    while True:
        if waiter.wait(*opened) and not copy(opened[0], log):
            opened = []
        status, _ = reap(command)
        if status is not None:
            # Processes that the command left running may keep the terminal open: only what has been
            # printed by now is copied before the exit code is written down.
            while opened and has_output(opened[0]) and copy(opened[0], log):
                pass
            return status


def wait_for_rest(
    command: int, waiter: Waiter, log: int, terminal: int | None, until: float | None = None
) -> bool:
    """Wait until all is gone that the command left running, and copy what that prints.

    It gives up at `until`, in ticks; returns whether all is gone.
    """
    opened = [] if terminal is None else [terminal]
    # Where it could not be adopted, it is gone when nothing has the terminal open.
    while reap(command)[1] or opened:
        if until is not None and read_ticks() > until:
            return False
        if waiter.wait(*opened) and not copy(opened[0], log):
            opened = []
    return True


def end_rest(
    directory: str, command: int, waiter: Waiter, log: int, terminal: int | None, grace: float
) -> None:
    """End what the command left running for more than `grace` seconds, and say so in its log."""
    until = read_ticks() + grace
    if grace and wait_for_rest(command, waiter, log, terminal, until):
        return
    left = list_family(directory)
    if grace and left:
        write_line(log, f"outlived the job and was killed: {', '.join(map(describe, left))}")
        kill(left, signal.SIGTERM)
        if wait_for_rest(command, waiter, log, terminal, read_ticks() + TERM_SECONDS):
            return
    while left := list_family(directory):
        if not kill(left, signal.SIGKILL):
            return
        wait_for_rest(command, waiter, log, terminal, read_ticks() + TICK_SECONDS)


def write_line(log: int, text: str) -> None:
    """Write a line of hpt's own into the log, if there is room on the disk."""
    try:
        os.write(log, os.fsencode(f"\nhpt: {text}\n"))
    except OSError:
        return


def read_parents() -> dict[int, int]:
    """Return the parent of each living process; nothing without /proc."""
    parents = {}
    for name in os.listdir("/proc") if os.path.isdir("/proc/self") else []:
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    state, parent = file.read().rpartition(b")")[2].split()[:2]
            except OSError:
                continue  # gone
            if state != b"Z":
                parents[int(name)] = int(parent)
    return parents


def is_marked(pid: int, directory: str) -> bool:
    """Return whether a process has the attempt's directory in its environment."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return os.fsencode(f"HPT_ATTEMPT_DIR={directory}") in file.read().split(b"\0")
    except OSError:
        return False  # gone, or another user's


def list_family(directory: str) -> list[int]:
    """Return the pids of the command and all that it started: descendants, and marked processes."""
    parents, own = read_parents(), os.getpid()
    family = {pid for pid in parents if is_marked(pid, directory)} | {own}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    return [*(family - {own})]


def describe(pid: int) -> str:
    """Return a process's name and pid."""
    try:
        with open(f"/proc/{pid}/comm") as file:
            return f"{file.read().strip()} (pid {pid})"
    except OSError:
        return f"pid {pid}"


def kill(pids: list[int], number: int) -> int:
    """Signal processes; return how many could be signalled."""
    count = 0
    for pid in pids:
        try:
            os.kill(pid, number)
            count += 1
        except OSError:
            continue  # gone, or another user's
    return count


def main(
    directory: str, working_directory: str, argv: list[str], *, pty: bool, grace: float | None
) -> int:
    """Claim the directory, run the command, and write down how it ended; return its exit code.

    Args:
        grace: how long what a command that succeeded leaves running may take to end by itself; None
            where an executor sees to that.
    """
    # Handlers, and not SIG_IGN: the command would inherit that, and never hear of them.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda number, _: _signals.append(number))
    # It may be moved while the command runs; and it is told from a copy by being this process's.
    os.chdir(directory)
    if not claim():
        return GAVE_WAY
    log = os.open(LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    waiter = Waiter(beats=grace is None)
    adopts = control_process(PR_SET_CHILD_SUBREAPER, 1)
    terminal, output = open_terminal() if pty else (None, log)
    # Without this process, what it prints to the terminal would be lost without a word.
    command = start(output, working_directory, argv, dies_along=pty)
    if terminal is not None:
        os.close(output)  # left open here, the terminal would never come to its end
    status = wait_for_end(command, waiter, log, terminal)
    code = record_exit(".", log, status, adopts=adopts)
    if grace is None:
        wait_for_rest(command, waiter, log, terminal)
    else:
        end_rest(directory, command, waiter, log, terminal, 0 if code or _signals else grace)
    return code


def record_exit(directory: str, log: int, status: int, *, adopts: bool = True) -> int:
    """Write down how the command ended: its exit code, negative for a signal, and when.

    While the disk is full it tries again each second. A command that failed for that reason could
    not say so in its log, so a line is added there.

    Returns:
        The exit code as a shell would have it.
    """
    code = os.waitstatus_to_exitcode(status)
    words = [str(code), repr(time.time()), repr(read_ticks())]
    words += [SIGNALLED] if _signals else []
    words += [] if adopts else [UNADOPTED]
    text = " ".join(words)
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
    grace = None
    if words[0] == ALONE:
        grace, words = float(words[1]), words[2:]
    pty = words[0] == PTY
    words = words[1:] if pty else words
    if words[0] == CORES:
        pin_to_cores(words[1])
        words = words[2:]
    if grace is not None:
        signal.signal(signal.SIGUSR2, lambda *_: kill(list_family(words[0]), signal.SIGKILL))
    try:
        return main(words[0], words[1], words[2:], pty=pty, grace=grace)
    except OSError as error:
        os.write(2, os.fsencode(f"{FAILED} {error}\n"))
        return CANNOT_RUN


if __name__ == "__main__":
    # Nothing is left to clean up, and the slot is free as soon as this process is gone.
    os._exit(run(sys.argv[1:]))
