"""One way to reach people, as a value of people.toml; holds no secret and sends nothing."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import Field

from airworthy.policy.flaws import Flaw
from airworthy.policy.kinds import Count, Seconds, Section
from airworthy.policy.model_rule import EnvironmentName, KeyFile

ChannelKind = Literal["email", "slack", "teams", "pagerduty", "webhook", "apprise"]
Mailbox = Annotated[str, Field(pattern=r"^[!#-'*+/-9=?A-Z^-~.-]{1,64}@[A-Za-z0-9.-]{1,253}$")]
CHANNELS_MAX: Final = 50
TIMEOUT_S_MAX: Final = 120.0

_URL, _SECRET, _PREVIOUS = ("url_env", "url_file"), ("secret_env", "secret_file"), (
    "previous_secret_env", "previous_secret_file",
)  # fmt: skip
# What a kind cannot do without, and what it may have besides; anything else would be without effect.
_NEEDS: Final[Mapping[ChannelKind, tuple[tuple[str, str], ...]]] = {
    "email": (_URL,),
    "slack": (_URL,),
    "teams": (_URL,),
    "pagerduty": (_SECRET,),
    "webhook": (_URL, _SECRET),
    "apprise": (_URL,),
}
_MAY: Final[Mapping[ChannelKind, tuple[tuple[str, str], ...]]] = {
    "pagerduty": (_URL,),
    "webhook": (_PREVIOUS,),
}


class ChannelRule(Section):
    """One `[channels.<name>]` table of people.toml: a way to reach a team."""

    kind: ChannelKind = Field(
        description="email, slack, teams, pagerduty, webhook or apprise. "
        "Broken: any other word is an error at load."
    )
    url_env: EnvironmentName = Field(
        default="",
        description="The variable with the address, never the address itself: for most kinds it is a secret. "
        "Broken: an unset variable is a failed attempt that says so.",
    )
    url_file: KeyFile | None = Field(
        default=None,
        description="A file with the address instead, read at each attempt. Broken: as `url_env`.",
    )
    secret_env: EnvironmentName = Field(
        default="",
        description="The variable with the signing secret of a webhook, or the integration key of PagerDuty. "
        "Broken: an unset variable is a failed attempt that says so.",
    )
    secret_file: KeyFile | None = Field(
        default=None,
        description="A file with the secret instead, read at each attempt. Broken: as `secret_env`.",
    )
    previous_secret_env: EnvironmentName = Field(
        default="",
        description="The variable with the secret that is going out of use; webhooks are signed with both. "
        "Broken: while it is unset only the newer one signs.",
    )
    previous_secret_file: KeyFile | None = Field(
        default=None,
        description="A file with that secret instead. Broken: while there is none only the newer one signs.",
    )
    sender: Mailbox | None = Field(
        default=None,
        description="The address that e-mail comes from. Broken: an e-mail channel without it is an error at load.",
    )
    to: Annotated[tuple[Mailbox, ...], Field(strict=False, max_length=50)] = Field(
        default=(),
        description="Addresses that e-mail goes to, in place of the team's members. "
        "Broken: left out, a team none of whose members has an `email` is told nothing here.",
    )
    internal: bool = Field(
        default=False,
        description="Whether its address may be inside your own network or this machine; `apprise` needs true. "
        "Broken: left out, a connection to an internal address is refused.",
    )
    timeout_s: Seconds = Field(
        default=10.0,
        description="How long one attempt may take. Broken: the attempt has failed and is made again later.",
    )
    per_hour: Count = Field(
        default=20,
        description="Messages of one notice each that a team is sent in an hour; critical ones are counted apart. "
        "Broken: further notices are put together into one message.",
    )
    digest_s: Seconds = Field(
        default=600.0,
        description="How long notices are gathered for such a message. Broken: nothing; it is sent then.",
    )
    give_up_s: Seconds = Field(
        default=86_400.0,
        description="How long a message is tried. Broken: it has failed, which is listed and raises an alert.",
    )

    def contradictions(self) -> list[Flaw]:
        needs = _NEEDS[self.kind]
        may = (*needs, *_MAY.get(self.kind, ()))
        flaws = []
        for pair in (_URL, _SECRET, _PREVIOUS):
            given = [key for key in pair if getattr(self, key)]
            if len(given) == 2:
                flaws.append(Flaw((pair[1],), f"stands beside {pair[0]}.", "Keep the one that holds it."))
            elif not given and pair in needs:
                flaws.append(Flaw(("kind",), f"is {self.kind!r} and lacks {' or '.join(pair)}.", "Name it."))
            elif given and pair not in may:
                flaws.append(Flaw((given[0],), f"means nothing to {self.kind!r}.", "Delete it."))
        if self.kind == "email" and self.sender is None:
            flaws.append(Flaw(("kind",), "is 'email' and lacks sender.", 'Add sender = "agent@example.com".'))
        if self.timeout_s > TIMEOUT_S_MAX:
            flaws.append(
                Flaw(("timeout_s",), "is too long: the channel waits.", f"Keep it to {TIMEOUT_S_MAX:g} s.")
            )
        if self.kind == "apprise" and not self.internal:
            flaws.append(
                Flaw(
                    ("kind",),
                    "is 'apprise', which connects by itself: nothing here can keep it from internal addresses.",
                    "Say that this is accepted with internal = true, or use another kind.",
                )
            )
        flaws += [
            Flaw((key,), f"means nothing to {self.kind!r}.", "Delete it.")
            for key in ("sender", "to")
            if self.kind != "email" and getattr(self, key)
        ]
        return flaws
