"""What a call costs, from the policy's prices; never a guess."""

from airworthy.core.money import price_nano
from airworthy.gateway.errors import Unpriced
from airworthy.gateway.reply import Usage
from airworthy.policy import ModelRule


def check_priced(rule: ModelRule) -> None:
    """Raises: Unpriced."""
    if not rule.priced:
        raise Unpriced(
            f"Model {rule.name!r} has no price, so no budget can bound its calls.",
            mend="Set input_usd_per_mtok and output_usd_per_mtok in its [[models]] entry (0.0 for a local model).",
        )


def bound_nano(rule: ModelRule, body_bytes: int, tokens_out_max: int) -> int:
    """The most a call can cost. A byte-level tokenizer never makes more tokens than there are bytes."""
    assert rule.input_usd_per_mtok is not None
    assert rule.output_usd_per_mtok is not None
    return price_nano(body_bytes, rule.input_usd_per_mtok) + price_nano(
        tokens_out_max, rule.output_usd_per_mtok
    )


def cost_nano(rule: ModelRule, usage: Usage) -> int:
    assert rule.input_usd_per_mtok is not None
    assert rule.output_usd_per_mtok is not None
    cached_price = rule.cached_input_usd_per_mtok
    cached = min(usage.cached, usage.tokens_in) if cached_price is not None else 0
    return (
        price_nano(usage.tokens_in - cached, rule.input_usd_per_mtok)
        + (price_nano(cached, cached_price) if cached_price is not None else 0)
        + price_nano(usage.tokens_out, rule.output_usd_per_mtok)
    )
