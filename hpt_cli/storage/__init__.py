"""Everything on disk: directories, locks, requests, the journal and its repair."""
