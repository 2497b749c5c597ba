"""Claims on cores and GPUs: what one tuning job holds is not another's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hpt_cli.machine import claims as room
from hpt_cli.machine.capacity import Capacity
from hpt_cli.machine.claims import Claims, find_owners, number_owner
from hpt_cli.machine.gpus import Gpu
from hpt_cli.spec.resources import Pool, Request
from hpt_cli.tuning.allocation import Share

GPUS = (Gpu("0", "GPU-aa", 0, 8), Gpu("1", "GPU-bb", 0, 8))
CAPACITY = Capacity(Pool(cores=(0, 1), gpus=("0", "1")), gpus=GPUS)
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="such locks are Linux's")


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(room, "LOOK_SECONDS", 0.0)


def make_claims(name: str, **environment: str) -> Claims:
    return Claims(Path(name), Request(cpus=1, gpus=1), CAPACITY, environment)


def test_what_one_tuning_job_holds_the_others_leave_alone() -> None:
    first, second = make_claims("a"), make_claims("b")
    assert first.take(1, Share(cores=(0,), gpus=("1",)))
    assert first.list_others() == frozenset()
    assert second.list_others() == {0, "1"}
    assert second.take(1, Share(cores=(0, 1))) is None
    assert second.take(1, Share(gpus=("GPU-b",))) is None, "the same GPU by another name"
    assert first.list_others() == frozenset(), "all of a share or nothing"
    assert second.take(1, Share(cores=(1,), gpus=("0",)))
    assert first.list_others() == {1, "0"}
    second.release(1)
    assert first.list_others() == frozenset()


def test_jobs_of_one_tuning_job_share_a_gpu_until_the_last_has_ended() -> None:
    first, second = make_claims("a"), make_claims("b")
    half = Share(gpus=("0",), gpu_part=0.5)
    for number in (1, 2):
        assert first.take(number, half)
    first.release(1)
    assert second.list_others() == {"0"}
    resumed = make_claims("a")
    assert resumed.take(2, half)
    first.release(2)
    assert second.list_others() == {"0"}
    resumed.release(2)
    assert second.list_others() == frozenset()


def test_who_inherits_a_claim_holds_it() -> None:
    first, second = make_claims("a"), make_claims("b")
    claim = first.take(1, Share(cores=(0,)))
    assert claim is not None
    assert claim.descriptor is not None
    child = subprocess.Popen(["sleep", "60"], pass_fds=[claim.descriptor])
    first.release(1)
    assert second.list_others() == {0}
    assert second.take(1, Share(cores=(0,))) is None
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert second.list_others() == frozenset()


def test_a_tuner_inside_a_training_job_may_use_what_that_holds() -> None:
    outer, inner = make_claims("a"), make_claims("b", HPT_JOB_DIR="a/jobs/0001")
    assert outer.take(1, Share(cores=(0, 1)))
    assert inner.list_others() == frozenset()
    assert inner.take(1, Share(cores=(0,)))
    assert make_claims("c").list_others() == {0, 1}


def test_owners_are_known_by_their_numbers() -> None:
    first = make_claims("a")
    assert first.take(1, Share(cores=(1,), gpus=("0",)))
    owner = number_owner(Path("a"))
    assert find_owners([0, 1, "0", "1"], GPUS) == {1: owner, "0": owner}


def test_where_nothing_can_be_claimed_all_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", os.devnull)
    first, second = make_claims("a"), make_claims("b")
    for each in (first, second):
        assert each.take(1, Share(cores=(0,)))
        assert each.list_others() == frozenset()


def test_what_asks_for_nothing_claims_nothing(tmp_path: Path) -> None:
    assert make_claims("a").take(1, None)
    assert Claims(Path("a"), Request(memory_gb=1), CAPACITY, {}).list_others() == frozenset()
    assert list(tmp_path.iterdir()) == []
