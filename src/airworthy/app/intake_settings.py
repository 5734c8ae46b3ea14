"""`[intake]` of recorder.toml."""

from pydantic import Field

from airworthy.policy.kinds import Bytes, Section
from airworthy.recorder.otel import Bounds

_DEFAULT = Bounds()


class IntakeRule(Section):
    """What is taken of other programs' traces."""

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
