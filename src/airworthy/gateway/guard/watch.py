"""One call under guard: its request told whole, its replies judged. Remembers, and leaves notes; asks no model."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from airworthy.gateway.call import Call
from airworthy.gateway.errors import ModelMalformed
from airworthy.gateway.guard.forms import (
    FORMS,
    assembled,
    dropped,
    proposed,
    reinserted,
    retold,
    sibling_ids,
    stream_without,
    without,
)
from airworthy.gateway.guard.hosted import check_hosted
from airworthy.gateway.guard.judge import Withheld, judged
from airworthy.gateway.guard.memory import Memory
from airworthy.gateway.guard.stream import HELD_BYTES_MAX, Held, StreamGuard
from airworthy.gateway.wire.facts import UNKNOWN, ProposedCall, ReplyFacts, RequestFacts, Usage
from airworthy.policy import ModelRule, Policy
from airworthy.store import StoreError

Request = tuple[bytes, RequestFacts]


class Watch:
    """`request` is what the model is asked: the caller's, or the one that tells it of what was withheld."""

    def __init__(
        self, call: Call, policy: Policy, memory: Memory | None, notes: list[dict[str, Any]]
    ) -> None:
        self.request: Request = (call.raw, call.facts)
        self.withheld = False
        self._call = call
        self._name = call.dialect.name
        self._policy = policy
        self._memory = memory
        self._notes = notes
        self._left = policy.gateway.retell_max
        caller = call.caller
        self._scope = caller.run or "/".join(("key", caller.key_id, caller.user, caller.session))

    def request_for(self, _rule: ModelRule) -> Request:
        """For `Errand.raw_for`."""
        return self.request

    async def asked(self) -> None:
        """Before a model is asked. Raises: HostedToolWithheld."""
        raw, facts = self.request
        check_hosted(self._policy, self._name, facts.body)
        if not facts.tools or self._memory is None:
            return
        ids = sibling_ids(self._name, facts.body)
        if not ids:
            return
        try:
            known = await self._memory.recalled(self._call.caller.agent, self._scope, ids)
        except StoreError as error:
            self._notes.append({"note": "what was withheld before could not be told", "why": error.message})
            return
        whole = reinserted(self._name, raw, facts.body, known)
        if whole is not raw:
            self.request = (whole, self._call.dialect.read_request(whole))

    async def answered(self, body: bytes, facts: ReplyFacts, *, translated: bool) -> bytes | None:
        """The reply as the caller may see it; None: the model must be asked again, with `request`.

        `translated`: the facts were read before the body was put into the caller's protocol.
        """
        several = self._call.facts.choices > 1
        if not facts.tool_calls and not several:
            return body
        calls = proposed(self._name, body) if translated or several else facts.tool_calls
        withheld = self._judged(calls)
        if not withheld:
            return body
        if len(withheld) == len(calls) and not several and self._left > 0:
            self._retell(body, withheld)
            return None
        await self._remember(body, withheld)
        return without(self._name, body, withheld)

    def guard(self) -> StreamGuard:
        """For each stream of the call one of its own."""
        return StreamGuard(self._name)

    async def ended(
        self, held: Held, calls: Sequence[ProposedCall] | None, *, whole: bool, shown: bool
    ) -> bytes | None:
        """What a stream held back, as the caller may see it; None: the model must be asked again, with `request`.

        `calls`: those of the stream, as far as its reader knows them for sure. `whole`: it came to its end. `shown`:
        the caller has seen something of an answer already. Raises: ModelMalformed.
        """
        if held.overflowed:
            self.withheld = True
            self._notes.append(
                {"note": "withheld", "tool": "", "why": "the calls were too long to be judged"}
            )
            raise ModelMalformed(
                f"The model proposed calls of tools of more than {HELD_BYTES_MAX} bytes.",
                mend="Ask for less at once.", billed=True,
            )  # fmt: skip
        several = self._call.facts.choices > 1
        if not calls or several:
            calls = held.calls
        withheld = self._judged(calls)
        if not withheld:
            return held.raw
        if not whole:
            return b""  # What comes now is an error; half a call is nobody's.
        if len(withheld) == len(calls) and not (several or shown or held.said) and self._left > 0:
            self._retell(held.reply, withheld)
            return None
        return await self.thinned(held, withheld)

    async def thinned(self, held: Held, withheld: Sequence[Withheld] | None = None) -> bytes:
        """The rest of a stream without the calls that are withheld: those given, or those that the policy says."""
        withheld = judged(self._policy, held.calls) if withheld is None else withheld
        await self._remember(held.reply, withheld)
        return stream_without(self._name, held.raw, withheld)

    def passes(self, kept: bytes) -> bool:
        """Whether an answer that was kept from before the policy was what it is now may be given."""
        form = FORMS[self._name]
        if form.mark not in kept:
            return True
        reply = assembled(self._name, kept) if self._call.facts.stream else kept
        return not judged(self._policy, proposed(self._name, reply))

    def could_not_retell(self, error: Exception) -> None:
        self._notes.append({"note": "the model could not be told what was withheld", "why": str(error)})

    def _judged(self, calls: Sequence[ProposedCall]) -> tuple[Withheld, ...]:
        withheld = judged(self._policy, calls)
        if withheld:
            self.withheld = True
            self._notes += [{"note": "withheld", "tool": each.tool, "why": each.why} for each in withheld]
        return withheld

    def _retell(self, reply: bytes, withheld: Sequence[Withheld]) -> None:
        self._left -= 1
        raw, facts = self.request
        told = retold(self._name, raw, facts.body, reply, withheld)
        self.request = (told, self._call.dialect.read_request(told))

    async def _remember(self, reply: bytes, withheld: Sequence[Withheld]) -> None:
        rows = dropped(self._name, reply, withheld)
        if not rows or self._memory is None:
            return
        try:
            await self._memory.remember(self._call.caller.agent, self._scope, rows)
        except StoreError as error:
            self._notes.append({"note": "what was withheld could not be kept", "why": error.message})


def watching(call: Call, policy: Policy, memory: Memory | None, notes: list[dict[str, Any]]) -> Watch | None:
    """None: nothing of this call is judged."""
    guarded = policy.gateway.guard_tools and call.dialect.name in FORMS
    return Watch(call, policy, memory, notes) if guarded else None


def together(before: ReplyFacts | None, facts: ReplyFacts) -> ReplyFacts:
    """The facts of the last reply with the usage of all, for the record of a call that asked several times."""
    if before is None:
        return facts
    first, second = before.usage, facts.usage
    if not (first.known and second.known):
        return replace(facts, usage=UNKNOWN)
    counts = {name: getattr(first, name) + getattr(second, name) for name in _COUNTS}
    return replace(facts, usage=Usage(**counts))


_COUNTS = (
    "tokens_in", "tokens_out", "cached", "cache_write", "cache_write_1h", "reasoning", "audio_in", "audio_out",
)  # fmt: skip
