"""The console end to end: the real command, a real browser."""
