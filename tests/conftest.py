"""Property tests: the same examples every time, and no limit on a slow machine's time for one."""

from hypothesis import settings

settings.register_profile("hpt", deadline=None, derandomize=True)
settings.load_profile("hpt")
