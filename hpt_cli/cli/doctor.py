"""hpt doctor: what there is to know of this machine when something does not work."""

from __future__ import annotations

import sys

import typer

from hpt_cli.cli.options import Home, Json
from hpt_cli.cli.reading import print_json
from hpt_cli.errors import ExitCode
from hpt_cli.jobdir import find_home

EXAMPLES = ("hpt doctor",)


def doctor(home: Home = None, json: Json = False) -> None:
    """Check versions, home, disk, Slurm, GPUs and leftover processes; paste it into a bug report.

    Exits with 1 if something is wrong.
    """
    from hpt_cli.diagnosis import diagnose

    findings = diagnose(find_home(home))
    if json:
        print_json(
            [{"what": each.what, "found": each.found, "problem": each.problem} for each in findings]
        )
    else:
        width = max(len(each.what) for each in findings)
        for each in findings:
            print(f"{each.what:<{width}}  {each.found}")
            if each.problem:
                print(f"{'':<{width}}  ✗ {each.problem}")
    problems = sum(bool(each.problem) for each in findings)
    if problems:
        print(f"\n{problems} of {len(findings)} need attention", file=sys.stderr)
        raise typer.Exit(ExitCode.FAILED)
