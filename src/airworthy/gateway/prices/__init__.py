"""What a model call costs: an offline price list, and exact sums from it. Knows no request and no budget."""

from typing import TYPE_CHECKING

from airworthy.core.late import late

if TYPE_CHECKING:
    from airworthy.gateway.prices.book import (
        PriceBook,
        check_priced,
        price_list,
        price_of,
        provider_of,
        unpriced,
    )
    from airworthy.gateway.prices.cost import bound_nano, cost_nano
    from airworthy.gateway.prices.lifetimes import end_of_life
    from airworthy.gateway.prices.rates import Price, Rates, Schedule, Tier, nano_per_mtok

__getattr__ = late(
    __name__,
    {
        "book": "PriceBook check_priced price_list price_of provider_of unpriced",
        "cost": "bound_nano cost_nano",
        "lifetimes": "end_of_life",
        "rates": "Price Rates Schedule Tier nano_per_mtok",
    },
)

__all__ = [
    "Price",
    "PriceBook",
    "Rates",
    "Schedule",
    "Tier",
    "bound_nano",
    "check_priced",
    "cost_nano",
    "end_of_life",
    "nano_per_mtok",
    "price_list",
    "price_of",
    "provider_of",
    "unpriced",
]
