"""What preflight.toml may say of the failure matrix."""

from pydantic import Field

from airworthy.policy.kinds import Section


class FailureSettings(Section):
    """`[failures]`."""

    every_case: bool = Field(
        default=False,
        description="Try each call of each golden case, also where another case has the same call in the same place.",
    )
