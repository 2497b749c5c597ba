"""Property tests: the same examples every time, and no limit on a slow machine's time for one.

A shell lets what it starts in the background ignore Ctrl-C, and that is inherited: not by our hpt.
"""

import signal

from hypothesis import settings

signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("hpt", deadline=None, derandomize=True)
settings.load_profile("hpt")
