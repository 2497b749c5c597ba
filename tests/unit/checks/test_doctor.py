"""What the doctor says of tools and packages."""

from __future__ import annotations

from pathlib import Path

import pytest

from hpt_cli.checks import doctor


def find(what: str, home: Path) -> doctor.Finding:
    return next(each for each in doctor.diagnose(home) if each.what == what)


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("echo slurm 24.11.5", "slurm 24.11.5"),
        (
            "printf 'sbatch: error: DNS\\nsbatch: fatal: no configuration source\\n' >&2; exit 1",
            "sbatch finds no cluster (sbatch: fatal: no configuration source)",
        ),
        ("exit 1", "no sbatch"),
    ],
)
def test_sbatch_without_a_cluster_takes_one_short_line(
    script: str, found: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sbatch = tmp_path / "sbatch"
    sbatch.write_text(f"#!/bin/sh\n{script}\n")
    sbatch.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert find("Slurm", tmp_path).found == found


def test_a_package_that_only_pictures_need_is_no_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "_find_version", lambda name: None if name == "matplotlib" else "1")
    finding = find("packages", tmp_path)
    assert "matplotlib missing (only plots as pictures need it)" in finding.found
    assert finding.problem == ""
