"""What searches found, kept in a file, so that hours of them can be interrupted and added to."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Search:
    """What one search found: the loss, without noise, of its best job after each mark."""

    found: dict[int, float]
    failed: int
    seconds: float
    """The mean time of a suggestion."""


@dataclass(frozen=True)
class Setting:
    """Which search: of an optimizer on a problem; `constants` of hpt may be other than usual."""

    problem: str
    optimizer: str
    protocol: str
    jobs: int
    parallel: int
    seed: int
    constants: str


class Kept:
    """The searches in a file, a line of JSON each; without a file, those of this run."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.searches: dict[Setting, Search] = {}
        for line in path.read_text().splitlines() if path and path.exists() else []:
            raw = json.loads(line)
            search = raw.pop("search")
            search["found"] = {int(mark): loss for mark, loss in search["found"].items()}
            self.searches[Setting(**raw)] = Search(**search)

    def add(self, setting: Setting, search: Search) -> None:
        """Keep a search."""
        self.searches[setting] = search
        if self.path is not None:
            with self.path.open("a") as file:
                file.write(json.dumps(asdict(setting) | {"search": asdict(search)}) + "\n")
