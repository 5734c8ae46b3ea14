"""What a call does to the world."""

from enum import StrEnum


class Effect(StrEnum):
    READ = "read"
    WRITE = "write"
    SEND = "send"
    DELETE = "delete"

    @property
    def acts(self) -> bool:
        """True when repeating the call could do harm."""
        return self is not Effect.READ
