"""What a call cost, and the most that it can cost. Integers only: on the way of every call."""

from airworthy.gateway.prices.rates import MTOK, Price, Rates
from airworthy.gateway.wire.facts import Usage


def cost_nano(price: Price, usage: Usage, tier: str = "") -> int:
    """The bill of one call in nano-USD, rounded up once. `tier` is the service tier the provider says it used.

    The parts of the input are taken from the whole dearest first, so parts that do not fit into it (a count that
    makes no sense) never make a call cheaper. `cache_write` and `cache_write_1h` stand beside each other. How many
    of the cached tokens were audio is not told: as few as the counts allow, which is the dearer reading.
    Raises: ValueError for a usage that is not known.
    """
    if not usage.known:
        raise ValueError("a usage that is not known has no cost")
    tokens_in, tokens_out = usage.tokens_in, usage.tokens_out
    schedule = price.schedule(tier) if tier else price.standard
    rates = schedule.at(tokens_in) if schedule.tiers else schedule.base

    plain, nano = tokens_in, tokens_out * rates.output
    written = usage.cache_write + usage.cache_write_1h
    if usage.audio_in and written and usage.audio_in + written + usage.cached > tokens_in:
        return _muddled(rates, usage, nano)
    if usage.cache_write_1h:
        written = min(usage.cache_write_1h, plain)
        plain -= written
        nano += written * rates.cache_write_1h
    if usage.cache_write:
        written = min(usage.cache_write, plain)
        plain -= written
        nano += written * rates.cache_write
    cached = usage.cached if usage.cached < plain else plain
    plain -= cached
    nano += cached * rates.cached
    if usage.audio_in:
        heard = min(usage.audio_in, plain)
        plain -= heard
        nano += heard * rates.audio_in
        nano += min(usage.audio_in - heard, cached) * (rates.cached_audio - rates.cached)
    nano += plain * rates.input

    return _rounded(rates, usage, nano)


def _muddled(rates: Rates, usage: Usage, nano: int) -> int:
    """What was heard, written and cached does not fit into the input side by side: the dearest are believed first."""
    left = usage.tokens_in
    parts = (
        (rates.cache_write_1h, usage.cache_write_1h), (rates.cache_write, usage.cache_write),
        (rates.audio_in, usage.audio_in),
    )  # fmt: skip
    for rate, count in sorted(parts, reverse=True):
        taken = min(count, left)
        left -= taken
        nano += taken * rate
    cached = min(usage.cached, left)
    nano += cached * rates.cached + (left - cached) * rates.input
    return _rounded(rates, usage, nano)


def _rounded(rates: Rates, usage: Usage, nano: int) -> int:
    """With what is dearer or cheaper of the output, rounded up once."""
    if usage.reasoning or usage.audio_out:
        spoken = min(usage.audio_out, usage.tokens_out)
        thought = min(usage.reasoning, usage.tokens_out - spoken)
        nano += spoken * (rates.audio_out - rates.output) + thought * (rates.reasoning - rates.output)
    return -(-nano // MTOK)


def bound_nano(
    price: Price, tokens_in_max: int, tokens_out_max: int, choices: int = 1, tier: str = ""
) -> int:
    """The most that a call within these counts can cost, at the standard price or in service tier `tier`.

    `tokens_out_max` is that of one choice; the input is billed once for all of them.
    """
    into, out = price.standard.dearest(tokens_in_max)
    if tier:
        into_tier, out_tier = price.schedule(tier).dearest(tokens_in_max)
        into, out = max(into, into_tier), max(out, out_tier)
    return -(-(tokens_in_max * into + tokens_out_max * choices * out) // MTOK)
