"""Bills worked out by hand from the published prices, to the nano-dollar.

The list that ships is used: when a new list changes a row, a provider has changed a price. Look it up, then the row.
"""

from datetime import UTC, datetime

import pytest

from airworthy.core.clock import US_PER_S
from airworthy.gateway.prices import bound_nano, cost_nano, price_list
from airworthy.gateway.wire.facts import Usage

LIST_DAY = "2026-11-09"


def noon(day: str) -> int:
    return int(datetime.fromisoformat(f"{day}T12:00:00").replace(tzinfo=UTC).timestamp()) * US_PER_S


# (provider, model, usage, service tier, nano-USD, the sum)
BILLS = [
    ("openai", "gpt-4.1-2025-04-14", Usage(1000, 500), "", 6_000_000, "1000 x 2 + 500 x 8"),
    (
        "openai", "gpt-4.1-2025-04-14", Usage(1000, 500, cached=800), "", 4_800_000,
        "200 x 2 + 800 x 0.50 + 500 x 8",
    ),
    (
        "openai", "gpt-4.1-mini-2025-04-14", Usage(12_345, 678, cached=10_240), "", 2_950_800,
        "2105 x 0.40 + 10240 x 0.10 + 678 x 1.60",
    ),
    (
        "openai", "gpt-5-2025-08-07", Usage(9000, 1500, cached=8192, reasoning=1216), "", 17_034_000,
        "808 x 1.25 + 8192 x 0.125 + 1500 x 10: thinking is output",
    ),
    ("openai", "gpt-5-nano-2025-08-07", Usage(17, 3), "", 2_050, "17 x 0.05 + 3 x 0.40"),
    ("openai", "gpt-5-nano-2025-08-07", Usage(17, 3, cached=1), "", 2_005, "16 x 0.05 + 0.005 + 3 x 0.40"),
    ("openai", "o3-2025-04-16", Usage(5000, 20_000, reasoning=19_500), "", 170_000_000, "5000 x 2 + 20000 x 8"),
    ("openai", "gpt-5.4-2026-03-05", Usage(272_000, 1000), "", 695_000_000, "the last token of the short price"),
    (
        "openai", "gpt-5.4-2026-03-05", Usage(272_001, 1000), "", 1_382_505_000,
        "one more, and all are dear: 272001 x 5 + 1000 x 22.50",
    ),
    (
        "openai", "gpt-5.4-2026-03-05", Usage(300_000, 1000, cached=200_000), "", 622_500_000,
        "cached tokens count for the length: 100000 x 5 + 200000 x 0.50 + 1000 x 22.50",
    ),
    (
        "openai", "gpt-5-2025-08-07", Usage(9000, 1500, cached=8192), "flex", 8_517_000,
        "808 x 0.625 + 8192 x 0.0625 + 1500 x 5",
    ),
    ("openai", "gpt-5-2025-08-07", Usage(3, 0, cached=3), "flex", 188, "187.5, rounded up once"),
    ("openai", "gpt-5-2025-08-07", Usage(1000, 500), "batch", 3_125_000, "1000 x 0.625 + 500 x 5"),
    ("openai", "gpt-5-2025-08-07", Usage(1000, 500), "priority", 12_500_000, "1000 x 2.50 + 500 x 20"),
    (
        "openai", "gpt-5-mini-2025-08-07", Usage(1000, 100, cached=400), "priority", 648_000,
        "600 x 0.45 + 400 x 0.045 + 100 x 3.60: not every model's priority is twice its standard",
    ),
    (
        "openai", "gpt-4o-mini-2024-07-18", Usage(1000, 100, cached=400), "batch", 105_000,
        "a batch at half price reads no cheaper from the cache: 1000 x 0.075 + 100 x 0.30",
    ),
    ("openai", "gpt-3.5-turbo-1106", Usage(1000, 100), "batch", 1_200_000, "a batch of this one is no cheaper"),
    (
        "openai", "gpt-5.4-2026-03-05", Usage(300_000, 1000), "batch", 761_250_000,
        "a long batch: 300000 x 2.50 + 1000 x 11.25",
    ),
    ("openai", "gpt-5.4-2026-03-05", Usage(1000, 0, cached=1000), "flex", 130_000, "0.13, as printed"),
    ("openai", "gpt-5.4-2026-03-05", Usage(300_000, 0), "priority", 1_500_000_000, "no long price there: x 5"),
    (
        "openai", "gpt-4o-realtime-preview", Usage(1000, 300, audio_in=600, audio_out=200), "", 44_000_000,
        "400 x 5 + 600 x 40 + 100 x 20 + 200 x 80",
    ),
    (
        "openai", "gpt-4o-mini-transcribe", Usage(1500, 200, audio_in=1450), "", 5_412_500,
        "50 x 1.25 + 1450 x 3 + 200 x 5",
    ),
    ("openai", "gpt-4.1-2025-04-14", Usage(1000, 500), "default", 6_000_000, "the provider's word for none"),
    ("openai", "gpt-4.1-2025-04-14", Usage(1000, 500), "scale", 6_000_000, "a word we do not know"),
    ("openai", "text-embedding-3-small", Usage(8191, 0), "", 163_820, "8191 x 0.02"),
    ("azure", "gpt-4.1-2025-04-14", Usage(1000, 500), "", 6_000_000, "a cloud sells OpenAI's at OpenAI's price"),
    ("anthropic", "claude-haiku-4-5-20251001", Usage(2000, 400), "", 4_000_000, "2000 x 1 + 400 x 5"),
    (
        "anthropic", "claude-haiku-4-5-20251001", Usage(2000, 400, cached=1500), "", 2_650_000,
        "500 x 1 + 1500 x 0.10 + 400 x 5",
    ),
    (
        "anthropic", "claude-haiku-4-5-20251001",
        Usage(2000, 100, cached=300, cache_write=1000, cache_write_1h=500), "", 2_980_000,
        "200 x 1 + 300 x 0.10 + 1000 x 1.25 + 500 x 2 + 100 x 5",
    ),
    ("anthropic", "claude-sonnet-4-5-20250929", Usage(200_000, 1000), "", 615_000_000, "the last short one"),
    (
        "anthropic", "claude-sonnet-4-5-20250929", Usage(200_001, 1000), "", 1_222_506_000,
        "200001 x 6 + 1000 x 22.50",
    ),
    (
        "anthropic", "claude-sonnet-4-5-20250929", Usage(250_000, 800, cached=240_000, cache_write=5000), "",
        229_500_000, "5000 x 6 + 240000 x 0.60 + 5000 x 7.50 + 800 x 22.50",
    ),
    (
        "anthropic", "claude-opus-4-5-20251101",
        Usage(10_000, 1000, cached=4000, cache_write=2000, cache_write_1h=1000), "batch", 32_250_000,
        "half of all: 3000 x 2.50 + 4000 x 0.25 + 2000 x 3.125 + 1000 x 5 + 1000 x 12.50",
    ),
    ("anthropic", "claude-opus-4-1-20250805", Usage(1000, 500), "batch", 26_250_000, "half, by the rule of all"),
    ("anthropic", "claude-haiku-5-5", Usage(100_000, 1000), "", 10_500_000, "100000 x 0.10 + 1000 x 0.50"),
    ("anthropic", "claude-haiku-5-5", Usage(100_001, 1000), "", 52_500_500, "100001 x 0.50 + 1000 x 2.50"),
    ("anthropic", "claude-opus-4-8", Usage(1000, 100), "fast", 15_000_000, "1000 x 10 + 100 x 50"),
    ("gemini", "gemini-2.5-pro", Usage(200_000, 2000), "", 270_000_000, "200000 x 1.25 + 2000 x 10"),
    (
        "gemini", "gemini-2.5-pro", Usage(200_001, 2000, cached=150_000, reasoning=1500), "", 192_502_500,
        "50001 x 2.50 + 150000 x 0.25 + 2000 x 15",
    ),
    (
        "gemini", "gemini-2.5-flash", Usage(10_000, 500, audio_in=4000), "", 7_050_000,
        "6000 x 0.30 + 4000 x 1 + 500 x 2.50",
    ),
    (
        "gemini", "gemini-2.5-flash", Usage(10_000, 500, cached=8000, audio_in=4000), "", 3_630_000,
        "2000 of the audio must be cached: 2000 x 1 + 2000 x 0.10 + 6000 x 0.03 + 500 x 2.50",
    ),
    ("gemini", "gemini-2.5-pro", Usage(1000, 100), "batch", 1_125_000, "1000 x 0.625 + 100 x 5"),
    (
        "gemini", "gemini-2.5-flash", Usage(10_000, 500, audio_in=4000), "batch", 3_525_000,
        "6000 x 0.15 + 4000 x 0.50 + 500 x 1.25",
    ),
    (
        "gemini", "models/gemini-3.1-flash-lite", Usage(1000, 200, cached=900), "", 347_500,
        "100 x 0.25 + 900 x 0.025 + 200 x 1.50",
    ),
    ("x-ai", "grok-4.3", Usage(200_000, 0), "", 500_000_000, "long begins at 200000 there, not above it"),
    ("deepseek", "deepseek-v4-pro", Usage(1000, 100), "", 1_716_000, "the dearest hour of the day"),
    (
        "mistral", "mistral-large-2512", Usage(1000, 100, cached=500), "", 425_000,
        "500 x 0.50 + 500 x 0.05 + 100 x 1.50",
    ),
    (
        "openrouter", "google/gemini-2.5-flash", Usage(1000, 0, cache_write=1000), "", 383_334,
        "keeping is paid on top of reading: 0.30 + 0.08333..., rounded up once",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("provider", "name", "usage", "tier", "nano", "why"), BILLS)
def test_a_bill_is_exact(provider: str, name: str, usage: Usage, tier: str, nano: int, why: str) -> None:
    price = price_list().find(provider, name, noon(LIST_DAY))

    assert price is not None
    assert cost_nano(price, usage, tier) == nano, why
    assert bound_nano(price, usage.tokens_in, usage.tokens_out, 1, tier) >= nano


# (provider, model, day, usage, nano-USD, why)
DATED = [
    (
        "anthropic",
        "claude-opus-4-6",
        "2026-03-12",
        Usage(200_001, 1000),
        2_037_510_000,
        "long input was dearer",
    ),
    (
        "anthropic",
        "claude-opus-4-6",
        "2026-03-13",
        Usage(200_001, 1000),
        1_025_005_000,
        "from that day it is not",
    ),
    ("gemini", "gemini-3.6-flash", "2026-12-31", Usage(1000, 100), 1_125_000, "1000 x 0.75 + 100 x 3.75"),
    ("gemini", "gemini-3.6-flash", "2027-01-01", Usage(1000, 100), 2_250_000, "a change that is announced"),
    ("x-ai", "grok-4.20-0309-reasoning", "2026-04-29", Usage(1000, 100), 2_600_000, "1000 x 2 + 100 x 6"),
    (
        "x-ai",
        "grok-4.20-0309-reasoning",
        "2026-04-30",
        Usage(1000, 100),
        1_500_000,
        "1000 x 1.25 + 100 x 2.50",
    ),
]


@pytest.mark.parametrize(("provider", "name", "day", "usage", "nano", "why"), DATED)
def test_a_call_costs_the_price_of_its_day(
    provider: str, name: str, day: str, usage: Usage, nano: int, why: str
) -> None:
    price = price_list().find(provider, name, noon(day))

    assert price is not None
    assert cost_nano(price, usage) == nano, why
