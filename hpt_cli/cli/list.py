"""hpt list: the tuning jobs of a home."""

from __future__ import annotations

import sys

from hpt_cli.cli.options import Home, Json
from hpt_cli.cli.reading import print_report, read_summary
from hpt_cli.errors import HptError
from hpt_cli.jobdir import find_home, list_job_dirs


def list_tuning_jobs(home: Home = None, json: Json = False) -> None:
    """List tuning jobs: status, best value, how many training jobs."""
    summaries = []
    for jobdir in list_job_dirs(find_home(home)):
        try:
            summaries.append(read_summary(jobdir))
        except HptError as error:
            print(f"{jobdir.name}: {error}", file=sys.stderr)
    print_report("list", summaries, as_json=json)
