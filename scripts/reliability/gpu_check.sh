#!/bin/bash
# gpu_check.sh: what hpt does with a real GPU, in at most five minutes; exits 0, and says why, where there is none.
#
#     scripts/reliability/gpu_check.sh [PYTHON]       a Python with hpt; GPU memory is taken by PyTorch, or libcuda alone
#
# resources: {gpus: 1} finds the card; `hpt doctor` names it; the memory of a killed job is free before the next
# begins; a paused job keeps its GPU, and its memory there is counted; with share_gpus two jobs take turns.
set -u
[ -n "${GPU_CHECK:-}" ] || GPU_CHECK=1 exec timeout --kill-after=10 290 "$0" "$@"
python=${1:-python3}
nvidia-smi -L >/dev/null 2>&1 || { echo "skipped: nvidia-smi lists no GPU here"; exit 0; }
"$python" -c 'import hpt_cli' || { echo "skipped: $python has no hpt"; exit 0; }
hpt() { "$python" -m hpt_cli "$@"; }
work=$(mktemp -d) && cd "$work" || exit 1
trap 'for name in one turns; do hpt stop $name >/dev/null 2>&1; done; rm -rf "$work"' EXIT
failed=0
expect() { if "${@:2}"; then echo "ok      $1"; else echo "FAILED  $1"; failed=1; fi; }
# Memory in use on the first GPU, in MiB.
used() { nvidia-smi -i 0 --query-gpu=memory.used --format=csv,noheader,nounits; }

cat > take.py <<'PYTHON'
"""Take 2 GiB of the GPU that is visible, and print an epoch a second."""
import ctypes, os, sys, time

options = dict(zip(sys.argv[1::2], sys.argv[2::2], strict=True))
size = 2 << 30
try:
    import torch

    kept = torch.zeros(size, dtype=torch.uint8, device="cuda")
except ImportError:
    cuda, context, kept = ctypes.CDLL("libcuda.so.1"), ctypes.c_void_p(), ctypes.c_uint64()
    for code in (
        cuda.cuInit(0),
        cuda.cuCtxCreate_v2(ctypes.byref(context), 0, 0),
        cuda.cuMemAlloc_v2(ctypes.byref(kept), ctypes.c_size_t(size)),
    ):
        assert code == 0, f"CUDA error {code}"
print("visible", os.environ.get("CUDA_VISIBLE_DEVICES"), flush=True)
for epoch in range(1, int(options["--epochs"]) + 1):
    time.sleep(1)
    print(f"epoch={epoch} loss={float(options['--x']) + 1 / epoch:.6f}", flush=True)
PYTHON

# spec NAME JOBS EPOCHS PARALLEL MORE...
spec() {
    cat > "$1.yaml" <<YAML
name: $1
command: $python take.py --x {x} --epochs $3
hyperparameter_ranges: {x: {type: Continuous, min_value: 0, max_value: 1}}
metric_definitions: [{name: loss, regex: 'epoch={step} loss=({num})'}]
objective_metric_name: loss
objective_type: Minimize
strategy: Random
max_jobs: $2
max_parallel_jobs: $4
resources: {gpus: 1}
gpus: ['0']
early_stopping_type: Auto
early_stopping: {rule: threshold, worst_loss: 1000}
$5
YAML
}

before=$(used)
model=$(nvidia-smi -i 0 --query-gpu=name --format=csv,noheader)
doctor=$(hpt doctor)
expect "hpt doctor names the card: $model" grep -qF "$model" <<< "$doctor"

spec one 2 60 2 ""
hpt run one.yaml --plain > one.log 2>&1 & tuner=$!
until grep -qs "epoch=2" .hpt/one/jobs/0001/a1/output.log || ! kill -0 $tuner 2>/dev/null; do sleep 0.2; done
expect "resources: {gpus: 1} finds the card" grep -q "^visible 0$" .hpt/one/jobs/0001/a1/output.log
expect "one job at a time has it" test ! -e .hpt/one/jobs/0002/a1/output.log
expect "its memory is in use" test "$(used)" -ge $((before + 2000))
hpt stop one 1 >> one.log 2>&1
# The launcher of the next is started when the memory of the last one is free.
until [ -e .hpt/one/jobs/0002/a1/output.log ] || ! kill -0 $tuner 2>/dev/null; do :; done
expect "the memory of a job that ended is free before the next takes its own" test "$(used)" -lt $((before + 3000))
hpt stop one >> one.log 2>&1; wait $tuner
expect "and at the end" test "$(used)" -lt $((before + 1000))

spec turns 2 6 1 "pausing: {method: signal}"
hpt run turns.yaml --plain > kept.log 2>&1
expect "a paused job keeps its GPU: none is paused for another" test -z "$(grep ' paused after ' kept.log)"
hpt delete turns --yes > /dev/null 2>&1

spec turns 2 8 1 "pausing: {method: signal, share_gpus: true}"
hpt run turns.yaml --plain > turns.log 2>&1 & tuner=$!
until grep -qs "epoch=1" .hpt/turns/jobs/0002/a1/output.log || ! kill -0 $tuner 2>/dev/null; do sleep 0.2; done
expect "share_gpus: the second begins while the first is paused" grep -q "turns-0001 paused after" turns.log
expect "the memory of the paused one is counted" test "$(used)" -ge $((before + 4000))
wait $tuner; code=$?
expect "both take turns, and come to their end" test $code = 0
expect "all memory is free at the end" test "$(used)" -lt $((before + 1000))
[ $failed = 0 ] || tail -n 30 ./*.log
exit $failed
