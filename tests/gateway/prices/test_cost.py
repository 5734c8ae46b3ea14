"""Whatever a provider counts, a cost is never above the bound of its call, and more tokens are never cheaper."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airworthy.gateway.prices import Price, Rates, Schedule, Tier, bound_nano, cost_nano, price_list
from airworthy.gateway.wire.facts import UNKNOWN, Usage

ANY_RATE = st.integers(0, 10**12)
COUNT = st.integers(0, 2_000_000)
ANY_RATES = st.builds(Rates, *[ANY_RATE] * 9)


@st.composite
def any_schedules(draw: st.DrawFn) -> Schedule:
    starts = sorted(draw(st.sets(st.integers(0, 1_500_000), max_size=3)))
    return Schedule(draw(ANY_RATES), tuple(Tier(start, draw(ANY_RATES)) for start in starts))


@st.composite
def sound_rates(draw: st.DrawFn) -> Rates:
    """As providers price: reading the cache is cheaper than input, writing it and sound are dearer."""
    cached, discount, write, hour, sound, out, spoken, thought = (draw(ANY_RATE) for _ in range(8))
    plain = cached + discount
    return Rates(
        input=plain,
        output=out,
        cached=cached,
        cache_write=plain + write,
        cache_write_1h=plain + write + hour,
        audio_in=plain + sound,
        cached_audio=cached + sound // 2,
        audio_out=out + spoken + thought,
        reasoning=out + thought,
    )


def prices(schedule: Schedule, service: Schedule) -> Price:
    return Price(schedule, source="policy", services=(("flex", service),))


ANY_USAGE = st.builds(Usage, *[COUNT] * 8)
USAGE_IN = ("tokens_in", "cache_write", "cache_write_1h", "audio_in")
USAGE_OUT = ("tokens_out", "reasoning", "audio_out")


@given(
    any_schedules(), any_schedules(), ANY_USAGE, st.sampled_from(["", "flex", "default", "?"]), COUNT, COUNT
)
def test_no_cost_is_above_the_bound_of_its_call(
    schedule: Schedule, service: Schedule, usage: Usage, tier: str, in_beyond: int, out_beyond: int
) -> None:
    """Counts that make no sense (more cached than there are) included."""
    price = prices(schedule, service)

    bound = bound_nano(price, usage.tokens_in + in_beyond, usage.tokens_out + out_beyond, 1, tier)

    assert 0 <= cost_nano(price, usage, tier) <= bound
    assert cost_nano(price, usage) <= bound


@given(any_schedules(), ANY_USAGE, st.integers(1, 20))
def test_the_bound_holds_for_all_choices_together(schedule: Schedule, usage: Usage, choices: int) -> None:
    price = prices(schedule, schedule)
    each = -(-usage.tokens_out // choices)

    assert cost_nano(price, usage) <= bound_nano(price, usage.tokens_in, each, choices)


@given(sound_rates(), ANY_USAGE, st.sampled_from(USAGE_IN + USAGE_OUT), st.integers(1, 1000))
def test_more_of_a_kind_is_never_cheaper(rates: Rates, usage: Usage, kind: str, more: int) -> None:
    price = prices(Schedule(rates), Schedule(rates))

    raised = replace(usage, **{kind: getattr(usage, kind) + more})

    assert cost_nano(price, raised) >= cost_nano(price, usage)


@given(sound_rates(), ANY_USAGE, st.integers(1, 1000))
def test_more_from_the_cache_is_never_dearer(rates: Rates, usage: Usage, more: int) -> None:
    price = prices(Schedule(rates), Schedule(rates))
    usage = replace(usage, audio_in=0)

    assert cost_nano(price, replace(usage, cached=usage.cached + more)) <= cost_nano(price, usage)


@given(any_schedules(), COUNT, COUNT, COUNT, COUNT)
def test_a_bound_grows_with_what_it_bounds(
    schedule: Schedule, into: int, out: int, more: int, also: int
) -> None:
    price = prices(schedule, schedule)

    assert bound_nano(price, into + more, out + also) >= bound_nano(price, into, out)


@given(st.lists(ANY_USAGE, min_size=1, max_size=5), ANY_RATES)
def test_a_cost_is_rounded_up_once_and_by_less_than_a_nano(usages: list[Usage], rates: Rates) -> None:
    price = prices(Schedule(rates), Schedule(rates))

    for usage in usages:
        plain = Usage(usage.tokens_in, usage.tokens_out)
        exact = plain.tokens_in * rates.input + plain.tokens_out * rates.output
        assert 0 <= cost_nano(price, plain) * 1_000_000 - exact < 1_000_000


def test_an_unknown_usage_has_no_cost_and_not_a_cost_of_zero() -> None:
    price = prices(Schedule(Rates(*[1] * 9)), Schedule(Rates(*[1] * 9)))

    with pytest.raises(ValueError, match="not known"):
        cost_nano(price, UNKNOWN)


@pytest.mark.parametrize("provider", price_list().providers)
def test_prices_of_the_list_are_sound(provider: str) -> None:
    """What the monotone sums above take for granted; a new list that breaks it needs a look."""
    for price in price_list().models(provider):
        if price.name.startswith("~"):
            continue  # A name that moves between models, at the best price of several sellers.
        for _, schedule in (("", price.standard), *price.services):
            steps = [schedule.base, *(tier.rates for tier in schedule.tiers)]
            for rates in steps:
                assert 0 <= rates.cached <= rates.input <= rates.cache_write <= rates.cache_write_1h, (
                    price.name
                )
            for before, after in itertools.pairwise(steps):
                assert after.input >= before.input, price.name
                assert after.output >= before.output, price.name
