"""Whose turn it is: one look at one agent's queue, inside the transaction that claims.

Returning tasks first. Then the highest priority, and within it users in turn. Every tenth start is spared for the other
priorities, one after the other, so that none waits for ever.
"""

from typing import Final

from airworthy.policy import AdmissionRule
from airworthy.runtime.admission import bounds, queue
from airworthy.runtime.admission.drain import Drain
from airworthy.runtime.admission.queue import RANK_MAX, RETURNING, Lane
from airworthy.store import Fence, Tx

Span = tuple[str | None, int]  # A feature (None: all of them), and down to which rank its lanes are open.

SPARED_EVERY: Final = 10
HELD_MAX: Final = 1000  # Lanes put out of the way in one look; further ones in the next.


class Look:
    """Lives for one transaction. Without a rule (the policy has none any more) everything is let through, in turn."""

    def __init__(self, tx: Tx, agent: str, rule: AdmissionRule | None, now_us: int) -> None:
        self._tx = tx
        self._agent = agent
        self._counted = rule is not None
        self._rule = rule = rule if rule is not None else AdmissionRule()
        self._now_us = now_us
        self._by_feature = rule.feature_concurrency is not None or rule.feature_rate is not None
        self._held = 0
        queue.release_due(tx, agent, now_us)
        row = tx.row(
            "SELECT begun, spared, minute_us, minute_begun, minute_before FROM queues WHERE agent = ?",
            (agent,),
        )
        begun, spared, *minute = row if row is not None else (0, RETURNING, 0, 0, 0)
        self._begun: int = begun
        self._spared: int = spared
        self._drain = Drain(*minute)

    def choose(self) -> tuple[str, Lane] | None:
        """The task that begins next, or None: nothing waits that may."""
        while self._held < HELD_MAX:
            lane = self._lane()
            if lane is None:
                return None
            until_us = self._user_waits_until(lane)
            if until_us is None:
                return queue.first(self._tx, lane), lane
            queue.hold(self._tx, lane, until_us)
            self._held += 1
        return None

    def passed_over(self, task_id: str) -> None:
        """It was closed or stopped in the moment of its turn."""
        queue.leave(self._tx, task_id)

    def began(self, task_id: str, lane: Lane, fence: Fence) -> None:
        queue.served(self._tx, lane)
        queue.leave(self._tx, task_id)
        if self._counted:
            bounds.begin(self._tx, lane.agent, lane.user_id, lane.feature, fence)
        if lane.returning:
            return
        bounds.count_start(self._tx, self._rule, lane.agent, lane.user_id, lane.feature, self._now_us)
        if self._sparing:
            self._spared = lane.rank
        self._begun += 1
        self._drain = self._drain.after_start(self._now_us)
        minute = (self._drain.minute_us, self._drain.begun, self._drain.before)
        self._tx.execute(
            "UPDATE queues SET begun = ?, spared = ?, minute_us = ?, minute_begun = ?, minute_before = ?"
            " WHERE agent = ?",
            (self._begun, self._spared, *minute, self._agent),
        )

    def next_us(self, *, out_of_hands: bool) -> int | None:
        """When to look again; None: when a place comes free, or something new comes. Stored for those who look.

        `out_of_hands`: this worker takes no more now, whatever waits.
        """
        at_us = self._next_us(out_of_hands=out_of_hands)
        self._tx.execute("UPDATE queues SET next_us = ? WHERE agent = ?", (at_us, self._agent))
        return at_us

    def _next_us(self, *, out_of_hands: bool) -> int | None:
        if queue.empty(self._tx, self._agent) or bounds.full(self._tx, self._rule, self._agent):
            return None
        if out_of_hands or self._held >= HELD_MAX:
            return self._now_us
        begins_us = self._begins_us()
        if begins_us > self._now_us:
            return begins_us
        times = [queue.next_held_us(self._tx, self._agent)]
        if self._by_feature:
            times += [self._feature_begins_us(feature) for feature in self._features()]
        return min((at_us for at_us in times if at_us is not None and at_us > self._now_us), default=None)

    @property
    def _sparing(self) -> bool:
        return self._begun % SPARED_EVERY == SPARED_EVERY - 1

    def _lane(self) -> Lane | None:
        if bounds.full(self._tx, self._rule, self._agent):
            return None
        rank_max = RANK_MAX if self._begins_us() <= self._now_us else RETURNING
        open_ = self._open(rank_max)
        found = self._least([(name, RETURNING, most) for name, most in open_])
        if found is None or found.returning or not self._sparing:
            return found
        # After the one that was spared a start last; when there is none, from the second highest again.
        following = self._rank_after(max(self._spared, found.rank), open_)
        if following is None:
            following = self._rank_after(found.rank, open_)
        if following is None:
            return found
        return self._least([(name, following, following) for name, most in open_ if most >= following])

    def _open(self, rank_max: int) -> list[Span]:
        if not self._by_feature:
            return [(None, rank_max)]
        ranks = ((name, self._feature_rank_max(name, rank_max)) for name in self._features())
        return [(name, most) for name, most in ranks if most is not None]

    def _least(self, spans: list[tuple[str | None, int, int]]) -> Lane | None:
        """The lane whose turn it is among those of a feature (None: any) and from a rank to another."""
        best: tuple[int, int, int, str, str] | None = None
        for feature, least, most in spans:
            where, params = ("", ()) if feature is None else (" AND feature = ?", (feature,))
            row = self._tx.row(
                f"SELECT rank, turn, head_us, user_id, feature FROM lanes WHERE agent = ? AND held = 0{where}"
                " AND rank >= ? AND rank <= ? ORDER BY rank, turn, head_us LIMIT 1",
                (self._agent, *params, least, most),
            )
            if row is not None and (best is None or row < best):
                best = row
        return None if best is None else Lane(self._agent, best[3], best[0], best[4])

    def _rank_after(self, rank: int, open_: list[Span]) -> int | None:
        found = []
        for feature, most in open_:
            if most <= rank:
                continue
            where, params = ("", ()) if feature is None else (" AND feature = ?", (feature,))
            row = self._tx.row(
                f"SELECT MIN(rank) FROM lanes WHERE agent = ? AND held = 0{where} AND rank > ?",
                (self._agent, *params, rank),
            )
            found += [] if row is None or row[0] is None else [row[0]]
        return min(found, default=None)

    def _features(self) -> list[str]:
        """That wait; no more than there are lanes, which the queue's bound bounds."""
        names: list[str] = []
        row = self._tx.row("SELECT MIN(feature) FROM lanes WHERE agent = ? AND held = 0", (self._agent,))
        while row is not None and row[0] is not None:
            names.append(row[0])
            row = self._tx.row(
                "SELECT MIN(feature) FROM lanes WHERE agent = ? AND held = 0 AND feature > ?",
                (self._agent, row[0]),
            )
        return names

    def _feature_rank_max(self, feature: str, rank_max: int) -> int | None:
        """How far down the feature's lanes are open; None: it has no place left."""
        if bounds.feature_full(self._tx, self._rule, self._agent, feature):
            return None
        return RETURNING if self._feature_begins_us(feature) > self._now_us else rank_max

    def _begins_us(self) -> int:
        return bounds.next_start_us(self._tx, self._rule.rate, bounds.of_agent(self._agent), self._now_us)

    def _feature_begins_us(self, feature: str) -> int:
        scope = bounds.of_feature(self._agent, feature)
        return bounds.next_start_us(self._tx, self._rule.feature_rate, scope, self._now_us)

    def _user_waits_until(self, lane: Lane) -> int | None:
        """None: not at all."""
        if bounds.user_full(self._tx, self._rule, lane.agent, lane.user_id):
            return bounds.FOREVER_US
        if lane.returning:
            return None
        scope = bounds.of_user(lane.agent, lane.user_id)
        at_us = bounds.next_start_us(self._tx, self._rule.user_rate, scope, self._now_us)
        return at_us if at_us > self._now_us else None


def room(tx: Tx, rule: AdmissionRule, agent: str, user_id: str, feature: str) -> bool:
    """Whether a task that has begun before may go on at once: there is a place, and nobody like it waits for one."""
    return not (
        bounds.full(tx, rule, agent)
        or bounds.user_full(tx, rule, agent, user_id)
        or bounds.feature_full(tx, rule, agent, feature)
        or queue.returns(tx, agent)
    )
