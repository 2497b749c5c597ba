"""What is read from nvidia-smi and rocm-smi."""

from __future__ import annotations

from hpt_cli.machine.gpus import Gpu, parse_nvidia, parse_rocm

NVIDIA = """\
0, GPU-1f3a, 10240, 81920, NVIDIA H100
1, GPU-77c2, [N/A], 81920
"""
APPS = """\
GPU-1f3a, 4711
GPU-1f3a, 4712
GPU-gone, 9
"""
ROCM = """\
{"card0": {"VRAM Total Memory (B)": "17163091968", "VRAM Total Used Memory (B)": "10485760"},
 "card1": {"VRAM Total Memory (B)": "17163091968", "VRAM Total Used Memory (B)": "16777216000"},
 "system": {"Driver version": "6.7.0"}}
"""


def test_nvidia_s_gpus_have_the_processes_that_use_them() -> None:
    assert parse_nvidia(NVIDIA, APPS) == [
        Gpu("0", "GPU-1f3a", 10240.0, 81920.0, (4711, 4712), "NVIDIA H100"),
        Gpu("1", "GPU-77c2", 0.0, 81920.0, ()),
    ]
    assert parse_nvidia("No devices were found", "") == []


def test_amd_s_gpus_have_their_memory_in_the_same_unit() -> None:
    assert parse_rocm(ROCM) == [Gpu("0", "", 10.0, 16368.0), Gpu("1", "", 16000.0, 16368.0)]
    assert parse_rocm("") == parse_rocm("[]") == []
