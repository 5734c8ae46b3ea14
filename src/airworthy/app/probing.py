"""Asks the agents' models the probes, keeps what they answer, and holds it against the last time."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from airworthy.app.build import App, this_process
from airworthy.app.gateway import Charge, opened_door
from airworthy.app.places import shared_places
from airworthy.app.project import UnknownAgent
from airworthy.app.providers import upstream_of
from airworthy.core.errors import InputError
from airworthy.gateway import Upstream, place_of
from airworthy.gateway.place import Place
from airworthy.gateway.probes.asking import KeptRecords, ProbeFailed, Prober, probing_policy
from airworthy.gateway.probes.comparing import Comparison, compared
from airworthy.gateway.probes.overheard import Overheard
from airworthy.gateway.probes.stored import Batch, keep, known_fingerprints, newest
from airworthy.gateway.served import Served
from airworthy.policy import ModelRule
from airworthy.store import Tx


@dataclass(frozen=True, slots=True)
class Wanted:
    """One model to be asked, in the name of an agent whose policy has it."""

    agent: str
    rule: ModelRule

    @property
    def place(self) -> str:
        return place_of(self.rule)


@dataclass(frozen=True, slots=True)
class Probed:
    """What came of it: answers and how they compare, or why there are none."""

    wanted: Wanted
    batch: Batch | None = None
    comparison: Comparison | None = None
    failed: ProbeFailed | None = None


def chosen(charges: Sequence[Charge], agent: str = "", model: str = "") -> list[Wanted]:
    """Each model at each address once, for the first agent that has it. Raises: UnknownAgent, InputError."""
    agents = [charge.policy.agent for charge in charges]
    if agent and agent not in agents:
        raise UnknownAgent(f"There is no agent {agent!r} here.", mend=f"Known agents: {', '.join(agents)}.")
    found: dict[str, Wanted] = {}
    for charge in charges:
        if agent in ("", charge.policy.agent):
            for rule in charge.policy.models:
                found.setdefault(place_of(rule), Wanted(charge.policy.agent, rule))
    wanted = [one for one in found.values() if model in ("", one.rule.name, *one.rule.aliases)]
    if model and not wanted:
        names = ", ".join(dict.fromkeys(one.rule.name for one in found.values()))
        raise InputError(f"No policy here has the model {model!r}.", mend=f"Name one of: {names or 'none'}.")
    return wanted


async def probed(
    app: App,
    charges: Sequence[Charge],
    wanted: Sequence[Wanted],
    repeat: int = 1,
    *,
    upstream: Callable[[ModelRule], Upstream] = upstream_of,
) -> list[Probed]:
    """In the order of `wanted`; models are asked beside each other. Raises: StoreError, ConfigError."""
    owner = this_process(app.clock, "gwy", "probe")
    upstreams: dict[str, Upstream] = {one.place: Overheard(upstream(one.rule)) for one in wanted}
    async with shared_places(app.database, app.clock, owner) as places:
        served: dict[str, Served] = {}
        for charge in charges:
            rules = tuple(rule for rule in charge.policy.models if place_of(rule) in upstreams)
            policy = probing_policy(charge.policy.model_copy(update={"models": rules}))
            served[policy.agent] = Served(policy, places.of(policy, upstreams))
        records = KeptRecords(app.clock, app.payloads)
        try:
            async with opened_door(app, served, records, owner) as door:
                prober = Prober(door, records, app.clock, app.ids)
                asking = [
                    _asked(app, prober, one, served[one.agent].places_for(one.place)[0], repeat)
                    for one in wanted
                ]
                return list(await asyncio.gather(*asking))
        finally:
            for each in upstreams.values():
                await each.aclose()


async def _asked(app: App, prober: Prober, wanted: Wanted, place: Place, repeat: int) -> Probed:
    batch_id = app.ids.new("prb", app.clock.now_us())
    try:
        answers = await prober.asked(wanted.agent, place, repeat)
    except ProbeFailed as failed:
        return Probed(wanted, failed=failed)
    batch = Batch(batch_id, wanted.place, wanted.rule.name, tuple(answers))
    await app.database.write(keep(batch, app.payloads))

    def look(tx: Tx) -> Probed:
        # As they are stored, since secrets are taken out of these.
        now, before = newest(tx, batch.place), newest(tx, batch.place, batch.id)
        assert now is not None
        known = known_fingerprints(tx, batch.place, batch.id)
        return Probed(wanted, now, compared(now.answers, before.answers if before else (), known))

    return await app.database.read(look)
