"""Write the pages of docs/ that are made from the code, or (--check) name those out of date.

python scripts/docs/write_all.py [--check]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import write_commands
import write_errors
import write_json

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {
    "commands.md": write_commands.write_page,
    "errors.md": write_errors.write_page,
    "json.md": write_json.write_page,
}


def main() -> None:
    """Write the pages, or compare them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit with 1 if a page is out of date"
    )
    pages = {DOCS / name: write_page() for name, write_page in PAGES.items()}
    if parser.parse_args().check:
        old = [
            str(path)
            for path, text in pages.items()
            if not path.exists() or path.read_text() != text
        ]
        if old:
            sys.exit(f"out of date: {', '.join(old)}; python scripts/docs/write_all.py writes them")
        return
    for path, text in pages.items():
        path.write_text(text)


if __name__ == "__main__":
    main()
