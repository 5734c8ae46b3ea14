"""A model's name either means the same weights tomorrow or it does not."""

import pytest

from airworthy.policy import Floating, Pinned, pin_of
from airworthy.policy.pins import ALIASES


@pytest.mark.parametrize(
    "name",
    [
        "gpt-4o-2024-11-20",
        "gpt-4-0613",
        "gpt-3.5-turbo-0125",
        "gpt-4-0125-preview",
        "gpt-4o-audio-preview-2024-10-01",
        "o3-2025-04-16",
        "claude-sonnet-4-20250514",
        "claude-3-5-sonnet@20240620",
        "anthropic.claude-3-5-sonnet-20241022-v2:0",
        "gemini-1.5-pro-002",
        "gemini-2.5-pro-preview-05-06",
        "mistral-large-2411",
        "sim-large-2026-11-01",
        "openai/gpt-4o-2024-11-20",
        "llama3.1@sha256:0123456789abcdef",
    ],
)
def test_a_dated_or_numbered_name_is_pinned(name: str) -> None:
    assert isinstance(pin_of(name), Pinned)


@pytest.mark.parametrize(
    "name",
    [
        "gpt-4o",
        "gpt-4",
        "gpt-4o-latest",
        "llama3.1:latest",
        "llama3.1:70b",
        "gemini-2.5-pro",
        "gemini-2.5-pro-preview",
        "qwen2.5-7b-instruct",
        "my-model-128",
        "my-model-1024",
        "model-2024-13-01",
        "model-20249901",
        "model-2024-11-20-latest",
        "x@sha256:xyz",
    ],
)
def test_any_other_name_floats_and_says_why(name: str) -> None:
    pin = pin_of(name)

    assert isinstance(pin, Floating)
    assert repr(name) in pin.reason


def test_an_alias_is_answered_with_its_version_and_keeps_its_prefix() -> None:
    pin = pin_of("openai/gpt-4o-mini")

    assert isinstance(pin, Floating)
    assert pin.suggestion == "openai/gpt-4o-mini-2024-07-18"


def test_every_suggestion_is_itself_pinned() -> None:
    assert {name for name, version in ALIASES.items() if not isinstance(pin_of(version), Pinned)} == set()
