"""`[export]` of recorder.toml."""

from typing import Annotated, Final, Literal

from pydantic import Field

from airworthy.policy.flaws import Flaw
from airworthy.policy.kinds import Seconds, Section, Words
from airworthy.policy.model_rule import EnvironmentName
from airworthy.recorder.otel.emit import Content
from airworthy.recorder.otel.encode import Protocol

TRACES_PATH: Final = "/v1/traces"
Endpoint = Annotated[str, Field(pattern=r"^https?://[!-~]{1,1000}$")]


class ExportRule(Section):
    """Where our own runs are sent to as spans."""

    endpoint: Endpoint = Field(
        description=f"The collector's base address; {TRACES_PATH} is added to it where it does not end so. "
        "Broken: an alert, and what waits is sent once it answers."
    )
    protocol: Protocol = Field(
        default="http/json",
        description="http/json, or http/protobuf with the extra `otlp`. Broken: any other word is an error at load.",
    )
    headers_env: EnvironmentName = Field(
        default="",
        description="The variable with headers to send, as name=value,name=value; keys are never in this file. "
        "Broken: an unset variable is a failed attempt that says so.",
    )
    content: Content = Field(
        default="facts",
        description="full: with what people, models and tools said; facts: without. "
        "Broken: any other word is an error at load.",
    )
    agents: Words = Field(
        default=(), description="Only the runs of these agents. Broken: left out, the runs of all are sent."
    )
    internal: bool = Field(
        default=False,
        description="Whether the collector may be inside your own network or on this machine. "
        "Broken: left out, a connection to an internal address is refused.",
    )
    timeout_s: Seconds = Field(
        default=10.0,
        description="How long one request may take. Broken: the attempt has failed and is made again later.",
    )
    compression: Literal["gzip", "none"] = Field(
        default="gzip",
        description="How requests are packed. Broken: any other word is an error at load.",
    )

    @property
    def url(self) -> str:
        base = self.endpoint.rstrip("/")
        return base if base.endswith(TRACES_PATH) else base + TRACES_PATH

    def contradictions(self) -> list[Flaw]:
        if self.endpoint.startswith("http://") and not self.internal:
            return [
                Flaw(
                    ("endpoint",),
                    "begins with http://, which shows what is sent to the whole way there.",
                    "Write https://, or set internal = true for a collector inside your own network.",
                )
            ]
        return []
