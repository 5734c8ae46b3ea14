"""What a provider's service tiers cost where the list does not say it model by model."""

from collections.abc import Mapping
from typing import Final

from airworthy.gateway.prices.rates import Schedule

# (provider, the word for the tier) -> what the standard price is multiplied by.
FACTORS: Final[Mapping[tuple[str, str], tuple[int, int]]] = {
    # Each of these providers publishes one discount for its whole batch interface.
    ("openai", "batch"): (1, 2),
    ("anthropic", "batch"): (1, 2),
    ("google", "batch"): (1, 2),
    ("mistral", "batch"): (1, 2),
    # "Flex" is the price of a batch for a call that may wait.
    ("openai", "flex"): (1, 2),
    # Priority is priced model by model, from 1.67 to 2.5 times the standard; a model without a price of its own
    # must not be taken for cheaper than it is.
    ("openai", "priority"): (5, 2),
    ("openai", "fast"): (5, 2),
}


def with_factors(
    provider: str, standard: Schedule, said: Mapping[str, Schedule]
) -> tuple[tuple[str, Schedule], ...]:
    """The tiers the list has for a model, and those that follow from its provider's rule."""
    made = dict(said)
    for (name, word), (numerator, denominator) in FACTORS.items():
        if name == provider and word not in made:
            made[word] = standard.times(numerator, denominator)
    return tuple(made.items())
