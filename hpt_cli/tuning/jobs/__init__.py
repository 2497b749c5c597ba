"""A training job: its state, and how events change it."""
