"""Write the pictures of the README from a real run: the live view, and the report.

    python scripts/docs/write_pictures.py [--home DIR]    # with --home: of the run `demo` there
    python scripts/docs/write_pictures.py --short         # six small jobs, into a temporary folder

Runs the tuning job of `make demo` in a directory of its own; draws the live view in the middle of
that run from the journal, as SVG; takes a screenshot of the report in Chromium (Debian: chromium).
"""

from __future__ import annotations

import argparse
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from bisect import bisect_left
from pathlib import Path

from PIL import Image
from rich.console import Console

from hpt_cli.live.messages import describe_event
from hpt_cli.live.screen import Size, draw_screen
from hpt_cli.storage.home import find_job_dir
from hpt_cli.storage.journal import Journal, open_journal
from hpt_cli.tuning.summary import summarize

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs" / "pictures"
HPT = str(Path(sys.executable).parent / "hpt")
NAME = "demo"
SCREEN = Size(100, 24)
COLOURS = 200
CLONE = "~/hpt"
"""The name of this directory in the picture of the report."""
WINDOW = (1200, 1305)
MIDDLE = (0.5, 0.75)
"""The live view is drawn while the share of training jobs that have ended is between these."""
MAX_EVENTS = 1_000_000
SHORT = ("--set", "max_jobs=6", "--set", "static_hyperparameters={epochs: 3}")


def main() -> None:
    """Write both pictures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--home", type=Path, help="where there is a run of the demo already")
    parser.add_argument("--short", action="store_true", help="six jobs, and keep no picture")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        home, target = options.home, Path(directory) if options.short else PICTURES
        if home is None:
            home = Path(directory, "home")
            run_demo(home, *(SHORT if options.short else ()))
        (target / "live.svg").write_text(draw_live(home))
        draw_report(home, target / "report.png")


def run_demo(home: Path, *arguments: str) -> None:
    """Run the tuning job that the pictures show."""
    environment = os.environ | {"PATH": f"{Path(HPT).parent}:{os.environ['PATH']}"}
    command = [HPT, "run", "configs/digits.yaml", "--name", NAME, "--home", str(home), "--plain"]
    subprocess.run([*command, *arguments], cwd=ROOT, env=environment, check=True)


def draw_live(home: Path) -> str:
    """Return the live view in the middle of the run, as SVG."""
    with open_journal(find_job_dir(home, NAME).journal) as journal:
        until = find_middle(journal)
        state = journal.state(until)
        messages = [describe_event(state, event) for event in journal.read(until)]
    summary = summarize(state, state.last_event_at, at_work=True)
    size = SCREEN
    console = Console(record=True, width=size.width, file=io.StringIO(), force_terminal=True)
    latest = [message for message in messages if message]
    console.print(draw_screen(summary, latest, state.last_event_at, size))
    svg = console.export_svg(title="make demo")
    return re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)  # fonts from elsewhere


def find_middle(journal: Journal) -> int:
    """Return the number of an event around the middle, at which the running jobs are furthest."""
    total = len(journal.state().jobs)

    def count_ended(until: int) -> int:
        return sum(job.has_ended for job in journal.state(until).jobs.values())

    def count_epochs(until: int) -> tuple[int, int]:
        running = journal.state(until).running
        metric = journal.state(until).spec["objective_metric_name"]
        return len(running), min((len(job.curve(metric)) for job in running), default=0)

    ended = [int(share * total) for share in MIDDLE]
    ends = [bisect_left(range(MAX_EVENTS), each, key=count_ended) for each in ended]
    return max(range(*ends), key=count_epochs)


def draw_report(home: Path, picture: Path) -> None:
    """Write a picture of the upper part of the report, if there is Chromium."""
    chromium = shutil.which("chromium")
    if chromium is None:
        print("left out, as there is no chromium: the picture of the report", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory() as directory:
        page = Path(directory, "report.html")
        take_screenshot(chromium, home, page, picture)
    image = Image.open(picture).convert("RGB")
    palette = image.quantize(COLOURS, kmeans=4, dither=Image.Dither.NONE)
    palette.save(picture, optimize=True)


def take_screenshot(chromium: str, home: Path, page: Path, picture: Path) -> None:
    """Write the report to a page, and what Chromium shows of it to a picture."""
    subprocess.run([HPT, "report", NAME, "--home", str(home), "-o", str(page)], check=True)
    page.write_text(page.read_text().replace(str(ROOT), CLONE))
    options = ["--headless=new", "--no-sandbox", "--hide-scrollbars", "--virtual-time-budget=3000"]
    options.append("--run-all-compositor-stages-before-draw")
    size = f"--window-size={WINDOW[0]},{WINDOW[1]}"
    subprocess.run(
        [chromium, *options, size, f"--screenshot={picture}", page.as_uri()],
        check=True,
        stderr=subprocess.DEVNULL,
    )


if __name__ == "__main__":
    main()
