"""The command line: each command parses options, opens, calls, renders and exits."""
