"""Puts notifications together: people.toml, the secrets of its channels, couriers, and the chores that send."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from airworthy.app.config import secret
from airworthy.app.people import PEOPLE_FILE, load_people
from airworthy.app.providers import KeyFile
from airworthy.core.errors import ConfigError
from airworthy.review.channel_rule import ChannelRule
from airworthy.review.couriers import ChannelUnset, Courier, Refused, Secrets, Sent
from airworthy.review.message import Message, MessageKind, of_test
from airworthy.review.people import People
from airworthy.review.post_office import PostOffice, Sorting, carried
from airworthy.runtime.chores import Chore

if TYPE_CHECKING:
    from airworthy.app.build import App
    from airworthy.runtime import Agent

EVERY_S: Final = 2.0


def notify_chores(app: "App", agents: "Sequence[Agent]") -> list[Chore]:
    """One that sorts, and one for each channel, so that none waits for another. Without a channel, none."""
    folder, people = app.folder or Path(), app.reviews.people
    if not people.channels:
        return []
    sorting = Sorting(app.database, people, lambda agent: teams_of(people, agents, agent))
    chores = [Chore("notices", EVERY_S, sorting.round)]
    for name, rule in people.channels.items():
        office = PostOffice(
            name, rule, courier_of(folder, name, rule), app.database, app.clock, ids=app.ids,
            redact=app.payloads.redactor.redact_text,
        )  # fmt: skip
        chores.append(Chore(f"channel:{name}", EVERY_S, office.round))
    return chores


def teams_of(people: People, agents: "Sequence[Agent]", name: str) -> Sequence[str]:
    """Who is told of an alert: the agent's team; of what concerns no single agent the team of `alerts`, or all."""
    found = [_team(people, agent) for agent in agents if agent.name == name]
    if not found:
        found = [people.alerts] if people.alerts else [_team(people, agent) for agent in agents]
    return tuple(dict.fromkeys(team for team in found if team))


def courier_of(folder: Path, name: str, rule: ChannelRule) -> Courier:
    """Late imports: a worker without a channel of that kind pays nothing for it."""
    read = partial(secrets_of, folder, name, rule)
    if rule.kind == "email":
        from airworthy.review.courier_mail import MailCourier

        return MailCourier(rule, read)
    if rule.kind == "apprise":
        from airworthy.review.courier_apprise import AppriseCourier

        return AppriseCourier(rule, read)
    from airworthy.review.courier_http import HttpCourier

    return HttpCourier(rule, read)


def channel_of(folder: Path, name: str) -> tuple[ChannelRule, Courier]:
    """Raises: ConfigError where there is no such channel."""
    channels = load_people(folder).channels
    if name not in channels:
        known = (
            f"Known channels: {', '.join(channels)}."
            if channels
            else f"Add [channels.{name}] to {PEOPLE_FILE}."
        )
        raise ConfigError(f"{folder / PEOPLE_FILE} has no channel {name!r}.", mend=known)
    return channels[name], courier_of(folder, name, channels[name])


def secrets_of(folder: Path, name: str, rule: ChannelRule) -> Secrets:
    """As they are at this moment. Raises: ChannelUnset."""
    needs_address, needs_secret = rule.kind != "pagerduty", rule.kind in {"webhook", "pagerduty"}
    address = _read(folder, rule.url_env, rule.url_file)
    key = _read(folder, rule.secret_env, rule.secret_file)
    for needed, found, what, variable, file in (
        (needs_address, address, "address", rule.url_env, rule.url_file),
        (needs_secret, key, "secret", rule.secret_env, rule.secret_file),
    ):
        if needed and not found:
            where = f"the variable {variable}" if variable else f"the file {file}"
            raise ChannelUnset(
                f"The {what} of the channel {name} is missing: {where} is unset, empty or cannot be read.",
                mend="Set it where the worker runs.",
            )
    return Secrets(address, key, _read(folder, rule.previous_secret_env, rule.previous_secret_file))


def _read(folder: Path, variable: str, file: str | None) -> str:
    if file is None:
        return secret(variable).strip()
    try:
        return KeyFile(folder / file, ConfigError)()
    except ConfigError:
        return ""


def _team(people: People, agent: "Agent") -> str:
    """Where the agent's questions go by default; else its owner, where that is a team."""
    policy = agent.policy
    owner = policy.owner.name or ""
    return policy.escalation.default or (owner if owner in people.teams else "") or people.alerts or ""


async def tested(folder: Path, name: str, to: str) -> tuple[str, str]:
    """Sends a test message at once: `sent`, `later` or `refused`, and why. Raises: ConfigError."""
    from airworthy.core.clock import SystemClock
    from airworthy.core.ids import Ids

    rule, courier = channel_of(folder, name)
    recipient = to or (rule.to[0] if rule.to else "")
    if rule.kind == "email" and not recipient:
        raise ConfigError(f"The channel {name} has no `to`.", mend="Say who gets the test: --to ADDRESS.")
    now_us = SystemClock().now_us()
    kinds: tuple[MessageKind, ...] = ("test", "over") if rule.kind == "pagerduty" else ("test",)
    try:
        for kind in kinds:
            id_ = Ids().new("msg", now_us)
            message = Message(id_, name, recipient, "", kind, 1, now_us, of_test(name, now_us))
            result = await carried(courier, rule, message, now_us)
            if not isinstance(result, Sent):
                return ("refused" if isinstance(result, Refused) else "later"), result.error
    finally:
        await courier.close()
    return "sent", ""
