"""One gate for all calls to one model behind one key: they wait in a fair line instead of being refused there.

Nothing here polls: one timer, set for the next turn or the next deadline. For one event loop.
"""

import asyncio
import heapq

from airworthy.core.clock import US_PER_S, Clock
from airworthy.gateway.pacing.learnt import Learnt
from airworthy.gateway.pacing.limits import Limits
from airworthy.gateway.pacing.line import Line, Waiter
from airworthy.gateway.pacing.minute import Minute
from airworthy.gateway.pacing.terms import PaceFull, PaceView, Pacing
from airworthy.gateway.pacing.throttle import Cut, Throttle, cut_after
from airworthy.resilience.shared import Allowance, Rates

TOO_MANY = 429
HOLD_S_MAX = 600.0  # A longer one is asked about again after this: it may be an error, or have been lifted.
REFUSALS_MIN, REFUSALS_SHARE = 2, 0.05  # Of a minute's answers.
RATE_UNKNOWN = 2.0  # Calls a second at which an unknown server is tried again, halved, after a hold.


class Pacer:
    """Each turn, from `try_take` or `take`, is handed back once with `returned`, however the call ended."""

    def __init__(self, policy: Pacing, clock: Clock, *, name: str = "pace") -> None:
        self.policy = policy
        self.name = name
        self._clock = clock
        self._requests = Learnt()
        self._tokens = Learnt()
        self._throttle = Throttle()
        self._sent, self._sent_tokens, self._accepted = Minute(), Minute(), Minute()
        self._refusals = Minute()
        self._line = Line()
        self._deadlines: list[tuple[int, int, Waiter]] = []
        self._number = 0
        self._timer: asyncio.TimerHandle | None = None
        self._hold_us = 0
        self._cut_us = 0
        self._under_way = 0
        self._tokens_under_way = 0
        self._rates: Rates | None = None
        self._lent_requests: Allowance | None = None
        self._lent_tokens: Allowance | None = None
        self._declared = policy.requests_per_min is not None or policy.tokens_per_min is not None
        self._free = not self._declared  # Nothing is known, nothing is held, nobody waits.

    def share(self, rates: Rates) -> None:
        """From now on other processes' calls count in what is declared, and a hold is theirs, too."""
        self._rates = rates
        rates.on_hold(self.name, lambda until_us: self.hold_until(until_us, told=True))
        if self.policy.requests_per_min is not None:
            self._lent_requests = rates.allowance(
                f"model:{self.name}:calls", self.policy.requests_per_min, 60
            )
            self._lent_requests.on_more = self._serve
        if self.policy.tokens_per_min is not None:
            self._lent_tokens = rates.allowance(f"model:{self.name}:tokens", self.policy.tokens_per_min, 60)
            self._lent_tokens.on_more = self._serve

    @property
    def waiting(self) -> int:
        return self._line.count

    def try_take(self, tokens: int) -> bool:
        """A turn, if there is one now and nobody waits; costs about a microsecond."""
        if not self._free:
            if self._line.count:
                return False
            now_us = self._clock.now_us()
            if not self._has_room(now_us, tokens):
                return False
            self._spend(now_us, tokens)
        self._under_way += 1
        self._tokens_under_way += tokens
        return True

    async def take(
        self,
        tokens: int,
        *,
        caller_key: str,
        priority: int = 0,
        deadline_us: int | None = None,
        weight: float = 1.0,
    ) -> None:
        """Returns when the call may go. A larger `priority` goes first; callers of one are served fairly, by `weight`.

        `tokens`: what the call may use at most. A cancelled caller leaves no trace.
        Raises: PaceFull at once when the line is full or the turn cannot come in time, else at the deadline.
        """
        if self.try_take(tokens):
            return
        now_us = self._clock.now_us()
        wait_us = self._turn_us(now_us, tokens, caller_key, priority)
        if self._line.count >= self.policy.queue_max:
            raise self._full(f"{self._line.count} calls wait", wait_us)
        if deadline_us is not None and now_us + wait_us > deadline_us:
            raise self._full("the turn would come after the deadline", wait_us)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiter = Waiter(tokens, caller_key, priority, weight, deadline_us, turn)
        self._line.join(waiter, now_us)
        self._free = False
        if deadline_us is not None:
            self._number += 1
            heapq.heappush(self._deadlines, (deadline_us, self._number, waiter))
        self._serve()
        try:
            await turn
        except asyncio.CancelledError:
            self._withdraw(waiter)
            raise

    def learn(self, limits: Limits | None, *, status: int, sent_us: int, taken: int = 0) -> None:
        """Tells what a reply said, before `returned`. `sent_us`: when its call was sent, by the pacer's clock.

        `taken`: the tokens of its turn, which the provider has counted by now.
        """
        now_us = self._clock.now_us()
        known_us = self._requests.known_us or self._tokens.known_us
        if limits is not None:
            self._requests.learn(
                limits.requests_limit, limits.requests_remaining, limits.requests_reset_s,
                max(0, self._under_way - 1), sent_us, now_us,
            )  # fmt: skip
            self._tokens.learn(
                limits.tokens_limit, limits.tokens_remaining, limits.tokens_reset_s,
                self._tokens_under_way - taken, sent_us, now_us,
            )  # fmt: skip
        if status == TOO_MANY:
            self._refused(limits, now_us, sent_us, known_us)
        else:
            self._accepted.add(now_us, 1)
            if sent_us < self._cut_us:
                self._throttle.more_accepted(self._accepted.total)
        self._free = self._nothing_known(now_us)
        if self._line.count:
            self._serve()

    def hold_until(self, until_us: int, *, told: bool = False) -> None:
        """Nobody sends before; then one after the other, in order. A hold in force is never shortened.

        No hold is longer than `HOLD_S_MAX`. Those whose deadline comes sooner are refused now: somebody else may
        still answer them. `told`: by another process, so the others know.
        """
        now_us = self._clock.now_us()
        until_us = min(until_us, now_us + round(HOLD_S_MAX * US_PER_S))
        if until_us <= max(now_us, self._hold_us):
            return
        self._hold_us = until_us
        if self._rates is not None and not told:
            self._rates.hold(self.name, until_us)
        self._free = False
        if self._throttle.rate(now_us) is not None:
            self._throttle.later(until_us)
        else:
            known = self._requests.rate if self._requests.limit else 0.0
            at = known or max(self._accepted.per_min(now_us) / 60, RATE_UNKNOWN) / 2
            self._throttle.begin(Cut(at, 2 * at, until_us, guessed=True))
        for waiter in self._line.everyone() if self._line.count else ():
            if waiter.deadline_us is not None and waiter.deadline_us < until_us:
                self._refuse(waiter, until_us - now_us, "the provider asked for a longer wait")
        self._serve()

    def returned(self, taken: int, used: int | None, *, sent_us: int) -> None:
        """The call is over. `used`: the tokens it really took, 0 for one that was never sent; None: nobody knows."""
        self._under_way -= 1
        self._tokens_under_way -= taken
        if used is None or used == taken or (self._free and not self._declared):
            return
        if self._tokens.limit:
            self._tokens.give_back(taken - used)
        elif self.policy.tokens_per_min is not None:
            self._sent_tokens.at(self._clock.now_us())
            self._sent_tokens.correct(sent_us, used - taken)
            _spend(self._lent_tokens, used - taken)
        if self._line.count:
            self._serve()

    def view(self) -> PaceView:
        now_us = self._clock.now_us()
        throttled = self._throttle.rate(now_us)
        return PaceView(
            self._line.count,
            self._under_way,
            max(0, self._hold_us - now_us) / US_PER_S,
            self._requests.rate * 60 if self._requests.limit else self.policy.requests_per_min,
            self._tokens.rate * 60 if self._tokens.limit else self.policy.tokens_per_min,
            None if throttled is None else throttled * 60,
        )

    def _has_room(self, now_us: int, tokens: int) -> bool:
        if now_us < self._hold_us:
            return False
        if self._requests.limit:
            if not self._requests.has(now_us, 1.0):
                return False
        elif self.policy.requests_per_min is not None and (
            self._sent.at(now_us) >= self.policy.requests_per_min or not _has(self._lent_requests, 1)
        ):
            return False
        if self._tokens.limit:
            if not self._tokens.has(now_us, tokens):
                return False
        elif self.policy.tokens_per_min is not None:
            bound = self.policy.tokens_per_min
            if self._sent_tokens.at(now_us) + min(tokens, bound) > bound or not _has(
                self._lent_tokens, tokens
            ):
                return False
        return self._throttle.cut is None or self._throttle.wait_us(now_us) == 0

    def _wait_us(self, now_us: int, calls: int, tokens: int) -> int:
        """How long until `calls` more calls with `tokens` in all may have gone, if nobody else sends."""
        wait_us = max(0, self._hold_us - now_us)
        if self._requests.limit:
            wait_us = max(wait_us, self._requests.wait_us(now_us, calls))
        elif self.policy.requests_per_min is not None:
            wait_us = max(wait_us, self._sent.wait_us(now_us, calls, self.policy.requests_per_min))
            wait_us = max(wait_us, _lent_us(self._lent_requests, now_us))
        if self._tokens.limit:
            amount = min(tokens, self._tokens.limit) if calls == 1 else tokens
            wait_us = max(wait_us, self._tokens.wait_us(now_us, amount))
        elif self.policy.tokens_per_min is not None:
            bound = self.policy.tokens_per_min
            amount = min(tokens, bound) if calls == 1 else tokens
            wait_us = max(wait_us, self._sent_tokens.wait_us(now_us, amount, bound))
            wait_us = max(wait_us, _lent_us(self._lent_tokens, now_us))
        if self._throttle.cut is not None:
            wait_us = max(wait_us, self._throttle.wait_us(now_us, calls))
        return wait_us

    def _turn_us(self, now_us: int, tokens: int, caller_key: str, priority: int) -> int:
        line = self._line
        if not line.count:
            return self._wait_us(now_us, 1, tokens)
        ahead = line.ahead_of(caller_key, priority)
        return self._wait_us(now_us, ahead + 1, tokens + line.tokens * ahead // line.count)

    def _spend(self, now_us: int, tokens: int) -> None:
        if self._requests.limit:
            self._requests.left -= 1.0
        elif self.policy.requests_per_min is not None:
            self._sent.add(now_us, 1)
            _spend(self._lent_requests, 1)
        if self._tokens.limit:
            self._tokens.left -= tokens
        elif self.policy.tokens_per_min is not None:
            self._sent_tokens.add(now_us, tokens)
            _spend(self._lent_tokens, tokens)
        if self._throttle.cut is not None:
            self._throttle.spend()

    def _cost(self, tokens: int) -> float:
        """A call's dominant share, in calls: many tokens weigh as much as the many calls they displace."""
        calls = self._requests.limit or self.policy.requests_per_min
        per_min = self._tokens.limit or self.policy.tokens_per_min
        if not calls or not per_min:
            return 1.0
        return max(1.0, tokens * calls / per_min)

    def _refused(self, limits: Limits | None, now_us: int, sent_us: int, known_us: int) -> None:
        """Slows down once for each spell of refusals: calls sent before the last cut say nothing new.

        The first refusal that comes with the limits teaches those instead. A later one means that the count was
        wrong: others use the same key, or another process does.
        """
        told = False
        if limits is not None:
            for learnt, remaining in (
                (self._requests, limits.requests_remaining), (self._tokens, limits.tokens_remaining),
            ):  # fmt: skip
                if remaining == 0 and learnt.limit:
                    learnt.empty()
                    told = True
        if sent_us < self._cut_us or (told and (not known_us or sent_us < known_us)):
            return
        if not self._is_pattern(now_us):
            return
        self._cut_us = now_us
        cut = self._throttle.cut
        rate = None if cut is None or cut.guessed else self._throttle.rate(now_us)
        accepted = self._accepted.per_min(now_us)
        if self._requests.limit:
            accepted = min(accepted, round(60 * self._requests.rate))
        self._throttle.begin(cut_after(rate, accepted, max(now_us, self._hold_us)))

    def _is_pattern(self, now_us: int) -> bool:
        """One refusal among many answers is an accident of the server's; a limit refuses again and again."""
        self._refusals.add(now_us, 1)
        refused = self._refusals.at(now_us)
        return refused >= max(REFUSALS_MIN, REFUSALS_SHARE * (refused + self._accepted.at(now_us)))

    def _nothing_known(self, now_us: int) -> bool:
        return not (
            self._declared or self._requests.limit or self._tokens.limit or self._line.count
            or now_us < self._hold_us or self._throttle.rate(now_us) is not None
        )  # fmt: skip

    def _serve(self) -> None:
        """Gives out every turn there is now, and sets the timer for the next."""
        now_us = self._clock.now_us()
        self._expire(now_us)
        wait_us = 0
        waiter = self._line.next(now_us)
        while waiter is not None:
            if not self._has_room(now_us, waiter.tokens):
                wait_us = max(1, self._wait_us(now_us, 1, waiter.tokens))
                break
            if waiter.future.done():  # Cancelled, and its own code has not run yet.
                self._line.withdraw(waiter)
            else:
                self._line.served(waiter, now_us, self._cost(waiter.tokens))
                self._spend(now_us, waiter.tokens)
                self._under_way += 1
                self._tokens_under_way += waiter.tokens
                waiter.future.set_result(None)
            waiter = self._line.next(now_us)
        self._set_timer(now_us, wait_us)

    def _expire(self, now_us: int) -> None:
        if len(self._deadlines) > 64 + 2 * self._line.count:
            self._deadlines = [entry for entry in self._deadlines if not entry[2].future.done()]
            heapq.heapify(self._deadlines)
        while self._deadlines and (self._deadlines[0][2].future.done() or self._deadlines[0][0] <= now_us):
            waiter = heapq.heappop(self._deadlines)[2]
            if not waiter.future.done():
                wait_us = self._turn_us(now_us, waiter.tokens, waiter.key, waiter.priority)
                self._refuse(waiter, wait_us, "the deadline came before its turn")

    def _set_timer(self, now_us: int, wait_us: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._line.count:
            return
        if self._deadlines:
            wait_us = min(wait_us, max(1, self._deadlines[0][0] - now_us))
        loop = asyncio.get_running_loop()
        self._timer = loop.call_at(loop.time() + wait_us / US_PER_S, self._serve)

    def _withdraw(self, waiter: Waiter) -> None:
        turn = waiter.future
        if turn.cancelled():
            if waiter.waits:
                self._line.withdraw(waiter)
        elif turn.exception() is None:
            # The turn came in the same moment: it goes to the next in line.
            self._under_way -= 1
            self._tokens_under_way -= waiter.tokens
            self._take_back(waiter.tokens)
        self._serve()

    def _take_back(self, tokens: int) -> None:
        now_us = self._clock.now_us()
        if self._requests.limit:
            self._requests.give_back(1.0)
        elif self.policy.requests_per_min is not None:
            self._sent.correct(now_us, -1)
            _spend(self._lent_requests, -1)
        if self._tokens.limit:
            self._tokens.give_back(tokens)
        elif self.policy.tokens_per_min is not None:
            self._sent_tokens.correct(now_us, -tokens)
            _spend(self._lent_tokens, -tokens)
        if self._throttle.cut is not None:
            self._throttle.give_back()

    def _refuse(self, waiter: Waiter, wait_us: int, why: str) -> None:
        self._line.withdraw(waiter)
        if not waiter.future.done():
            waiter.future.set_exception(self._full(why, wait_us))

    def _full(self, why: str, wait_us: int) -> PaceFull:
        return PaceFull(
            f"The call to {self.name} did not get its turn: {why}.", retry_after_s=wait_us / US_PER_S
        )


def _has(lent: Allowance | None, amount: int) -> bool:
    return lent is None or lent.has(amount)


def _spend(lent: Allowance | None, amount: int) -> None:
    if lent is not None:
        lent.spend(amount)


def _lent_us(lent: Allowance | None, now_us: int) -> int:
    return 0 if lent is None else lent.wait_us(now_us)
