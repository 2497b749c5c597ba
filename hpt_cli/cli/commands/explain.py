"""hpt explain NAME JOB: why a training job was stopped, or why it was not."""

from __future__ import annotations

from hpt_cli.cli.load import find_tuning_job, parse_jobs, summarize_state
from hpt_cli.cli.options import Home, Job, Json, Name
from hpt_cli.cli.output import print_answer
from hpt_cli.storage.journal import open_journal

EXAMPLES = ("hpt explain digits 7",)


def explain(name: Name, job: Job, json: Json = False, home: Home = None) -> None:
    """Explain why a training job was stopped early, or why it was not.

    For each judged epoch: the value, what it was compared with, from which and how
    many jobs, and the estimated probability that the job beats the best. All of it was recorded
    when the decision was made.
    """
    from hpt_cli.reports.explain import Explanation, name_rule, render, to_json
    from hpt_cli.spec.model import load_spec

    jobdir = find_tuning_job(home, name)
    with open_journal(jobdir.journal) as journal:
        state = journal.state()
        summary = summarize_state(jobdir, state)
        rows = {row.number: row for row in summary.rows}
        (number,) = parse_jobs([job], jobdir.name, rows)
        judgements = journal.read_judgements(number)
    rule = name_rule(load_spec(state.spec).stop_rule)
    explanation = Explanation(summary, rows[number], rule, tuple(judgements))
    print_answer(render, to_json, explanation, as_json=json)
