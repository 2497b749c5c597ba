"""What the terminal shows while a tuning job runs."""
