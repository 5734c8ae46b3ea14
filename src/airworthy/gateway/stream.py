"""A streamed answer: opened, handed on as it comes, settled at its end, whichever way that is."""

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from airworthy.core.clock import US_PER_S, Clock
from airworthy.core.errors import AirworthyError
from airworthy.core.ids import Ids
from airworthy.gateway import faces
from airworthy.gateway.bill import LedgerPurse, Stopped
from airworthy.gateway.budget import Hold
from airworthy.gateway.cache import ANSWER_BYTES_MAX, Kept, Question, may_keep
from airworthy.gateway.call import Answer, Call
from airworthy.gateway.carry import Carried, NoTime, carried
from airworthy.gateway.errand import Errand
from airworthy.gateway.errors import ModelError, ModelStreamBroken, ModelTimeout
from airworthy.gateway.fetch import Opened, counted
from airworthy.gateway.guard import Held, StreamGuard, Watch, together
from airworthy.gateway.records import Record
from airworthy.gateway.restart import Blocks, Joint, joinable
from airworthy.gateway.translate import StreamTranslator, stream_translator
from airworthy.gateway.whole_events import WholeEvents, before_error
from airworthy.gateway.wire.facts import ReplyFacts, Usage
from airworthy.gateway.wire.usage_filter import UsageFilter

if TYPE_CHECKING:
    from airworthy.gateway.door import Shared

UNSEEN_TOKENS = 64  # What a model may have written beyond what had come when the stream was given up.

Run = Carried[Opened, Hold]


class Streaming:
    """One call's stream, over as many places as it takes."""

    def __init__(
        self,
        shared: "Shared",
        errand: Errand,
        purse: LedgerPurse,
        record: Record,
        question: Question | None,
        watch: Watch | None,
    ) -> None:
        self._shared = shared
        self._errand = errand
        self._purse = purse
        self._record = record
        self._question = question
        self._call = record.call
        self._clock: Clock = shared.clock
        self._answer: list[bytes] = []  # For the cache.
        restarts = any(place.rule.broken_stream == "restart" for place in errand.places)
        self._blocks = Blocks() if restarts and record.call.dialect.name == "messages" else None
        self._joint: Joint | None = None
        self._watch = watch
        self._shown = False
        # Calls that were all withheld, of which the model is still to be told.
        self._untold: Held | None = None
        self._before: ReplyFacts | None = None  # Of answers that were paid for and never shown.

    async def opened(self) -> Answer:
        """Raises: what `carried` raises, as long as nothing was said."""
        run = await self._run()
        self._record.first_us = self._clock.now_us()
        place = run.visit.place
        return Answer(200, faces.headers(self._call, place, None, streamed=True), self._body(run))

    async def _run(self) -> Run:
        return await carried(self._errand, self._purse, self._shared.fetcher.opened, self._clock)

    async def _body(self, run: Run) -> AsyncGenerator[bytes, None]:
        record = self._record
        settled = False
        fault = ""
        try:
            while True:
                broken: ModelError | None = None
                pieces = self._pieces(run)
                try:
                    async for piece in pieces:
                        self._handed(piece)
                        yield piece
                except ModelError as error:
                    broken = error
                settled = True
                broken = self._over(run, broken)
                if broken is None and self._untold is not None:
                    told = await self._told()
                    if isinstance(told, bytes):
                        record.ended_as, record.code = "answered", ""
                        record.kept(told)
                        yield told
                        return
                    run.value.reply.close()
                    run, settled = told, False
                    continue
                if broken is None:
                    record.ended_as = "answered"
                    self._keep(run)
                    return
                again = await self._again(run, broken)
                if again is None:
                    record.code = broken.code
                    last = faces.last_event(self._call, broken)
                    record.kept(last)
                    yield last
                    return
                run.value.reply.close()
                run, settled = again, False
                assert self._joint is not None
                marker = self._joint.marker(run.visit.place.rule.name, broken.code)
                record.kept(marker)
                yield marker
        except Exception:  # A fault of ours. Raised on, so that nobody takes the answer for whole.
            fault = "gateway_error"
            raise
        finally:
            self._end(run, fault, settled=settled)

    def _end(self, run: Run, fault: str, *, settled: bool) -> None:
        record = self._record
        if fault:
            record.ended_as, record.code = "failed", fault
        elif not settled:  # The caller left, or the server stops.
            record.ended_as, record.code = "left", "caller_left"
        try:
            if not settled:
                self._cut(run)
        finally:
            run.value.reply.close()
            record.status, record.attempts = 200, self._errand.attempts
            self._shared.recorder.add(record)

    def _handed(self, piece: bytes) -> None:
        record = self._record
        record.kept(piece)
        self._shown = True
        if self._question is not None and record.reply_bytes <= ANSWER_BYTES_MAX:
            self._answer.append(piece)
        if self._blocks is not None:
            self._blocks.seen(piece)

    async def _pieces(self, run: Run) -> AsyncGenerator[bytes, None]:
        """The stream as its caller should see it, up to where it breaks. Raises: ModelError."""
        joint, opened, reader = self._joint, run.value, run.value.reader
        translator = _translator(run, self._shared.ids, self._clock.now_us())
        sieve = _sieve(self._call, run)
        guard = None if self._watch is None else self._watch.guard()
        now_us, deadline_us = self._clock.now_us, self._errand.deadline_us
        for chunk in opened.chunks:
            piece = _seen(chunk, translator, sieve, guard, joint)
            if piece:
                yield piece
        if not opened.over:
            async for chunk in opened.rest:
                reader.feed(chunk)
                piece = _seen(chunk, translator, sieve, guard, joint)
                if reader.error is not None:
                    piece = before_error(piece)
                if piece:
                    yield piece
                if reader.error is not None or translator is not None or now_us() > deadline_us:
                    self._check_going(run, translator)
            reader.close()
        last = b""
        if translator is not None:
            last = translator.finish()
            self._check_going(run, translator)
        elif reader.ended or reader.finish_seen:  # Else half an event is left, and something else follows it.
            last = sieve.end()
        if guard is not None:
            last = guard.feed(last) + await self._judged(guard, run)
        if joint is not None:
            last = joint.feed(last) + joint.finish()
        if last:
            yield last

    def _check_going(self, run: Run, translator: StreamTranslator | None) -> None:
        """Raises: ModelError."""
        error = run.value.reader.error
        if error is not None:
            raise error
        if translator is not None and translator.failed:
            raise ModelStreamBroken(
                f"The stream of {run.visit.place.rule.name} broke: {translator.failed}", billed=True
            )
        if self._clock.now_us() > self._errand.deadline_us and not run.value.reader.finish_seen:
            raise ModelTimeout(
                f"The stream of {run.visit.place.rule.name} took longer than the policy allows a task.",
                mend="Ask for less, or raise limits.seconds.", billed=True,
            )  # fmt: skip

    async def _judged(self, guard: StreamGuard, run: Run) -> bytes:
        """What the guard held back, as the caller may see it. Raises: ModelMalformed."""
        assert self._watch is not None
        held, reader = guard.finish(), run.value.reader
        if not held.holding and not held.overflowed:
            return held.raw
        self._watch.request = self._errand.raw_for(run.visit.place.rule)  # It may have been made to fit.
        facts = reader.facts()  # Put together only once, for the bill as well.
        sure = run.prepared.bridge is None and not reader.malformed and not reader.overflowed
        whole = reader.ended or reader.finish_seen
        seen = await self._watch.ended(
            held, facts.tool_calls if sure else None, whole=whole, shown=self._shown
        )
        self._untold = held if seen is None else None
        return seen or b""

    async def _told(self) -> Run | bytes:
        """The stream of the model that was told what was withheld; or, where it cannot be told, how this one ends."""
        watch, held, record = self._watch, self._untold, self._record
        assert watch is not None
        assert held is not None
        self._untold, self._before = None, record.facts
        self._errand.raw_for = watch.request_for
        record.ended_as, record.code = "left", "caller_left"  # Should it end while we wait.
        try:
            run = await self._run()
        except (AirworthyError, Stopped, NoTime) as error:
            watch.could_not_retell(error)
            return await watch.thinned(held)
        record.ended_as, record.code = "failed", ""
        return run

    def _over(self, run: Run, broken: ModelError | None) -> ModelError | None:
        """Settles a stream that came to its end; answers with what was wrong with it, if anything was."""
        reader, place = run.value.reader, run.visit.place
        if broken is None and not (reader.ended or reader.finish_seen):
            broken = ModelStreamBroken(
                f"The stream of {place.rule.name} ended in the middle of its answer.",
                mend="Ask again, or let the policy begin anew elsewhere: broken_stream.",
                billed=True,
            )
        broken = broken or reader.error
        facts = reader.gist() if broken is None else reader.facts()
        self._note(run, facts)
        if broken is not None:
            self._errand.failed(place, broken)
            self._estimated(run, facts)
            return broken
        usage = facts.usage
        self._record.cost_nano = added(self._record.cost_nano, self._purse.settle(run.hold, place, facts))
        counted(place, run.prepared, facts)
        run.visit.over(usage.tokens_in + usage.tokens_out if usage.known else None)
        if reader.malformed:
            self._errand.notes.append({"note": "the stream was not well formed", "what": reader.malformed})
        return None

    def _keep(self, run: Run) -> None:
        """For the next one who asks the same. What began anew, or is too long to be recorded, is not kept."""
        record = self._record
        if self._question is None or record.facts is None or self._joint is not None:
            return
        if self._watch is not None and self._watch.withheld:
            return
        body = b"".join(self._answer)
        if (
            len(body) == record.reply_bytes
            and may_keep(self._question.rule, record.facts, body)
            and not run.value.reader.malformed
        ):
            self._shared.cache.keep(self._question, Kept(body, record.model, self._clock.now_us()))

    def _cut(self, run: Run) -> None:
        facts = run.value.reader.facts()
        self._note(run, facts)
        self._estimated(run, facts)

    def _note(self, run: Run, facts: ReplyFacts) -> None:
        place, record = run.visit.place, self._record
        record.model, record.place, record.facts = place.rule.name, place.name, together(self._before, facts)
        self._errand.answered_as(place, facts.model)

    def _estimated(self, run: Run, facts: ReplyFacts) -> None:
        """A stream without its end has no count of tokens: what came is counted, up to the bound."""
        if facts.usage.known and facts.usage.tokens_out:
            bill = self._purse.settle(run.hold, run.visit.place, facts)
            run.visit.over(facts.usage.tokens_in + facts.usage.tokens_out)
        else:
            place, prepared = run.visit.place, run.prepared
            said = (
                facts.text + facts.refusal + "".join(call.arguments + call.name for call in facts.tool_calls)
            )
            tokens_out = place.estimate.of_text(said.encode()) + UNSEEN_TOKENS
            usage = Usage(
                prepared.tokens_in, min(tokens_out, max(prepared.bound.tokens - prepared.tokens_in, 0))
            )
            bill = self._purse.settle_for(run.hold, place, usage)
            run.visit.over(usage.tokens_in + usage.tokens_out)
            self._record.estimated = True
        self._record.cost_nano = added(self._record.cost_nano, bill)

    async def _again(self, run: Run, broken: ModelError) -> Run | None:
        """The answer begun anew elsewhere, if the policy wants that and it can be told apart from the first."""
        place, facts = run.visit.place, self._record.facts
        dialect = self._call.dialect.name
        places = list(self._errand.places)
        left = places[places.index(place) + 1 :]
        if place.rule.broken_stream != "restart" or not left or facts is None or self._joint is not None:
            return None
        if not joinable(dialect, facts) or (
            broken.why is not None and broken.why not in place.rule.fallback_on
        ):
            return None
        self._errand.places = left
        record = self._record
        record.ended_as, record.code = "left", "caller_left"  # Should it end while we wait.
        try:
            again = await self._run()
        except (AirworthyError, Stopped, NoTime) as error:
            record.ended_as = "failed"
            self._errand.notes.append({"note": "the stream could not begin anew", "why": str(error)})
            return None
        record.ended_as, record.code = "failed", ""
        blocks = self._blocks or Blocks()
        self._joint = Joint(dialect, blocks.begun, block_open=blocks.open)
        return again


def _translator(run: Run, ids: Ids, now_us: int) -> StreamTranslator | None:
    bridge = run.prepared.bridge
    if bridge is None:
        return None
    return stream_translator(bridge, new_id=ids.trace, now_s=now_us // US_PER_S, tells=False)


def _sieve(call: Call, run: Run) -> UsageFilter | WholeEvents:
    return UsageFilter() if run.prepared.bridge is None and not call.facts.wants_usage else WholeEvents()


def _seen(
    chunk: bytes,
    translator: StreamTranslator | None,
    sieve: UsageFilter | WholeEvents,
    guard: StreamGuard | None,
    joint: Joint | None,
) -> bytes:
    if translator is not None:
        chunk = translator.feed(chunk)
    else:
        chunk = sieve.feed(chunk)
    if guard is not None:
        chunk = guard.feed(chunk)
    return chunk if joint is None else joint.feed(chunk)


def added(before: int | None, more: int | None) -> int | None:
    """Bills of one call, in nano-USD; None: nobody knows what it cost."""
    return more if before is None else before + (more or 0)
