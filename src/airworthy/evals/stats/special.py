"""Quantiles of the normal, beta and Student laws, so that statistics need no library; knows no case and no run."""

from functools import lru_cache
from math import exp, lgamma, log, log1p, sqrt
from statistics import NormalDist
from typing import Final

TERMS_MAX: Final = 500
HALVINGS: Final = 80  # More than a double has bits, near any end of the range.
TINY: Final = 1e-300


def normal_quantile(share: float) -> float:
    """Source: Wichura (1988), AS 241, as Python's own `statistics` has it."""
    return NormalDist().inv_cdf(share)


def beta_cdf(x: float, a: float, b: float) -> float:
    """I_x(a, b). Source: DLMF 8.17.22, the continued fraction, by Lentz's method (Thompson and Barnett 1986)."""
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x))
    # The fraction converges fast on this side only; the other is its mirror.
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(x, a, b) / a
    return 1 - front * _fraction(1 - x, b, a) / b


def _fraction(x: float, a: float, b: float) -> float:
    c, d = 1.0, 1 / _not_zero(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, TERMS_MAX):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d, c = 1 / _not_zero(1 + even * d), _not_zero(1 + even / c)
        value *= d * c
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d, c = 1 / _not_zero(1 + odd * d), _not_zero(1 + odd / c)
        value *= d * c
        if abs(d * c - 1) < 1e-15:
            break
    return value


def _not_zero(value: float) -> float:
    return value if abs(value) > TINY else TINY


@lru_cache(maxsize=4096)
def beta_quantile(share: float, a: float, b: float) -> float:
    """By halving: slower than Newton's way, and never wrong near 0 and 1."""
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if beta_cdf(middle, a, b) < share:
            low = middle
        else:
            high = middle
    return (low + high) / 2


@lru_cache(maxsize=4096)
def student_quantile(share: float, df: float) -> float:
    """`share` above one half. Source: DLMF 8.17.18 read backwards: P(|T| > t) = I_x(df/2, 1/2), x = df/(df+t^2)."""
    x = beta_quantile(2 * (1 - share), df / 2, 0.5)
    return sqrt(df * (1 - x) / x) if x > 0 else normal_quantile(share)
