"""A first spec for a program that nobody has described: its options, ranges, metric."""
