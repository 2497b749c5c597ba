"""Analysis of finished work: the importance of hyperparameters, and replays under stop rules."""
