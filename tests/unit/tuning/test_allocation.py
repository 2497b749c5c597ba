"""Who holds which cores and GPUs: never two the same, and none lost."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from hpt_cli.spec.resources import (
    Pool,
    Request,
    Resource,
    count_fitting,
    describe_resources,
    find_shortages,
    list_exclusive,
)
from hpt_cli.tuning import events as ev
from hpt_cli.tuning.allocation import Share, allocate

POOL = Pool(cores=(0, 2, 1, 3), gpus=("0", "1"), memory_gb=16)
REQUESTS = st.builds(
    Request,
    cpus=st.none() | st.integers(1, 4),
    gpus=st.none() | st.sampled_from([0.0, 0.25, 0.3, 1 / 3, 0.5, 0.7, 1.0, 2.0]),
    memory_gb=st.none() | st.floats(0.5, 16),
)


def fill(request: Request, *held: Share, avoided: tuple[Resource, ...] = ()) -> list[Share]:
    shares = list(held)
    while len(shares) < 100 and (share := allocate(request, POOL, shares, avoided)) is not None:
        shares.append(share)
    return shares[len(held) :]


def test_cores_are_handed_out_in_the_order_of_the_pool() -> None:
    assert [share.cores for share in fill(Request(cpus=2))] == [(0, 2), (1, 3)]
    assert [share.cores for share in fill(Request(cpus=3))] == [(0, 2, 1)]


def test_what_others_hold_is_not_handed_out() -> None:
    assert [share.cores for share in fill(Request(cpus=1), avoided=(2, 3, "0"))] == [(0,), (1,)]
    assert [share.gpus for share in fill(Request(gpus=1), avoided=(2, "0"))] == [("1",)]
    assert fill(Request(cpus=4), avoided=(1,)) == []


def test_only_what_jobs_ask_for_is_held_against_others() -> None:
    assert list_exclusive(Request(cpus=1, memory_gb=1), POOL) == [0, 2, 1, 3]
    assert list_exclusive(Request(gpus=0.5), POOL) == ["0", "1"]
    assert list_exclusive(Request(memory_gb=1), POOL) == []
    assert describe_resources([2, "1", 0]) == "cores 0, 2, GPU 1"
    assert describe_resources([]) == ""


def test_jobs_that_share_gpus_spread() -> None:
    shares = fill(Request(gpus=0.5))
    assert [share.gpus for share in shares] == [("0",), ("1",), ("0",), ("1",)]


def test_what_lives_on_keeps_what_it_holds() -> None:
    alive = Share(cores=(2,), gpus=("0",), gpu_part=0.5, memory_gb=10)
    (share,) = fill(Request(cpus=2, gpus=1, memory_gb=6), alive)
    assert share == Share(cores=(0, 1), gpus=("1",), gpu_part=1, memory_gb=6)
    assert fill(Request(memory_gb=6.1), alive) == []


def test_gpus_that_others_use_are_avoided() -> None:
    assert [share.gpus for share in fill(Request(gpus=1), avoided=("0",))] == [("1",)]
    assert fill(Request(gpus=2), avoided=("0",)) == []


def test_no_gpus_is_not_the_same_as_any_gpus() -> None:
    assert [fill(request)[0].gpus for request in (Request(gpus=0), Request(cpus=1))] == [(), None]


@given(REQUESTS)
def test_as_many_run_as_are_said_to_fit(request: Request) -> None:
    fitting = count_fitting(request, POOL)
    shares = fill(request)
    assert len(shares) == (100 if fitting is None else fitting)
    assert (fitting == 0) == any(find_shortages(request, POOL))
    cores = [core for share in shares for core in share.cores]
    assert len(cores) == len(set(cores))
    for gpu in POOL.gpus:
        assert sum(share.gpu_part for share in shares if gpu in (share.gpus or ())) <= 1 + 1e-6
    assert all(read_back(share) == share for share in shares)


def read_back(share: Share) -> Share | None:
    """Return a share as a journal would have it."""
    event = ev.JobSubmitting(at=0, number=1, attempt=1, share=share)
    fields = json.loads(json.dumps(ev.to_fields(event)))
    read = ev.from_fields("JobSubmitting", 0, 1, fields)
    assert isinstance(read, ev.JobSubmitting)
    return read.share


def test_what_is_missing_is_said_at_once() -> None:
    shortages = find_shortages(Request(cpus=5, gpus=3, memory_gb=20), POOL)
    assert [(each.location[-1], each.message) for each in shortages] == [
        ("cpus", "a training job needs 5 cores; only 4 available"),
        ("gpus", "a training job needs 3 GPUs; there are 2: 0, 1"),
        ("memory_gb", "a training job needs 20 GiB of memory; the machine has 16.0"),
    ]
