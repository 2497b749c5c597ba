"""Text of a log -> observations: patterns, presets, the reader, and help to write definitions."""
