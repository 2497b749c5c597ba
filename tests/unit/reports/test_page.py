"""The report page as text: whole, escaped, without secrets. What it does is in tests/browser."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from html.parser import HTMLParser

from hpt_cli.formatting import thin
from hpt_cli.reports.page import tables
from hpt_cli.reports.page.data import Record, lay_out, to_data
from hpt_cli.reports.page.html import break_name, render_page
from hpt_cli.spec.hyperparameters import read_value
from hpt_cli.tuning.events import JobPaused, JobThawed, TunerStarted, Warned
from hpt_cli.tuning.summary import summarize
from tests import builders as b
from tests.pages import COUNT, HOSTILE, RANGES, SECRET, make_page, make_record

VOID = ("meta", "link", "input", "wbr")
"""Elements that hold nothing and have no end tag."""


class Reader(HTMLParser):
    """Reads a page strictly: what is open must be closed; keeps tags, texts and attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.scripts: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, name: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((name, dict(attributes)))
        if name not in VOID:
            self.open.append(name)

    def handle_endtag(self, name: str) -> None:
        assert self.open.pop() == name

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts.append(data)
        else:
            self.text += data


def test_nothing_that_is_shown_becomes_markup() -> None:
    reader = Reader(make_page())
    assert not reader.open
    assert [name for name, _ in reader.tags if name in ("img", "iframe")] == []
    assert sum(name == "script" for name, _ in reader.tags) == 2
    assert HOSTILE.replace("\x1b", "�") in reader.text
    assert "\x1b" not in make_page()
    (data,) = json.loads(reader.scripts[0])
    assert data["ranges"][2]["values"][2] == HOSTILE


def test_environment_values_are_not_in_the_page() -> None:
    page = make_page()
    assert "API_TOKEN" in page
    assert "OTHER: &#39;${MY_TOKEN}&#39;" in page  # a reference holds no secret
    assert SECRET not in page


def test_commands_that_may_hold_secrets_are_not_in_the_page() -> None:
    notify = {"command": f"curl -d hello https://hooks/{SECRET}", "on": ["end"]}
    slurm = {"setup": [f"export TOKEN={SECRET}"]}
    page = render_page([make_record(notify=notify, executor="slurm", slurm=slurm)], 0.0)
    assert "notify:" in page
    assert "setup:" in page
    assert SECRET not in page


def test_the_policy_allows_the_script_and_the_style_and_nothing_else() -> None:
    page = make_page()
    (content,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)
    policy = html.unescape(content)
    assert policy.startswith("default-src 'none'")
    for element in ("style", "script"):
        (text,) = re.findall(rf"<{element}>(.*?)</{element}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{element}-src 'sha256-{digest}'" in policy
    urls = re.findall(r"https?://[^\"'\s<]*", page)
    assert set(urls) <= {"http://www.w3.org/2000/svg"}  # a name, which nothing is loaded from


def test_names_are_escaped_in_texts_attributes_and_data() -> None:
    hostile = "\"><b>'&</script><!--"
    ranges = {hostile: {"type": "Integer", "min_value": 1, "max_value": 2}}
    spec = b.make_spec(command="train {args}", hyperparameter_ranges=ranges)
    state = b.fold_all(*b.created(spec), *b.suggested(1, **{hostile: 1}))
    summary = summarize(state, 1, at_work=True)
    page = render_page([Record(summary, state, None, None, [(hostile, f"{hostile}\ud800")])], 0.0)
    reader = Reader(page)
    assert not reader.open
    (field,) = [found for _, found in reader.tags if found.get("class") == "filter"]
    assert field["placeholder"] == f"words, or {hostile} < 0.1 and status = Completed"
    assert f"{hostile}�" in reader.text
    assert hostile in reader.text.replace(f"{hostile}�", "")  # what it comes from, and the table
    assert json.loads(reader.scripts[0])[0]["ranges"][0]["name"] == hostile
    page.encode()  # what is no character is not in it


def test_long_names_may_be_broken() -> None:
    assert break_name("a.b_") == "a.<wbr>b_"
    assert break_name("<a:\x1bb") == "&lt;a:<wbr>�b"


def test_attempts_share_slots_and_early_stopped_ones_say_how_long_they_would_have_run() -> None:
    bars = {bar.job: bar for bar in lay_out(make_record())}
    assert {bar.slot for bar in bars.values()} == {0, 1}
    assert (bars[1].start, bars[1].end, bars[1].until) == (0, 8, None)
    assert bars[6].until is not None
    assert bars[6].until - bars[6].end == 2  # two epochs in 2 s, and two more to the usual four


def test_pauses_take_no_room_on_the_timeline() -> None:
    state = b.fold_all(
        *b.created(b.make_spec()),
        *b.suggested(1),
        *b.launched(1, at=1),
        b.stop(1, "Interrupted", at=2),
        b.exited(1, -15, at=3),
        TunerStarted(at=1000, pid=2, host="here"),
        *b.launched(1, at=1001, attempt=2),
        b.exited(1, at=1005, attempt=2),
    )
    summary = summarize(state, 1005, at_work=False)
    bars = lay_out(Record(summary, state, None, None, []))
    assert [(bar.start, bar.end) for bar in bars] == [(1, 3), (4, 8)]
    assert summary.tuning_time == 8


def test_a_paused_job_leaves_its_slot_to_others_on_the_timeline() -> None:
    paused = JobPaused(at=4, number=1, attempt=1, reason="job 2 was better")
    state = b.fold_all(
        *b.created(b.make_spec()),
        *b.suggested(1),
        *b.launched(1),
        paused,
        *b.suggested(2),
        *b.launched(2, at=4),
        b.exited(2, at=9),
        JobThawed(at=9, number=1, attempt=1, reason="it was the best"),
        b.exited(1, at=11),
    )
    bars = lay_out(Record(summarize(state, 11, at_work=False), state, None, None, []))
    assert [(bar.job, bar.slot, bar.start, bar.end) for bar in bars] == [
        (1, 0, 0, 4),
        (2, 0, 4, 9),
        (1, 0, 9, 11),
    ]


def test_data_is_short_and_long_curves_are_thinned_evenly() -> None:
    data = to_data(make_record())
    assert len(data["ended"]) == COUNT
    assert data["curves"][0][0] == [None, [1.6, 1.1, 0.8, 0.6]]
    curve = tuple((float(step), 0.0) for step in range(1001))
    assert [step for step, _ in thin(curve, 5)] == [0, 250, 500, 750, 1000]


def test_conditions_find_every_column_by_all_its_names() -> None:
    data = to_data(make_record())
    columns = {name: values for names, values in data["columns"] for name in names}
    finals = columns["objective"]
    assert finals == columns["loss"] == columns["final_objective_value"]
    assert (finals[7], finals[4]) == (0.1, None)
    assert columns["attempts"] == 1  # of all jobs
    assert columns["stop_reason"][5] == "EarlyStopped"
    assert not columns.keys() & {"curve", *RANGES}
    assert [each["settings"][1] for each in data["ranges"]] == [0.000464159, 3, HOSTILE]


def test_a_tuning_job_without_results_has_a_page() -> None:
    state = b.fold_all(*b.created(b.make_spec()))
    record = Record(summarize(state, 1, at_work=True), state, None, None, [])
    assert "no result yet" in render_page([record], 0.0)


def test_warnings_are_told_without_the_lines_of_logs() -> None:
    warned = Warned(at=1, slug="s", message="no value yet", hint="look", lines=(SECRET,))
    state = b.fold_all(*b.created(b.make_spec()), warned)
    page = render_page([Record(summarize(state, 1, at_work=True), state, None, None, [])], 0.0)
    assert "no value yet" in page
    assert SECRET not in page


def test_several_tuning_jobs_are_compared() -> None:
    page = make_page("one", "two")
    assert "Comparison" in page
    assert page.count('class="tuning-job"') == 2


def test_values_in_the_spec_are_as_they_were_written() -> None:
    ranges = {"x": {"type": "Categorical", "values": [read_value("007"), read_value("1e3"), 2]}}
    recorded = json.loads(b.make_spec(hyperparameter_ranges=ranges).model_dump_json())
    text = tables.write_spec(recorded)
    assert "  x: {type: Categorical, values: [007, 1e3, 2]}\n" in text
    assert "value_texts" not in text
