"""Which budgets bound a call: those of its task, agent, user, feature and key. Days and months are UTC."""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

from airworthy.core.clock import US_PER_S
from airworthy.core.money import nano_from_usd
from airworthy.core.task import TaskRef
from airworthy.gateway.budget.values import Scope
from airworthy.policy import Policy

US_PER_DAY = 86_400 * US_PER_S
REMEMBERED_MAX = 10_000
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class KeyBudgets:
    """What one caller's key may use over all agents; None: not bounded."""

    day_usd: float | None = None
    month_usd: float | None = None
    total_usd: float | None = None
    day_tokens: int | None = None
    day_calls: int | None = None


NO_KEY_BUDGETS = KeyBudgets()


def scopes_of(policy: Policy, task: TaskRef, now_us: int) -> tuple[Scope, ...]:
    """Every budget of the policy that bounds this task's calls, the task's own first."""
    return (
        _task_scope(policy, f"task:{task.id}", "this task"),
        *_shared(policy, task.user, task.feature, now_us),
    )


class ScopeBook:
    """The scopes of callers of one policy, remembered, because calls ask for the same ones again and again."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        # A call without a run is its own task: `fits(book.of_call, amount)` bounds it, and no row is needed.
        self.of_call = _task_scope(policy, "call", "one call")
        self._known: dict[tuple[int, str, str, str, str], tuple[KeyBudgets, tuple[Scope, ...]]] = {}

    def of(
        self,
        now_us: int,
        *,
        task_id: str = "",
        user: str = "",
        feature: str = "",
        key_id: str = "",
        key: KeyBudgets = NO_KEY_BUDGETS,
    ) -> tuple[Scope, ...]:
        """`task_id` empty: the call belongs to no run. The task's own scope is the first, where there is one."""
        place = (now_us // US_PER_DAY, task_id, user, feature, key_id)
        known = self._known.get(place)
        if known is not None and known[0] is key:
            return known[1]
        if len(self._known) >= REMEMBERED_MAX:
            self._known.clear()
        task = _task_scope(self._policy, f"task:{task_id}", "this task", self._policy.limits.steps)
        own = (task,) if task_id else ()
        found = (*own, *_shared(self._policy, user, feature, now_us), *_of_key(key_id, key, now_us))
        self._known[place] = (key, found)
        return found


def day_of(now_us: int) -> str:
    return _day(now_us // US_PER_DAY)


@lru_cache(maxsize=64)
def _day(number: int) -> str:
    return (_EPOCH + timedelta(days=number)).isoformat()


def _task_scope(policy: Policy, name: str, label: str, calls_max: int | None = None) -> Scope:
    return Scope(name, label, nano_from_usd(policy.limits.cost_usd), policy.limits.tokens, calls_max)


def _shared(policy: Policy, user: str, feature: str, now_us: int) -> tuple[Scope, ...]:
    budgets, agent = policy.budgets, policy.agent
    day = day_of(now_us)
    month = day[:7]
    scopes = [
        Scope(
            f"agent:{agent}:day:{day}", f"{agent} on {day}",
            _nano(budgets.day_usd), budgets.tokens_per_day, budgets.calls_per_day,
        ),
        Scope(
            f"agent:{agent}:month:{month}", f"{agent} in {month}",
            _nano(budgets.month_usd), budgets.tokens_per_month, budgets.calls_per_month,
        ),
    ]  # fmt: skip
    optional = []
    if user:
        who = f"agent:{agent}:user:{user}"
        optional += [
            Scope(
                f"{who}:{day}", f"user {user} on {day}",
                _nano(budgets.user_day_usd), budgets.user_tokens_per_day, budgets.user_calls_per_day,
            ),
            Scope(f"{who}:{month}", f"user {user} in {month}", _nano(budgets.user_month_usd)),
        ]  # fmt: skip
    if feature:
        what = f"agent:{agent}:feature:{feature}"
        optional += [
            Scope(
                f"{what}:{day}", f"feature {feature} on {day}",
                _nano(budgets.feature_day_usd), budgets.feature_tokens_per_day, budgets.feature_calls_per_day,
            ),
            Scope(f"{what}:{month}", f"feature {feature} in {month}", _nano(budgets.feature_month_usd)),
        ]  # fmt: skip
    return (*scopes, *(scope for scope in optional if scope.capped))


def _of_key(key_id: str, key: KeyBudgets, now_us: int) -> tuple[Scope, ...]:
    if not key_id:
        return ()
    day = day_of(now_us)
    scopes = (
        Scope(
            f"key:{key_id}:day:{day}",
            f"key {key_id} on {day}",
            _nano(key.day_usd),
            key.day_tokens,
            key.day_calls,
        ),
        Scope(f"key:{key_id}:month:{day[:7]}", f"key {key_id} in {day[:7]}", _nano(key.month_usd)),
        Scope(f"key:{key_id}:total", f"key {key_id} in all", _nano(key.total_usd)),
    )
    return tuple(scope for scope in scopes if scope.capped)


def _nano(usd: float | None) -> int | None:
    return None if usd is None else nano_from_usd(usd)
