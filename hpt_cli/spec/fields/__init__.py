"""Which fields a spec has, and how the command line sets them."""
