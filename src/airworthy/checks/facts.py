"""Checks of facts: what an answer states against the system of record and against what tools returned."""

import inspect
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from airworthy.checks.check import TIMEOUT_S, Answered, Check, CheckContext, blocked, check
from airworthy.checks.text import text_of

_HELD = "We want to be sure of a fact in this answer, so a person will look at it first."
SHOWN_MAX = 20
AMOUNTS_MAX = 2_000


class Fact(NamedTuple):
    """What the answer states and what the system of record says; `actual` None: it knows no such thing."""

    name: str
    stated: object
    actual: object


Lookup = Callable[[Any, CheckContext], Iterable[Fact] | Awaitable[Iterable[Fact]]]


def required_facts(lookup: Lookup, *, name: str = "required_facts", timeout_s: float = TIMEOUT_S) -> Check:
    """Blocks an answer that states a fact other than the system of record has it.

    `lookup`, sync or async, reads the facts the answer states and what is true of each. Numbers compare by
    value (129.5 and "129.50" are one), text without regard to spaces at its ends; nothing else is forgiven.
    """

    async def compared_async(value: object, context: CheckContext) -> Answered:
        facts = lookup(value, context)
        return _wrong(await facts if inspect.isawaitable(facts) else facts)

    def compared(value: object, context: CheckContext) -> Answered | Awaitable[Answered]:
        facts = lookup(value, context)
        return _later(facts) if inspect.isawaitable(facts) else _wrong(facts)

    function = compared_async if inspect.iscoroutinefunction(lookup) else compared
    return check(on="output", name=name, timeout_s=timeout_s)(function)


async def _later(facts: Awaitable[Iterable[Fact]]) -> Answered:
    return _wrong(await facts)


def _wrong(facts: Iterable[Fact]) -> Answered:
    wrong = [fact for fact in facts if not _same(fact.stated, fact.actual)]
    if not wrong:
        return None
    return blocked(
        _HELD,
        detail="; ".join(
            f"{name}: stated {stated!r}, actual {actual!r}" for name, stated, actual in wrong[:SHOWN_MAX]
        ),
        evidence={"facts": [fact._asdict() for fact in wrong[:SHOWN_MAX]], "count": len(wrong)},
    )


def _same(stated: object, actual: object) -> bool:
    if actual is None:
        return False
    if isinstance(stated, bool) or isinstance(actual, bool):
        return stated is actual
    left, right = _number(stated), _number(actual)
    if left is not None and right is not None:
        return left == right
    if isinstance(stated, str) and isinstance(actual, str):
        return stated.strip() == actual.strip()
    return stated == actual


def _number(value: object) -> Decimal | None:
    if not isinstance(value, int | float | Decimal | str):
        return None
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


_CURRENCY = r"(?:USD|EUR|GBP|CHF|JPY|[$€£¥])"
_FIGURE = r"\d{1,15}(?:[,. ']\d{3}){0,4}(?:[.,]\d{1,2})?(?!\d)"
_AMOUNT = re.compile(
    rf"{_CURRENCY}\s?(?P<a>{_FIGURE})|(?<![\d.,])(?P<b>{_FIGURE})\s?(?:{_CURRENCY}|euros?|dollars?)"
)


@check(on="output")
def numbers_grounded(value: object, context: CheckContext) -> Answered:
    """Every amount of money in the answer occurs in what tools returned or in the input.

    For agents that quote prices. Leave it out for agents that add up or convert: a correct sum blocks too.
    """
    stated = _amounts(text_of(value))
    known = {number for source in _sources(context) for number in _numbers(source)}
    unknown = sorted(f"{amount:f}" for amount in stated - known)
    if not unknown:
        return None
    return blocked(
        _HELD,
        detail=f"Amounts that no tool returned: {', '.join(unknown[:SHOWN_MAX])}.",
        evidence={"amounts": unknown[:SHOWN_MAX], "count": len(unknown)},
    )


def _sources(context: CheckContext) -> Iterable[object]:
    yield context.input_text
    yield context.input
    for fact in context.facts:
        yield fact.result


def _amounts(text: str) -> set[Decimal]:
    found = (match["a"] or match["b"] for match in _AMOUNT.finditer(text))
    return {_figure(each) for each, _ in zip(found, range(AMOUNTS_MAX), strict=False)}


def _numbers(source: object) -> Iterable[Decimal]:
    if isinstance(source, Mapping):
        for inner in source.values():
            yield from _numbers(inner)
    elif isinstance(source, list | tuple):
        for inner in source:
            yield from _numbers(inner)
    elif isinstance(source, int | float | Decimal) and not isinstance(source, bool):
        number = _number(source)
        if number is not None:
            yield number.normalize()
    elif source is not None:
        yield from (_figure(match[0]) for match in re.finditer(_FIGURE, text_of(source)))


def _figure(written: str) -> Decimal:
    """1,299.50 and 1.299,50 are one amount: a last separator before one or two digits is the decimal one."""
    whole, separator, cents = re.fullmatch(r"(.*?)(?:([.,])(\d{1,2}))?", written).group(1, 2, 3)  # type: ignore[union-attr]
    digits = re.sub(r"\D", "", whole)
    return Decimal(f"{digits}.{cents}" if separator else digits).normalize()
