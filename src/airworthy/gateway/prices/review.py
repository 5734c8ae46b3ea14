"""What is wrong with a policy's model: a name that moves, an end that is near, a price that is missing or odd."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction

from airworthy.core.clock import US_PER_S
from airworthy.gateway.prices.book import PriceBook, price_of, provider_of
from airworthy.gateway.prices.lifetimes import end_of_life
from airworthy.gateway.prices.rates import Price
from airworthy.policy import Floating, ModelRule, pin_of

NOTICE = timedelta(days=60)  # The notice that providers give; a successor must be tested in that time.
ODD = Fraction(3, 2)  # Discounts that people agree on stay within this; a slip of the decimal point does not.


@dataclass(frozen=True, slots=True)
class Concern:
    """`must`: to be mended before the model can be relied on; else a caution."""

    model: str
    what: str
    mend: str
    must: bool


def noon_us(day: date) -> int:
    return int(datetime.combine(day, time(12), UTC).timestamp()) * US_PER_S


def ends(rule: ModelRule, book: PriceBook) -> date | None:
    """The earlier of what the policy says and what the provider has said."""
    known = [day for day in (rule.end_of_life, end_of_life(provider_of(rule, book), rule.name)) if day]
    return min(known, default=None)


def version(rule: ModelRule, book: PriceBook) -> str | None:
    """The dated version to name instead; None where the name is one, or none is known for certain."""
    pin = pin_of(rule.name)
    if not isinstance(pin, Floating) or rule.pinned:
        return None
    return pin.suggestion or book.dated(provider_of(rule, book), rule.name)


def concerns(rule: ModelRule, book: PriceBook, day: date) -> list[Concern]:
    """What must be mended first, then cautions."""
    found = [*_floats(rule, book), *_ends(rule, book, day), *_prices(rule, book, day)]
    return sorted(found, key=lambda one: not one.must)


def _floats(rule: ModelRule, book: PriceBook) -> list[Concern]:
    pin = pin_of(rule.name)
    if not isinstance(pin, Floating) or rule.pinned:
        return []
    dated = version(rule, book)
    if dated is not None:
        mend = f'Write name = "{dated}".'
    else:
        mend = "Name the exact version with its date; for a server of your own set pinned = true."
    return [Concern(rule.name, f"is a floating name: {pin.reason}", mend, must=True)]


def _ends(rule: ModelRule, book: PriceBook, day: date) -> list[Concern]:
    end = ends(rule, book)
    if end is None or end - day > NOTICE:
        return []
    if end <= day:
        what = f"has been switched off since {end}."
    else:
        days = (end - day).days
        what = f"is switched off on {end}, in {days} day{'' if days == 1 else 's'}."
    return [Concern(rule.name, what, "Test a successor and name it instead.", must=True)]


def _prices(rule: ModelRule, book: PriceBook, day: date) -> list[Concern]:
    price = price_of(rule, book, noon_us(day))
    if price is None:
        return [
            Concern(
                rule.name,
                f"has no price: neither its policy nor the list of {book.day} names one.",
                "Set input_usd_per_mtok and output_usd_per_mtok (0.0 for a local model).",
                must=True,
            )
        ]
    listed = book.find(provider_of(rule, book), rule.name, noon_us(day))
    if price.source != "policy" or listed is None:
        return []
    found = [
        Concern(
            rule.name,
            f"{key} is {usd_text(own)}, and {usd_text(theirs)} in the list of {book.day}.",
            "Read the provider's page; leave the policy's prices out to use the list's.",
            must=False,
        )
        for key, own, theirs in _pairs(rule, price, listed)
        if _odd(own, theirs)
    ]
    if rule.says("window") and listed.window and rule.window > listed.window:
        found.append(
            Concern(
                rule.name,
                f"window is {rule.window}, and {listed.window} in the list of {book.day}.",
                "Read the provider's page; a call that does not fit is refused there.",
                must=False,
            )
        )
    return found


def _pairs(rule: ModelRule, price: Price, listed: Price) -> list[tuple[str, int, int]]:
    own, theirs = price.base, listed.base
    pairs = [
        ("input_usd_per_mtok", own.input, theirs.input),
        ("output_usd_per_mtok", own.output, theirs.output),
    ]
    if rule.cached_input_usd_per_mtok is not None:
        pairs.append(("cached_input_usd_per_mtok", own.cached, theirs.cached))
    return pairs


def _odd(own: int, theirs: int) -> bool:
    return max(own, theirs) > ODD * min(own, theirs)


def usd_text(nano_per_mtok: int) -> str:
    """US dollars, exact and without zeros at the end: 2.5, 0.0028."""
    whole, rest = divmod(nano_per_mtok, 1_000_000_000)
    return f"{whole}.{rest:09d}".rstrip("0").rstrip(".")
