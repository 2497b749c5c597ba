"""The GPUs of this machine and who uses them, as nvidia-smi or rocm-smi report them."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import takewhile

import psutil

NO_GPU = "-1"
"""Hides itself and all that follow it in CUDA_VISIBLE_DEVICES."""
VISIBLE = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES")
BUSY_PART = 0.1
"""The share of its memory in use beyond which a GPU is busy, even if no process is reported:
in a container none is. A screen uses less."""
ANSWER_SECONDS = 20.0
"""How long a tool may take to answer: nvidia-smi wakes GPUs that sleep."""
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU as its driver reports it; memory in MiB."""

    index: str
    uuid: str
    used: float
    total: float
    pids: tuple[int, ...] = ()
    """The processes that compute on it."""
    model: str = ""

    def is_named(self, name: str) -> bool:
        """Return whether a name in CUDA_VISIBLE_DEVICES means it; a UUID may be abbreviated."""
        return name == self.index or (name.startswith("GPU-") and self.uuid.startswith(name))

    @property
    def is_busy(self) -> bool:
        """Whether a process computes on it."""
        return bool(self.pids) or self.used > BUSY_PART * self.total


def split_visible(value: str) -> list[str]:
    """Return the names in a value of CUDA_VISIBLE_DEVICES."""
    names = (name.strip() for name in value.split(","))
    return list(takewhile(lambda name: name != NO_GPU, filter(None, names)))


def find_gpu(name: str, gpus: Iterable[Gpu]) -> Gpu | None:
    """Return the GPU that a name means."""
    return next((gpu for gpu in gpus if gpu.is_named(name)), None)


def read_gpus() -> list[Gpu]:
    """Return the GPUs of this machine; none where no tool reports them."""
    listed = ask_tool("nvidia-smi", *_query("gpu", "index,uuid,memory.used,memory.total,name"))
    if listed.succeeded:
        apps = ask_tool("nvidia-smi", *_query("compute-apps", "gpu_uuid,pid"))
        found = parse_nvidia(listed.text, apps.text if apps.succeeded else "")
        # nvidia-smi may be installed and list none, where the GPUs are AMD's.
        if found:
            return found
    answer = ask_tool("rocm-smi", "--showmeminfo", "vram", "--json")
    return parse_rocm(answer.text) if answer.succeeded else []


def _query(what: str, fields: str) -> tuple[str, str]:
    return f"--query-{what}={fields}", "--format=csv,noheader,nounits"


@dataclass(frozen=True, slots=True)
class ToolAnswer:
    """What a tool prints, or why it failed; no text where it is not installed."""

    text: str
    succeeded: bool


def ask_tool(*command: str) -> ToolAnswer:
    """Run a tool that reports about this machine or its cluster."""
    if shutil.which(command[0]) is None:
        return ToolAnswer("", False)
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=ANSWER_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        return ToolAnswer(f"{command[0]}: {error}", False)
    # A tool that fails says why on one of the two.
    text = (done.stdout or done.stderr).decode(errors="replace")
    return ToolAnswer(text, done.returncode == 0)


def parse_nvidia(listed: str, apps: str) -> list[Gpu]:
    """Return the GPUs in two answers of nvidia-smi.

    Args:
        listed: lines of `index, uuid, used, total, model`.
        apps: lines of `uuid, pid`.
    """
    pids: dict[str, list[int]] = {}
    for uuid, *rest in _split(apps):
        if rest and rest[0].isdigit():
            pids.setdefault(uuid, []).append(int(rest[0]))
    whole = (fields for fields in _split(listed) if len(fields) >= 4)
    return [
        Gpu(index, uuid, _number(used), _number(total), tuple(pids.get(uuid, ())), ", ".join(model))
        for index, uuid, used, total, *model in whole
        if index.isdigit()
    ]


def parse_rocm(answer: str) -> list[Gpu]:
    """Return the GPUs in the JSON of `rocm-smi --showmeminfo vram`, which reports no processes."""
    try:
        cards = json.loads(answer)
    except ValueError:
        return []
    return [
        Gpu(
            name.removeprefix("card"),
            "",
            _number(card.get("VRAM Total Used Memory (B)")) / MIB,
            _number(card.get("VRAM Total Memory (B)")) / MIB,
        )
        for name, card in (cards.items() if isinstance(cards, dict) else ())
        if name.removeprefix("card").isdigit() and isinstance(card, dict)
    ]


def _split(text: str) -> Iterator[list[str]]:
    for line in text.splitlines():
        if line.strip():
            yield [field.strip() for field in line.split(",")]


def _number(text: object) -> float:
    """Return the number in a text, or 0 where a driver says `[N/A]`."""
    try:
        return float(str(text))
    except ValueError:
        return 0.0


def describe_use(name: str, gpu: Gpu) -> str:
    """Return in words how much of a GPU is in use, and by which processes where that is known."""
    who = f" by {', '.join(map(describe_process, gpu.pids))}" if gpu.pids else ""
    return f"GPU {name}, {gpu.used / 1024:.1f} of {gpu.total / 1024:.1f} GiB{who}"


def describe_process(pid: int) -> str:
    """Return a process's name and pid; only the pid once it is gone."""
    with suppress(psutil.Error):
        return f"{psutil.Process(pid).name()} (pid {pid})"
    return f"pid {pid}"
