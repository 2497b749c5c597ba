"""A small language of conditions, as in --where."""
