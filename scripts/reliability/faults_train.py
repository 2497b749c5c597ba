"""A training program for the fault suite: a few quick epochs, a checkpoint after each.

It goes on from its checkpoint, and what it prints depends on --x and the epoch alone. It has a
child process, as a data loader would be, and fails when that is gone. What else it can do, if it
is asked to: run out of memory in its first attempt (`--hog yes`), take some seconds to save when
it is to end (`--save 2`), print its first value very often (`--flood 200000`), or fail in its
first attempt and leave a process behind that knows nothing of hpt (`--leave WORD`, the process's
argument).
"""

import os
import signal
import subprocess
import sys
import time

WAIT = "import time; time.sleep(600)"


def main() -> None:
    """Train, from the checkpoint if there is one."""
    options = dict(zip(sys.argv[1::2], sys.argv[2::2], strict=True))
    x, epochs = float(options["--x"]), int(options["--epochs"])
    pause = float(options["--seconds"])
    checkpoint = os.path.join(os.environ["HPT_CHECKPOINT_DIR"], "epoch")
    child = subprocess.Popen([sys.executable, "-I", "-S", "-c", WAIT])
    if "--save" in options:
        handle_end(child, float(options["--save"]))
    done = 0
    if os.path.exists(checkpoint):
        with open(checkpoint) as file:
            done = int(file.read())
    is_first = os.environ["HPT_ATTEMPT"] == "1"
    if options.get("--hog") == "yes" and is_first:
        hog()
    for epoch in range(done + 1, epochs + 1):
        time.sleep(pause)
        if child.poll() is not None:
            print("WorkerDied: the data loader is gone", flush=True)
            sys.exit(9)
        line = f"epoch={epoch} loss={x + 1 / epoch:.6f}\n"
        flood = int(options.get("--flood", 0)) if epoch == 1 else 0
        for _ in range(flood // 1000):
            sys.stdout.write(1000 * line)
        sys.stdout.write(line)
        sys.stdout.flush()
        save(checkpoint, epoch)
        if "--leave" in options and is_first:
            leave(options["--leave"])
    child.kill()
    child.wait()


def handle_end(child: "subprocess.Popen[bytes]", seconds: float) -> None:
    """Take some seconds to end when asked to, as to save a large model does."""

    def end(*_: object) -> None:
        time.sleep(seconds)
        child.kill()
        os._exit(143)

    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, end)


def save(checkpoint: str, epoch: int) -> None:
    """Write a checkpoint, whole or not at all."""
    with open(f"{checkpoint}.new", "w") as file:
        file.write(str(epoch))
    os.rename(f"{checkpoint}.new", checkpoint)


def hog() -> None:
    """Take memory until there is none."""
    import resource

    limit = 1 << 28
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    taken = []
    while True:
        taken.append(bytearray(1 << 24))


def leave(word: str) -> None:
    """Leave a process in a session of its own, without the environment, and fail."""
    command = [sys.executable, "-I", "-S", "-c", WAIT, word]
    subprocess.Popen(command, env={}, start_new_session=True)
    print("WorkerDied: and it has left something behind", flush=True)
    os._exit(9)


if __name__ == "__main__":
    main()
