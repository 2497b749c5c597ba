"""hpt doctor: the state of this machine, or of a journal, when something does not work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hpt_cli.cli.console import print_message
from hpt_cli.cli.liveness import print_ended
from hpt_cli.cli.load import find_tuning_job, summarize_state
from hpt_cli.cli.options import Home, Json
from hpt_cli.cli.output import print_json
from hpt_cli.errors import ExitCode, HptError, UsageError
from hpt_cli.formatting import count, plain
from hpt_cli.storage.home import find_home, name_command
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.storage.journal import open_journal
from hpt_cli.storage.lock import hold_lock

if TYPE_CHECKING:
    from hpt_cli.checks.doctor import Finding
    from hpt_cli.reports import json_types as json_types
    from hpt_cli.tuning.summary import Summary

EXAMPLES = ("hpt doctor", "hpt doctor digits --repair", "hpt doctor --end-leftovers")


def doctor(
    name: Annotated[
        str | None, typer.Argument(help="Check the journal of this tuning job instead.")
    ] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Rebuild a damaged journal from what can be read.")
    ] = False,
    end_leftovers: Annotated[
        bool,
        typer.Option(
            "--end-leftovers",
            help="End what training jobs left running whose tuning job has ended or was deleted.",
        ),
    ] = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Check this machine, or the journal of a tuning job.

    Versions, home, disk, Slurm, GPUs, leftover processes: what a bug report needs. Exits with 1 if
    something is wrong.
    """
    from hpt_cli.checks.doctor import diagnose
    from hpt_cli.checks.leftovers import GRACE_SECONDS, end_left, list_job_processes

    if end_leftovers:
        print_ended(end_left(list_job_processes(find_home(home)), GRACE_SECONDS))
    if name is not None:
        check_journal(find_tuning_job(home, name), mend=repair)
        return
    if repair:
        raise UsageError.of(
            "name-missing", "--repair needs the name of a tuning job", "hpt doctor NAME --repair"
        )
    findings = diagnose(find_home(home))
    if json:
        print_json([_finding_to_json(each) for each in findings])
    else:
        width = max(len(each.what) for each in findings)
        for each in findings:
            print(plain(f"{each.what:<{width}}  {each.found}"))
            if each.problem:
                print(plain(f"{'':<{width}}  ✗ {each.problem}"))
    problems = sum(bool(each.problem) for each in findings)
    if problems:
        print_message(f"\n{problems} of {len(findings)} checks need attention")
        raise typer.Exit(ExitCode.FAILED)


def _finding_to_json(finding: Finding) -> json_types.Finding:
    return {"what": finding.what, "found": finding.found, "problem": finding.problem}


def check_journal(jobdir: JobDir, *, mend: bool) -> None:
    """Print whether a journal is whole; with `mend`, rebuild one that is damaged."""
    try:
        summary = _read_all(jobdir)
    except HptError as error:
        if not mend or error.problems[0].slug != "journal-damaged":
            raise
        _repair(jobdir)
    else:
        print(f"{jobdir.name}: the journal is intact, {count(len(summary.rows), 'training job')}")


def _read_all(jobdir: JobDir) -> Summary:
    """Return the summary of a tuning job, after reading all that its journal holds.

    Raises:
        HptError: it is damaged, or cannot be read.
    """
    from hpt_cli.spec.model import load_spec

    with open_journal(jobdir.journal) as journal:
        journal.check()
        state = journal.state()
    load_spec(state.spec)
    return summarize_state(jobdir, state)


def _repair(jobdir: JobDir) -> None:
    from hpt_cli.storage.repair import repair

    with hold_lock(jobdir):
        done = repair(jobdir)
    print(f"{jobdir.name}: repaired; {count(done.kept, 'event')} kept, {done.left_out} left out")
    print(f"{count(done.observations, 'observation')} read again from logs")
    print(plain(f"the damaged journal is kept as {done.damaged}"))
    for path in done.set_aside:
        print(plain(f"no longer in the journal, set aside: {path}"))
    print_message(f"to continue: {name_command('resume', jobdir)}")
