"""A system that tools talk to: where it is, how sure it must be, what takes its place; knows no tool's code."""

from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import Field

from airworthy.policy.credential_rule import CredentialRule
from airworthy.policy.flaws import Flaw
from airworthy.policy.kinds import Count, RateText, Seconds, Section, Sentence
from airworthy.policy.model_rule import BaseUrl
from airworthy.policy.tool_rule import BreakerRule, Instead

Path = Annotated[str, Field(pattern=r"^/[A-Za-z0-9._~/%?&=:@,+-]{0,500}$")]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
TimeOfDay = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
ZoneName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_+/-]{0,63}$")]


def is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # A folder of the zone files is an OSError.
        return False
    return True


class HealthRule(Section):
    """How to ask a dependency whether it is well."""

    path: Path = Field(
        default="/",
        description="What is fetched, below base_url. Broken: any answer but `status` counts as unhealthy.",
    )
    status: Annotated[int, Field(ge=100, le=599)] = Field(
        default=200,
        description="The status of a healthy answer. Broken: any other is unhealthy.",
    )
    every_s: Seconds = Field(
        default=60.0,
        description="How often it is asked while a monitor runs. Broken: nothing; the next check comes as soon.",
    )
    timeout_s: Seconds = Field(
        default=5.0,
        description="How long one check may take. Broken: the check ends, and the dependency is unhealthy.",
    )


class OutageRule(Section):
    """A window in which the dependency is known to be away."""

    days: Annotated[tuple[Day, ...], Field(strict=False, min_length=1, max_length=7)] = Field(
        default=DAYS,
        description="Weekdays on which the window begins. Broken: an unknown day is an error at load.",
    )
    begin: TimeOfDay = Field(
        description="When it begins, as 02:00. Broken: a time that is none is an error at load.",
    )
    end: TimeOfDay = Field(
        description="When it ends; before `begin`: the next day. Broken: as `begin`.",
    )
    zone: ZoneName = Field(
        default="UTC",
        description="The time zone of both, as Europe/Berlin. Broken: an unknown one is an error at load.",
    )
    note: Sentence | None = Field(
        default=None,
        description="What it is, for people. Broken: shown with the gap, changes nothing.",
    )

    def contradictions(self) -> list[Flaw]:
        flaws = []
        if self.begin == self.end:
            flaws.append(
                Flaw(("end",), "is `begin` too, so the window has no length.", "Write when it ends.")
            )
        if not is_zone(self.zone):
            says = f"names no time zone known here: {self.zone!r}."
            flaws.append(Flaw(("zone",), says, 'Write a name as "Europe/Berlin", or "UTC".'))
        return flaws


class DependencyRule(Section):
    """One `[dependencies.<name>]` table: a system that tools name with `dependency=`."""

    base_url: BaseUrl | None = Field(
        default=None,
        description="Its address; the client that tools are handed begins there. "
        "Broken: a tool that takes a client of a dependency without an address does not start.",
    )
    critical: bool = Field(
        default=True,
        description="Whether a task is pointless without it; a tool may say otherwise for itself. "
        "Broken: the task waits and tries again; of one that is not, the fallback takes the place.",
    )
    timeout_s: Seconds = Field(
        default=10.0,
        description="How long the client waits for one answer. Broken: the attempt fails as timed out.",
    )
    concurrency: Count | None = Field(
        default=None,
        description="Calls in flight at once in one process, over all its tools. Broken: further ones wait.",
    )
    rate: RateText | None = Field(
        default=None,
        description="Calls per s, min, h or day, over all its tools and workers. Broken: further ones wait.",
    )
    breaker: BreakerRule = Field(
        default=BreakerRule(),
        description="When it is left alone; one for all its tools and workers. "
        "Broken: calls fail at once while it is open.",
    )
    fallback: Instead = Field(
        default="error",
        description="What takes the place of a failed read: `last_good` (the last result, with its age), `nothing` "
        "(null), or `error` (the agent is told). Broken: without a last good result the agent is told.",
    )
    last_good_age_s_max: Seconds = Field(
        default=86_400.0,
        description="How old a last good result may be. Broken: an older one is not used.",
    )
    internal: bool = Field(
        default=False,
        description="Whether its address may be inside your own network or this machine. "
        "Broken: left out, a connection to an internal address is refused.",
    )
    health: HealthRule | None = Field(
        default=None,
        description="How to ask whether it is well; its keys stand in `[dependencies.<name>.health]`. "
        "Broken: without it only the calls themselves tell.",
    )
    credentials: CredentialRule | None = Field(
        default=None,
        description="How it knows us; its keys stand in `[dependencies.<name>.credentials]`. "
        "Broken: without it the client sends none.",
    )
    outages: Annotated[tuple[OutageRule, ...], Field(strict=False, max_length=50)] = Field(
        default=(),
        description="Windows in which it is known to be away, each a `[[dependencies.<name>.outages]]`. "
        "Broken: inside one, the fallback applies at once and no attempt is made.",
    )

    def contradictions(self) -> list[Flaw]:
        if self.critical and self.fallback != "error":
            return [
                Flaw(
                    ("fallback",),
                    "has no meaning for a critical dependency: its tasks wait.",
                    "Delete it, or set critical = false, here or with the fallback at one tool.",
                )
            ]
        return []
