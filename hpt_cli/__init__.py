"""hpt: automatic model tuning with early stopping, in one terminal, for any training command."""

__version__ = "0.1.0"
