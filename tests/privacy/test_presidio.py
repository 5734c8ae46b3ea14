"""Presidio as a source of rules: the real package, its recognisers of patterns, and no request to the network."""

import socket

import pytest

from airworthy.core.errors import ConfigError
from airworthy.core.personal import Personal

pytest.importorskip("presidio_analyzer", reason="needs the extra `presidio`")


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **_more: object) -> None:
        raise AssertionError(f"Presidio asked the network: {args}")

    monkeypatch.setattr(
        socket, "getaddrinfo", refuse
    )  # Whatever would fetch something looks up a name first.


def test_its_patterns_are_rules_like_ours() -> None:
    from airworthy.recorder.presidio import presidio_rules

    personal = Personal(presidio_rules(["PHONE_NUMBER", "US_SSN", "IBAN_CODE"]))

    written = personal.redact_text("Call 212-555-5555, my social security number (SSN) is 078-05-1120 or so.")

    assert "212-555-5555" not in written
    assert "[redacted:phone_number]" in written
    assert personal.redact_text(written) == written


@pytest.mark.parametrize(("entities", "model"), [
    (["EMAIL_ADDRESS"], ""), (["PERSON"], ""), (["NO_SUCH"], ""), (["PERSON"], "no_such_model"),
])  # fmt: skip
def test_what_it_cannot_find_here_is_told_at_once(entities: list[str], model: str) -> None:
    from airworthy.recorder.presidio import presidio_rules

    with pytest.raises(ConfigError):
        presidio_rules(entities, "en", model)
