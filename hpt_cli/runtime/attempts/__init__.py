"""The attempts under way: launched, followed in their logs, and cleaned up after."""
