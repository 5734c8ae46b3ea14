"""The guard's operations on replies and requests, for each protocol whose replies hold tool calls. Pure."""

import re
from collections.abc import Sequence
from typing import Any, Final, Protocol

import orjson

from airworthy.gateway.guard.chat import ChatForm
from airworthy.gateway.guard.judge import Withheld
from airworthy.gateway.guard.messages import MessagesForm
from airworthy.gateway.guard.parts import Dropped, Memory, Proposal, dropped_of, fit, text
from airworthy.gateway.guard.responses import ResponsesForm
from airworthy.gateway.wire.facts import ProposedCall

IDS_MAX: Final = 512  # The newest calls of a history; what was dropped beside older ones stays out.


class Form(Protocol):
    """What each protocol knows. Bodies are valid: a wire reader has read them."""

    @property
    def mark(self) -> bytes:
        """A stream's piece without it begins no call."""
        ...

    @property
    def begins(self) -> re.Pattern[bytes]:
        """Found in the first event of a call, and in no text a model writes: quotes in texts are escaped."""
        ...

    @property
    def says(self) -> re.Pattern[bytes]:
        """Found in an event whose content the caller should not wait for."""
        ...

    def proposals(self, raw: bytes) -> list[Proposal]: ...

    def without(self, raw: bytes, withheld: Sequence[Withheld]) -> bytes: ...

    def assembled(self, stream: bytes) -> bytes: ...

    def stream_without(self, held: bytes, withheld: Sequence[Withheld]) -> bytes: ...

    def retold(
        self, raw: bytes, body: dict[str, Any], reply: bytes, withheld: Sequence[Withheld]
    ) -> bytes: ...

    def sibling_ids(self, body: dict[str, Any]) -> list[str]: ...

    def reinserted(self, raw: bytes, body: dict[str, Any], memory: Memory) -> bytes: ...


FORMS: Final[dict[str, Form]] = {
    "chat": ChatForm(), "responses": ResponsesForm(), "messages": MessagesForm(),
}  # fmt: skip
GUARDED: Final = frozenset(FORMS)


def proposed(dialect: str, raw_reply: bytes) -> tuple[ProposedCall, ...]:
    """All calls of a whole reply, of every choice; `position` counts them."""
    return tuple(
        ProposedCall(each.id or f"call_{position}", each.name, each.arguments)
        for position, each in enumerate(FORMS[dialect].proposals(raw_reply))
    )


def without(dialect: str, raw_reply: bytes, withheld: Sequence[Withheld]) -> bytes:
    """The reply with the other calls alone. When none is left, it ends as a message that names what was withheld."""
    return FORMS[dialect].without(raw_reply, withheld) if withheld else raw_reply


def assembled(dialect: str, stream: bytes) -> bytes:
    """The events of a stream as the whole reply that they are."""
    return FORMS[dialect].assembled(stream)


def stream_without(dialect: str, held_events: bytes, withheld: Sequence[Withheld]) -> bytes:
    """`without`, for the part of a stream from its first call on; what came before it was handed on already."""
    return FORMS[dialect].stream_without(held_events, withheld) if withheld else held_events


def retold(
    dialect: str, raw_request: bytes, body: dict[str, Any], raw_reply: bytes, withheld: Sequence[Withheld]
) -> bytes:
    """The request that asks the model again: with its turn, all of whose calls were withheld, and the refusals.

    `body` is the request, parsed. A choice of tools that forces one is set free, or the model could only call again.
    """
    return FORMS[dialect].retold(raw_request, body, raw_reply, withheld)


def dropped(dialect: str, raw_reply: bytes, withheld: Sequence[Withheld]) -> list[Dropped]:
    """What must be remembered of the calls that are taken out of a reply.

    Beside calls that are made. Where none is made, the caller's history is a plain message and true; only a provider
    that keeps the history itself still has the calls, and will want their results with its reply's id.
    """
    proposals = FORMS[dialect].proposals(raw_reply)
    if len(withheld) < len(proposals):
        return dropped_of(dialect, proposals, withheld)
    identity = text(orjson.loads(raw_reply).get("id")) if dialect == "responses" else ""
    if not fit(identity):
        return []
    gone = [(proposals[each.position], each.reason) for each in withheld]
    return [Dropped(dialect, identity, "", 1, call.id, call.json, why) for call, why in gone if fit(call.id)]


def sibling_ids(dialect: str, body: dict[str, Any]) -> tuple[str, ...]:
    """The ids beside which something may have been dropped; for requests that offer tools."""
    return tuple(dict.fromkeys(FORMS[dialect].sibling_ids(body)[-IDS_MAX:]))


def reinserted(dialect: str, raw_request: bytes, body: dict[str, Any], memory: Memory) -> bytes:
    """The request with the calls that were dropped from its history and the refusals as their results."""
    return FORMS[dialect].reinserted(raw_request, body, memory) if memory else raw_request
