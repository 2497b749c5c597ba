"""A training program for tests: it does what its options say, a line an epoch.

Every test starts some of it, so that it imports next to nothing.
"""

import os
import sys
import time

given = dict(zip(sys.argv[1::2], sys.argv[2::2], strict=True))
x = float(given.pop("--x", "1"))
epochs = int(given.pop("--epochs", "4"))
seconds = float(given.pop("--seconds", "0.05"))
mode = given.pop("--mode", "plain")
spread = float(given.pop("--spread", "0"))
assert not given, given

if mode == "deaf":
    import signal

    signal.signal(signal.SIGTERM, lambda *_: print("not now", flush=True))
if mode.startswith("answers"):
    import signal

    signal.signal(signal.SIGTERM, lambda *_: os._exit(int(mode.split()[1])))
if mode == "children":
    import subprocess

    child = "import time; print('child up', flush=True); time.sleep(300)"
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + child
    for code in (child, deaf):
        for session in (False, True):
            subprocess.Popen([sys.executable, "-c", code], start_new_session=session)
if mode == "fail":
    print("Traceback: CUDA out of memory", flush=True)
    sys.exit(3)
if mode == "fail once" and os.environ["HPT_ATTEMPT"] == "1":
    print("CUDA out of memory", flush=True)
    sys.exit(3)
if mode == "hang":
    print("waiting for the other ranks", flush=True)
    time.sleep(1000)
if mode == "hides its error":
    print("epoch=1 loss=0.5\nRuntimeError: CUDA out of memory", flush=True)
    sys.exit(0)
if mode == "silent":
    print("epoch 1 training Loss 0.5 (not in the form that was promised)")
    sys.exit(0)
print("pid", os.getpid(), "attempt", os.environ.get("HPT_ATTEMPT"), flush=True)
for epoch in range(1, epochs + 1):
    time.sleep(seconds)
    value = x * (1 + spread) + 1 / epoch
    print(f"epoch={epoch} loss={value:.6f}", flush=mode != "buffered")
if mode == "quiet end":
    sys.stdout.write("loss=0.125")
if mode == "sagemaker":
    for name in ("SM_MODEL_DIR", "SM_OUTPUT_DATA_DIR"):
        with open(os.path.join(os.environ[name], "kept.txt"), "w") as file:
            file.write(os.environ["SM_HP_X"])
    print({k: v for k, v in os.environ.items() if k.startswith("SM_")})
