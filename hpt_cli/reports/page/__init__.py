"""The HTML page of `hpt report`."""
