"""What preflight.toml may say of the failure matrix."""

from typing import Annotated

from pydantic import Field

from airworthy.policy.kinds import Section


class FailureSettings(Section):
    """`[failures]`."""

    every_case: bool = Field(
        default=False,
        description="Try each call of each golden case, also where another case has the same call in the same place.",
    )
    known: Annotated[tuple[Annotated[str, Field(max_length=2_000)], ...], Field(max_length=200)] = Field(
        default=(),
        description="Texts with facts that the agent may always state, such as a fixed telephone number.",
    )
