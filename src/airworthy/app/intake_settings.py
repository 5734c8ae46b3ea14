"""`[intake]` of recorder.toml."""

from typing import Annotated

from pydantic import Field

from airworthy.policy.kinds import Section

MIB = 1024 * 1024
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Bytes = Annotated[int, Field(ge=64 * 1024, le=1024 * MIB)]


class IntakeRule(Section):
    """What is taken of other programs' traces."""

    enabled: bool = Field(default=True, description="Whether /v1/traces and /v1/logs are there at all.")
    body_bytes_max: Bytes = Field(default=32 * MIB, description="One request, as it is sent.")
    spans_max: Count = Field(
        default=20_000,
        description="Spans that may wait to be stored; beyond it senders are told to come back (429).",
    )
    bytes_max: Bytes = Field(default=64 * MIB, description="Bytes of requests that may be under way at once.")
