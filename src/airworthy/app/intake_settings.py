"""`[intake]` of recorder.toml."""

from typing import Annotated

from pydantic import Field

from airworthy.policy.kinds import Bytes, Section
from airworthy.recorder.otel import Bounds
from airworthy.recorder.traces.intake import IntakeBounds

_DEFAULT = Bounds()
_ROOM = IntakeBounds()
_SENT_BYTES_MAX = 32 * 1024 * 1024
Spans = Annotated[int, Field(ge=1, le=1_000_000)]


class IntakeRule(Section):
    """What is taken of other programs' traces."""

    enabled: bool = Field(default=True, description="Whether /v1/traces and /v1/logs are there at all.")
    sent_max: Bytes = Field(
        default=_SENT_BYTES_MAX,
        description="The largest request as it is sent, packed or not. Broken: a larger one is answered 413.",
    )
    request_max: Bytes = Field(
        default=_DEFAULT.request_bytes_max,
        description="The largest request, unpacked. Broken: a larger one is answered 413, and nothing of it is kept.",
    )
    span_max: Bytes = Field(
        default=_DEFAULT.span_bytes_max,
        description="What is kept of one span. Broken: its long texts are cut, with a note of how much.",
    )
    value_max: Bytes = Field(
        default=_DEFAULT.value_chars_max,
        description="What is kept of one attribute, in characters. Broken: the rest is cut, with a note of how much.",
    )
    waiting_spans_max: Spans = Field(
        default=_ROOM.spans_max,
        description="Spans that may wait to be stored. Broken: senders are told to come back, with 429.",
    )
    waiting_max: Bytes = Field(
        default=_ROOM.bytes_max,
        description="Requests under way at once, in bytes. Broken: senders are told to come back, with 429.",
    )

    def bounds(self) -> Bounds:
        return Bounds(
            request_bytes_max=self.request_max, span_bytes_max=self.span_max, value_chars_max=self.value_max
        )

    def room(self) -> IntakeBounds:
        return IntakeBounds(self.waiting_spans_max, self.waiting_max)
