"""Writing a file that the user asked for, without harm to one that is there."""

from __future__ import annotations

import sys
from pathlib import Path

from hpt_cli.errors import UsageError


def write_output(text: str, path: Path | None, *, force: bool) -> None:
    """Write text to a file, or without one to standard output.

    Raises:
        UsageError: the file is there already, or cannot be written.
    """
    if path is None:
        sys.stdout.write(text)
        return
    try:
        with open(path, "w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError.of("file-exists", f"{path} is there already", "--force") from None
    except OSError as error:
        raise UsageError.of("file-write", f"{path}: {error.strerror}") from error
