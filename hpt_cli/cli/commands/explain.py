"""hpt explain NAME JOB: why a training job has its hyperparameters, and was stopped, or not."""

from __future__ import annotations

from hpt_cli.cli.load import find_target, parse_jobs, summarize_state
from hpt_cli.cli.options import Home, Job, Json, OptionalName
from hpt_cli.cli.output import print_answer
from hpt_cli.errors import UsageError
from hpt_cli.storage.journal import open_journal

EXAMPLES = ("hpt explain 7", "hpt explain digits 7 --json")


def explain(
    name: OptionalName = None, job: Job = None, json: Json = False, home: Home = None
) -> None:
    """Explain why a training job has its hyperparameters, or was stopped.

    Of hyperparameters that a model chose: what it expected, and from which jobs it learned that.
    For each judged epoch: the value, what it was compared with, from which and how
    many jobs, and the estimated probability that the job beats the best. All of it was recorded
    when the decision was made.
    """
    from hpt_cli.reports.explain import make_explanation, render, to_json
    from hpt_cli.spec.model import load_spec
    from hpt_cli.tuning.steering.origins import find_origin

    jobdir, words, _ = find_target(home, name, [] if job is None else [job])
    if len(words) != 1:
        hint = f"hpt explain {jobdir.name} 1"
        raise UsageError.of("job-missing", "name the training job to explain", hint)
    with open_journal(jobdir.journal) as journal:
        state = journal.state()
        summary = summarize_state(jobdir, state)
        rows = {row.number: row for row in summary.rows}
        (number,) = parse_jobs(words, jobdir.name, rows)
        judgements = journal.read_judgements(number)
        known = journal.state(journal.planned_seq(number))
    origin = find_origin(load_spec(known.spec), known, state.jobs[number])
    spec = load_spec(state.spec)
    explanation = make_explanation(spec, state, summary, number, judgements, origin)
    print_answer(render, to_json, explanation, as_json=json)
