"""HTML that cannot be broken by what it shows: text is escaped unless a tag made it."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable
from typing import Any, TypeAlias

from hpt_cli.formatting import plain_lines, to_json_value

VOID = ("meta", "link", "input", "wbr")
"""Elements that hold nothing and have no end tag."""

_DANGEROUS = re.compile("[<>&\u2028\u2029\ud800-\udfff]")
_JOINT = re.compile(r"(?<=[._:/-])(?=.)")


class Markup(str):
    """HTML, as opposed to text."""

    __slots__ = ()


Content: TypeAlias = "str | Markup | Iterable[Content]"


def join(*content: Content) -> Markup:
    """HTML of texts, tags and lists of them; nothing for what is empty."""
    return Markup("".join(map(_render, content)))


def _render(content: Content) -> str:
    if isinstance(content, Markup):
        return content
    if isinstance(content, str):
        return html.escape(plain_lines(content))
    return join(*content)


def tag(name: str, /, *content: Content, **attributes: Any) -> Markup:
    """An element. Attributes that are None or False are left out; `_` in names stands for `-`, and
    one at the end for nothing (`class_`)."""
    words = [name]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        words.append(f'{key.rstrip("_").replace("_", "-")}="{_render(str(value))}"')
    opened = f"<{' '.join(words)}>"
    return Markup(opened if name in VOID else f"{opened}{join(*content)}</{name}>")


def break_name(name: str) -> Markup:
    """A name that may go on in the next line after `_`, `.`, `:`, `/` or `-`."""
    first, *others = _JOINT.split(name)
    return join(first, [[tag("wbr"), each] for each in others])


def embed_json(document: Any, element_id: str) -> Markup:
    """Data for a script: no `</script>` or `<!--` in it can end the element."""
    text = json.dumps(to_json_value(document), ensure_ascii=False, separators=(",", ":"))
    text = _DANGEROUS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    return Markup(f'<script type="application/json" id="{element_id}">{text}</script>')
