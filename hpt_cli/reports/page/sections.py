"""One self-contained page on one or more tuning jobs: offline, printable, safe to pass on.

HTML tables and text are made here and need no script; `page.js` draws the charts from the data in
the page and makes the table sort and filter. A content security policy that knows the script and
the style by their hashes keeps everything else out: nothing is loaded, and nothing leaves.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib import resources
from typing import Any

from hpt_cli import __version__
from hpt_cli.analysis.importance import Influence
from hpt_cli.formatting import count, format_column, format_number, format_seconds, format_setting
from hpt_cli.reports.importance import describe_basis, describe_caveat, describe_region
from hpt_cli.reports.page.data import Record, shorten, to_data
from hpt_cli.reports.page.html import Content, Markup, break_name, embed_json, join, tag
from hpt_cli.reports.render.columns import describe_reason
from hpt_cli.spec.hyperparameters import Value
from hpt_cli.spec.model import TuningSpec
from hpt_cli.tuning.state import TERMINAL
from hpt_cli.tuning.summary import (
    JOB_STATUSES,
    Row,
    Summary,
    estimate_saved_seconds,
    list_job_counts,
)

HIDDEN = "(not shown)"
"""Stands for the values of environment variables, and for commands beside the one that trains: they
may hold secrets, and a page is passed on.
References to the variables of a shell are shown, as they hold none."""
_REFERENCE = re.compile(r"\$\{\w+\}")


def render_page(records: Sequence[Record], made_at: float) -> str:
    """The page, as the text of an HTML file."""
    style, script = _read("page.css"), _read("page.js")
    title = ", ".join(record.summary.name for record in records)
    sections = [_render_tuning_job(record, place) for place, record in enumerate(records)]
    comparison = [_render_comparison(records)] if len(records) > 1 else []
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_make_policy(style, script)),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("link", rel="icon", href="data:,"),
        tag("title", f"{title} – hpt report"),
        tag("style", Markup(style)),
    )
    body = tag(
        "body",
        _render_navigation(records),
        tag("main", tag("h1", f"Report: {title}", class_="hidden"), comparison, sections),
        _render_footer(made_at),
        tag("div", id="tip", aria_hidden="true", hidden="hidden"),
        tag("div", id="said", role="status", class_="hidden"),
        embed_json([to_data(record) for record in records], "data"),
        tag("script", Markup(script)),
    )
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _read(name: str) -> str:
    return resources.files("hpt_cli.reports.page").joinpath(name).read_text(encoding="utf-8")


def _make_policy(style: str, script: str) -> str:
    def hash_of(text: str) -> str:
        digest = hashlib.sha256(text.encode()).digest()
        return f"'sha256-{base64.b64encode(digest).decode()}'"

    return (
        f"default-src 'none'; script-src {hash_of(script)}; style-src {hash_of(style)};"
        " img-src data:; base-uri 'none'; form-action 'none'"
    )


def _render_navigation(records: Sequence[Record]) -> Markup:
    if len(records) == 1:
        return join()
    links = [
        tag("a", record.summary.name, href=f"#job{place}") for place, record in enumerate(records)
    ]
    return tag("nav", tag("a", "Comparison", href="#comparison"), links, aria_label="Tuning jobs")


def _render_footer(made_at: float) -> Markup:
    made = datetime.fromtimestamp(made_at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return tag("footer", f"Made by hpt {__version__} on {made}. The page needs no network.")


# One tuning job


def _render_tuning_job(record: Record, place: int) -> Markup:
    return tag(
        "section",
        _render_header(record, place),
        _render_figures(record.summary),
        _render_warnings(record.summary),
        _render_best(record),
        tag(
            "div",
            _figure("progress", "Objective over time", "", _render_progress_controls()),
            _figure("curves", "Learning curves", "", _render_curve_controls(record)),
            class_="pair",
        ),
        _figure(
            "parallel",
            "Hyperparameters together",
            "A line is a training job, the better the stronger its colour. Drag along an axis to"
            " keep only the jobs that pass there, or use the sliders; a click lets all pass again.",
        ),
        _render_importance(record),
        _figure("singles", "Each hyperparameter against the objective", "", kind="grid"),
        _figure(
            "timeline",
            "Who ran when",
            "A row is a slot. The thin line after a stopped job is how long it would have gone on.",
        ),
        _render_jobs(record, place),
        _render_origin(record),
        class_="tuning-job",
        id=f"job{place}",
        data_place=place,
        aria_labelledby=f"name{place}",
    )


def _render_header(record: Record, place: int) -> Markup:
    summary = record.summary
    description = record.state.spec.get("description") or ""
    way = "Maximize" if summary.objective.maximize else "Minimize"
    made = datetime.fromtimestamp(summary.created_at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return tag(
        "header",
        tag(
            "h2",
            tag("span", summary.name, id=f"name{place}"),
            " ",
            tag("span", summary.status, class_=f"badge {summary.status}"),
        ),
        tag("p", description, class_="lead") if description else "",
        tag(
            "p",
            f"{way} {summary.objective.metric} · started {made} · ",
            summary.reason,
            class_="muted",
        )
        if summary.reason
        else tag("p", f"{way} {summary.objective.metric} · started {made}", class_="muted"),
    )


def _render_figures(summary: Summary) -> Markup:
    best, saved = summary.best, estimate_saved_seconds(summary.rows)
    counts = ", ".join(list_job_counts(summary))
    cards = [
        (
            f"Best {summary.objective.metric}",
            format_number(best.final if best else None, 5),
            best.name if best else "no result yet",
        ),
        ("Training jobs", str(len(summary.rows)), counts or "none yet"),
        (
            "Tuning time",
            format_seconds(summary.tuning_time),
            "pauses not counted",
        ),
        ("Training time", format_seconds(summary.total_training_time), "of all training jobs"),
    ]
    overall = summary.overall_best
    if overall is not None and (best is None or overall["training_job_name"] != best.name):
        value = format_number(overall["final_objective_value"], 5)
        cards.append(("Best with parents", value, overall["training_job_name"]))
    if saved:
        share = saved / (saved + summary.total_training_time)
        words = f"about {share:.0%} of the training time, by early stopping"
        cards.append(("Saved", format_seconds(saved), words))
    return tag(
        "dl",
        [
            tag("div", tag("dt", name), tag("dd", tag("b", value), tag("small", note)))
            for name, value, note in cards
        ],
        class_="cards",
    )


def _render_warnings(summary: Summary) -> Markup:
    """What looks wrong, without the lines of logs: who knows what is in them."""
    if not summary.warnings:
        return join()
    items = [tag("li", each.message, " ", tag("small", each.hint)) for each in summary.warnings]
    return tag("section", tag("h3", "To look at"), tag("ul", items), class_="card warnings")


def _render_best(record: Record) -> Markup:
    best = record.summary.best
    if best is None:
        return join()
    settings = [
        tag("div", tag("dt", name), tag("dd", format_setting(value)))
        for name, value in best.hyperparameters.items()
    ]
    command: Content = ""
    if record.command:
        command = tag(
            "div",
            tag("pre", tag("code", record.command), tabindex=0, aria_label="Best command"),
            tag("button", "Copy", type="button", class_="copy"),
            class_="command",
        )
    return tag(
        "section",
        tag("h3", f"Best training job: {best.name}"),
        tag("dl", settings, class_="settings"),
        command,
        class_="best card",
    )


def _figure(
    name: str, heading: str, caption: str, controls: Content = "", *, kind: str = "plot"
) -> Markup:
    return tag(
        "figure",
        tag("figcaption", tag("h3", heading), tag("p", caption, class_="muted") if caption else ""),
        controls,
        tag("div", class_=kind),
        tag("noscript", "This chart needs JavaScript."),
        class_="card",
        data_chart=name,
    )


def _render_progress_controls() -> Markup:
    whole = tag("label", tag("input", type="checkbox", class_="whole"), " whole range")
    return tag(
        "p",
        tag("span", "A dot is a training job that ended.", tag("span", class_="beyond")),
        whole,
        class_="controls",
    )


def _render_curve_controls(record: Record) -> Markup:
    options = [tag("option", name, value=place) for place, name in enumerate(record.metrics)]
    return tag(
        "p",
        tag("label", "metric ", tag("select", options, class_="metric")),
        tag("label", tag("input", type="checkbox", class_="log"), " logarithmic"),
        class_="controls",
    )


# Importance


def _render_importance(record: Record) -> Markup:
    if record.importance is None:
        return join()
    head = [
        tag("th", name, scope="col", colspan=2 if name == "importance" else None)
        for name in ("hyperparameter", "importance", "90%", "alone", "good values")
    ]
    rows = [_render_influence(each) for each in record.importance.influences]
    return tag(
        "section",
        tag("h3", "What mattered"),
        tag(
            "p",
            f"Share of the objective's variance; {describe_basis(record.importance)}."
            f" {describe_caveat(record.importance)}".rstrip(),
            class_="muted",
        ),
        tag(
            "div", tag("table", tag("thead", tag("tr", head)), tag("tbody", rows)), class_="scroll"
        ),
        class_="card importance",
    )


def _render_influence(each: Influence) -> Markup:
    total = each.total
    low, value, high = (round(100 * share, 1) for share in (total.low, total.value, total.high))
    bar = tag(
        "svg",
        tag("rect", class_="track", width=100, height=10),
        tag("rect", class_="bar", width=value, height=10),
        tag("path", class_="whisker", d=f"M{low},5H{high}M{low},2V8M{high},2V8"),
        viewBox="0 0 100 10",
        preserveAspectRatio="none",
        aria_hidden="true",
    )
    return tag(
        "tr",
        tag("th", break_name(each.name), scope="row"),
        tag("td", bar, class_="bar-cell"),
        tag("td", tag("b", f"{value:.0f}%"), class_="number"),
        tag("td", f"{low:.0f}% – {high:.0f}%", class_="number"),
        tag("td", f"{each.alone.value:.0%}", class_="number"),
        tag("td", describe_region(each.region)),
    )


# The table of training jobs


def _render_jobs(record: Record, place: int) -> Markup:
    summary = record.summary
    names = list(record.ranges)
    headings = ["job", *names, summary.objective.metric, "epochs", "time", "status", "reason"]
    head = [
        tag("th", tag("button", break_name(name), type="button"), scope="col", aria_sort="none")
        for name in headings
    ]
    best = summary.best.number if summary.best else None
    settings = [
        _render_numbers([row.hyperparameters.get(name) for row in summary.rows]) for name in names
    ]
    finals = _render_numbers([row.final for row in summary.rows], _list_two_best(summary))
    rows = [
        _render_row(row, [*cells], at, is_best=row.number == best)
        for at, (row, *cells) in enumerate(zip(summary.rows, *settings, finals, strict=True))
    ]
    checks = [
        tag("label", tag("input", type="checkbox", value=status, checked="checked"), f" {status}")
        for status in JOB_STATUSES
    ]
    hint = f"words, or {names[0]} < 0.1 and status = Completed" if names else "words"
    controls = tag(
        "p",
        tag(
            "label",
            "filter ",
            tag("input", type="search", class_="filter", placeholder=hint, spellcheck="false"),
            class_="wide",
        ),
        checks,
        tag(
            "output",
            f"{len(summary.rows)} of {count(len(summary.rows), 'job')}",
            aria_live="polite",
        ),
        class_="controls",
    )
    table = tag(
        "table",
        tag("caption", f"Training jobs of {summary.name}", class_="hidden"),
        tag("thead", tag("tr", head)),
        tag("tbody", rows),
    )
    return tag(
        "section",
        tag("h3", "Training jobs"),
        controls,
        tag(
            "div",
            table,
            class_="scroll",
            tabindex=0,
            role="region",
            aria_label=f"Training jobs of {summary.name}",
        ),
        class_="card jobs",
        id=f"jobs{place}",
    )


def _list_two_best(summary: Summary) -> list[float]:
    finals = [row.final for row in summary.rows if row.final is not None]
    return sorted(finals, key=summary.objective.loss)[:2]


def _render_row(row: Row, values: Sequence[Markup], at: int, *, is_best: bool) -> Markup:
    """A row with the cells of hyperparameters and objective, which are written by column."""
    cells = [
        tag("td", f"{row.number}{' ★' if is_best else ''}", data_v=row.number),
        *values,
        _number(row.epochs, str(row.epochs)),
        _number(round(row.elapsed, 3), format_seconds(row.elapsed)),
        tag("td", tag("span", row.status, class_=f"badge {row.status}")),
        tag("td", describe_reason(row)),
    ]
    return tag("tr", cells, data_at=at, class_="best" if is_best else None)


def _render_numbers(
    values: Sequence[Value | None], telling: Sequence[float] = ()
) -> Iterator[Markup]:
    """The cells of a column; where its values are text, as they are."""
    for value, text in zip(values, format_column(values, telling), strict=True):
        yield tag("td", value) if isinstance(value, str) else _number(value, text)


def _number(value: float | None, text: str) -> Markup:
    short = shorten(value)
    return tag("td", text, data_v="" if short is None else f"{short:g}")


# Where it comes from


def _render_origin(record: Record) -> Markup:
    facts = [tag("div", tag("dt", name), tag("dd", value)) for name, value in record.origin]
    return tag(
        "section",
        tag("h3", "Environment and spec"),
        tag("dl", facts, class_="facts"),
        tag(
            "details",
            tag("summary", "The spec"),
            tag("pre", tag("code", write_spec(record.state.spec)), tabindex=0),
        ),
        class_="card origin",
    )


def write_spec(spec: Mapping[str, Any]) -> str:
    """The spec as YAML, without defaults and without what may hold secrets."""
    import yaml

    shown = TuningSpec.model_validate(spec).model_dump(mode="json", exclude_defaults=True)
    if "environment" in shown:
        shown["environment"] = {
            name: value if _REFERENCE.fullmatch(value) else HIDDEN
            for name, value in shown["environment"].items()
        }
    if "notify" in shown:
        shown["notify"]["command"] = HIDDEN
    if "setup" in shown.get("slurm", {}):
        shown["slurm"]["setup"] = [HIDDEN]
    return str(yaml.safe_dump(shown, sort_keys=False, allow_unicode=True, width=100))


# Several tuning jobs


def _render_comparison(records: Sequence[Record]) -> Markup:
    summaries = [record.summary for record in records]
    comparable = len({each.objective for each in summaries}) == 1
    rows = [
        ("status", [each.status for each in summaries]),
        ("objective", [each.objective.metric for each in summaries]),
        ("best", format_column([each.best.final if each.best else None for each in summaries])),
        ("best training job", [each.best.name if each.best else "–" for each in summaries]),
        *[
            (f"  {name}", [_describe_best_setting(each, name) for each in summaries])
            for name in _differing(summaries)
        ],
        ("training jobs", [str(len(each.rows)) for each in summaries]),
        *[
            (status, [str(each.job_counts[JOB_STATUSES[status]]) for each in summaries])
            for status in TERMINAL
        ],
        ("training time", [format_seconds(each.total_training_time) for each in summaries]),
        ("tuning time", [format_seconds(each.tuning_time) for each in summaries]),
        (
            "saved by early stopping",
            [format_seconds(estimate_saved_seconds(each.rows)) for each in summaries],
        ),
    ]
    head = [tag("td"), *(tag("th", each.name, scope="col") for each in summaries)]
    body = [
        tag(
            "tr", tag("th", name, scope="row"), [tag("td", cell, class_="number") for cell in cells]
        )
        for name, cells in rows
    ]
    table = tag("table", tag("thead", tag("tr", head)), tag("tbody", body))
    return tag(
        "section",
        tag("h2", "Comparison"),
        tag(
            "div",
            _figure("race", "Best so far", "Over the tuning time of each.") if comparable else "",
            tag("div", tag("h3", "Figures"), tag("div", table, class_="scroll"), class_="card"),
            class_="pair",
        ),
        id="comparison",
    )


def _differing(summaries: Sequence[Summary]) -> list[str]:
    """The hyperparameters in which the best training jobs differ."""
    best = [each.best.hyperparameters for each in summaries if each.best]
    names = dict.fromkeys(name for each in best for name in each)
    return [name for name in names if len({each.get(name) for each in best}) > 1]


def _describe_best_setting(summary: Summary, name: str) -> str:
    value = summary.best.hyperparameters.get(name) if summary.best else None
    return "–" if value is None else format_setting(value)
