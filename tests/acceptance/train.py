"""A training program for tests: it does what its options say, a line an epoch."""

import argparse
import os
import signal
import subprocess
import sys
import time

parser = argparse.ArgumentParser()
parser.add_argument("--x", type=float, default=1.0)
parser.add_argument("--epochs", type=int, default=4)
parser.add_argument("--seconds", type=float, default=0.05)
parser.add_argument("--mode", default="plain")
parser.add_argument("--spread", type=float, default=0.0)
options = parser.parse_args()

if options.mode == "deaf":
    signal.signal(signal.SIGTERM, lambda *_: print("not now", flush=True))
if options.mode == "children":
    child = "import time; print('child up', flush=True); time.sleep(300)"
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + child
    for code in (child, deaf):
        for session in (False, True):
            subprocess.Popen([sys.executable, "-c", code], start_new_session=session)
if options.mode == "fail":
    print("Traceback: CUDA out of memory", flush=True)
    sys.exit(3)
if options.mode == "fail once" and os.environ["HPT_ATTEMPT"] == "1":
    print("CUDA out of memory", flush=True)
    sys.exit(3)
if options.mode == "hang":
    print("waiting for the other ranks", flush=True)
    time.sleep(1000)
if options.mode == "hides its error":
    print("epoch=1 loss=0.5\nRuntimeError: CUDA out of memory", flush=True)
    sys.exit(0)
if options.mode == "silent":
    print("epoch 1 training Loss 0.5 (not in the form that was promised)")
    sys.exit(0)
print("pid", os.getpid(), "attempt", os.environ.get("HPT_ATTEMPT"), flush=True)
for epoch in range(1, options.epochs + 1):
    time.sleep(options.seconds)
    value = options.x * (1 + options.spread) + 1 / epoch
    print(f"epoch={epoch} loss={value:.6f}", flush=options.mode != "buffered")
if options.mode == "quiet end":
    sys.stdout.write("loss=0.125")
if options.mode == "sagemaker":
    for name in ("SM_MODEL_DIR", "SM_OUTPUT_DATA_DIR"):
        with open(os.path.join(os.environ[name], "kept.txt"), "w") as file:
            file.write(os.environ["SM_HP_X"])
    print({k: v for k, v in os.environ.items() if k.startswith("SM_")})
