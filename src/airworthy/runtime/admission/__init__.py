"""Admission: which tasks begin when. Bounds and turns are stored facts, decided in the transaction that claims."""

from airworthy.runtime.admission.drain import QueueFull

__all__ = ["QueueFull"]
