"""What goes out has its type, its size, true facts and no secret; otherwise a person sees it first."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

import pytest
from pydantic import BaseModel, TypeAdapter

from airworthy.checks import (
    BUILTIN,
    CheckContext,
    Fact,
    Settings,
    ToolResult,
    Verdict,
    required_facts,
    run_checks,
)


class Answer(BaseModel):
    text: str
    price_usd: float


def context(facts: tuple[ToolResult, ...] = (), **settings: object) -> CheckContext:
    return CheckContext("support", "task_1", "Was it 20 USD?", "Was it 20 USD?", facts, Settings(**settings))  # type: ignore[arg-type]


def verdict(name: str, value: object, given: CheckContext) -> Verdict | None:
    found = BUILTIN[name](value, given)
    assert found is None or isinstance(found, Verdict)
    return found


def test_an_answer_of_another_shape_is_held_without_quoting_it() -> None:
    given = context(validate=TypeAdapter(Answer).validate_python)

    found = verdict("schema", {"text": "hunter2-hunter2", "price_usd": "hunter2"}, given)

    assert verdict("schema", {"text": "Yes.", "price_usd": 12}, given) is None
    assert found is not None
    assert found.evidence["places"] == ["price_usd: float_parsing"]
    assert "hunter2" not in f"{found}"


def test_a_validator_of_any_kind_may_refuse() -> None:
    def validate(value: object) -> None:
        raise ValueError("hunter2-hunter2")

    found = verdict("schema", {}, context(validate=validate))

    assert found is not None
    assert "hunter2" not in f"{found}"


def test_an_answer_is_bounded_in_bytes() -> None:
    assert verdict("bytes", {"a": "é"}, context(bytes_max=10)) is None
    assert verdict("bytes", {"a": "é"}, context(bytes_max=9)) is not None


def test_a_forbidden_pattern_holds_the_answer_wherever_it_stands() -> None:
    given = context(forbid_patterns=(r"guarantee(d|s)?\b",))

    assert verdict("forbidden_patterns", {"text": ["We Guarantee it."]}, given) is not None
    assert verdict("forbidden_patterns", {"text": ["We hope so."]}, given) is None


def test_a_secret_holds_the_answer_and_is_not_repeated() -> None:
    key = "sk-" + "a1" * 20

    found = verdict("secrets", {"text": f"Use {key}"}, context())

    assert found is not None
    assert "openai_key" in found.detail
    assert key not in f"{found}"
    assert verdict("secrets", "Use your own key.", context()) is None


PRICES = {"A-1": Decimal("129.50"), "B-2": 7}


def prices(value: Mapping[str, object], given: CheckContext) -> Iterable[Fact]:
    return [Fact(f"price of {sku}", stated, PRICES.get(sku)) for sku, stated in value.items()]


@pytest.mark.parametrize(
    ("stated", "wrong", "why"),
    [
        ({"A-1": 129.5, "B-2": "7.00"}, [], "numbers compare by value"),
        ({"A-1": 129.49}, ["price of A-1"], "a cent off"),
        ({"C-3": 1}, ["price of C-3"], "the system of record knows no such thing"),
        ({"B-2": True}, ["price of B-2"], "true is not a number"),
        ({"A-1": "12x"}, ["price of A-1"], "no number"),
        ({}, [], "nothing stated"),
    ],
)
@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_stated_fact_must_be_that_of_the_system_of_record(
    stated: dict[str, object], wrong: list[str], why: str, asynchronous: bool
) -> None:
    async def prices_async(value: Mapping[str, object], given: CheckContext) -> Iterable[Fact]:
        return prices(value, given)

    made = required_facts(prices_async if asynchronous else prices, name="real_prices")

    report = await run_checks([made], stated, context())

    found = report.block.verdict.evidence["facts"] if report.block else []
    assert isinstance(found, list)
    assert [fact["name"] for fact in found] == wrong, why


async def test_a_lookup_that_fails_holds_the_answer() -> None:
    def down(value: object, given: CheckContext) -> Iterable[Fact]:
        raise ConnectionError("prices.internal refused hunter2-hunter2")

    report = await run_checks([required_facts(down)], {}, context())

    assert report.block is not None
    assert report.block.verdict.then == "escalate"
    assert "ConnectionError" in report.block.verdict.reason


@pytest.mark.parametrize(
    ("text", "unknown", "why"),
    [
        ("It costs $1,299.50, and was 20 USD.", [], "one from a tool, one from the question"),
        ("Das kostet 1.299,50 € heute.", [], "the same amount as written elsewhere"),
        ("It costs 1 299,5 EUR.", [], "the same amount as written elsewhere"),
        ("It costs $1,299.51.", ["1299.51"], "no tool returned it"),
        ("You will get it in 3 days, order 8813.", [], "not money"),
        ("It is €7 in all.", [], "a text of the tool names it"),
    ],
)
def test_an_amount_of_money_must_come_from_somewhere(text: str, unknown: list[str], why: str) -> None:
    facts = (ToolResult("get_order", {"id": 1}, {"total": 1299.5, "lines": [{"note": "7 EUR"}]}),)

    found = verdict("numbers_grounded", text, context(facts))

    assert (found.evidence["amounts"] if found else []) == unknown, why


def test_every_ready_check_is_registered_under_its_own_name() -> None:
    assert all(name == each.name for name, each in BUILTIN.items())
    assert {"empty", "too_long", "garbled", "language"} <= {n for n, c in BUILTIN.items() if c.on == "input"}
    assert {"schema", "secrets"} <= {name for name, each in BUILTIN.items() if each.on == "output"}


async def test_every_ready_check_passes_an_ordinary_value() -> None:
    given = context((ToolResult("get_order", {}, {"total": 20}),), languages=("en",))

    report = await run_checks(
        list(BUILTIN.values()), "Your order of 20 USD is on its way to you today.", given
    )

    assert [each.verdict.kind for each in report.findings] == ["passed"] * len(BUILTIN)
