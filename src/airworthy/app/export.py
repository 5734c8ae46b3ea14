"""Sends our closed runs to a collector: what is noted as due, oldest first, until it is taken or can never be.

Beside the tasks and never in their way: a collector that is slow or gone costs them nothing but the note of each end.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import orjson

import airworthy
from airworthy.app.config import variable
from airworthy.app.export_http import Carrier, Later, Never, Result, Taken, headers_from
from airworthy.app.export_settings import ExportRule
from airworthy.app.privacy import personal_of
from airworthy.app.recorder_settings import RECORDER_FILE, load_recorder_settings
from airworthy.app.redact_settings import RedactRule
from airworthy.core.clock import US_PER_S
from airworthy.core.errors import AirworthyError, ConfigError
from airworthy.recorder import outgoing, read_steps
from airworthy.recorder.otel import emit, encode
from airworthy.recorder.otel.emit import Closing
from airworthy.recorder.otel.raw import RawSpan
from airworthy.recorder.outgoing import Due
from airworthy.recorder.traces.ours import release_of
from airworthy.runtime import tasks
from airworthy.runtime.chores import Chore

if TYPE_CHECKING:
    from airworthy.app.build import App
    from airworthy.store import Tx

EVERY_S: Final = 2.0
RUNS_MAX: Final = 64  # of one request
SPANS_MAX: Final = 512  # as SDKs send; one run may have more
REQUESTS_MAX: Final = 20  # of one round
WAIT_S_MIN: Final = 2.0
WAIT_S_MAX: Final = 300.0
ASKED_WAIT_S_MAX: Final = 3_600.0
TOLD_FROM: Final = 3  # failures in a row before people are told


class ExportFails(AirworthyError):
    """Spans wait, because the collector does not take them."""

    code = "export_fails"


@dataclass(frozen=True, slots=True)
class _Parcel:
    """Closings that go together, with their spans; those without spans have nothing to send."""

    dues: tuple[Due, ...]
    spans: tuple[RawSpan, ...]


def export_chores(app: "App") -> list[Chore]:
    """Without `[export]` what was noted for one is let go. Raises: PolicyError, ConfigError."""
    if app.folder is None:
        return []  # Nobody says what is set up.
    settings = load_recorder_settings(app.folder)
    rule = settings.export
    if rule is None:
        return [Chore("export", EVERY_S * 30, partial(_ended, app))]
    encode.check(rule.protocol)
    return [Chore("export", EVERY_S, Export(app, rule, settings.redact).round)]


async def _ended(app: "App", _now_us: int) -> None:
    if await app.database.read(outgoing.standing) is not None:
        await app.database.write(outgoing.end)


class Export:
    """`rule`, and `redact` with what must not be sent besides secrets: as they stand when workers start."""

    def __init__(self, app: "App", rule: ExportRule, redact: RedactRule | None = None) -> None:
        self._app = app
        self._rule = rule
        self._personal = personal_of(redact if redact is not None else RedactRule(), app.database)
        self._origin = emit.origin_of(airworthy.__version__)

    async def round(self, now_us: int) -> None:
        """Until nothing is due or the collector does not take it. Raises: ExportFails, while it does not for long."""
        database = self._app.database
        standing = await database.read(outgoing.standing)
        if standing is None:
            await database.write(lambda tx: outgoing.begin(tx, now_us))
            return
        if now_us < standing.next_us:
            self._tell(standing.failures, standing.error)
            return
        await self._bound()
        carrier = Carrier(self._rule)
        try:
            for _ in range(REQUESTS_MAX):
                parcel = await database.read(lambda tx: self._parcel(tx, outgoing.due(tx, RUNS_MAX)))
                if not parcel.dues or not await self._sent(carrier, parcel):
                    return
        finally:
            await carrier.close()

    async def _bound(self) -> None:
        waiting = await self._app.database.read(outgoing.waiting)
        if waiting > outgoing.WAITING_MAX:
            beyond = waiting - outgoing.WAITING_MAX
            await self._app.database.write(lambda tx: outgoing.give_up_oldest(tx, beyond))

    async def _sent(self, carrier: Carrier, parcel: _Parcel) -> bool:
        """False when the rest has to wait."""
        now_us = self._app.clock.now_us()
        result: Result = Taken()
        if parcel.spans:
            try:
                headers = self._headers()
                content_type, body = encode.encoded(parcel.spans, self._rule.protocol)
            except ConfigError as error:
                result = Later(str(error))
            else:
                result = await carrier.carry(content_type, body, headers, now_us)
        if isinstance(result, Never) and result.too_large and len(parcel.dues) > 1:
            halves = await self._halves(parcel)
            return await self._sent(carrier, halves[0]) and await self._sent(carrier, halves[1])
        return await self._recorded(parcel, result)

    async def _recorded(self, parcel: _Parcel, result: Result) -> bool:
        database, now_us, count = self._app.database, self._app.clock.now_us(), len(parcel.spans)
        match result:
            case Taken(rejected, why):
                rejected = min(rejected, count)
                counts = {"sent": count - rejected, "rejected": rejected, "dropped": 0}
            case Never(why):
                counts = {"sent": 0, "rejected": 0, "dropped": count}
            case Later(error, asked_s):
                standing = await database.read(outgoing.standing)
                failures = 0 if standing is None else standing.failures
                wait_s = _wait_s(failures, asked_s, self._app.ids.random())
                next_us = now_us + round(wait_s * US_PER_S)
                error = self._app.payloads.redactor.redact_text(error)
                await database.write(lambda tx: outgoing.failed(tx, next_us, error))
                self._tell(failures + 1, error)
                return False
        why = self._app.payloads.redactor.redact_text(why)
        await database.write(lambda tx: outgoing.settled(tx, parcel.dues, now_us, error=why, **counts))
        return True

    def _tell(self, failures: int, error: str) -> None:
        """An error of the chore is an alert until it works again. One failure or two are no news."""
        if failures >= TOLD_FROM:
            raise ExportFails(
                f"{error} What waits is kept and sent once it is taken.",
                mend=f"Look at the collector, and at [export] in {RECORDER_FILE}.",
            )

    def _headers(self) -> dict[str, str]:
        name = self._rule.headers_env
        if not name:
            return {}
        text = variable(name)
        if text is None:
            raise ConfigError(
                f"The headers for the collector are missing: the variable {name} is unset or empty.",
                mend="Set it where the worker runs.",
            )
        return headers_from(text)

    def _parcel(self, tx: "Tx", dues: Sequence[Due]) -> _Parcel:
        """As many of them as fit one request, and one at least."""
        taken: list[Due] = []
        spans: list[RawSpan] = []
        for due in dues:
            found = self._spans(tx, due)
            if taken and len(spans) + len(found) > SPANS_MAX:
                break
            taken.append(due)
            spans.extend(found)
        return _Parcel(tuple(taken), tuple(spans))

    async def _halves(self, parcel: _Parcel) -> tuple[_Parcel, _Parcel]:
        middle = len(parcel.dues) // 2
        first, second = parcel.dues[:middle], parcel.dues[middle:]

        def made(tx: "Tx") -> tuple[_Parcel, _Parcel]:
            # Each is made of fewer closings, so both are whole.
            return self._parcel(tx, first), self._parcel(tx, second)

        return await self._app.database.read(made)

    def _spans(self, tx: "Tx", due: Due) -> list[RawSpan]:
        """None of a run that is not to be sent, or was erased."""
        task = tasks.find(tx, due.task_id)
        if task is None or (self._rule.agents and task.agent not in self._rule.agents):
            return []
        closing = Closing(
            task.id, task.trace_id, task.agent, release_of(task.policy_hash),
            task.session, task.user_id, task.feature, task.created_us, due.seq, outgoing.mode_of(tx, task.id),
        )  # fmt: skip
        spans = emit.spans_of(closing, read_steps(tx, task.id), self._origin, self._rule.content)
        for span in spans:
            # It is clean as it was written, and a secret may have become known since.
            clean, found = self._app.payloads.redactor.redact_bytes(orjson.dumps(span.attributes))
            if found:
                span.attributes = orjson.loads(clean)
            if self._personal:
                span.attributes = self._personal.redact_value(span.attributes)
                span.message = self._personal.redact_text(span.message)
        return spans


def _wait_s(failures: int, asked_s: float | None, chance: float) -> float:
    """Doubling, with chance so that many do not come at once; at least as long as the collector asked."""
    own_s = min(WAIT_S_MAX, WAIT_S_MIN * 2.0 ** min(failures, 16)) * (0.5 + chance / 2)
    return max(own_s, min(asked_s or 0.0, ASKED_WAIT_S_MAX))
