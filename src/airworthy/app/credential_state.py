"""How the credentials of dependencies stand, for people: looked up without asking anybody, or obtained now."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from airworthy.app.credentials import OAuth, source_of
from airworthy.core.clock import US_PER_S
from airworthy.core.errors import AirworthyError
from airworthy.core.redact import KNOWN_CHARS_MIN
from airworthy.policy import CredentialRule
from airworthy.tools.credentials import Keeper, PlainKey, sealing_missing, shelf

if TYPE_CHECKING:
    from airworthy.app.build import App
    from airworthy.runtime import Agent


Standing = Literal["good", "bad", "unknown"]


@dataclass(frozen=True, slots=True)
class CredentialState:
    """`unknown`: nobody has asked for one yet. `caution` is worth a look and keeps nothing from working.

    `skew_s`: how far the token endpoint's clock is ahead of ours; None: it was not asked.
    """

    kind: str
    standing: Standing
    words: str
    mend: str = ""
    until_us: int | None = None
    caution: str = ""
    skew_s: float | None = None


def credential_state(name: str, agent: "Agent", app: "App") -> CredentialState:
    """As it is known: from the environment and the store alone. The dependency must have a credential."""
    rule = _rule(name, agent)
    try:
        source = source_of(name, agent, app)
    except AirworthyError as error:
        return CredentialState(rule.kind, "bad", error.message, error.mend)
    if isinstance(source, PlainKey):
        return CredentialState(rule.kind, "good", "there", caution=_short(source))
    if rule.kind == "callable":
        return CredentialState(rule.kind, "unknown", "asked for when it is needed")
    return _stored(OAuth(name, agent.policy, app), rule, app)


def obtained(name: str, agent: "Agent", app: "App", *, by_hand: bool = False) -> CredentialState:
    """Asks for one now unless a good one is there; may take seconds. `by_hand`: a broken one too is tried once more."""
    rule = _rule(name, agent)
    try:
        source = source_of(name, agent, app)
        oauth = (
            OAuth(name, agent.policy, app) if rule.kind in ("client_credentials", "refresh_token") else None
        )
        if oauth is not None:
            renewal = oauth.renewal()
            if by_hand:
                app.database.write_now(lambda tx: shelf.mended(tx, renewal.name))
            source = Keeper(name, oauth, app.clock, rule.early_s, flights=app.flights)
        source.get()
    except AirworthyError as error:
        return CredentialState(rule.kind, "bad", error.message, error.mend)
    token = source.known if isinstance(source, Keeper) else None
    return CredentialState(
        rule.kind, "good", "good",
        until_us=token.until_us if token is not None else None,
        caution=_caution(rule) or (_short(source) if isinstance(source, PlainKey) else ""),
        skew_s=oauth.endpoint.skew_s if oauth is not None else None,
    )  # fmt: skip


def _stored(oauth: OAuth, rule: CredentialRule, app: "App") -> CredentialState:
    name, now_us = oauth.renewal().name, app.clock.now_us()
    row = app.database.read_now(lambda tx: shelf.find(tx, name))
    caution = _caution(rule)
    if row is None:
        return CredentialState(rule.kind, "unknown", "not asked for yet", caution=caution)
    if row.broken:
        return CredentialState(rule.kind, "bad", row.why, row.mend, row.until_us or None, caution)
    if row.failures:
        wait_s = max(0, (row.retry_us - now_us) // US_PER_S)
        lasts = row.until_us > now_us
        words = f"{row.why} Failed {row.failures} times, tried again in {wait_s} s."
        if lasts:
            return CredentialState(rule.kind, "good", "good", until_us=row.until_us, caution=words)
        return CredentialState(
            rule.kind, "bad", words, "See whether the token endpoint is well.", None, caution
        )
    if row.until_us <= now_us:
        return CredentialState(rule.kind, "unknown", "run out; asked for when it is needed", caution=caution)
    return CredentialState(rule.kind, "good", "good", until_us=row.until_us, caution=caution)


def _caution(rule: CredentialRule) -> str:
    missing = sealing_missing()
    if rule.kind == "client_credentials" and missing:
        return (
            f"Each process asks for a token of its own, for none can be shared without sealing it. {missing}"
        )
    return ""


def _short(key: PlainKey) -> str:
    if len(key.get()) >= KNOWN_CHARS_MIN:
        return ""
    return f"It has fewer than {KNOWN_CHARS_MIN} characters, too few to be taken out of what is recorded."


def _rule(name: str, agent: "Agent") -> CredentialRule:
    rule = agent.policy.dependencies[name].credentials
    assert rule is not None
    return rule
