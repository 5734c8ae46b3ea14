"""One call as words, from its name and its arguments: "refunded 42.10 EUR for order 8812". Pure; asks no model.

It says what was asked of the tool and never what came of it. Where a name holds no verb of the table, the name stands
as words. Values come from outside: each is cut, on one line, and holds nothing that hides.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from airworthy.core.chars import quoted
from airworthy.recorder.verbs import NEW, PAYING, SEEKING, forms, verb_of

VALUE_CHARS_MAX: Final = 40
NAME_CHARS_MAX: Final = 60
DIGITS_MAX: Final = 15  # of an amount; one with more is no amount of money
ARGUMENTS_MAX: Final = 50  # looked at; a call with more is no less a call
_PARTS: Final = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+|[^\W\d_A-Za-z]+")
_PLACES: Final = re.compile(r"__|[./:]")
_LINKS: Final = frozenset({"and", "at", "by", "for", "from", "in", "of", "on", "to", "with"})
_IDS: Final = frozenset({"id", "no", "number", "ref", "reference", "sku"})
_AMOUNTS: Final = frozenset({"amount", "price", "sum", "total"})
_CURRENCIES: Final = frozenset(
    [
        "AUD",
        "BRL",
        "CAD",
        "CHF",
        "CNY",
        "CZK",
        "DKK",
        "EUR",
        "GBP",
        "HUF",
        "INR",
        "JPY",
        "KRW",
        "MXN",
        "NOK",
        "NZD",
        "PLN",
        "SEK",
        "TRY",
        "USD",
        "ZAR",
    ]
)
_TO: Final = frozenset({"to", "recipient", "email", "mail", "address", "phone", "channel"})
_SOUGHT: Final = frozenset(
    {"query", "q", "question", "term", "keyword", "keywords", "search", "topic", "text"}
)
_COUNTS: Final = frozenset(
    {"count", "days", "k", "limit", "n", "offset", "page", "quantity", "seconds", "size"}
)
_MAILS: Final = frozenset({"email", "mail"})
_MONEY: Final = frozenset({"amount", "funds", "money", "payment"})
_WITHOUT_ARTICLE: Final = frozenset({"data", "feedback", "information", "mail", "money", "it", "all"})


@dataclass(frozen=True, slots=True)
class Phrase:
    """`past`: "refunded 42.10 EUR"; `doing`: "refunding 42.10 EUR", the subject of "failed" or "was refused"."""

    past: str
    doing: str


@dataclass(frozen=True, slots=True)
class _Said:
    """What the arguments say that a person would ask for first. `ids`: of what, and which."""

    ids: tuple[tuple[str, str], ...] = ()
    amount: str = ""
    to: str = ""
    sought: str = ""
    first: str = ""


def phrase(name: str, arguments: object) -> Phrase:
    words = words_of(name)
    said = _said(arguments)
    verb, others = verb_of(words)
    if not verb:
        shown = _in_brackets(" ".join(_spelled(words)), _named(said))
        return Phrase(f"called {shown}", f"calling {shown}")
    if verb == "send" and others and others[-1] in _MAILS and said.to:
        verb, others = "email", others[:-1] if len(others) > 2 else []
    past, doing = forms("search" if verb == "find" and said.sought and not said.ids else verb)
    rest = _rest(verb, others, said)
    return Phrase(f"{past} {rest}".rstrip(), f"{doing} {rest}".rstrip())


def words_of(name: str) -> list[str]:
    """A name as words, without the place it is from: `mcp__shop__getOrder` is get, order."""
    last = [part for part in _PLACES.split(name[: 4 * NAME_CHARS_MAX]) if part][-1:] or [name]
    return [word.lower() for word in _PARTS.findall(quoted(last[0], NAME_CHARS_MAX))] or ["a", "tool"]


def _rest(verb: str, words: list[str], said: _Said) -> str:
    """All after the verb: what it was done to, and the values that tell which."""
    cut = next((place for place, word in enumerate(words) if word in _LINKS), len(words))
    thing, linked = words[:cut], words[cut:]
    parts: list[str] = []
    left = list(said.ids)
    paid = bool(said.amount) and verb in PAYING
    if paid and thing and thing[-1] in _MONEY:
        thing = thing[:-1]
    if verb == "email":
        parts.append(said.to or _with_article(verb, thing))
    elif not (paid and not thing):
        parts.append(_thing(verb, thing, left))
    if paid:
        parts.append(said.amount)
    elif said.amount:
        parts.append(f"of {said.amount}" if thing else said.amount)
    parts += _spelled(linked)
    if linked and linked[0] != "and" and (value := said.to or said.sought or _first_id(left)):
        return " ".join([*filter(None, parts), value])
    parts += [f"for {stem} {value}" if stem else value for stem, value in left[:1]]
    if said.to and verb != "email":
        parts.append(said.to if verb in SEEKING and thing else f"to {said.to}")
    elif said.sought and (verb in SEEKING or not (said.ids or said.amount)):
        parts.append(f"for {said.sought}")
    shown = " ".join(filter(None, parts))
    return shown if said != _Said(first=said.first) or not said.first else _in_brackets(shown, [said.first])


def _thing(verb: str, thing: list[str], left: list[tuple[str, str]]) -> str:
    """The thing, with the id that is its own; that one is taken off `left`."""
    for place, (stem, value) in enumerate(left):
        own = stem if stem in thing else thing[-1] if thing and stem in ("", "it") else ""
        if own:
            del left[place]
            at = thing.index(own) + 1
            return " ".join([*_spelled(thing[:at]), value, *_spelled(thing[at:])])
    return _with_article(verb, thing)


def _with_article(verb: str, thing: list[str]) -> str:
    if not thing:
        return ""
    shown, last = " ".join(_spelled(thing)), thing[-1]
    if last in _WITHOUT_ARTICLE or thing[0] in ("all", "my", "the", "a"):
        return shown
    many = last.endswith("s") and not last.endswith(("ss", "us", "sms"))
    if verb in NEW:
        return shown if many else f"{'an' if shown[0] in 'aeiouS' else 'a'} {shown}"
    return f"the {shown}"


def _spelled(words: list[str]) -> list[str]:
    return ["e-mail" if word == "email" else "SMS" if word == "sms" else word for word in words]


def _said(arguments: object) -> _Said:
    if not isinstance(arguments, Mapping):
        return _Said(first=_value(arguments) if isinstance(arguments, str | int | float) else "")
    ids: list[tuple[str, str]] = []
    found = {"amount": "", "to": "", "sought": "", "first": ""}
    for key, value in list(arguments.items())[:ARGUMENTS_MAX]:
        if not isinstance(value, str | int | float) or isinstance(value, bool) or value == "":
            continue
        words = words_of(str(key))
        shown = _value(value)
        found["first"] = found["first"] or shown
        if words[-1] in _IDS:
            ids.append((" ".join(words[:-1]), shown))
        elif amount := _amount(words, value, arguments):
            found["amount"] = found["amount"] or amount
        elif words[-1] in _TO:
            found["to"] = found["to"] or shown
        elif words[-1] in _SOUGHT:
            found["sought"] = found["sought"] or (f"“{shown}”" if " " in shown else shown)
        elif len(words) == 1 and isinstance(value, int) and words[0] not in _COUNTS:
            ids.append((words[0], shown))
    return _Said(tuple(ids), found["amount"], found["to"], found["sought"], found["first"])


def _amount(words: list[str], value: str | float, arguments: Mapping[Any, Any]) -> str:
    """With its currency, where that is said; cents of an unknown currency stay cents."""
    last = words[-1].upper()
    cents = words[-1] in ("cents", "cent")
    if not (
        words[0] in _AMOUNTS or words[-1] in _AMOUNTS or cents or (last in _CURRENCIES and len(words) > 1)
    ):
        return ""
    said = next(
        (str(value) for key, value in arguments.items() if str(key).lower() == "currency"), ""
    ).upper()
    currency = next((each.upper() for each in reversed(words) if each.upper() in _CURRENCIES), "")
    currency = currency or (said if said in _CURRENCIES else "")
    try:
        number = Decimal(_value(value))
    except InvalidOperation:
        return _value(value)  # "42.10 EUR" as text says all by itself.
    if not number.is_finite() or number.adjusted() >= DIGITS_MAX:
        return ""
    if cents and not currency:
        return f"{number:f} cents"
    if cents:
        number /= 100
    shown = f"{number:.2f}" if currency or number != number.to_integral_value() else f"{number:f}"
    return f"{shown} {currency}".rstrip()


def _named(said: _Said) -> list[str]:
    found = [*(value for _, value in said.ids), said.amount, said.to, said.sought]
    return list(filter(None, found))[:2] or list(filter(None, [said.first]))


def _first_id(left: list[tuple[str, str]]) -> str:
    return left[0][1] if left else ""


def _in_brackets(text: str, values: list[str]) -> str:
    return f"{text} ({', '.join(values)})".lstrip() if values else text


def _value(value: object) -> str:
    if isinstance(value, int) and value.bit_length() > 128:
        return "a huge number"  # Python refuses to write out the hugest.
    return quoted(str(value), VALUE_CHARS_MAX)
