"""What travels between callers and providers, read and written per protocol; does no I/O."""
