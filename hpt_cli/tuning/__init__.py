"""The state machine of a tuning job: events, the state they fold to, what to do next."""
