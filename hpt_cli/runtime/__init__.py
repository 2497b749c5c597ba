"""The tuner at work: the only room that uses asyncio."""
