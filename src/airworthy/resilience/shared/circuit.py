"""One process's end of a shared breaker: answers at once from what it knows, and remembers what it has to tell."""

from typing import TYPE_CHECKING

from airworthy.core.clock import Clock
from airworthy.resilience import breaker
from airworthy.resilience._window import Window
from airworthy.resilience.breaker import Breaker, BreakerState, Mode, Permit, Refusal, Result
from airworthy.resilience.circuit import Change, CircuitOpen, Guarding
from airworthy.resilience.shared.rows import BreakerRow, Hand, News, has_failures, merged

if TYPE_CHECKING:
    from airworthy.resilience.shared.circuits import Circuits

FOLD_US = 500_000  # Successes are counted as one number for so long before they go into the window.


class SharedCircuit(Guarding):
    """A breaker that all processes with the same store share. Made by `Circuits.circuit`; for one event loop.

    As `Circuit`, except that a probe must first be claimed in the store: `admit` does that, `enter` cannot wait for
    it and is refused until the claim that it asks for is won.
    """

    def __init__(self, home: "Circuits", name: str, policy: Breaker, clock: Clock) -> None:
        self.name = name
        self.policy = policy
        self.version = 0  # Of the row last seen; 0: none.
        self._home = home
        self._clock = clock
        self._state = BreakerState()
        self._open_to_all: Permit | None = Permit(0)  # While closed: every call's permit.
        self._ok = 0  # Successes not in the window yet, and since when.
        self._ok_us = 0
        self._counts = Window()  # Not told to the store yet; part of the state's own window.
        self._moved_from: int | None = None  # The term left by own decision that the store does not know of.
        self._probes: list[tuple[Permit, Result]] = []
        self._hand: Hand | None = None
        self._given: Permit | None = None  # The probe that the store gave to this process.
        self._ticket: Permit | None = None  # The same, while nobody here has used it.
        self._wanted = False
        self._claiming = False

    def closed_to(self, now_us: int) -> CircuitOpen | None:
        return None if self._open_to_all is not None else super().closed_to(now_us)

    @property
    def state(self) -> BreakerState:
        self._fold(self._clock.now_us())
        return self._state

    def enter(self) -> Permit:
        """Each permit must be handed to `leave` once. Raises: CircuitOpen."""
        permit = self._open_to_all
        if permit is not None:
            return permit
        permit = self._here()
        if permit is not None:
            return permit
        self._wanted = True
        self._home.wake()
        raise self.refusal(Refusal(self._home.tick_s, f"a probe is due; {self._state.reason}"))

    async def admit(self) -> Permit:
        """As `enter`, and claims the probe that is due; waits only for that. Raises: CircuitOpen."""
        permit = self._open_to_all
        if permit is not None:
            return permit
        permit = self._here()
        if permit is not None:
            return permit
        if self._claiming:
            raise self.refusal(Refusal(self._home.tick_s, f"a probe is being claimed; {self._state.reason}"))
        self._claiming = True
        try:
            answer = await self._home.claim(self)
        finally:
            self._claiming = False
        if isinstance(answer, Refusal):
            raise self.refusal(answer)
        return answer

    def leave(self, permit: Permit, result: Result) -> None:
        """Twice with one permit: a probe counts once, a call while closed counts twice."""
        if permit.probe is None:
            if result == "neutral" or permit.term != self._state.term or self._open_to_all is None:
                return
            now_us = self._clock.now_us()
            if result == "ok":
                self._ok += 1
                if now_us - self._ok_us >= FOLD_US:
                    self._fold(now_us)
                return
            self._fold(now_us)
            self._counts = self._counts.add(now_us, self.policy.window_s, second=1)
        else:
            now_us = self._clock.now_us()
            if permit == self._given:
                self._given = None
                self._probes.append((permit, result))
                self._home.wake()
                if now_us < self._state.probe_until_us:
                    self._become(breaker.after(self.policy, self._state, now_us, permit, result))
                return
        before = self._state
        self._become(breaker.after(self.policy, before, now_us, permit, result))
        if self._state.term != before.term:
            self._moved(before.term)

    def force_open(self, reason: str, by_whom: str = "") -> None:
        """Here at once, everywhere else within a second."""
        self._by_hand(Hand(opens=True, reason=reason, by_whom=by_whom))

    def force_close(self, reason: str = "", by_whom: str = "") -> None:
        self._by_hand(Hand(opens=False, reason=reason, by_whom=by_whom))

    # For `Circuits` alone: what there is to tell, and what came back.

    def has_news(self, now_us: int) -> bool:
        """Successes are worth a write only while failures are in the window: a healthy dependency costs none."""
        self._fold(now_us)
        if self.version == 0 or self._wanted or self._hand or self._probes or self._moved_from is not None:
            return True
        return bool(self._counts.slots) and self._state.window.counts(now_us, self.policy.window_s)[1] > 0

    def take_news(self) -> tuple[News, bool]:
        """And whether a probe is wanted. What could not be told must come back by `keep_news`."""
        if self._moved_from is not None:
            news = News(self._moved_from, moved=self._state, probes=tuple(self._probes), hand=self._hand)
        else:
            news = News(self._state.term, self._counts, None, tuple(self._probes), self._hand)
        wanted = self._wanted
        self._counts, self._moved_from, self._probes, self._hand, self._wanted = (
            Window(),
            None,
            [],
            None,
            False,
        )
        return news, wanted

    def keep_news(self, news: News) -> None:
        self._probes = [*news.probes, *self._probes]
        self._hand = self._hand or news.hand
        if news.moved is not None:
            self._moved_from = news.base_term
        elif news.base_term == self._state.term:
            self._counts = merged(news.counts, self._counts)

    def follow(self, row: BreakerRow, given: Permit | None = None, *, unused: bool = False) -> None:
        """Takes over what is stored. `given`: the probe that came with it; `unused`: for whoever calls `enter` next."""
        if given is not None and given.probe is not None:
            self._given = given
            self._ticket = given if unused else None
        if row.version < self.version:
            return  # Answers may overtake each other.
        self.version = row.version
        if self._moved_from is not None or self._probes or self._hand is not None:
            return  # Something happened here since: that goes to the store first.
        state = row.state
        if state.term == self._state.term and self._counts.slots:
            both, failed = merged(state.window, self._counts), has_failures(self._counts)
            state = breaker.counted(self.policy, state, self._clock.now_us(), both, failed=failed)
            if state.term != row.state.term:
                self._moved(row.state.term)
        elif state.term != self._state.term:
            self._counts, self._ok = Window(), 0
        self._become(state)

    def alone(self) -> Permit | Refusal:
        """What this process would do by itself; for when the store does not answer."""
        answer, state = breaker.allow(self.policy, self._state, self._clock.now_us())
        self._become(state)
        return answer

    def _here(self) -> Permit | None:
        """None: a probe is due, and the store must say whose it is. Raises: CircuitOpen."""
        now_us = self._clock.now_us()
        ticket, self._ticket = self._ticket, None
        state = self._state
        if ticket is not None and state.probe == ticket.probe and now_us < state.probe_until_us:
            return ticket
        if not self._home.reachable:
            answer = self.alone()
            if isinstance(answer, Permit):
                return answer
        else:
            answer, _ = breaker.allow(self.policy, state, now_us)
        if isinstance(answer, Refusal):
            raise self.refusal(answer)
        return None

    def _by_hand(self, hand: Hand) -> None:
        self._hand = hand
        now_us = self._clock.now_us()
        if hand.opens:
            self._become(breaker.force_open(self.policy, self._state, now_us, hand.reason))
        else:
            self._become(breaker.force_close(self._state, hand.reason))
        self._home.wake()

    def _moved(self, term: int) -> None:
        if self._moved_from is None:
            self._moved_from = term
        self._counts = Window()
        self._home.wake()

    def _fold(self, now_us: int) -> None:
        ok, self._ok, self._ok_us = self._ok, 0, now_us
        if ok and self._open_to_all is not None:
            self._counts = self._counts.add(now_us, self.policy.window_s, first=ok)
            window = self._state.window.add(now_us, self.policy.window_s, first=ok)
            self._state = breaker.counted(self.policy, self._state, now_us, window, failed=False)

    def _become(self, state: BreakerState) -> None:
        before, self._state = self._state, state
        if state.mode is Mode.CLOSED:
            if self._open_to_all is None or self._open_to_all.term != state.term:
                self._open_to_all = Permit(state.term)
        else:
            self._open_to_all = None
        if before.term != state.term:
            self._ok = 0
        if before.mode is not state.mode and self._home.on_change is not None:
            self._home.on_change(
                Change(self.name, before.mode, state.mode, state.reason, self._clock.now_us())
            )
