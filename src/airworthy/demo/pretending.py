"""What stands in for the shop while the demo's agent is in a preflight: a fresh shop to ask, acts that only pretend."""

import contextlib
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from airworthy.core.errors import ConfigError
from airworthy.demo import shop
from airworthy.demo.faults import NO_FAULTS
from airworthy.demo.service import ShopService
from airworthy.gateway.simulator.serving import PortInUse, serving
from airworthy.tools import Permanent

SEED: Final = 7  # The demo's own, unless it was asked for another: cases and shop must know the same orders.
_NUMBER_FIRST: Final = 1


def refund(order_id: int, amount_cents: int, reason: str, world: dict[str, Any]) -> dict[str, Any]:
    """As the shop answers a refund that it makes; like it, it makes none of nothing. Raises: Permanent."""
    if amount_cents <= 0:
        raise Permanent(f"HTTP 422: amount_not_positive: {amount_cents} cents were asked for.")
    number = world["refunds"] = world.get("refunds", 0) + _NUMBER_FIRST
    amount = shop.euros(amount_cents)
    return {
        "refund_id": number, "amount": amount, "order_id": order_id, "amount_cents": amount_cents, "reason": reason,
    }  # fmt: skip


def send_reply(to: str, world: dict[str, Any]) -> dict[str, Any]:
    """As the shop answers a mail that it sends."""
    number = world["mails"] = world.get("mails", 0) + _NUMBER_FIRST
    return {"mail_id": number, "to": to, "sent": True}


@contextlib.contextmanager
def shop_open(folder: Path) -> Iterator[str]:
    """A shop in which nothing has happened yet, where `shop.toml` of `folder` says that it is.

    If the demo is still running there, its own shop is asked. Raises: ConfigError.
    """
    port = _port(folder / "shop.toml")
    with tempfile.TemporaryDirectory(prefix="airworthy-shop-") as aside:
        path = Path(aside) / "shop.db"
        with contextlib.closing(shop.connect(str(path))) as connection:
            shop.build(connection, SEED)
        with contextlib.ExitStack() as stack:
            service = stack.enter_context(contextlib.closing(ShopService(path, NO_FAULTS)))
            try:
                url = stack.enter_context(serving(service, port=port))
            except PortInUse:
                url = f"http://127.0.0.1:{port}"
            yield url


def _port(file: Path) -> int:
    try:
        url = str(tomllib.loads(file.read_text(encoding="utf-8"))["url"])
        port = urlsplit(url).port
    except (OSError, KeyError, ValueError) as error:
        raise ConfigError(
            f"{file} does not say where the shop is: {error}.",
            mend="Run `airworthy demo` first, in another folder.",
        ) from error
    return port or 0
