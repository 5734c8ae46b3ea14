"""Money is counted to the nano-dollar, and a bound is never below a bill."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airworthy.gateway import Gateway, ModelNotAllowed, Unpriced
from airworthy.gateway.prices import Price, bound_nano, check_priced, cost_nano, price_list
from airworthy.gateway.wire.facts import Usage
from airworthy.policy import ModelRule, Policy
from tests.gateway.kit import FIRST, model, script
from tests.virtual import LoopClock

BILLS = [
    ({}, (1_000_000, 0), 0, 1_000_000_000, "a million tokens in"),
    ({}, (0, 1_000_000), 0, 4_000_000_000, "a million tokens out"),
    ({}, (1, 1), 0, 5_000, "one of each"),
    ({"input_usd_per_mtok": 0.0001}, (1, 0), 0, 1, "a tenth of a nano is a nano: rounded up"),
    ({"input_usd_per_mtok": 0.1}, (3, 0), 0, 300, "no binary fraction creeps in"),
    ({"cached_input_usd_per_mtok": 0.1}, (100, 0), 80, 28_000, "cached tokens at their own price"),
    ({}, (100, 0), 80, 100_000, "without one they cost the full price"),
    ({"cached_input_usd_per_mtok": 0.1}, (100, 0), 200, 10_000, "no more cached than there are"),
    ({"input_usd_per_mtok": 0.0, "output_usd_per_mtok": 0.0}, (9, 9), 0, 0, "a server of one's own"),
]


def price(**prices: Any) -> Price:
    return check_priced(model(**prices), price_list())


@pytest.mark.parametrize(("prices", "tokens", "cached", "nano", "why"), BILLS)
def test_a_bill_is_exact(
    prices: dict[str, Any], tokens: tuple[int, int], cached: int, nano: int, why: str
) -> None:
    usage = Usage(tokens_in=tokens[0], tokens_out=tokens[1], cached=cached)

    assert cost_nano(price(**prices), usage) == nano, why


@given(st.integers(0, 10**6), st.integers(0, 10**5), st.floats(0, 100), st.floats(0, 100))
def test_a_bound_is_never_below_the_bill_of_what_it_bounds(
    size: int, out: int, inp: float, outp: float
) -> None:
    rule = price(input_usd_per_mtok=inp, output_usd_per_mtok=outp)

    assert bound_nano(rule, size, out) >= cost_nano(rule, Usage(tokens_in=size, tokens_out=out))


async def test_a_model_without_a_price_is_refused_before_any_call() -> None:
    policy = Policy(agent="a", purpose="prices", models=(ModelRule(name=FIRST),))

    with pytest.raises(Unpriced, match=FIRST) as raised:
        Gateway(policy, {FIRST: script(b"")}, LoopClock())
    assert "input_usd_per_mtok" in raised.value.mend


async def test_a_model_without_a_client_is_refused_before_any_call() -> None:
    policy = Policy(agent="a", purpose="clients", models=(model(),))

    with pytest.raises(ModelNotAllowed, match=FIRST):
        Gateway(policy, {"another": script(b"")}, LoopClock())
