"""Names of a tuning job and of its training jobs; names told apart."""

from __future__ import annotations

import re
from collections.abc import Collection

MAX_NAME_LENGTH = 32
MAX_DIGITS = 18
"""The most digits that a training job's number may have."""

_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9])*")


def find_name_fault(name: str) -> str:
    """Return what is wrong with a tuning job's name, or "". A valid one is safe as a directory."""
    if len(name) > MAX_NAME_LENGTH:
        return f"a name has at most {MAX_NAME_LENGTH} characters; this one has {len(name)}"
    if not _NAME.fullmatch(name):
        return "a name consists of a-z A-Z 0-9 and -, and begins and ends with a letter or digit"
    return ""


def mend_name(name: str) -> str:
    """Return a name that is valid and close to another; "" where nothing is left of it."""
    return re.sub(r"[^a-zA-Z0-9]+", "-", name).strip("-")[:MAX_NAME_LENGTH].strip("-")


def check_name(name: str) -> str:
    """Return a tuning job's name; raise ValueError if it is not valid."""
    if fault := find_name_fault(name):
        raise ValueError(fault)
    return name


def job_name(tuning_job: str, number: int) -> str:
    """Return a training job's name: `<name>-0007`."""
    return f"{tuning_job}-{number:04d}"


def parse_job(text: str) -> int | None:
    """Return the number in `7`, `0007` or `<name>-0007`; None if there is none."""
    digits = text.rpartition("-")[2]
    is_number = digits.isascii() and digits.isdigit() and len(digits) <= MAX_DIGITS
    return int(digits) if is_number else None


def add_prefix(name: str, prefix: str, taken: Collection[str]) -> str:
    """Return a name with a prefix, as often as it takes until no other is the same."""
    name = prefix + name
    return add_prefix(name, prefix, taken) if name in taken else name
