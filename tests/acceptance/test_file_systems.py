"""Homes on file systems that lack what others have: hard links, locks."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.conftest import Terminal
from tests.acceptance.test_interrupt import check_complete

SHIM = """
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
int link(const char *a, const char *b) { errno = EPERM; return -1; }
int linkat(int c, const char *a, int d, const char *b, int f) { errno = EPERM; return -1; }
int flock(int f, int o) { errno = ENOSYS; return -1; }
static int control(int f, int o, long argument) {
    if (o == F_SETLK || o == F_SETLKW || o == F_GETLK) { errno = ENOSYS; return -1; }
    return syscall(SYS_fcntl, f, o, argument);
}
int fcntl(int f, int o, ...) {
    va_list a; va_start(a, o); long x = va_arg(a, long); va_end(a); return control(f, o, x);
}
int fcntl64(int f, int o, ...) {
    va_list a; va_start(a, o); long x = va_arg(a, long); va_end(a); return control(f, o, x);
}
int rename(const char *a, const char *b) {
    if (!strstr(a, ".pyc")) { errno = ENOSYS; return -1; }
    return syscall(SYS_rename, a, b);
}
"""


@pytest.fixture
def poor_file_system(terminal: Terminal, tmp_path: Path) -> None:
    """A file system without links, locks and renaming, for every hpt that is started."""
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("no C compiler, or no LD_PRELOAD")
    (tmp_path / "shim.c").write_text(SHIM)
    shim = tmp_path / "shim.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", shim, tmp_path / "shim.c"], check=True)
    terminal.environment["LD_PRELOAD"] = str(shim)


def run_to_end(terminal: Terminal, *arguments: str) -> tuple[int, str]:
    process = terminal.start(*arguments)
    _, err = process.communicate(timeout=60)
    return process.returncode, err


@pytest.mark.usefixtures("poor_file_system")
def test_a_home_without_links_locks_and_renaming(terminal: Terminal) -> None:
    code, err = run_to_end(terminal, "run", terminal.write_spec(options="--seconds 0.1"), "--plain")
    assert code == 0, err
    assert err.count("has no locks") == 1
    check_complete(terminal, "t", jobs=4, epochs=4)
    run = terminal.start("run", terminal.write_spec("u", options="--epochs 1000"))
    terminal.wait_for_log("u", 2, "epoch=1")
    code, err = run_to_end(terminal, "resume", "u")
    assert (code, f"is being tuned by process {run.pid}" in err) == (1, True), err
    assert run_to_end(terminal, "stop", "u") == (0, "u: stopped\n")
    assert run.wait(60) == 1
    assert terminal.find_processes() == []
    assert run_to_end(terminal, "delete", "u", "--yes") == (0, "u: deleted\n")
    assert not (terminal.directory / ".hpt/u").exists()
