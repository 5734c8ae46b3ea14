"""One way to reach people, as a value of people.toml; holds no secret and sends nothing."""

from typing import Annotated, Literal

from pydantic import Field

from airworthy.policy.kinds import Section
from airworthy.policy.model_rule import EnvironmentName, KeyFile

ChannelKind = Literal["email", "slack", "teams", "pagerduty", "webhook"]


class ChannelRule(Section):
    """One `[channels.<name>]` table."""

    kind: ChannelKind = Field(description="email, slack, teams, pagerduty or webhook.")
    url_env: EnvironmentName = Field(
        default="", description="The variable with the address, which holds a secret for most kinds."
    )
    url_file: KeyFile | None = Field(default=None, description="A file with it instead.")
    secret_env: EnvironmentName = Field(
        default="", description="The variable with the signing secret of a webhook."
    )
    internal: Annotated[bool, Field()] = Field(
        default=False, description="Whether it may be inside your own network or this machine."
    )
