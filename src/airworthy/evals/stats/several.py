"""Several questions to the same runs: how sure each answer may be called."""

from collections.abc import Mapping


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Adjusted values: what is at most `alpha` may be called found, and the chance that any of them is false is at most
    `alpha`, however they hang together. Source: Holm (1979), Scand. J. Statist. 6:65.
    """
    adjusted: dict[str, float] = {}
    floor = 0.0
    for rank, (name, p) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        floor = max(floor, min(1.0, p * (len(p_values) - rank)))
        adjusted[name] = floor
    return {name: adjusted[name] for name in p_values}
