"""Looks outside: are addresses reached, dependencies well, credentials to be had? Makes no call that costs."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from airworthy.app.config import proxy_for
from airworthy.app.credential_state import CredentialState, credential_state, obtained
from airworthy.app.doctor.finding import Check, Finding, broken, caution, ok, skipped
from airworthy.app.health import Declared, declared, looked
from airworthy.core.clock import US_PER_S
from airworthy.core.errors import AirworthyError
from airworthy.gateway import place_of
from airworthy.policy import ModelRule, Policy
from airworthy.resilience import Egress
from airworthy.resilience.egress import checked_addresses_async
from airworthy.tools.health import Unhealthy
from airworthy.tools.outages import in_outage

if TYPE_CHECKING:
    from airworthy.app.build import App
    from airworthy.runtime import Agent

CONNECT_S_MAX = 5.0
SKEW_S_MAX = 30.0  # Tokens and signatures are commonly good for clocks that far apart.


def checks(app: "App", agents: "Sequence[Agent]", policies: Sequence[Policy], *, kept: bool) -> list[Check]:
    """`kept`: whether there is a database, where a refresh token that is changed would be stored."""
    found = []
    for one in declared(agents):
        if not kept and one.rule.credentials is not None and one.rule.credentials.kind == "refresh_token":
            found.append(Check(f"dependency {one.name}", lambda one=one: _not_asked(one)))  # type: ignore[misc]
            continue
        found.append(Check(f"dependency {one.name}", lambda one=one: _dependency(app, one)))  # type: ignore[misc]
        if one.rule.credentials is not None:
            found.append(Check(f"credential {one.name}", lambda one=one: _credential(app, one)))  # type: ignore[misc]
    places: dict[str, ModelRule] = {}
    for policy in policies:
        for rule in policy.models:
            places.setdefault(urlsplit(rule.address).netloc, rule)
    found += [Check(f"model {place_of(rule)}", lambda rule=rule: _provider(rule)) for rule in places.values()]  # type: ignore[misc]
    return found


def _not_asked(one: Declared) -> Iterator[Finding]:
    """Using the refresh token up without storing the next one would lock us out."""
    text = "Not asked: there is no database in which its next refresh token could be kept."
    yield skipped(f"dependency {one.name}", text)


def _dependency(app: "App", one: Declared) -> Iterator[Finding]:
    subject = f"dependency {one.name}"
    outage = in_outage(one.rule.outages, app.clock.now_us())
    if outage is not None:
        yield caution(subject, f"It is {outage}, says the policy; no tool calls it now.")
    if one.rule.base_url is None:
        yield skipped(subject, "The policy has no address for it.")
        return
    reached = asyncio.run(_reached(one.rule.base_url, Egress(internal=one.rule.internal)))
    severe = broken if one.rule.critical and outage is None else caution
    if reached is not None:
        yield severe(subject, reached.text, reached.mend)
        return
    if one.rule.health is None:
        yield ok(subject, f"{one.rule.base_url} is reached; it has no health check.")
        return
    answer = asyncio.run(looked(app, one))
    if isinstance(answer, Unhealthy):
        reason = app.payloads.redactor.redact_text(answer.reason)
        text = f"{one.rule.base_url}{one.rule.health.path}: {reason}"
        yield severe(subject, text, f"See whether it is well; cut it off meanwhile: {_cut_off(one.name)}")
    else:
        yield ok(subject, f"Well; it answered within {answer.took_s:.2f} s.")


def _cut_off(name: str) -> str:
    return f"airworthy breaker open dependency:{name} --reason TEXT"


def _credential(app: "App", one: Declared) -> Iterator[Finding]:
    """One that was given up is not tried: only a person says that it is mended."""
    subject = f"credential {one.name}"
    known = credential_state(one.name, one.agent, app)
    state = known if known.standing == "bad" else obtained(one.name, one.agent, app)
    if state.standing == "bad":
        yield broken(
            subject, state.words, f"{state.mend} Then: airworthy dependency check {one.name}".strip()
        )
        return
    yield ok(subject, f"{state.kind}: {state.words}{_lasts(state, app.clock.now_us())}.")
    if state.caution:
        yield caution(subject, state.caution)
    if state.skew_s is not None and abs(state.skew_s) > SKEW_S_MAX:
        way = "behind" if state.skew_s > 0 else "ahead of"
        text = f"This machine's clock is {abs(state.skew_s):.0f} s {way} that of the token endpoint of {one.name}."
        yield broken("clock", text, "Set this machine's clock by NTP.")


def _lasts(state: CredentialState, now_us: int) -> str:
    return "" if state.until_us is None else f", for {max(0, (state.until_us - now_us) // US_PER_S)} s more"


def _provider(rule: ModelRule) -> Iterator[Finding]:
    """A connection and no more: a call would cost."""
    subject = f"model {rule.name}"
    if proxy_for(rule.address):
        yield skipped(
            subject, f"{rule.address} is behind a proxy; whether it is reached only a call can tell."
        )
        return
    reached = asyncio.run(_reached(rule.address, Egress(internal=True)))
    if reached is not None:
        yield broken(subject, reached.text, "See whether the provider is up, and the way to it open.")
    else:
        yield ok(subject, f"{rule.address} is reached.")


async def _reached(url: str, egress: Egress) -> Finding | None:
    """What keeps us from connecting there; None when nothing does."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or {"http": 80, "https": 443}[parts.scheme]
    try:
        async with asyncio.timeout(CONNECT_S_MAX):
            addresses = await checked_addresses_async(host, port, egress)
            _, writer = await asyncio.open_connection(
                addresses[0], port, ssl=parts.scheme == "https" or None,
                server_hostname=host if parts.scheme == "https" else None,
            )  # fmt: skip
            writer.close()
    except AirworthyError as error:
        return broken("", error.message, error.mend)
    except TimeoutError:
        return broken("", f"{host}:{port} did not answer within {CONNECT_S_MAX:g} s.", _NETWORK)
    except (OSError, UnicodeError) as error:
        return broken("", f"{host}:{port} cannot be reached: {error}", _NETWORK)
    return None


_NETWORK = "See whether it is up, whether its name is right, and whether a firewall is in between."
