"""Looks at files and policies: what is written, whether it can be used, and what is missing for it."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from airworthy.app.build import cautions, readiness_gaps
from airworthy.app.config import CONFIG_FILE, Config, load_config, secret
from airworthy.app.doctor.finding import Check, Finding, broken, caution, ok, skipped
from airworthy.app.gateway_config import GATEWAY_FILE, load_gateway_config
from airworthy.app.health import declared
from airworthy.app.people import PEOPLE_FILE, load_people
from airworthy.app.providers import key_of
from airworthy.core.clock import US_PER_S
from airworthy.core.errors import AirworthyError
from airworthy.gateway import place_of
from airworthy.gateway.prices import price_list, unpriced
from airworthy.gateway.prices.review import concerns
from airworthy.policy import ModelRule, Policy, golive_gaps, load_policy
from airworthy.tools.credentials import sealing_missing

if TYPE_CHECKING:
    from airworthy.app.build import App
    from airworthy.review.channel_rule import ChannelRule
    from airworthy.runtime import Agent


def files(folder: Path) -> Iterator[Finding]:
    """The three settings files of a working folder, and the policies that gateway.toml names."""
    if not (folder / CONFIG_FILE).exists() and not (folder / GATEWAY_FILE).exists():
        yield broken(
            CONFIG_FILE, f"{folder.resolve()} has neither {CONFIG_FILE} nor {GATEWAY_FILE}.",
            "Name the working folder with -C DIR, or make one: airworthy init support",
        )  # fmt: skip
    else:
        yield from _read(CONFIG_FILE, folder, lambda: load_config(folder))
        yield from _read(GATEWAY_FILE, folder, lambda: load_gateway_config(folder))
        yield from _policies(folder)
    yield from _people(folder)


def served(folder: Path, agents: "Sequence[Agent]") -> list[Policy]:
    """Policies whose models are called from here: the agents' own, and those that the gateway serves."""
    found = [agent.policy for agent in agents if agent.clients is None]
    try:
        named = load_gateway_config(folder).policies
    except AirworthyError:
        return found  # Told by whoever looks at the file.
    for path in named:
        with contextlib.suppress(AirworthyError):
            found.append(load_policy(folder / path))
    return found


def of_agents(
    app: "App", config: Config | None, agents: "Sequence[Agent]", policies: Sequence[Policy]
) -> list[Check]:
    checks = [Check(f"agent {agent.name}", lambda agent=agent: _agent(app, agent)) for agent in agents]  # type: ignore[misc]
    checks.append(Check("models", lambda: _models(app, policies)))
    checks.append(Check("dependencies", lambda: _declarations(agents)))
    checks.append(Check("packages", lambda: _packages(config, agents)))
    return checks


def _read(name: str, folder: Path, load: Callable[[], object]) -> Iterator[Finding]:
    if not (folder / name).exists():
        return
    try:
        load()
    except AirworthyError as error:
        yield broken(name, error.message, error.mend)
    else:
        yield ok(name, "Can be read.")


def _policies(folder: Path) -> Iterator[Finding]:
    try:
        named = load_gateway_config(folder).policies
    except AirworthyError:
        return  # Told already.
    for path in named:
        try:
            load_policy(folder / path)
        except AirworthyError as error:
            yield broken(path, error.message, error.mend)
        else:
            yield ok(path, "Can be read.")


def _people(folder: Path) -> Iterator[Finding]:
    if not (folder / PEOPLE_FILE).exists():
        yield skipped(PEOPLE_FILE, "There is none: anybody who can reach the database may decide.")
        return
    try:
        people = load_people(folder)
    except AirworthyError as error:
        yield broken(PEOPLE_FILE, error.message, error.mend)
        return
    yield ok(PEOPLE_FILE, f"{len(people.people)} people, {len(people.teams)} teams.")
    for name, channel in people.channels.items():
        yield from _channel(folder, f"channel {name}", channel)


def _channel(folder: Path, subject: str, channel: "ChannelRule") -> Iterator[Finding]:
    for variable in (channel.url_env, channel.secret_env):
        if variable and not secret(variable):
            yield broken(
                subject,
                f"{variable} is not set.",
                f"Set it where the workers start: export {variable}=...",
            )
    for file, what in ((channel.url_file, "address"), (channel.secret_file, "secret")):
        if file is not None and not (folder / file).exists():
            yield broken(subject, f"{file} does not exist.", f"Put the {what} into it.")
    if channel.kind == "apprise" and find_spec("apprise") is None:
        yield broken(
            subject, "apprise needs the package apprise.", "Install it: pip install 'airworthy[notify]'."
        )


def _agent(app: "App", agent: "Agent") -> Iterator[Finding]:
    subject = f"agent {agent.name}"
    policy = agent.policy
    if policy.live:
        gaps = golive_gaps(policy, app.operations.approval(agent.name), agent.tool_facts, unpriced=unpriced)
        for gap in (*gaps, *readiness_gaps(app, agent)):
            yield broken(subject, f"It is live and does not start: {gap.subject}: {gap.missing}", gap.mend)
    for text in cautions(agent):
        yield caution(subject, text)
    _ = agent.handler
    yield ok(subject, "Its task function, tools and policy fit each other.")


def _models(app: "App", policies: Sequence[Policy]) -> Iterator[Finding]:
    book, seen = price_list(), set[str]()
    day = datetime.fromtimestamp(app.clock.now_us() / US_PER_S, UTC).date()
    for policy, rule in [(one, rule) for one in policies for rule in one.models]:
        if place_of(rule) in seen:
            continue
        seen.add(place_of(rule))
        subject = f"model {rule.name}"
        yield from _key(subject, rule)
        bad = False
        for concern in concerns(rule, book, day):
            bad = bad or concern.must
            # Only a live agent may not use it; while developing it works.
            must = concern.must and (policy.live or unpriced(rule))
            yield (broken if must else caution)(subject, f"It {concern.what}", concern.mend)
        if not bad:
            yield ok(subject, "Pinned, priced, and not about to end.")
    if not seen:
        yield skipped("models", "No policy names one.")


def _key(subject: str, rule: ModelRule) -> Iterator[Finding]:
    try:
        key = key_of(rule)()
    except AirworthyError as error:
        yield broken(subject, error.message, error.mend)
        return
    if rule.key_variable and not key:
        yield broken(
            subject, f"Its key is missing: {rule.key_variable} is not set.",
            f"Set it where the workers start: export {rule.key_variable}=...",
        )  # fmt: skip
    elif key:
        yield ok(subject, "Its key is there; whether the provider takes it only a paid call can tell.")


def _declarations(agents: "Sequence[Agent]") -> Iterator[Finding]:
    """What two policies say differently of one dependency, and secrets that would travel in the clear."""
    first = {one.name: one for one in declared(agents)}
    for agent in agents:
        for name, rule in agent.policy.dependencies.items():
            subject = f"dependency {name}"
            if rule != first[name].rule:
                text = (
                    f"The policies of {first[name].agent.name} and {agent.name} say different things of it."
                )
                yield caution(
                    subject, text, "Make them the same, or give it two names; they share its breaker."
                )
            yield from _in_the_clear(subject, agent.policy, name)


def _in_the_clear(subject: str, policy: Policy, name: str) -> Iterator[Finding]:
    rule = policy.dependencies[name]
    if rule.credentials is None or rule.internal:
        return
    for key, url in (("base_url", rule.base_url), ("token_url", rule.credentials.token_url)):
        if url is not None and url.startswith("http://"):
            yield caution(
                subject, f"{key} = {url!r}: its credential travels without encryption.", "Write https://."
            )


def _packages(config: Config | None, agents: "Sequence[Agent]") -> Iterator[Finding]:
    kinds = {
        rule.credentials.kind
        for agent in agents
        for rule in agent.policy.dependencies.values()
        if rule.credentials is not None
    }
    missing = sealing_missing()
    if missing and "refresh_token" in kinds:
        yield broken(
            "cryptography", "Refresh tokens cannot be kept without it, so workers do not start.", missing
        )
    elif missing and "client_credentials" in kinds:
        text = "Not installed: each process keeps tokens in memory and asks for its own."
        yield caution("cryptography", text, missing)
    elif not missing:
        yield ok("cryptography", "Installed: tokens are shared, sealed.")
    if config is not None and not config.folder.exists():
        yield broken("folder", f"{config.folder} does not exist.", "Name the working folder with -C DIR.")
