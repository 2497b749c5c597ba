"""The options in the `--help` of a program: argparse, click, typer, tyro, absl, fire, Hydra.

Help often shows neither type nor default; the source of a script does (`source.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from hpt_cli.scaffold.options import KINDS, Kind, ProgramOption, kind_of, parse_value
from hpt_cli.spec.hyperparameters import Value


def parse_help(text: str) -> tuple[ProgramOption, ...]:
    """Return the options in the `--help` of a program."""
    # Without colours, and the frames that typer and tyro draw.
    lines = [_FRAME.sub(" ", _ANSI.sub("", line)) for line in text.splitlines()]
    if any(line.strip() == "== Config ==" for line in lines):
        return tuple(_parse_hydra(lines))
    return tuple(filter(None, map(_parse_entry, _split_entries(lines))))


_ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
_FRAME = re.compile(r"^\s*[│┃|]|[│┃|]\s*$|^\s*[╭╰].*$")


def _split_entries(lines: Iterable[str]) -> Iterator[str]:
    """Yield each option with its help as one text; two spaces separate columns."""
    entry: list[str] = []
    for line in lines:
        text = line.strip()
        if re.match(r"--?(?:\[no\])?\w", text):
            yield "  ".join(entry)
            entry = [text]
        elif entry and text and line.startswith("  "):
            entry.append(text)
        else:
            yield "  ".join(entry)
            entry = []
    yield "  ".join(entry)


def _parse_entry(entry: str) -> ProgramOption | None:
    head, _, rest = entry.partition("  ")
    if _ABSL.match(entry):
        return _parse_absl(entry)
    if re.match(r"(?:Type|Default): ", rest) and head.count("=") == 1:
        return _parse_fire(head, rest)
    return _parse_argparse(entry, head, rest)


# argparse, click, typer, tyro and others of two columns

_FLAG = re.compile(r"(?<![\w-])(--?[A-Za-z][\w.-]*)")
_HELP = {"-h", "--help", "-help", "--helpfull", "--helpshort"}
_CHOICES = re.compile(r"[{\[<]([^\s{}\[\]<>=,|]+(?:[,|][^\s{}\[\]<>=,|]+)+)[}\]>]")
_TYPE = re.compile(
    r"(?<!\w)(?:<(float|int|bool|str|path)\b|(FLOAT|INTEGER|INT|BOOL(?:EAN)?|STR|TEXT|PATH)\b"
    r"|\(?type: (float|int|str)\b)"
)
_DEFAULT = re.compile(
    r"[(\[]\s*defaults?(?:\s+(?:is|to))?\s*[:=]?\s*(?P<value>'[^']*'|\"[^\"]*\"|[^\s,;)\]]+)"
    r"|\(type: \w+, default: (?P<typed>[^\s)]+)"
    r"|\bdefaults?(?:\s+(?:is|to)|\s*[:=])\s*(?P<bare>[-+]?[\d.]+(?:e[-+]?\d+)?)"
    r"|\[(?P<last>[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)\]$",
    re.IGNORECASE,
)
_BOUNDS = re.compile(r"(?P<low>-?[\d.]+)<=?x(?:<=?(?P<high>-?[\d.]+))?")


def _parse_argparse(entry: str, head: str, rest: str) -> ProgramOption | None:
    flags = _order_flags(_FLAG.findall(head))
    if not flags or _HELP & set(flags):
        return None
    column = rest.strip().partition("  ")[0]
    signature = f"{head}  {column}" if column[:1] in ("<", "[") or column.isupper() else head
    choices = _CHOICES.search(signature)
    named = _TYPE.search(signature) or _TYPE.search(rest)
    default = _parse_default(entry)
    kind: Kind = "switch"
    if _takes_several(head, flags):
        kind, default = "list", None
    elif choices:
        kind = "choice"
    elif named:
        kind = KINDS[next(filter(None, named.groups())).lower()]
    elif re.search(rf"{re.escape(flags[0])}[ =]\S", head) or isinstance(default, (int, float)):
        kind = kind_of(default)
    bounds = _BOUNDS.search(entry)
    return ProgramOption(
        flag=flags[0],
        kind=kind,
        default=default,
        choices=tuple(re.split(r"[,|]", choices[1])) if choices else (),
        low=float(bounds["low"]) if bounds else None,
        high=float(bounds["high"]) if bounds and bounds["high"] else None,
        aliases=tuple(flags[1:]),
        about=rest.strip(),
    )


def _order_flags(flags: Sequence[str]) -> list[str]:
    """Return the flags of two dashes first; without any, the longest first."""
    long = [each for each in flags if each.startswith("--")]
    short = [each for each in flags if not each.startswith("--")]
    return [*long, *(short if long else sorted(short, key=len, reverse=True))]


def _takes_several(head: str, flags: Sequence[str]) -> bool:
    """Return whether an option takes a list: `--sizes N [N ...]`, `--betas B B`."""
    words = re.split(rf"{re.escape(flags[0])}[ =]", head)[-1].partition(", -")[0].split()
    names = [word for word in words if word.isupper()]
    return "..." in head or (len(words) > 1 and len(names) == len(words) == names.count(names[0]))


def _parse_default(entry: str) -> Value | None:
    match = _DEFAULT.search(entry)
    if match is None:
        return None
    return parse_value(next(filter(None, match.groups())).strip("'\""))


# absl

_ABSL = re.compile(
    r"(?:-(?P<short>\w),)?--(?P<no>\[no\])?(?P<name>[\w.]+):(?: <(?P<choices>[^\s>]+)>:)? "
)
_ABSL_DEFAULT = re.compile(r"  \(default: '(?P<value>.*?)'\)(?:  |$)")
_ABSL_TYPE = re.compile(
    r"  \((?:an? )?(?P<sign>positive |non-negative |)(?P<type>integer|number)"
    r"(?: in the range \[(?P<low>[^\s,]+), (?P<high>[^\s\]]+)\]"
    r"| >= (?P<least>\S+?)| <= (?P<most>\S+?))?\)(?:  |$)"
)


def _parse_absl(entry: str) -> ProgramOption | None:
    """Return an option of absl: `-b,--batch_size: text  (default: '128')  (an integer)`."""
    head = _ABSL.match(entry)
    if head is None or f"--{head['name']}" in _HELP:
        return None
    told, typed = _ABSL_DEFAULT.search(entry), _ABSL_TYPE.search(entry)
    flag = f"--{head['name']}"
    kind: Kind = "text"
    default = parse_value(told["value"]) if told else None
    if head["no"]:
        kind, default = "switch", None
    elif "to specify a list of values" in entry:  # one flag for each
        default = told["value"] if told else "[]"
    elif head["choices"]:
        kind = "choice"
    elif typed and not isinstance(default, str):
        kind = "int" if typed["type"] == "integer" else "float"
    low = (typed["low"] or typed["least"] or (typed["sign"] and "0")) if typed else ""
    high = (typed["high"] or typed["most"]) if typed else ""
    return ProgramOption(
        flag=flag,
        kind=kind,
        default=default,
        choices=tuple((head["choices"] or "").split("|")) if head["choices"] else (),
        low=float(low) if low else None,
        high=float(high) if high else None,
        aliases=(f"--no{head['name']}",) if head["no"] else (),
        about=entry[head.end() :],
    )


# Python Fire


def _parse_fire(head: str, rest: str) -> ProgramOption | None:
    """Return an option of Fire: `-l, --lr=LR  Type: float  Default: 0.1  text`."""
    flags = [each for each in _FLAG.findall(head) if each.startswith("--")]
    if not flags:
        return None
    typed = re.search(r"Type: (?:Optional\[)?(\w+)", rest)
    told = re.search(r"Default: (.*?)(?:  |$)", rest)
    text = told[1] if told else ""
    default = parse_value(text.strip("'\""))
    kind = KINDS.get(typed[1].lower(), "text") if typed else kind_of(default)
    if text in ("True", "False") or kind == "switch":
        return ProgramOption(f"{flags[0]}=", "switch", aliases=(flags[0],))
    if text.startswith(("[", "(", "{")) or (typed and typed[1] in ("List", "list", "tuple")):
        return ProgramOption(f"{flags[0]}=", "list", aliases=(flags[0],))
    return ProgramOption(flags[0], kind, default, about=rest.rpartition("  ")[2])


# Hydra


def _parse_hydra(lines: Sequence[str]) -> Iterator[ProgramOption]:
    """Yield the groups, and each value of the config with its path: `optimizer.lr=`."""
    section, path = "", [(-1, "")]
    for line in lines:
        heading = re.fullmatch(r"== (.+) ==", line.strip())
        if heading:
            section = heading[1]
        if line.startswith("Powered by Hydra"):
            return
        match = re.fullmatch(r"( *)([\w.-]+): *(.*)", line)
        if match is None:
            continue
        indent, key, text = len(match[1]), match[2], match[3].strip()
        if section == "Configuration groups" and "," in text:
            choices = tuple(each.strip() for each in text.split(","))
            yield ProgramOption(f"{key}=", "choice", choices=choices)
        if section != "Config":
            continue
        while path[-1][0] >= indent:
            path.pop()
        full = f"{path[-1][1]}{key}"
        path.append((indent, f"{full}."))
        default = parse_value(text.strip("'\""))
        if text in ("true", "false"):
            yield ProgramOption(f"{full}=", "switch")
        elif default is not None and not text.startswith(("[", "{", "$")):
            yield ProgramOption(f"{full}=", kind_of(default), default)
