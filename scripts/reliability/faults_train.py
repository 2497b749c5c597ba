"""A training program for the fault suite: a few quick epochs, a checkpoint after each.

It goes on from its checkpoint, and what it prints depends on --x and the epoch alone. It has a
child process, as a data loader would be, and fails when that is gone. With `--hog yes` its first
attempt runs out of memory.
"""

import os
import subprocess
import sys
import time


def main() -> None:
    """Train, from the checkpoint if there is one."""
    options = dict(zip(sys.argv[1::2], sys.argv[2::2], strict=True))
    x, epochs = float(options["--x"]), int(options["--epochs"])
    pause = float(options["--seconds"])
    checkpoint = os.path.join(os.environ["HPT_CHECKPOINT_DIR"], "epoch")
    child = subprocess.Popen([sys.executable, "-I", "-S", "-c", "import time; time.sleep(600)"])
    done = 0
    if os.path.exists(checkpoint):
        with open(checkpoint) as file:
            done = int(file.read())
    if options.get("--hog") == "yes" and os.environ["HPT_ATTEMPT"] == "1":
        hog()
    for epoch in range(done + 1, epochs + 1):
        time.sleep(pause)
        if child.poll() is not None:
            print("WorkerDied: the data loader is gone", flush=True)
            sys.exit(9)
        print(f"epoch={epoch} loss={x + 1 / epoch:.6f}", flush=True)
        save(checkpoint, epoch)
    child.kill()
    child.wait()


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


if __name__ == "__main__":
    main()
