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

With --alone, in a batch job, no executor on this machine cleans up after the command: the launcher
ends what it left running, after GRACE seconds if it succeeded, and on the signal batch.KILL_ALL the
command with all that it started. It passes other signals on (batch.py).
"""

# What `signal` wraps: `signal` itself imports enum, which takes longer than all the rest.
import _signal as signal  # type: ignore[import-not-found]
import errno
import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hpt_cli.executors.batch import BatchJob

CANNOT_RUN = 127
GAVE_WAY = 75
"""Exit code of a launcher whose directory was taken; otherwise it is the command's."""
SIGNALLED = "signalled"
UNADOPTED = "unadopted"
"""Said in `exit` where orphans of the command are no children of the launcher."""
FAILED = "hpt: the launcher failed:"
"""Beginning of the line that says why a launcher has ended without an exit code."""
CLAIM, LOG, SUSPENDED, EXIT = "launcher", "output.log", "suspended", "exit"
OPTIONS = ("-I", "-S")
"""Isolated, no PYTHON* variable of the job and no file in the working directory can change what it
imports; and without site-packages it starts sooner."""
ALONE, PTY, CORES = "--alone", "--pty", "--cores"
ROWS, COLUMNS = 50, 200
"""Size of the pseudo-terminal: wide enough that progress bars do not cut off metrics."""
CHUNK_BYTES = 1 << 16
DISK_FULL_ERRNOS = (errno.ENOSPC, errno.EDQUOT)
NO_ROOM = b"\nhpt: No space left on device when the command ended\n"
ROOM_SECONDS = 600
"""Time to wait for room on a full disk to write down how the command ended."""
ASKED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""Signals that ask the launcher to end."""
KEPT = (
    *(signal.SIGKILL, signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU),
    *(signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGTRAP, signal.SIGABRT),
    *(signal.SIGSYS, signal.SIGCHLD, signal.SIGPIPE),
)
"""Signals with their usual effect on the launcher."""
TICK_SECONDS = 1.0
"""Longest time between two looks at the clock."""
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
    with open(f"{path}.new", "w", encoding="utf-8", newline="") as file:
        file.write(text)
    try:
        os.rename(f"{path}.new", path)
    except OSError:
        # Not every file system can rename; so short a text is written in one piece, or not at all.
        with open(path, "w", encoding="utf-8", newline="") as file:
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


def die_along() -> None:
    """Have this process killed when its parent dies, where the system can do that."""
    control_process(PR_SET_PDEATHSIG, signal.SIGKILL)


def fork(output: int) -> int:
    """Fork; while there are no more processes or memory to be had, say so and try again."""
    waits = False
    for _ in range(ROOM_SECONDS):
        try:
            return os.fork()
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.ENOMEM) or was_asked():
                raise
            if not waits:
                os.write(output, os.fsencode(f"hpt: waiting to start: {error.strerror}\n"))
            waits = True
            time.sleep(1)
    return os.fork()


def start(output: int, working_directory: str, argv: list[str], *, on_terminal: bool) -> int:
    """Start the command with its output to a descriptor; return its pid."""
    pid = fork(output)
    if pid == 0:
        try:
            if on_terminal:
                # Without this process, what it prints there would be lost without a word.
                die_along()
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
            since = self._looked_at + TICK_SECONDS / 2  # give or take the other half
            self._gaps += f"{since!r} {now!r} {time.time()!r}\n"
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


def wait_for_end(
    command: int, waiter: Waiter, log: int, terminal: int | None, batch: "BatchJob | None"
) -> int:
    """Wait until the command has ended; copy its output if it is on a terminal, pass signals on.

    Returns:
        Its status, as wait(2) has it.
    """
    opened = [] if terminal is None else [terminal]
    while True:
        if waiter.wait(*opened) and not copy(opened[0], log):
            opened = []
        if batch is not None:
            batch.pass_on(command, _signals)
        status, _ = reap(command)
        if status is not None:
            # Processes that the command left running may keep the terminal open: only what has been
            # printed by now is copied before the exit code is written down.
            while opened and has_output(opened[0]) and copy(opened[0], log):
                pass
            return status


def wait_for_rest(
    command: int, waiter: Waiter, log: int, terminal: int | None, seconds: float | None = None
) -> bool:
    """Wait until all is gone that the command left running, and copy what that prints.

    Returns:
        Whether all is gone, or else `seconds` are over.
    """
    opened = [] if terminal is None else [terminal]
    until = None if seconds is None else read_ticks() + seconds
    # Where it could not be adopted, it is gone when nothing has the terminal open.
    while reap(command)[1] or opened:
        if until is not None and read_ticks() > until:
            return False
        if waiter.wait(*opened) and not copy(opened[0], log):
            opened = []
    return True


def was_asked() -> bool:
    """Return whether this process has been asked to end."""
    return any(number in ASKED for number in _signals)


def join_batch(directory: str, caught: set[int], grace: float) -> "BatchJob":
    """Return what a launcher does besides in a batch job."""
    sys.path.append(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    # It takes longer to import than everything else here.
    from hpt_cli.executors.batch import BatchJob

    return BatchJob(directory, caught, grace, die_along)


def main(
    directory: str, working_directory: str, argv: list[str], *, pty: bool, grace: float | None
) -> int:
    """Claim the directory, run the command, and write down how it ended; return its exit code.

    Args:
        grace: how long what a command that succeeded leaves running may take to end by itself; None
            where an executor sees to that.
    """
    # Handlers, and not SIG_IGN: the command would inherit that, and never hear of them. But what
    # nohup promises for the tuner holds for its commands.
    kept = {*KEPT, signal.SIGHUP} if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else KEPT
    caught = signal.valid_signals().difference(kept)
    for number in caught:
        signal.signal(number, lambda number, _: _signals.append(number))
    # It may be moved while the command runs; and it is told from a copy by being this process's.
    os.chdir(directory)
    if not claim():
        return GAVE_WAY
    log = os.open(LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    waiter = Waiter(beats=grace is None)
    adopts = control_process(PR_SET_CHILD_SUBREAPER, 1)
    batch = None if grace is None else join_batch(directory, caught, grace)
    terminal, output = open_terminal() if pty else (None, log)
    command = start(output, working_directory, argv, on_terminal=pty)
    if terminal is not None:
        os.close(output)  # left open here, the terminal would never come to its end
    status = wait_for_end(command, waiter, log, terminal, batch)
    code = record_exit(".", log, status, adopts=adopts)
    if batch is None:
        wait_for_rest(command, waiter, log, terminal)
    else:
        batch.end_rest(
            lambda seconds: wait_for_rest(command, waiter, log, terminal, seconds),
            lambda text: os.write(log, os.fsencode(f"\nhpt: {text}\n")),
            at_once=code != 0 or was_asked(),
        )
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
    words += [SIGNALLED] if was_asked() else []
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
    try:
        return main(words[0], words[1], words[2:], pty=pty, grace=grace)
    except OSError as error:
        os.write(2, os.fsencode(f"{FAILED} {error}\n"))
        return CANNOT_RUN


if __name__ == "__main__":
    # Nothing is left to clean up, and the slot is free as soon as this process is gone.
    os._exit(run(sys.argv[1:]))
