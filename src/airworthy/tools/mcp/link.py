"""The port to a server: messages out, messages in, and how it says that an answer will not come."""

from typing import Protocol

from airworthy.core.errors import AirworthyError
from airworthy.tools.errors import Happened
from airworthy.tools.mcp.wire import Message


class Unanswered(AirworthyError):
    """No answer came. `happened`: whether the server may have done what it was asked.

    `expired`: the server has forgotten this session; a new one may be begun with it.
    """

    code = "mcp_unanswered"

    def __init__(
        self, message: str, happened: Happened, *, retry_after_s: float | None = None, expired: bool = False,
        denied: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(message)
        self.happened: Happened = happened
        self.retry_after_s = retry_after_s
        self.expired = expired
        self.denied = denied


class Ears(Protocol):
    """Who listens to a link."""

    async def heard(self, message: Message) -> None:
        """A message came. While this is not done the link reads no further, so a flood waits outside."""
        ...

    def failed(self, out: int, error: Unanswered) -> None:
        """The request with this id of ours gets no answer."""
        ...

    def down(self, error: Unanswered) -> None:
        """The link has ended, and with it every request that is under way."""
        ...


class Link(Protocol):
    """One connection to one server. Made by a `Dial`; its listener hears everything that comes."""

    @property
    def is_down(self) -> bool: ...

    async def send(self, message: Message, headers: dict[str, str]) -> None:
        """`headers`: what the message says again, for servers behind HTTP. Raises: Unanswered, nothing done."""
        ...

    async def cancel(self, out: int, *, listen: bool = False) -> None:
        """Nobody wants this request any more; the server is told. `listen`: what comes of it is to be known all the
        same. Never raises Unanswered.
        """
        ...

    async def close(self) -> None: ...


class Dial(Protocol):
    async def __call__(self, ears: Ears) -> Link:
        """A new connection. Raises: Unanswered."""
        ...
