"""Cross-field checks of the executor and its resources."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from hpt_cli.spec.cross_field.conflict import TRUE, Conflict, items, mapping

SLURM_TIME = re.compile(r"\d+(:\d\d){0,2}|\d+-\d+(:\d\d){0,2}|UNLIMITED|INFINITE", re.IGNORECASE)
SLURM_FIELDS = ("partition", "account", "qos", "time", "gres", "constraint")
SUCCESS_FIELDS = ("exit_codes", "when")
SLURM_OWN = (
    *("--job-name", "--output", "--error", "--input", "--open-mode", "--chdir", "--export"),
    *("--export-file", "--array", "--wrap", "--wait", "--parsable", "--test-only", "--clusters"),
    *("-J", "-o", "-e", "-i", "-D", "-a", "-W", "-M"),
)
"""Options of sbatch that hpt sets itself, to follow its attempts."""


def find_slurm_conflicts(raw: Mapping[str, Any]) -> Iterator[Conflict]:
    asked = raw.get("slurm")
    if not isinstance(asked, Mapping):
        return
    if raw.get("executor", "local") != "slurm":
        message = "slurm says how jobs are submitted to a cluster, but executor is local"
        yield Conflict(("slurm",), "slurm-local", message, "write executor: slurm")
    time = asked.get("time")
    if time is not None and not SLURM_TIME.fullmatch(str(time)):
        message = f"slurm.time: '{time}' is not a time that Slurm understands"
        hint = "minutes, H:MM:SS, D-HH or D-HH:MM:SS, such as 1-12:00:00"
        yield Conflict(("slurm", "time"), "slurm-time", message, hint)
    resources = mapping(raw, "resources")
    if asked.get("gres") is not None and resources.get("gpus") is not None:
        message = "slurm.gres and resources.gpus both set the number of GPUs"
        yield Conflict(("slurm", "gres"), "slurm-gres", message, "leave one of them out")
    for index, word in enumerate(items(asked, "extra")):
        option = str(word).partition("=")[0]
        where = ("slurm", "extra", index)
        if not option.startswith("-"):
            message = f"slurm.extra: '{word}' is not an option of sbatch"
            yield Conflict(where, "slurm-extra", message, "one word each: --option=value")
        # The first two characters are a short option, whose value may follow without a blank.
        elif option in SLURM_OWN or option[:2] in SLURM_OWN:
            message = f"slurm.extra: {option} is set by hpt itself"
            yield Conflict(where, "slurm-extra", message)
        elif option.lstrip("-") in SLURM_FIELDS:
            message = f"slurm.extra: {option} has a field of its own"
            yield Conflict(where, "slurm-extra", message, f"{option.lstrip('-')}: ...")


def find_success_conflicts(raw: Mapping[str, Any]) -> Iterator[Conflict]:
    asked = raw.get("success")
    if isinstance(asked, Mapping) and all(asked.get(each) is None for each in SUCCESS_FIELDS):
        message = "success is empty: it needs exit_codes, when, or both"
        hint = 'success: {exit_codes: [0, 139], when: "training finished"}'
        yield Conflict(("success",), "success-none", message, hint)


def find_resource_conflicts(raw: Mapping[str, Any]) -> Iterator[Conflict]:
    asked, fields = raw.get("resources"), mapping(raw, "resources")
    names = [str(each) for each in items(raw, "gpus")]
    needs = [fields.get(field) for field in ("cpus", "gpus", "memory_gb")]
    if asked is not None and all(each is None for each in needs):
        message = "resources is empty: it needs one of cpus, gpus, memory_gb"
        yield Conflict(("resources",), "resources-none", message)
    wanted = fields.get("gpus")
    avoids = str(raw.get("avoid_busy_gpus")).lower() in TRUE
    if avoids and not (wanted or names):
        message = "avoid_busy_gpus only applies to training jobs that need GPUs"
        yield Conflict(("avoid_busy_gpus",), "gpus-missing", message, "resources: {gpus: 1}")
    if names and wanted == 0:
        message = "GPUs are listed, but training jobs need none"
        yield Conflict(("gpus",), "gpus-unused", message, "resources: {gpus: 1}")
    if raw.get("executor") == "slurm" and raw.get("children") == "keep":
        message = "children: keep applies to this machine; a cluster ends all of a job's processes"
        yield Conflict(("children",), "children-slurm", message)
    if raw.get("executor") == "slurm":
        yield from _find_slurm_gpu_conflicts(wanted, avoids=avoids, lists=bool(names))
    for index, name in enumerate(names):
        if name in names[:index]:
            yield Conflict(("gpus", index), "gpu-duplicate", f"the GPU {name} is listed twice")


def _find_slurm_gpu_conflicts(wanted: Any, *, avoids: bool, lists: bool) -> Iterator[Conflict]:
    fields = {"gpus": lists, "avoid_busy_gpus": avoids}
    for field in (field for field, is_there in fields.items() if is_there):
        message = f"{field} applies to this machine's GPUs; on a cluster, Slurm chooses them"
        yield Conflict((field,), "gpus-slurm", message, "resources: {gpus: 1}")
    if isinstance(wanted, float) and 0 < wanted < 1:
        message = (
            "Slurm allocates whole GPUs, unless it is configured to share them: slurm: {gres: ...}"
        )
        yield Conflict(("resources", "gpus"), "gpus-slurm", message)
