"""What is checked before anything runs: a spec, and this machine."""
