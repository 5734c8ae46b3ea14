"""The port to whatever shows a dependency who we are: an `httpx.Auth`, that may say whether it has what it shows."""

from typing import Protocol, runtime_checkable


@runtime_checkable
class Obtainable(Protocol):
    """An `httpx.Auth` that can be asked, before a task begins, to have its credential at hand."""

    async def obtain(self) -> object:
        """Gets it, or renews it, if need be. Raises: what a call would: Transient, Permanent."""
        ...
