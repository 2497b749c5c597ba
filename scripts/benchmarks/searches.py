"""What searches found, kept in a file, so that hours of them can be interrupted and added to."""

from __future__ import annotations

import gzip
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


RECORDED = Path(__file__).with_name("peers_searches.jsonl.gz")
"""What the peers found when docs/optimizer.md was written: a file after --keep, without hpt's own
searches, packed. Where a problem changes, its searches are to be made anew."""


def read_searches(text: str) -> dict[Setting, Search]:
    """Return searches from a text with a line of JSON for each."""
    searches = {}
    for line in text.splitlines():
        raw = json.loads(line)
        search = raw.pop("search")
        search["found"] = {int(mark): loss for mark, loss in search["found"].items()}
        searches[Setting(**raw)] = Search(**search)
    return searches


class Kept:
    """The searches in a file, a line of JSON each; without a file, those of this run.

    With `recorded`, those of the peers that were recorded, too.
    """

    def __init__(self, path: Path | None, *, recorded: bool = False) -> None:
        self.path = path
        self.searches: dict[Setting, Search] = {}
        if recorded:
            self.searches |= read_searches(gzip.decompress(RECORDED.read_bytes()).decode())
        if path is not None and path.exists():
            self.searches |= read_searches(path.read_text())

    def add(self, setting: Setting, search: Search) -> None:
        """Keep a search."""
        self.searches[setting] = search
        if self.path is not None:
            with self.path.open("a") as file:
                file.write(json.dumps(asdict(setting) | {"search": asdict(search)}) + "\n")
