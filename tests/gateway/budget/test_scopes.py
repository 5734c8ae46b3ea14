"""Which budgets bound which call."""

import pytest

from airworthy.core.task import TaskRef
from airworthy.gateway.budget import Amount, KeyBudgets, Scope, ScopeBook, day_of, fits, scopes_of
from airworthy.policy import Budgets, Limits, Policy

NOW_US = 1_764_000_000_000_000  # 2025-11-24
DAY_US = 86_400_000_000
EVERY = Budgets(
    day_usd=10, month_usd=100, calls_per_day=50, calls_per_month=500, tokens_per_day=1_000, tokens_per_month=9_000,
    user_day_usd=1, user_month_usd=5, user_calls_per_day=5, user_tokens_per_day=100,
    feature_day_usd=2, feature_month_usd=6, feature_calls_per_day=6, feature_tokens_per_day=200,
)  # fmt: skip
USD = 10**9


def policy(budgets: Budgets | None = None) -> Policy:
    return Policy(
        agent="support", purpose="tests of budgets", limits=Limits(cost_usd=0.5, tokens_in=500, tokens=700),
        budgets=budgets or Budgets(),
    )  # fmt: skip


def test_every_budget_of_the_policy_bounds_in_money_tokens_and_calls() -> None:
    found = scopes_of(policy(EVERY), TaskRef("t1", "support", "0", user="ann", feature="mail"), NOW_US)

    assert found == (
        Scope("task:t1", "this task", USD // 2, 700),
        Scope("agent:support:day:2025-11-24", "support on 2025-11-24", 10 * USD, 1_000, 50),
        Scope("agent:support:month:2025-11", "support in 2025-11", 100 * USD, 9_000, 500),
        Scope("agent:support:user:ann:2025-11-24", "user ann on 2025-11-24", USD, 100, 5),
        Scope("agent:support:user:ann:2025-11", "user ann in 2025-11", 5 * USD),
        Scope("agent:support:feature:mail:2025-11-24", "feature mail on 2025-11-24", 2 * USD, 200, 6),
        Scope("agent:support:feature:mail:2025-11", "feature mail in 2025-11", 6 * USD),
    )


def test_users_and_features_without_a_budget_have_no_scope_and_the_agent_is_counted_all_the_same() -> None:
    found = ScopeBook(policy()).of(NOW_US, user="ann", feature="mail")

    assert [scope.name for scope in found] == ["agent:support:day:2025-11-24", "agent:support:month:2025-11"]
    assert not any(scope.capped for scope in found)


def test_a_keys_budgets_come_beside_those_of_the_policy() -> None:
    key = KeyBudgets(day_usd=1, month_usd=2, total_usd=3, day_tokens=4, day_calls=5)
    found = ScopeBook(policy()).of(NOW_US, key_id="k1", key=key)

    assert found[2:] == (
        Scope("key:k1:day:2025-11-24", "key k1 on 2025-11-24", USD, 4, 5),
        Scope("key:k1:month:2025-11", "key k1 in 2025-11", 2 * USD),
        Scope("key:k1:total", "key k1 in all", 3 * USD),
    )


def test_scopes_are_remembered_for_a_caller_and_a_day_and_made_anew_when_its_key_changes() -> None:
    book = ScopeBook(policy(EVERY))
    key = KeyBudgets(day_usd=1)
    first = book.of(NOW_US, user="ann", key_id="k1", key=key)

    assert book.of(NOW_US + 1, user="ann", key_id="k1", key=key) is first
    assert book.of(NOW_US + DAY_US, user="ann", key_id="k1", key=key) != first
    assert book.of(NOW_US, user="bob", key_id="k1", key=key) != first
    assert book.of(NOW_US, user="ann", key_id="k1", key=KeyBudgets(day_usd=2)) != first
    assert book.of(NOW_US, task_id="t1", user="ann", key_id="k1", key=key)[1:] == first


@pytest.mark.parametrize(
    ("amount", "fitting"),
    [(Amount(USD // 2, 700), True), (Amount(USD // 2 + 1, 700), False), (Amount(1, 701), False)],
)
def test_a_call_without_a_run_is_bounded_like_a_task_of_one_call(amount: Amount, fitting: bool) -> None:
    why = fits(ScopeBook(policy()).of_call, amount)

    assert (why is None) == fitting
    assert why is None or not why.passing


@pytest.mark.parametrize("counts", [(-1, 0, 0), (0, -1, 0), (0, 0, -1)])
def test_no_amount_is_below_nothing(counts: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="below zero"):
        Amount(*counts)


def test_a_day_is_a_utc_day() -> None:
    midnight_us = NOW_US - NOW_US % DAY_US

    assert (day_of(midnight_us - 1), day_of(midnight_us)) == ("2025-11-23", "2025-11-24")
