"""The judge's model: asked over chat completions, paid from the preflight's purse, its answers kept like all others."""

import asyncio
from typing import Final

from airworthy.app.providers import upstream_of
from airworthy.core.clock import Clock
from airworthy.core.errors import ConfigError
from airworthy.evals import Case, Finding, Trial, score
from airworthy.evals.judge import Answer, Judge, decides
from airworthy.gateway import ModelRequest, Upstream
from airworthy.gateway.prices import Price, bound_nano, cost_nano, price_list
from airworthy.gateway.prices import check_priced as priced
from airworthy.gateway.upstream import Sent
from airworthy.gateway.wire.dialect import DIALECTS
from airworthy.gateway.wire.failure import classify
from airworthy.policy import ModelRule
from airworthy.preflight.plan import Scorer, by_rule
from airworthy.preflight.stage.answers import StoredAnswers, answer_key
from airworthy.preflight.stage.purse import CapReached, Purse

REPLY_BYTES_MAX: Final = 4 * 1024 * 1024
OK: Final = 200
ASKED_AT_ONCE: Final = 8
_PATH: Final = "/chat/completions"
_CHAT: Final = next(each for each in DIALECTS.values() if each.path == _PATH)


class JudgeModel:
    """Implements `evals.judge.Ask`. Belongs to one event loop."""

    def __init__(self, rule: ModelRule, purse: Purse, answers: StoredAnswers, clock: Clock) -> None:
        """Raises: ConfigError, Unpriced."""
        if rule.served.protocol != "openai":
            raise ConfigError(
                f"The judge {rule.name} does not speak chat completions.",
                mend="Name a model under [judge] that is served by that protocol.",
            )
        self._rule = rule
        self._purse = purse
        self._answers = answers
        self._clock = clock
        self._price: Price = priced(rule, price_list(), clock.now_us())
        self._upstream: Upstream = upstream_of(rule)
        self._room = asyncio.Semaphore(ASKED_AT_ONCE)

    async def __call__(self, prompt: str, user: str = "") -> Answer:
        """`user`: whose case it is, so that what the judge says of it goes when they are erased."""
        request = ModelRequest([{"role": "user", "content": prompt}])
        body, facts = request.as_sent(self._rule)
        sent = Sent(_PATH, body, {}, self._rule.timeout_s)
        key = answer_key(self._rule, sent, 0)
        kept = self._answers.find(key)
        text = "" if kept is None else _CHAT.read_reply(kept).text
        if decides(text):
            return Answer(text, 0)
        bound = bound_nano(self._price, len(body), request.output_bound(self._rule), facts.choices, "")
        self._purse.reserve(bound)
        raw, cost = await self._sent(sent, bound)
        text = _CHAT.read_reply(raw).text
        if decides(text):  # Else the next try, and every later preflight, would only be given it again.
            self._answers.keep(key, raw, user, self._clock.now_us())
        return Answer(text, cost)

    async def _sent(self, sent: Sent, bound: int) -> tuple[bytes, int]:
        cost: int | None = None  # Until the bill is known, the worst case counts.
        try:
            async with self._room, asyncio.timeout(sent.timeout_s):
                reply = await self._upstream.send(sent)
                raw = await reply.read(REPLY_BYTES_MAX)
            if reply.status != OK:
                cost = 0
                where = self._rule.address
                raise classify("openai", where, reply.status, reply.headers, raw, self._clock.now_us())
            usage = _CHAT.read_reply(raw).usage
            cost = cost_nano(self._price, usage, "") if usage.known else None
            return raw, bound if cost is None else cost
        finally:
            self._purse.settle(bound, cost)

    async def aclose(self) -> None:
        await self._upstream.aclose()


def scorer_of(model: JudgeModel | None) -> Scorer:
    """Asks the judge where a case has a rubric or a least score, and no rule has failed it already."""
    if model is None:
        return by_rule

    async def scored(case: Case, trial: Trial) -> tuple[Finding, ...]:
        plain = score(case, trial, 1.0)
        if case.expect.judge is None or plain:
            return plain
        ask = _Capped(model, case.user)
        judged = await Judge(ask).score(case, trial)
        if ask.capped is not None:
            raise ask.capped
        found = score(case, trial, judged.score)
        if judged.score is None:
            return tuple(Finding(each.kind, judged.error or each.text, each.seq) for each in found)
        return found

    return scored


class _Capped:
    """Lets the cap through: a judge takes whatever its model raises for an undecided score."""

    def __init__(self, model: JudgeModel, user: str) -> None:
        self.capped: CapReached | None = None
        self._model = model
        self._user = user

    async def __call__(self, prompt: str) -> Answer:
        try:
            return await self._model(prompt, self._user)
        except CapReached as error:
            self.capped = error
            raise
