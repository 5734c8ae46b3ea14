"""What a protocol, and the provider it belongs to, must be able to do; knows none of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from airworthy.gateway.simulator.answer import Answer
from airworthy.gateway.simulator.conversation import BadRequest, Json
from airworthy.gateway.simulator.limits import Level, Shortage
from airworthy.gateway.simulator.spoken import Spoken


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: as it came, and as the chat request that says the same.

    `drawn_from` is what wording and ids depend on. It leaves out how the answer is to be delivered, so that a stream
    says what the plain answer says, and what only one of the protocols must state.
    """

    request: dict[str, Json]
    chat: dict[str, Json]
    drawn_from: dict[str, Json]
    stream: bool = False
    wants_usage: bool = True


@dataclass(frozen=True, slots=True)
class Stream:
    """The events of an answer: before the first word, the words, and the end, of which the last event is the sign."""

    opening: tuple[bytes, ...]
    content: tuple[bytes, ...]
    ending: tuple[bytes, ...]


class House(Protocol):
    """A provider: how it words errors and headers in all its protocols."""

    def refused(self, problem: BadRequest) -> Answer: ...

    def wrong_key(self) -> Answer: ...

    def no_such_path(self, method: str, path: str) -> Answer: ...

    def failed(self) -> Answer: ...

    def overloaded(self) -> Answer: ...

    def rate_limited(self, model: str, wait_s: float) -> Answer:
        """The fault: no limit stands behind it."""
        ...

    def too_fast(self, model: str, shortage: Shortage) -> Answer: ...

    def call_headers(self, number: int, mark: bytes, prompt_tokens: int) -> dict[str, str]: ...

    def limit_headers(self, levels: tuple[Level, ...]) -> dict[str, str]: ...

    def model_list(self, models: tuple[str, ...]) -> Answer: ...

    def model_entry(self, model: str) -> Answer: ...


class Dialect(Protocol):
    """A protocol. `read` raises BadRequest."""

    @property
    def house(self) -> House: ...

    def read(self, request: dict[str, Json], headers: Mapping[str, str]) -> Asked: ...

    def plain(self, spoken: Spoken, asked: Asked) -> dict[str, Json]: ...

    def stream(self, spoken: Spoken, asked: Asked) -> Stream: ...

    def error_event(self, number: int) -> bytes:
        """A failure told inside a stream that began well, as its event `number` (from 0)."""
        ...

    def broken_event(self) -> bytes:
        """An event whose data is not JSON."""
        ...

    def remember(self, spoken: Spoken, asked: Asked) -> None:
        """Told of each answer, for a protocol whose requests may refer to one."""
        ...
