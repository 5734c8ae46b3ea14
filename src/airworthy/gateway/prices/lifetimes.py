"""When a provider switches a model off, as far as it has said so. Kept by hand; an entry is certain or left out."""

from collections.abc import Mapping
from datetime import date
from typing import Final

# Source of each: the provider's deprecation page. Clouds that sell the same models (Azure, Bedrock, Vertex) keep days
# of their own, so these hold only at the provider itself.
ENDS: Final[Mapping[str, Mapping[str, date]]] = {
    "openai": {
        name: day
        for day, names in {
            date(2025, 7, 14): ("gpt-4.5-preview", "gpt-4.5-preview-2025-02-27"),
            date(2025, 7, 28): ("o1-preview", "o1-preview-2024-09-12"),
            date(2025, 10, 27): ("o1-mini", "o1-mini-2024-09-12"),
            date(2026, 2, 17): ("chatgpt-4o-latest",),
            date(2026, 10, 23): (
                "gpt-3.5-turbo", "gpt-3.5-turbo-0125", "gpt-4", "gpt-4-0613", "gpt-4-turbo", "gpt-4-turbo-2024-04-09",
                "gpt-4o-2024-05-13", "gpt-4.1-nano", "gpt-4.1-nano-2025-04-14", "o1", "o1-2024-12-17", "o1-pro",
                "o1-pro-2025-03-19", "o3-mini", "o3-mini-2025-01-31", "o4-mini", "o4-mini-2025-04-16",
            ),
            date(2026, 12, 11): (
                "gpt-5", "gpt-5-2025-08-07", "gpt-5-mini", "gpt-5-mini-2025-08-07", "gpt-5-nano",
                "gpt-5-nano-2025-08-07", "gpt-5-pro", "gpt-5-pro-2025-10-06", "o3", "o3-2025-04-16", "o3-pro",
                "o3-pro-2025-06-10",
            ),
            date(2027, 1, 14): (
                "gpt-4o", "gpt-4o-2024-08-06", "gpt-4o-2024-11-20", "gpt-4o-mini", "gpt-4o-mini-2024-07-18", "gpt-4.1",
                "gpt-4.1-2025-04-14", "gpt-4.1-mini", "gpt-4.1-mini-2025-04-14",
            ),
        }.items()
        for name in names
    },
    "anthropic": {
        "claude-3-5-sonnet-20240620": date(2025, 10, 28),
        "claude-3-5-sonnet-20241022": date(2025, 10, 28),
        "claude-3-opus-20240229": date(2026, 1, 5),
        "claude-3-5-haiku-20241022": date(2026, 2, 19),
        "claude-3-7-sonnet-20250219": date(2026, 2, 19),
        "claude-sonnet-4-20250514": date(2026, 6, 15),
        "claude-sonnet-4-0": date(2026, 6, 15),
        "claude-opus-4-20250514": date(2026, 6, 15),
        "claude-opus-4-0": date(2026, 6, 15),
        "claude-opus-4-1-20250805": date(2026, 8, 5),
        "claude-opus-4-1": date(2026, 8, 5),
    },
    # From the day on, Gemini answers calls of the 2.5 models with a newer model at that one's price.
    "google": {
        "gemini-2.0-flash": date(2026, 6, 1),
        "gemini-2.0-flash-001": date(2026, 6, 1),
        "gemini-2.5-pro": date(2026, 12, 1),
        "gemini-2.5-flash": date(2026, 12, 1),
    },
}  # fmt: skip


def end_of_life(provider: str, name: str) -> date | None:
    """The first day without the model; None where nothing is known, which promises nothing."""
    return ENDS.get("google" if provider == "gemini" else provider, {}).get(name)
