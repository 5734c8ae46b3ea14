"""Which characters may reach a reader's eyes; every text of a policy or of an error passes here."""

from airworthy.core.chars import hides, printable

__all__ = ["hides", "printable"]
