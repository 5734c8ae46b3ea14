"""What is left of a limit, in every provider's headers; what cannot be read was not said."""

import pytest

from airworthy.gateway.wire.limits import NOTHING, Limits, Window, read_limits

DATE = "Fri, 02 Jan 2026 03:04:05 GMT"
NOW_US = 1_767_323_045_000_000  # The same moment.

SAID = [
    (
        {
            "x-ratelimit-limit-requests": "10000",
            "x-ratelimit-remaining-requests": "9999",
            "x-ratelimit-reset-requests": "6ms",
            "x-ratelimit-limit-tokens": "30000000",
            "x-ratelimit-remaining-tokens": "29999000",
            "x-ratelimit-reset-tokens": "1m30.5s",
        },
        Limits(Window(10_000, 9_999, 0.006), Window(30_000_000, 29_999_000, 90.5)),
        "OpenAI and Groq",
    ),
    (
        {"x-ratelimit-remaining-requests": "79", "x-ratelimit-remaining-tokens": "79970"},
        Limits(Window(None, 79), Window(None, 79_970)),
        "Azure says only what is left",
    ),
    (
        {"x-ratelimit-limit-tokens-minute": "60000", "x-ratelimit-remaining-tokens-minute": "5",
         "x-ratelimit-reset-tokens-minute": "21.9"},
        Limits(NOTHING, Window(60_000, 5, 21.9)),
        "Cerebras",
    ),
    (
        {"x-ratelimit-limit-req-minute": "60", "x-ratelimit-remaining-req-minute": "59",
         "x-ratelimit-remaining-tokens-minute": "7"},
        Limits(Window(60, 59), Window(None, 7)),
        "Mistral",
    ),
    (
        {"x-ratelimit-limit": "10", "x-ratelimit-remaining": "9", "x-ratelimit-reset": "1",
         "x-tokenlimit-limit": "3000", "x-tokenlimit-remaining": "2000.7"},
        Limits(Window(10, 9, 1.0), Window(3_000, 2_000)),
        "Together",
    ),
    (
        {
            "date": DATE,
            "anthropic-ratelimit-requests-limit": "50",
            "anthropic-ratelimit-requests-remaining": "49",
            "anthropic-ratelimit-requests-reset": "2026-01-02T03:04:06Z",
            "anthropic-ratelimit-tokens-remaining": "90",
            "anthropic-ratelimit-input-tokens-limit": "400",
            "anthropic-ratelimit-input-tokens-remaining": "0",
            "anthropic-ratelimit-input-tokens-reset": "2026-01-02T03:05:05Z",
            "anthropic-ratelimit-output-tokens-remaining": "70",
        },
        Limits(Window(50, 49, 1.0), Window(None, 90), Window(400, 0, 60.0), Window(None, 70)),
        "Anthropic gives moments",
    ),
    (
        {"x-ratelimit-limit-requests": "many", "x-ratelimit-remaining-requests": "-5",
         "x-ratelimit-reset-requests": "soon", "x-ratelimit-remaining-tokens": "9" * 40},
        Limits(Window(None, 0, None), Window(None, None)),
        "nonsense",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("headers", "limits", "why"), SAID)
@pytest.mark.parametrize("now_us", [None, NOW_US])
def test_limits_are_read(headers: dict[str, str], limits: Limits, why: str, now_us: int | None) -> None:
    assert read_limits(headers, now_us) == limits, why


def test_headers_that_say_nothing_are_no_limits() -> None:
    assert read_limits({}) is None
    assert read_limits({"content-type": "application/json", "retry-after": "3"}) is None


def test_a_moment_without_a_clock_or_a_date_is_no_wait() -> None:
    headers = {
        "anthropic-ratelimit-requests-remaining": "1",
        "anthropic-ratelimit-requests-reset": "2026-01-02T03:04:06Z",
    }

    assert read_limits(headers) == Limits(Window(None, 1))


@pytest.mark.parametrize("value", ["inf", "nan", "1e400", "", "²", "½"])
def test_an_odd_number_is_not_said(value: str) -> None:
    limits = read_limits({"x-ratelimit-remaining-tokens": value})

    assert limits is not None
    assert limits.tokens.remaining is None
