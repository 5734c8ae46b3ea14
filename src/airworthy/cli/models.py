"""`models`: what the agents' models cost, how long they live, and what must be mended about them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from airworthy.cli import options, show
from airworthy.cli.probe import probe, seen

if TYPE_CHECKING:
    from airworthy.gateway.prices import Price, PriceBook, Rates
    from airworthy.policy import ModelRule

app = typer.Typer(rich_markup_mode=None, add_completion=False, invoke_without_command=True)

Day = Annotated[
    datetime | None,
    typer.Option("--on", formats=["%Y-%m-%d"], metavar="DAY", help="As of this day instead of today."),
]


@app.callback()
def list_(
    ctx: typer.Context,
    *,
    every: Annotated[bool, typer.Option("--all", help="The whole price list instead.")] = False,
    provider: Annotated[
        str | None, typer.Option(metavar="NAME", help="What the price list has of this provider instead.")
    ] = None,
    on: Day = None,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
) -> None:
    """Show what models cost and how long they live.

    Without a command: the models of the working folder's agents, with prices in USD for a million tokens. A price is
    the policy's own, or that of the price list inside this package, which is of one day and never fetched. `check` and
    `probe` look at the models of the agents.

    \b
    Examples:
      airworthy models
      airworthy models --provider anthropic
      airworthy models --all --json
    """
    if ctx.invoked_subcommand is not None:
        return
    from airworthy.gateway.prices import price_list

    book, day = price_list(), _day(on)
    if every or provider is not None:
        rows = list(_listed(book, provider, day))
    else:
        rows = [_own(agent, rule, book, day) for agent, rule in _rules(folder)]
    if as_json:
        for row in rows:
            show.emit(_document(row), line=True)
        return
    if rows:
        _table(rows)
    show.note(f"USD for a million tokens. The price list is of {book.day}.")
    if any(row.price is not None and row.price.standard.tiers for row in rows):
        show.note("+ a long input costs more: --json has the steps.")


@app.command(name="check")
def check(
    *,
    on: Day = None,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
) -> None:
    """Check the models of the working folder's agents; exit code 1 if something must be mended.

    Must be mended: a name that its provider moves to newer versions, a model that is switched off or will be within
    60 days, a model without a price. A price far from the list's is only a caution.

    \b
    Examples:
      airworthy models check
      airworthy models check --on 2027-01-01
    """
    from airworthy.gateway.prices import price_list
    from airworthy.gateway.prices.review import concerns

    book, day = price_list(), _day(on)
    rules = _rules(folder)
    found = [(agent, concern) for agent, rule in rules for concern in concerns(rule, book, day)]
    found.sort(key=lambda one: not one[1].must)
    must = [concern for _, concern in found if concern.must]
    if as_json:
        listed = [
            {"agent": agent, "model": one.model, "must": one.must, "what": one.what, "mend": one.mend}
            for agent, one in found
        ]
        show.emit(
            {
                "ready": not must, "models": len(rules), "concerns": listed, "on": day.isoformat(),
                "price_list": book.day.isoformat(),
            }
        )  # fmt: skip
    else:
        if must:
            show.say(f"{show.counted(len(must), 'thing')} to mend:", style="bold")
        for agent, one in found:
            show.say(f"  {'' if one.must else 'caution: '}{agent}: {one.model} {one.what}")
            show.say(f"      {one.mend}", style="dim")
        if not must:
            show.say(f"Nothing to mend about {show.counted(len(rules), 'model')}.", style="green")
        show.note(f"The price list is of {book.day}.")
    if must:
        raise typer.Exit(1)


app.command(name="probe")(probe)
app.command(name="seen")(seen)


@dataclass(frozen=True, slots=True)
class _Row:
    agent: str
    name: str
    provider: str
    pinned: bool
    version: str | None
    price: "Price | None"
    window: int
    ends: date | None


def _day(on: datetime | None) -> date:
    from airworthy.core.clock import US_PER_S, SystemClock

    return (on or datetime.fromtimestamp(SystemClock().now_us() / US_PER_S, UTC)).date()


def _rules(folder: Path) -> "list[tuple[str, ModelRule]]":
    """No database is opened: prices can be read before there is one."""
    from airworthy.app.config import load_config
    from airworthy.app.project import agents_of

    agents = agents_of(load_config(folder))
    return [(agent.name, rule) for agent in agents for rule in agent.policy.models]


def _own(agent: str, rule: "ModelRule", book: "PriceBook", day: date) -> _Row:
    from airworthy.gateway.prices import price_of, provider_of
    from airworthy.gateway.prices.review import ends, noon_us, version
    from airworthy.policy import Pinned, pin_of

    return _Row(
        agent=agent,
        name=rule.name,
        provider=provider_of(rule, book),
        pinned=rule.pinned or isinstance(pin_of(rule.name), Pinned),
        version=version(rule, book),
        price=price_of(rule, book, noon_us(day)),
        window=rule.window,
        ends=ends(rule, book),
    )


def _listed(book: "PriceBook", provider: str | None, day: date) -> Iterator[_Row]:
    from airworthy.gateway.prices import end_of_life
    from airworthy.gateway.prices.book import NAMES
    from airworthy.gateway.prices.review import noon_us
    from airworthy.policy import Floating, pin_of

    chosen = book.providers if provider is None else (NAMES.get(provider, provider),)
    if chosen[0] not in book.providers:
        raise typer.BadParameter(
            f"The price list has no provider {provider!r}; it has {', '.join(book.providers)}.",
            param_hint="--provider",
        )
    for name in chosen:
        for price in book.models(name, noon_us(day)):
            pin = pin_of(price.name)
            yield _Row(
                agent="",
                name=price.name,
                provider=name,
                pinned=not isinstance(pin, Floating),
                version=(pin.suggestion if isinstance(pin, Floating) else None)
                or book.dated(name, price.name),
                price=price,
                window=price.window,
                ends=end_of_life(name, price.name),
            )


def _table(rows: list[_Row]) -> None:
    headers = ("agent", "model", "provider", "pin", "in", "cached", "out", "window", "end of life", "price")
    own = any(row.agent for row in rows)
    cells = [
        (
            row.agent, row.name, row.provider, "pinned" if row.pinned else "floating", *_three(row.price),
            row.window or "", row.ends or "", row.price.source if row.price else "unpriced",
        )
        for row in rows
    ]  # fmt: skip
    show.table(headers if own else headers[1:], cells if own else [one[1:] for one in cells])


def _three(price: "Price | None") -> tuple[str, str, str]:
    from airworthy.gateway.prices.review import usd_text

    if price is None:
        return "", "", ""
    more = "+" if price.standard.tiers else ""
    base = price.base
    return (
        usd_text(base.input) + more,
        usd_text(base.cached) + more,
        usd_text(base.output) + more,
    )


def _document(row: _Row) -> dict[str, object]:
    price = row.price
    return {
        "agent": row.agent or None,
        "model": row.name,
        "provider": row.provider,
        "pinned": row.pinned,
        "dated_version": row.version,
        "window": row.window or None,
        "end_of_life": row.ends.isoformat() if row.ends else None,
        "price_source": price.source if price else None,
        "usd_per_mtok": _rates(price.base) if price else None,
        "long_input": [
            {"tokens_in_above": tier.tokens_in_above, "usd_per_mtok": _rates(tier.rates)}
            for tier in (price.standard.tiers if price else ())
        ],
        "service_tiers": {
            word: _rates(schedule.base) for word, schedule in (price.services if price else ())
        },
    }


def _rates(rates: "Rates") -> dict[str, str]:
    """As text, which keeps them exact."""
    from airworthy.gateway.prices.review import usd_text

    return {name: usd_text(getattr(rates, name)) for name in type(rates).__slots__}
