"""Paths: those that exist, and what is said about those that nearly do."""

import pytest

from airworthy.gateway.server.routes import Nowhere, Route, ToCall, ToModels, ToPage, methods, protocol, route
from airworthy.gateway.wire.dialect import DIALECTS


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/v1/chat/completions", ToCall("chat")),
        ("/v1/responses", ToCall("responses")),
        ("/v1/embeddings", ToCall("embeddings")),
        ("/v1/messages", ToCall("messages")),
        ("/v1/messages/count_tokens", ToCall("count_tokens")),
        ("/run/tsk_1/v1/messages", ToCall("messages", "tsk_1")),
        ("/run/a.b:c-d/v1/chat/completions", ToCall("chat", "a.b:c-d")),
        ("/v1/models", ToModels()),
        ("/run/tsk_1/v1/models", ToModels("tsk_1")),
        ("/v1/models/gpt-5.6-2026-07-02", ToModels("", "gpt-5.6-2026-07-02")),
        ("/run/r/v1/models/a", ToModels("r", "a")),
        ("/v1/models/openai/gpt-5.6", ToModels("", "openai/gpt-5.6")),
        ("/v1/models/openai%2Fgpt-5.6", ToModels("", "openai/gpt-5.6")),
        ("/livez", ToPage("livez")),
        ("/readyz", ToPage("readyz")),
        ("/metrics", ToPage("metrics")),
        ("/openapi.json", ToPage("openapi")),
    ],
)
def test_a_path_means_one_thing(path: str, found: Route) -> None:
    assert route(path) == found


@pytest.mark.parametrize(
    ("path", "mend"),
    [
        ("/chat/completions", "End the base URL with /v1; the path is /v1/chat/completions."),
        ("/messages", "End the base URL with /v1; the path is /v1/messages."),
        ("/run/r1/messages", "End the base URL with /run/r1/v1; the path is /run/r1/v1/messages."),
        ("/models", "End the base URL with /v1; the path is /v1/models."),
        ("/v1/v1/messages", "Leave /v1 off the base URL, which adds it twice; the path is /v1/messages."),
        ("/v1/chat/completions/", "The path is /v1/chat/completions."),
        ("/v1/completions", "The path is /v1/chat/completions."),
        ("/v1/chat/completion", "The path is /v1/chat/completions."),
        ("/v1/embedding", "The path is /v1/embeddings."),
    ],
)
def test_a_path_that_is_nearly_right_is_told_which_one_is(path: str, mend: str) -> None:
    found = route(path)

    assert isinstance(found, Nowhere)
    assert found.mend == mend


@pytest.mark.parametrize("path", ["/", "", "/v2/x", "/v1", "/run", "/run/r1", "*", "/v1/audio/speech"])
def test_any_other_path_is_told_all_there_are(path: str) -> None:
    found = route(path)

    assert isinstance(found, Nowhere)
    assert "/v1/chat/completions" in found.mend


@pytest.mark.parametrize(
    "run", ["", "a b", "a%20b", "a%0d%0ax-injected:1", "..%2f..", "x" * 129, "é", "a/b", "a\nb", "a@b"]
)
def test_a_run_that_could_mean_something_else_is_none(run: str) -> None:
    assert isinstance(route(f"/run/{run}/v1/messages"), Nowhere)


def test_what_is_said_of_a_path_never_repeats_more_than_is_safe() -> None:
    found = route("/run/a\r\nSet-Cookie: x/v1/messages")

    assert isinstance(found, Nowhere)
    assert "Set-Cookie" not in found.mend


def test_a_very_long_path_is_nowhere_and_cheap() -> None:
    assert isinstance(route("/v1/" + "a" * 100_000), Nowhere)


def test_calls_are_posted_and_all_else_is_read() -> None:
    assert methods(ToCall("chat")) == ("POST",)
    assert methods(ToModels()) == methods(ToPage("livez")) == ("GET", "HEAD")


def test_every_call_has_a_dialect_and_the_path_agrees_with_it() -> None:
    for name, dialect in DIALECTS.items():
        assert route(f"/v1{dialect.path}") == ToCall(name)


@pytest.mark.parametrize(
    ("path", "versioned", "name"),
    [
        ("/v1/messages", False, "anthropic"),
        ("/run/r/v1/messages/count_tokens", False, "anthropic"),
        ("/v1/models", True, "anthropic"),
        ("/v1/models", False, "openai"),
        ("/v1/chat/completions", False, "openai"),
        ("/nowhere", False, "openai"),
    ],
)
def test_errors_are_told_in_the_protocol_of_the_path(path: str, versioned: bool, name: str) -> None:
    assert protocol(path, versioned=versioned) == name
