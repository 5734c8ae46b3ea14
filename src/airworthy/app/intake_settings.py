"""`[intake]` of recorder.toml."""

from pydantic import Field

from airworthy.policy.kinds import Bytes, Count, Section
from airworthy.recorder.otel import Bounds

_DEFAULT = Bounds()
MIB = 1024 * 1024


class IntakeRule(Section):
    """What is taken of other programs' traces."""

    enabled: bool = Field(
        default=True,
        description="Whether /v1/traces and /v1/logs are there at all. Broken: false, they are answered 404.",
    )
    body_max: Bytes = Field(
        default=32 * MIB, description="The largest request as it is sent; a larger one is answered 413."
    )
    spans_max: Count = Field(
        default=20_000,
        description="Spans that may wait to be stored; beyond it senders are told to come back (429).",
    )
    bytes_max: Bytes = Field(default=64 * MIB, description="Bytes of requests that may be under way at once.")
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

    def bounds(self) -> Bounds:
        return Bounds(
            request_bytes_max=self.request_max, span_bytes_max=self.span_max, value_chars_max=self.value_max
        )
