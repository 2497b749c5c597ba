"""hpt, imported once and forked for every command: the same code, without half a second of imports.

As a program it reads commands from its standard input, one JSON object a line, and answers each in
the same way. Only for commands that end by themselves; the others are started as users do.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import pkgutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, NoReturn

HEAVY = ("hpt_cli.strategies.gaussian_process", "hpt_cli.exports")
PATIENCE_SECONDS = 60
READY = "ready\n"
"""What the program says when all is imported: what comes before would delay the first command."""


class Answer(NamedTuple):
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


class WarmHpt:
    """A program of this module, to which commands are given. Use it in a `with` block."""

    def __enter__(self) -> WarmHpt:
        self._server = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._server.stdout is not None
        assert self._server.stdout.readline() == READY
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.communicate()

    def run(
        self, arguments: Sequence[str], directory: Path, environment: Mapping[str, str]
    ) -> Answer:
        """Run one command to its end, after PATIENCE_SECONDS at the latest."""
        request = {
            "arguments": list(arguments),
            "directory": str(directory),
            "environment": dict(environment),
        }
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()
        return Answer(**json.loads(self._server.stdout.readline()))


def import_everything() -> None:
    """Import what commands import while they run, too; but for what is large and seldom needed."""
    import hpt_cli

    for module in pkgutil.walk_packages(hpt_cli.__path__, "hpt_cli."):
        if not module.name.startswith(HEAVY) and not module.name.endswith("launcher"):
            importlib.import_module(module.name)


def run_forked(request: dict[str, Any]) -> Answer:
    """Run a command in a fork, with pipes for what it prints."""
    outputs = [os.pipe() for _ in range(2)]
    pid = os.fork()
    if pid == 0:
        run_here(request, *(write for _, write in outputs))
    for _, write in outputs:
        os.close(write)
    with ThreadPoolExecutor(2) as pool:
        out, err = pool.map(read_all, (read for read, _ in outputs))
    return Answer(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), out, err)


def read_all(descriptor: int) -> str:
    """All that comes out of a pipe."""
    with open(descriptor, encoding="utf-8", errors="replace") as pipe:
        return pipe.read()


def run_here(request: dict[str, Any], out: int, err: int) -> NoReturn:
    """Be a command, and end with its exit code."""
    code = 70
    try:
        for target, source in enumerate((os.open(os.devnull, os.O_RDONLY), out, err)):
            os.dup2(source, target)
        os.closerange(3, 64)
        signal.alarm(PATIENCE_SECONDS)
        os.chdir(request["directory"])
        os.environ.clear()
        os.environ.update(request["environment"])
        encoding = os.environ.get("PYTHONIOENCODING") or "utf-8"
        sys.stdout = io.TextIOWrapper(io.FileIO(1, "w"), encoding=encoding)
        sys.stderr = io.TextIOWrapper(io.FileIO(2, "w"), encoding=encoding, line_buffering=True)
        sys.argv = ["hpt", *request["arguments"]]
        code = call_main()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def call_main() -> int:
    """Call the command line as its script does; the exit code."""
    from hpt_cli.cli.app import main

    try:
        main()
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    return 0


def serve() -> None:
    """Answer commands until there are no more."""
    import_everything()
    answers = os.fdopen(os.dup(1), "w")
    answers.write(READY)
    answers.flush()
    for line in sys.stdin:
        answer = run_forked(json.loads(line))
        print(json.dumps(answer._asdict()), file=answers, flush=True)


if __name__ == "__main__":
    serve()
