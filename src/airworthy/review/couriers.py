"""What carries a message over a channel, and what an attempt can come to. Never raises for what the outside does."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from airworthy.core.errors import AirworthyError
from airworthy.core.redact import KNOWN_CHARS_MIN, Redactor
from airworthy.review.message import Message
from airworthy.review.plain_text import line

ERROR_CHARS_MAX = 300
PART_CHARS_MIN = 4


@dataclass(frozen=True, slots=True)
class Sent:
    """The receiver has taken it."""


@dataclass(frozen=True, slots=True)
class Later:
    """It may go another time. `wait_s`: what the receiver asks for. `all_alike`: the channel's other messages would
    fail too, so they are not tried in this round."""

    error: str
    wait_s: float | None = None
    all_alike: bool = True


@dataclass(frozen=True, slots=True)
class Refused:
    """This message will never be taken as it is. `gone`: nor will any other, says the receiver."""

    error: str
    gone: bool = False


Result = Sent | Later | Refused


class ChannelUnset(AirworthyError):
    """The address or secret of a channel is not where people.toml says, or is none."""

    code = "channel_unset"


@dataclass(frozen=True, slots=True)
class Secrets:
    """A channel's address and secrets as they are at this moment; they are shown nowhere, `repr` included."""

    address: str
    secret: str = ""
    previous: str = ""

    def __repr__(self) -> str:
        return "Secrets(...)"

    def scrubbed(self, text: str) -> str:
        """One bounded line of a text of the outside, without any part of the secrets."""
        # Longest first, and before the text is cut: half a secret is one too.
        text = text[:10_000]
        for part in sorted(self._parts(), key=len, reverse=True):
            text = text.replace(part, "[redacted]")
        return line(
            Redactor([p for p in self._parts() if len(p) >= KNOWN_CHARS_MIN]).redact_text(text),
            ERROR_CHARS_MAX,
        )

    def _parts(self) -> set[str]:
        from urllib.parse import unquote, urlsplit

        parts = {self.address, self.secret, self.previous, self.secret.removeprefix("whsec_")}
        try:
            split = urlsplit(self.address)
        except ValueError:
            split = urlsplit("")
        parts |= {split.path, split.query, split.username or "", split.password or "", split.fragment}
        parts |= set(split.path.split("/"))
        parts |= {pair.partition("=")[2] for pair in split.query.split("&")}
        parts |= {unquote(part) for part in parts}
        return {part for part in parts if len(part) >= PART_CHARS_MIN}


ReadSecrets = Callable[[], Secrets]


class Courier(Protocol):
    """Of one channel. `carry` is bounded in time by its caller, and bears being cancelled."""

    async def carry(self, message: Message, now_us: int) -> Result: ...

    async def close(self) -> None: ...
