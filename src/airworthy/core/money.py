"""Money as integers: nano-USD, so that a million calls add up to the cent."""

from decimal import ROUND_HALF_EVEN, Decimal

NANO_PER_USD = 1_000_000_000


def nano_from_usd(usd: float | str | Decimal) -> int:
    """Exact for what was written: floats go through their shortest decimal form, so 0.1 is 100_000_000."""
    return int((Decimal(str(usd)) * NANO_PER_USD).to_integral_value(ROUND_HALF_EVEN))


def usd_text(nano: int | None) -> str:
    """`None` is an unknown cost and says so; it is never shown as zero."""
    if nano is None:
        return "unpriced"
    usd = Decimal(nano) / NANO_PER_USD
    places = Decimal("0.01") if abs(usd) >= 1 else Decimal("0.0001")
    return f"{usd.quantize(places, ROUND_HALF_EVEN)} USD"
