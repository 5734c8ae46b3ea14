"""The price list inside the package, and which price a model of a policy has. Reads its own file, and no network."""

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson

from airworthy.core.clock import US_PER_S
from airworthy.gateway.errors import Unpriced
from airworthy.gateway.prices.rates import Price, Rates, Schedule, Tier, nano_per_mtok, rates
from airworthy.gateway.prices.services import with_factors
from airworthy.policy import ModelRule

LIST_FILE = Path(__file__).parent / "prices.json"
# The policy's word for a provider -> the list's, where they differ.
NAMES: Mapping[str, str] = {"gemini": "google", "xai": "x-ai"}
Entry = dict[str, Any]  # One model of the file, as it stands there.


@dataclass(slots=True)
class _Shelf:
    """One provider's models, found by exact name first, then by the first rule that holds."""

    address: re.Pattern[str]
    also: tuple[str, ...]
    models: list[Entry]
    exact: dict[str, Entry]

    def find(self, name: str) -> Entry | None:
        found = self.exact.get(name)
        if found is not None:
            return found
        for entry in self.models:
            if any(_holds(rule, name) for rule in entry["match"]):
                return entry
        return None


def _holds(rule: Any, name: str) -> bool:
    if isinstance(rule, list):
        return all(_holds(part, name) for part in rule)
    sign, text = rule[0], rule[1:]
    match sign:
        case "=":
            return bool(name == text)
        case "^":
            return name.startswith(text)
        case "$":
            return name.endswith(text)
        case "*":
            return text in name
        case _:
            return re.search(text, name) is not None


@dataclass(slots=True)
class PriceBook:
    """A price list of one day. Prices are put together when they are asked for, and then kept."""

    day: date
    source: str
    _shelves: dict[str, _Shelf]
    _found: dict[tuple[str, str, date], Price | None] = field(default_factory=dict)

    @property
    def providers(self) -> tuple[str, ...]:
        return tuple(self._shelves)

    def find(self, provider: str, name: str, at_us: int | None = None) -> Price | None:
        """The price of a model on the day of `at_us`, or of the list. None where it has none.

        Whoever asks often keeps the answer: this is for once per model and day.
        """
        day = self.day if at_us is None else datetime.fromtimestamp(at_us / US_PER_S, UTC).date()
        provider, name = NAMES.get(provider, provider), name.lower().removeprefix("models/")
        key = (provider, name, day)
        if key not in self._found:
            if len(self._found) >= FOUND_MAX:
                self._found.clear()
            entry = self._entry(provider, name)
            self._found[key] = None if entry is None else self._price(provider, entry, day)
        return self._found[key]

    def provider_at(self, base_url: str) -> str | None:
        """The provider of the list that answers at this address."""
        for name, shelf in self._shelves.items():
            if shelf.address.match(base_url):
                return name
        return None

    def dated(self, provider: str, name: str) -> str | None:
        """The one dated version of an undated name, where the list knows exactly one."""
        shelf = self._shelves.get(NAMES.get(provider, provider))
        entry = shelf.exact.get(name) if shelf is not None else None
        dated = re.compile(re.escape(name) + r"-20\d\d-?\d\d-?\d\d")
        rules = entry["match"] if entry is not None else []
        found = {rule[1:] for rule in rules if isinstance(rule, str) and dated.fullmatch(rule[1:])}
        return found.pop() if len(found) == 1 else None

    def models(self, provider: str, at_us: int | None = None) -> Iterator[Price]:
        """Every model of a provider in the list, by the list's own names."""
        shelf = self._shelves.get(NAMES.get(provider, provider))
        for entry in shelf.models if shelf is not None else ():
            day = self.day if at_us is None else datetime.fromtimestamp(at_us / US_PER_S, UTC).date()
            yield self._price(provider, entry, day)

    def _entry(self, provider: str, name: str) -> Entry | None:
        shelf = self._shelves.get(provider)
        if shelf is None:
            return None
        found = shelf.find(name)
        for other in shelf.also:
            if found is None and other in self._shelves:
                found = self._shelves[other].find(name)
        return found

    def _price(self, provider: str, entry: Entry, day: date) -> Price:
        dated = _on(entry["prices"], day)
        services = {
            word: _variant(dated, _on(found, day)) for word, found in entry.get("services", {}).items()
        }
        standard = _schedule(dated)
        return Price(
            standard=standard,
            source=f"list of {self.day.isoformat()}",
            provider=provider,
            name=entry["id"],
            window=entry.get("window", 0),
            services=with_factors(provider, standard, services),
        )


FOUND_MAX = 10_000  # A caller may ask for any name; forgetting them all costs only time.


def _on(dated: list[list[Any]], day: date) -> Entry:
    """The prices of a day: the newest that has begun. Before the first day that is known, the first."""
    found: Entry = dated[0][1]
    for begins, prices in dated[1:]:
        if begins <= day.isoformat():
            found = prices
    return found


def _variant(standard: Entry, said: Entry) -> Schedule:
    """What a service tier does not say costs the standard price, and cached input never more than plain."""
    if "input" in said and "cached" in standard and "cached" not in said:
        text = said["input"]
        plain = Decimal(text if isinstance(text, str) else text[0])
        cached = standard["cached"]
        if plain <= Decimal(cached if isinstance(cached, str) else cached[0]):
            said = {**said, "cached": text}
    return _schedule({**standard, **said})


def _schedule(prices: Entry) -> Schedule:
    starts = sorted(
        {step for value in prices.values() if isinstance(value, list) for step in value[1::2]},
    )
    return Schedule(_rates(prices, 0), tuple(Tier(start, _rates(prices, start + 1)) for start in starts))


def _rates(prices: Entry, tokens_in: int) -> Rates:
    given: dict[str, int] = {}
    for key, value in prices.items():
        text = value
        if isinstance(value, list):
            text = value[0]
            for start, price in zip(value[1::2], value[2::2], strict=True):
                if tokens_in > start:
                    text = price
        given[key] = nano_per_mtok(text)
    return rates(given)


@functools.cache
def price_list() -> PriceBook:
    """The list inside the package; read at the first call."""
    return read_list(LIST_FILE.read_bytes())


def read_list(text: bytes) -> PriceBook:
    document = orjson.loads(text)
    shelves = {
        name: _Shelf(
            address=re.compile(data["address"]),
            also=tuple(data.get("also", ())),
            models=data["models"],
            exact=_exact(data["models"]),
        )
        for name, data in document["providers"].items()
    }
    return PriceBook(date.fromisoformat(document["date"]), document["source"], shelves)


def _exact(models: list[Entry]) -> dict[str, Entry]:
    made: dict[str, Entry] = {}
    for entry in models:
        for rule in entry["match"]:
            if isinstance(rule, str) and rule[0] == "=":
                made.setdefault(rule[1:], entry)
    return made


def provider_of(rule: ModelRule, book: PriceBook) -> str:
    """Who serves the model. The address says more than the word: "openai" may only name the protocol."""
    found = book.provider_at(rule.base_url) if rule.base_url else None
    return found or NAMES.get(rule.provider, rule.provider)


def price_of(rule: ModelRule, book: PriceBook, at_us: int | None = None) -> Price | None:
    """The policy's own prices, and then nothing of the list's; else the list's; else None."""
    if rule.priced:
        return _own(rule)
    return book.find(provider_of(rule, book), rule.name, at_us)


def unpriced(rule: ModelRule) -> bool:
    """Neither its policy nor the list has a price for it."""
    return price_of(rule, price_list()) is None


def check_priced(rule: ModelRule, book: PriceBook, at_us: int | None = None) -> Price:
    """Raises: Unpriced."""
    found = price_of(rule, book, at_us)
    if found is None:
        raise Unpriced(
            f"Model {rule.name!r} has no price: its policy names none, and the list of {book.day} does not know it "
            f"at provider {rule.provider!r}. So no budget can bound its calls.",
            mend="Set input_usd_per_mtok and output_usd_per_mtok in its [[models]] entry (0.0 for a local model).",
        )
    return found


def _own(rule: ModelRule) -> Price:
    said = {
        "input": rule.input_usd_per_mtok,
        "output": rule.output_usd_per_mtok,
        "cached": rule.cached_input_usd_per_mtok,
        "cache_write": rule.cache_write_usd_per_mtok,
        "audio_in": rule.audio_input_usd_per_mtok,
        "audio_out": rule.audio_output_usd_per_mtok,
    }
    given = {name: nano_per_mtok(usd) for name, usd in said.items() if usd is not None}
    if "cache_write" in given and rule.provider == "anthropic":
        # An hour's write costs 2 times the input there and five minutes' 1.25: 8/5 of what the policy says.
        given["cache_write_1h"] = -(-given["cache_write"] * 8 // 5)
    return Price(
        Schedule(rates(given)), source="policy", provider=rule.provider, name=rule.name, window=rule.window
    )
