"""The pure core: values in, values out; no clock, no files, no processes, no terminal."""
