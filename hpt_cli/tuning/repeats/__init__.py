"""Configurations that are trained several times, with other seeds."""
