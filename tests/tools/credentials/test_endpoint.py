"""A token endpoint that misbehaves on a real socket is a sentence about it, in bounded time and space."""

from collections.abc import Callable, Iterator
from itertools import repeat

import pytest

from airworthy.core.clock import SystemClock
from airworthy.tools.credentials import Given, Later, Refused
from airworthy.tools.credentials.answer import BODY_BYTES_MAX
from tests.tools.credentials.kit import SECRET, Answer, Server, Tokens, asking, client_credentials


def _raw(*parts: bytes, forever: bytes | None = None) -> Callable[[], Iterator[bytes]]:
    def made() -> Iterator[bytes]:
        yield from parts
        if forever is not None:
            yield from repeat(forever)

    return made


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (_raw(forever=b""), "within 0.3 s"),
        (_raw(b"HTTP/1.1 200 OK\r\nX: ", forever=b"y"), "within 0.3 s"),
        (_raw(OK + b"Content-Length: 1000\r\n\r\n", forever=b"z"), "within 0.3 s"),
        (_raw(OK + b"Content-Length: 1000\r\n\r\n{"), "cannot be reached: RemoteProtocolError"),
        (_raw(b"\x00\x01\x02 garbage\r\n\r\n"), "cannot be reached: RemoteProtocolError"),
        (_raw(OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"), "cannot be reached"),
        (_raw(OK + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00"), "compressed"),
        (_raw(OK + b"Content-Length: 99999999\r\n\r\n", forever=b"a" * 65_536), f"longer than {BODY_BYTES_MAX}"),
        (_raw(), "cannot be reached"),
    ],
)  # fmt: skip
def test_a_broken_answer_on_the_wire_says(raw: Callable[[], Iterator[bytes]], says: str) -> None:
    with Server(lambda _: Answer(raw=raw())) as server:
        grant = client_credentials(server.url)
        # Short only where it is waited for: on a busy machine an answer may take longer than that.
        waiting = asking(SystemClock(), 0.3) if says.startswith("within") else asking(SystemClock())
        found = waiting.ask(grant.request(), grant.secrets)

    assert isinstance(found, Later)
    assert says in found.why
    assert SECRET not in found.why


def test_nobody_listening_is_said() -> None:
    with Server(lambda _: Answer()) as server:
        url = server.url
    grant = client_credentials(url)

    found = asking(SystemClock()).ask(grant.request(), grant.secrets)

    assert found == Later("The token endpoint cannot be reached: ConnectError.")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(500, b"<html>oops</html>"), Later("The token endpoint answered 500.")),
        (Answer(503, b"", {"Retry-After": "7"}), Later("The token endpoint answered 503.", 7.0)),
        (Answer(307, b"", {"Location": "https://elsewhere.test/"}),
         Later("The token endpoint answered 307, a redirect, which is not followed: it would carry the secret.")),
    ],
)  # fmt: skip
def test_a_status_says_when_to_come_again(answer: Answer, expected: Later) -> None:
    with Server(lambda _: answer) as server:
        grant = client_credentials(server.url)
        found = asking(SystemClock()).ask(grant.request(), grant.secrets)

    assert found == expected


def test_a_refusal_that_repeats_the_secret_is_told_without_it() -> None:
    said = Answer(401, {"error": "invalid_client", "error_description": f"secret {SECRET} is wrong"})
    with Server(lambda _: said) as server:
        grant = client_credentials(server.url)
        found = asking(SystemClock()).ask(grant.request(), grant.secrets)

    assert isinstance(found, Refused)
    assert SECRET not in found.why
    assert "is wrong" in found.why


def test_a_token_comes_and_the_endpoints_clock_is_noted() -> None:
    with Server(Tokens()) as server:
        grant = client_credentials(server.url)
        endpoint = asking(SystemClock())
        found = endpoint.ask(grant.request(), grant.secrets)

    assert found == Given("canary-access-1-9c3d", 3600)
    assert endpoint.skew_s == 0.0


def test_a_clock_that_is_wrong_by_hours_is_seen() -> None:
    class Behind:
        def now_us(self) -> int:
            return SystemClock().now_us() - 7_200_000_000

    with Server(Tokens()) as server:
        grant = client_credentials(server.url)
        endpoint = asking(Behind())
        endpoint.ask(grant.request(), grant.secrets)

    assert endpoint.skew_s is not None
    assert 7_100 < endpoint.skew_s < 7_300
