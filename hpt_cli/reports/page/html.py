"""One self-contained page on one or more tuning jobs: offline, printable, safe to pass on.

The templates make tables and text, which need no script; the scripts draw the charts from the data
in the page and make the table sort and filter. A content security policy that knows the script
and the style by their hashes keeps everything else out: nothing is loaded, and nothing leaves.

Why no chart library: plotly.min.js takes 4.8 MB of each page, the scripts here 40 kB, and uPlot has
no parallel coordinates.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import resources
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from hpt_cli import __version__
from hpt_cli.formatting import count, format_setting, plain_lines, to_json_value
from hpt_cli.reports.importance import describe_basis, describe_caveat, describe_region
from hpt_cli.reports.page import tables
from hpt_cli.reports.page.data import Record, to_data
from hpt_cli.tuning.summary import JOB_STATUSES

SCRIPTS = ("scales", "filter", "chart", "charts", "parallel", "table", "main")
"""In this order they are the page's script."""
_INDENT_OR_COMMENT = re.compile("^ *//.*\n|^ +", re.MULTILINE)
_JOINT = re.compile(r"(?<=[._:/-])(?=.)")


def render_page(records: Sequence[Record], made_at: float) -> str:
    """Return the page as the text of an HTML file; `made_at` is in seconds since the epoch."""
    style = _read("page.css")
    script = "\n".join(['"use strict";', *(_read(f"scripts/{name}.js") for name in SCRIPTS)])
    return (
        _make_environment()
        .get_template("page.html")
        .render(
            records=records,
            title=", ".join(record.summary.name for record in records),
            is_comparable=len({record.summary.objective for record in records}) == 1,
            data=to_json_value([to_data(record) for record in records]),
            made_at=made_at,
            style=Markup(style),
            script=Markup(script),
            policy=_make_policy(style, script),
        )
    )


def _read(name: str) -> str:
    """Return the text of a file, without what only its editor needs: a sixth of a small page."""
    path = resources.files("hpt_cli.reports.page").joinpath(name)
    return _INDENT_OR_COMMENT.sub("", path.read_text(encoding="utf-8"))


def _make_policy(style: str, script: str) -> str:
    def hash_of(text: str) -> str:
        digest = hashlib.sha256(text.encode()).digest()
        return f"'sha256-{base64.b64encode(digest).decode()}'"

    return (
        f"default-src 'none'; script-src {hash_of(script)}; style-src {hash_of(style)};"
        " img-src data:; base-uri 'none'; form-action 'none'"
    )


def _make_environment() -> Environment:
    """Return the environment of the templates: whatever they show is escaped."""
    environment = Environment(
        loader=FunctionLoader(lambda name: _read(f"templates/{name}")),
        autoescape=True,
        finalize=_finalize,
        trim_blocks=True,
        undefined=StrictUndefined,
    )
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    environment.globals |= {
        "count": count,
        "statuses": list(JOB_STATUSES),
        "tables": tables,
        "version": __version__,
    }
    environment.filters |= {
        "basis": describe_basis,
        "breakable": break_name,
        "caveat": describe_caveat,
        "minute": _format_minute,
        "region": describe_region,
        "setting": format_setting,
    }
    return environment


def _finalize(value: Any) -> Any:
    """Return text without control characters; markup and the rest as they are."""
    return plain_lines(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def break_name(name: str) -> Markup:
    """Return a name that may go on in the next line after `_`, `.`, `:`, `/` or `-`."""
    return Markup("<wbr>").join(map(plain_lines, _JOINT.split(name)))


def _format_minute(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
