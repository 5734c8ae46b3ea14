"""What apprise carries is text, leaves no trace of its address, and cannot hold a channel up for ever."""

import asyncio
import builtins
import logging
import threading
import warnings
from typing import Any

import pytest

from airworthy.review.courier_apprise import AppriseCourier
from airworthy.review.couriers import Later, Secrets, Sent
from tests.review.kit import answer, message, receiving, rule
from tests.virtual import START_US, wait_external

pytestmark = [
    pytest.mark.slow,  # apprise reads a hundred modules at its first use.
    pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning"),
]


@pytest.fixture(autouse=True, scope="module")
def _read() -> None:
    """Its modules are read before virtual time begins, which would not wait for a busy machine to do it."""
    import apprise

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # imghdr, by apprise
        assert apprise.Apprise().add("json://127.0.0.1:1")


def _courier(address: str, **keys: Any) -> AppriseCourier:
    return AppriseCourier(rule("apprise", **keys), lambda: Secrets(address))


async def test_a_message_arrives_as_text() -> None:
    async with receiving() as receiver:
        courier = _courier(f"json://user:SECRETWORD@127.0.0.1:{receiver.port}/SECRETPATH")
        result = await wait_external(courier.carry(message("<!channel> https://evil.example"), START_US))

    assert result == Sent()
    assert receiver.seen[0].json["title"] == "<! channel> https[:]//evil[.]example"
    assert receiver.seen[0].json["message"].startswith("Why?")


@pytest.mark.parametrize(
    "script", [answer(500), answer(302, location="http://169.254.169.254/"), b"\x00garbage"]
)
async def test_a_failure_is_tried_again_and_a_redirect_not_followed(
    script: bytes | str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    async with receiving(script) as receiver:
        courier = _courier(f"json://user:SECRETWORD@127.0.0.1:{receiver.port}/SECRETPATH")
        result = await wait_external(courier.carry(message(), START_US))

    assert isinstance(result, Later)
    assert len(receiver.seen) == 1
    said = caplog.text + "".join(capfd.readouterr()) + result.error
    assert "SECRETWORD" not in said
    assert "SECRETPATH" not in said


async def test_an_address_nobody_knows_is_said_and_not_repeated() -> None:
    result = await wait_external(_courier("SECRETSCHEME://x").carry(message(), START_US))

    assert isinstance(result, Later)
    assert "SECRETSCHEME" not in result.error


async def test_one_attempt_that_hangs_is_left_behind_and_no_second_begun(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import apprise

    release, begun = threading.Event(), list[int]()

    def stuck(*_: object, **__: object) -> bool:
        begun.append(1)
        return release.wait(30)

    monkeypatch.setattr(apprise.Apprise, "notify", stuck)  # a service that never answers
    courier = _courier("json://127.0.0.1:1")
    first = await wait_external(courier.carry(message(), START_US))
    second = await courier.carry(message(), START_US)
    release.set()
    while isinstance(await courier.carry(message(), START_US), Later):
        await asyncio.sleep(0.01)

    assert first == Later("The service did not answer within 10 s.")
    assert second == Later("An earlier attempt has not ended yet.")
    assert len(begun) == 2


async def test_without_apprise_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "apprise":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)  # an installation without the extra
    result = await wait_external(_courier("json://127.0.0.1:1").carry(message(), START_US))

    assert result == Later("A channel of kind 'apprise' needs apprise. Run: pip install 'airworthy[notify]'")
