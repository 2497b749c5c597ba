"""The GPUs of this machine and who uses them, as nvidia-smi or rocm-smi tell it."""

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
"""Hides all GPUs in CUDA_VISIBLE_DEVICES, as whatever comes after it."""
VISIBLE = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES")
BUSY_PART = 0.1
"""A GPU of whose memory more than this part is in use is busy, whether or not it is told by whom:
in a container it is not. A screen takes less."""
ANSWER_SECONDS = 20.0
"""How long nvidia-smi may take: it wakes GPUs that sleep."""
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU as its driver sees it, in MiB; `pids` are the processes that compute on it."""

    index: str
    uuid: str
    used: float
    total: float
    pids: tuple[int, ...] = ()

    def answers_to(self, name: str) -> bool:
        """Whether a name in CUDA_VISIBLE_DEVICES means this one; a UUID may be cut short."""
        return name == self.index or (name.startswith("GPU-") and self.uuid.startswith(name))

    @property
    def is_busy(self) -> bool:
        """Whether somebody computes on it."""
        return bool(self.pids) or self.used > BUSY_PART * self.total


def split_visible(value: str) -> list[str]:
    """The GPUs that CUDA_VISIBLE_DEVICES names."""
    names = (name.strip() for name in value.split(","))
    return list(takewhile(lambda name: name != NO_GPU, filter(None, names)))


def find_gpu(name: str, gpus: Iterable[Gpu]) -> Gpu | None:
    """The one that a name means."""
    return next((gpu for gpu in gpus if gpu.answers_to(name)), None)


def read_gpus() -> list[Gpu]:
    """The GPUs of this machine; none where no tool tells of them."""
    if shutil.which("nvidia-smi"):
        listed = _ask("nvidia-smi", *_query("gpu", "index,uuid,memory.used,memory.total"))
        apps = _ask("nvidia-smi", *_query("compute-apps", "gpu_uuid,pid"))
        found = parse_nvidia(listed, apps)
        if found:
            return found
    if shutil.which("rocm-smi"):
        return parse_rocm(_ask("rocm-smi", "--showmeminfo", "vram", "--json"))
    return []


def _query(what: str, fields: str) -> tuple[str, str]:
    return f"--query-{what}={fields}", "--format=csv,noheader,nounits"


def _ask(*command: str) -> str:
    """What a command prints; nothing where it fails or takes too long."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=ANSWER_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode(errors="replace")


def parse_nvidia(listed: str, apps: str) -> list[Gpu]:
    """The GPUs in two answers of nvidia-smi: of `index, uuid, used, total`, and of `uuid, pid`."""
    pids: dict[str, list[int]] = {}
    for uuid, *rest in _split(apps):
        if rest and rest[0].isdigit():
            pids.setdefault(uuid, []).append(int(rest[0]))
    return [
        Gpu(
            fields[0],
            fields[1],
            _number(fields[2]),
            _number(fields[3]),
            tuple(pids.get(fields[1], ())),
        )
        for fields in _split(listed)
        if len(fields) == 4 and fields[0].isdigit()
    ]


def parse_rocm(answer: str) -> list[Gpu]:
    """The GPUs in the JSON of `rocm-smi --showmeminfo vram`, which tells of no processes."""
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
    """A number, or 0 where a driver says `[N/A]`."""
    try:
        return float(str(text))
    except ValueError:
        return 0.0


def describe_use(name: str, gpu: Gpu) -> str:
    """How much of a GPU is in use, and by which processes, where that is known."""
    who = f" by {', '.join(map(_describe_process, gpu.pids))}" if gpu.pids else ""
    return f"GPU {name}, {gpu.used / 1024:.1f} of {gpu.total / 1024:.1f} GiB{who}"


def _describe_process(pid: int) -> str:
    with suppress(psutil.Error):
        return f"{psutil.Process(pid).name()} (pid {pid})"
    return f"pid {pid}"
