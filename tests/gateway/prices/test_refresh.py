"""A new list is made from data that is read and never run; what tokens do not pay for is left out."""

import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import orjson
import pytest

from airworthy.gateway.prices import refresh
from airworthy.gateway.prices.book import LIST_FILE, read_list

DATA = """
providers: list[Provider] = [
    Provider(id='openai', api_pattern='https://here', fallback_model_providers=['nobody'], models=[MODELS]),
OTHERS
]
"""
TODAY = date(2026, 6, 1)


def data(models: str) -> str:
    others = "\n".join(
        f"    Provider(id={name!r}, api_pattern='https://{name}', models=[]),"
        for name in refresh.PROVIDERS
        if name != "openai"
    )
    return DATA.replace("MODELS", models).replace("OTHERS", others)


def model(prices: str, name: str = "m", more: str = "") -> str:
    return f"ModelInfo(id={name!r}, match=ClauseEquals(equals={name!r}), prices={prices}, {more})"


def made(models: str, tmp_path: Path) -> list[dict[str, Any]]:
    path = tmp_path / "data.py"
    path.write_text(data(models))
    document = refresh.snapshot(refresh.read_data(path), "some-1.0", date(2026, 1, 1), TODAY)
    found: list[dict[str, Any]] = orjson.loads(refresh.as_text(document))["providers"]["openai"]["models"]
    return found


LONG = (
    "ModelPrice(input_mtok=TieredPrices(base=Decimal('1'), tiers=[Tier(start=200000, price=Decimal('2'))]),"
    " output_mtok=Decimal('2'), cache_write_mtok=Decimal('0.5'))"
)
PLAIN = "ModelPrice(input_mtok=Decimal('1'), output_mtok=Decimal('2'))"
RATES: list[tuple[str, dict[str, Any] | None, str]] = [
    (PLAIN, {"input": "1", "output": "2"}, "as they are"),
    ("ModelPrice(input_mtok=Decimal('1'))", {"input": "1", "output": "0"}, "an embedding writes nothing"),
    ("ModelPrice()", None, "nothing said"),
    ("ModelPrice(input_mtok=Decimal('1'), audio_hours=Decimal('2'))", None, "hours"),
    ("ModelPrice(input_mtok=Decimal('1'), output_image_mtok=Decimal('2'))", None, "pictures out"),
    (
        "ModelPrice(input_mtok=Decimal('1'), output_mtok=Decimal('2'), web_searches_kcount=Decimal('10'))",
        {"input": "1", "output": "2"},
        "searches are asked for and paid beside the tokens",
    ),
    (
        "ModelPrice(input_mtok=Decimal('1'), output_mtok=Decimal('2'), input_image_mtok=Decimal('3'))",
        {"input": "3", "output": "2"},
        "nobody counts pictures in a usage: the dearer of both",
    ),
    (
        LONG,
        {"input": ["1", 200000, "2"], "output": "2", "cache_write": ["1.5", 200000, "2.5"]},
        "a write below the input is paid on top",
    ),
]


@pytest.mark.parametrize(("prices", "rates", "why"), RATES)
def test_prices_are_taken_over(prices: str, rates: dict[str, Any] | None, why: str, tmp_path: Path) -> None:
    found = made(model(prices), tmp_path)

    assert [one["prices"] for one in found] == ([[["", rates]]] if rates is not None else []), why


def test_price_changes_keep_their_days_and_hours_become_the_dearest(tmp_path: Path) -> None:
    def priced(constraint: str, usd: int) -> str:
        return (
            f"ConditionalPrice(constraint={constraint}, prices=ModelPrice(input_mtok=Decimal('{usd}'),"
            f" output_mtok=Decimal('1')))"
        )

    dated = f"[{priced('None', 1)}, {priced('StartDateConstraint(start_date=datetime.date(2026, 3, 4))', 2)}]"
    hours = "TimeOfDateConstraint(start_time=datetime.time(1, 0, tzinfo=datetime.UTC), end_time=datetime.time(4, 0))"
    hourly = f"[{priced('None', 1)}, {priced(hours, 3)}]"

    first, second = made(f"{model(dated)}, {model(hourly, 'n')}", tmp_path)

    assert [(begins, rates["input"]) for begins, rates in first["prices"]] == [("", "1"), ("2026-03-04", "2")]
    assert [(begins, rates["input"]) for begins, rates in second["prices"]] == [("", "3")]


def test_service_tiers_are_taken_over_and_other_variants_are_not(tmp_path: Path) -> None:
    variants = ", ".join(
        f"PriceVariant(when={when!r}, prices=ModelPrice(input_mtok=Decimal('0.5')))"
        for when in (
            {"processing": "batch"},
            {"route": "eu"},
            {"service_tier": "flex", "processing": "batch"},
        )
    )

    (found,) = made(model(PLAIN, more=f"price_variants=[{variants}]"), tmp_path)

    assert found["services"] == {"batch": [["", {"input": "0.5"}]]}


def test_an_hours_write_of_claude_is_known_wherever_it_is_sold(tmp_path: Path) -> None:
    prices = "ModelPrice(input_mtok=Decimal('1'), output_mtok=Decimal('5'), cache_write_mtok=Decimal('1.25'))"

    (found,) = made(model(prices, "claude-x"), tmp_path)

    assert found["prices"][0][1]["cache_write_1h"] == "2.00"


def test_rules_become_signs(tmp_path: Path) -> None:
    clause = (
        "ClauseOr(or_=[ClauseStartsWith(starts_with='a'), ClauseEndsWith(ends_with='b'), ClauseContains(contains='c'),"
        " ClauseAnd(and_=[ClauseStartsWith(starts_with='d'), ClauseRegex(regex='e$')])])"
    )

    (found,) = made(f"ModelInfo(id='m', match={clause}, prices={PLAIN})", tmp_path)

    assert found["match"] == ["^a", "$b", "*c", ["^d", "~e$"]]


@pytest.mark.parametrize(
    "text",
    [
        "providers: list[X] = [open('/tmp/x').read()]",
        "x = 1",
        "providers: int = 1 + 1",
        "providers: list[X] = [X(**y)]",
    ],
)
def test_data_of_another_form_is_refused_and_not_run(text: str, tmp_path: Path) -> None:
    path = tmp_path / "data.py"
    path.write_text(text)

    with pytest.raises(refresh.UnreadableData):
        refresh.snapshot(refresh.read_data(path), "x", None, TODAY)


def test_a_wheel_becomes_a_list_of_the_newest_day_that_has_come(tmp_path: Path) -> None:
    starts = [f"StartDateConstraint(start_date=datetime.date({year}, 1, 1))" for year in (2020, 2999)]
    dated = ", ".join(f"ConditionalPrice(constraint={one}, prices={PLAIN})" for one in starts)
    wheel = tmp_path / "some-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(refresh.DATA_FILE, data(model(f"[{dated}]")))
    output = tmp_path / "out.json"

    code = refresh.main([str(wheel), "--output", str(output)])

    book = read_list(output.read_bytes())
    assert code == 0
    assert (book.day, book.source) == (date(2020, 1, 1), "some-1.0")
    assert book.find("openai", "m") is not None


def test_the_list_ships_with_its_licence_and_stays_small() -> None:
    assert "Pydantic Services Inc." in (LIST_FILE.parent / "prices.LICENSE.txt").read_text()
    assert LIST_FILE.stat().st_size < 400_000
