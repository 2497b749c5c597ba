"""Directories that are refused: another user's, and symbolic links."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from hpt_cli.errors import HptError


def refuse_link(path: Path) -> None:
    if path.is_symlink():
        raise HptError.of(
            "home-link",
            f"{path} is a symbolic link: hpt writes and deletes nothing through it",
            "remove the link, or choose another --name",
        )


def check_owner(directory: Path) -> None:
    """Raise HptError if a directory is another user's, who could say what is to be run there.

    To root, who may be anybody in a container, all directories are as good as its own.
    """
    owner, user = directory.stat().st_uid, os.geteuid()
    if user not in (0, owner) and _find_own_id(directory) != owner:
        raise HptError.of(
            "home-foreign",
            f"{directory} belongs to another user, who could change what is run",
            "view it with 'hpt show'; to continue it, copy it into a home of your own",
        )


def _find_own_id(directory: Path) -> int | None:
    """Return the owner of a file made there: a network file system may map users; None if none."""
    try:
        with tempfile.TemporaryFile(dir=directory) as file:
            return os.fstat(file.fileno()).st_uid
    except OSError:
        return None
