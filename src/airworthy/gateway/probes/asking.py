"""Asks a model the probes through the door for calls over HTTP, so that budgets, breakers and records hold for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import orjson

from airworthy.core.clock import Clock
from airworthy.core.errors import AirworthyError
from airworthy.core.ids import Ids
from airworthy.gateway.call import Answer, Call, Caller
from airworthy.gateway.door import Door
from airworthy.gateway.place import Place, place_of
from airworthy.gateway.probes.fixed import PROBES, Probe
from airworthy.gateway.probes.overheard import Overheard
from airworthy.gateway.records import Record, Recorder
from airworthy.gateway.wire.dialect import DIALECTS
from airworthy.policy import CacheRule, Policy

FEATURE: Final = "probe"
OUTPUT_TOKENS_MAX: Final = 1_024  # Models that think first need most of it; the others stop long before.
MESSAGE_CHARS_MAX: Final = 300


class ProbeFailed(AirworthyError):
    """A model gave no answer to a probe, so nothing can be said of it."""

    code: ClassVar[str] = "probe_failed"


@dataclass(frozen=True, slots=True)
class ProbeAnswer:
    """`answered` and `fingerprint` are the provider's words, `versions` those of its headers."""

    probe: str
    prompt_digest: str
    asked_us: int
    answered: str
    fingerprint: str
    versions: Mapping[str, str]
    text: str
    tokens_in: int | None
    tokens_out: int | None
    finish: str


class KeptRecords(Recorder):
    """Records as ever, and keeps each until `taken`."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self._kept: dict[str, Record] = {}

    def add(self, record: Record) -> None:
        super().add(record)
        self._kept[record.call.id] = record

    def taken(self, call_id: str) -> Record | None:
        return self._kept.pop(call_id, None)


def probing_policy(policy: Policy) -> Policy:
    """Each model answers for itself and anew: no fallback, no race, no cache; and a stop is an error.

    Each can be asked by its place too, since two models may have one name at two addresses.
    """
    models = tuple(
        rule.model_copy(
            update={
                "aliases": (place_of(rule),),
                "fallback": (),
                "hedge_after_s": None,
                "output_tokens_max": min(rule.output_tokens_max, OUTPUT_TOKENS_MAX),
            }
        )
        for rule in policy.models
    )
    rules = policy.gateway.model_copy(
        update={"on_stop": "error", "on_overflow": "refuse", "guard_tools": False, "cache": CacheRule()}
    )
    return policy.model_copy(update={"models": models, "gateway": rules})


class Prober:
    """`door` serves policies as `probing_policy` makes them, and records with `records`."""

    def __init__(self, door: Door, records: KeptRecords, clock: Clock, ids: Ids) -> None:
        self._door = door
        self._records = records
        self._clock = clock
        self._ids = ids

    async def asked(
        self, agent: str, place: Place, repeat: int = 1, probes: Sequence[Probe] = PROBES
    ) -> list[ProbeAnswer]:
        """One probe after the other. Costs are the agent's, under the feature `probe`. Raises: ProbeFailed."""
        answers = []
        cold = True
        for probe in probes:
            for _ in range(repeat):
                answer, record = await self._once(agent, place, probe, cold=cold)
                if cold and record is not None and record.code == "model_refused_request":
                    # Models that think first take no temperature; what else they refuse, they refuse again.
                    cold = False
                    answer, record = await self._once(agent, place, probe, cold=cold)
                answers.append(_understood(place, probe, answer, record))
        return answers

    async def _once(
        self, agent: str, place: Place, probe: Probe, *, cold: bool
    ) -> tuple[Answer, Record | None]:
        dialect = DIALECTS[place.spoken("chat")]
        body: dict[str, Any] = {
            "model": place.name,
            "messages": [{"role": "user", "content": probe.prompt}],
        }
        if cold:
            body["temperature"] = 0
        raw = orjson.dumps(body)
        id_ = self._ids.new("call", self._clock.now_us())
        caller = Caller("", agent, feature=FEATURE)
        answer = await self._door.answer(Call(id_, dialect, raw, dialect.read_request(raw), caller))
        return answer, self._records.taken(id_)


def _understood(place: Place, probe: Probe, answer: Answer, record: Record | None) -> ProbeAnswer:
    facts = record.facts if record is not None else None
    if record is None or facts is None or record.ended_as != "answered":
        raise ProbeFailed(
            f"{place.name} did not answer the probe {probe.name!r}: {_message(answer)}",
            mend="Mend that, then ask again; `airworthy call list --feature probe` has every call.",
        )
    usage = facts.usage if facts.usage.known else None
    upstream = place.upstream
    return ProbeAnswer(
        probe.name,
        probe.digest,
        record.started_us,
        facts.model,
        facts.fingerprint,
        upstream.versions if isinstance(upstream, Overheard) else {},
        facts.text or facts.refusal,
        usage.tokens_in if usage else None,
        usage.tokens_out if usage else None,
        facts.finish,
    )


def _message(answer: Answer) -> str:
    """What an error body says, in either protocol."""
    assert isinstance(answer.body, bytes)
    try:
        text = str(orjson.loads(answer.body)["error"]["message"])
    except (orjson.JSONDecodeError, LookupError, TypeError):
        text = f"status {answer.status}"
    return text if len(text) <= MESSAGE_CHARS_MAX else f"{text[:MESSAGE_CHARS_MAX]}..."
