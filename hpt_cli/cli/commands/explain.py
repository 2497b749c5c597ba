"""hpt explain NAME JOB: why a training job was stopped, or why it was not."""

from __future__ import annotations

import time

from hpt_cli.cli.load import parse_jobs, print_json
from hpt_cli.cli.options import Home, Job, Json, Name
from hpt_cli.storage.home import find_home, find_job_dir
from hpt_cli.storage.journal import open_journal
from hpt_cli.storage.lock import find_lock_holder
from hpt_cli.tuning.summary import summarize

EXAMPLES = ("hpt explain digits 7",)


def explain(
    name: Name,
    job: Job,
    json: Json = False,
    home: Home = None,
) -> None:
    """Explain why a training job was stopped early, or why it was not.

    At each epoch that was judged: the value, what it was held against, from
    which and how many jobs, and the estimated probability that the job beats
    the best. All of it was recorded when it was decided.
    """
    from hpt_cli.reports.explain import Explanation, name_rule, render, to_json
    from hpt_cli.spec.model import load_spec

    jobdir = find_job_dir(find_home(home), name)
    with open_journal(jobdir.journal) as journal:
        state = journal.state()
        summary = summarize(state, time.time(), at_work=find_lock_holder(jobdir) is not None)
        rows = {row.number: row for row in summary.rows}
        (number,) = parse_jobs([job], jobdir.name, rows)
        judgements = journal.read_judgements(number)
    rule = name_rule(load_spec(state.spec).stop_rule)
    explanation = Explanation(summary, rows[number], rule, tuple(judgements))
    if json:
        print_json(to_json(explanation))
        return
    from rich.console import Console

    Console().print(render(explanation))
