"""The shop's services as one ASGI application over its file, with faults on purpose; knows no agent."""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, urlencode

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from airworthy.core.asgi import Message, Receive, Send
from airworthy.demo import ledger, shop
from airworthy.demo.faults import Fault, FaultPlan

BODY_BYTES_MAX: Final = 256 * 1024
_STALE_AGE_S: Final = 86_400
_BEFORE_ACT: Final = frozenset({Fault.HTTP_500, Fault.HTTP_503, Fault.TIMEOUT})
_FIELDS_TO_LOSE: Final = ("status", "price", "text", "email", "refund_id", "mail_id")

_REFUSALS: Final = {
    "unknown_order": "There is no order {order_id}.",
    "amount_not_positive": "A refund must be more than nothing; {amount_cents} cents were asked for.",
    "order_not_paid": "Order {order_id} has not been paid, so there is nothing to pay back.",
    "more_than_paid": "Order {order_id} was paid with less than {amount_cents} cents.",
    "already_refunded": "Order {order_id} has been refunded before.",
}


class RefundRequest(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    order_id: int
    amount_cents: int
    reason: str = Field(min_length=1, max_length=500)


class MailRequest(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    to: str = Field(pattern=r"^[^@\s]+@[^@\s]+$", max_length=254)
    subject: str = Field(max_length=300)
    body: str = Field(min_length=1, max_length=50_000)


@dataclass(frozen=True)
class Habits:
    """How the services behave beside their faults."""

    # Twice a client's timeout of one second: long enough to be a timeout, short enough to wait for in a demo.
    hold_s: float = 2.0
    retry_after_s: int = 1
    # A service that ignores keys is what most of the world looks like; there, a lost answer stays in doubt.
    honours_keys: bool = True


class Request(NamedTuple):
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def subject(self) -> str:
        """What is asked for, without the key: keys differ from run to run, and faults must not."""
        asked = urlencode(sorted(self.query.items()))
        content = ledger.content_of(self.path, self.body).hex() if self.method == "POST" else ""
        return f"{self.method} {self.path}?{asked} {self.headers.get('ticket', '')} {content}"


class Answer(NamedTuple):
    status: int
    body: shop.Row
    headers: tuple[tuple[str, str], ...] = ()


class Line(NamedTuple):
    """One exchange with a client; `drop` resets its connection, where the server offers that."""

    receive: Receive
    send: Send
    drop: Callable[..., None] | None


class ShopService:
    """One process serves one file; two services over one file would each count attempts on their own."""

    def __init__(self, path: Path, plan: FaultPlan, habits: Habits | None = None) -> None:
        self._connection = shop.connect(str(path))
        ledger.create(self._connection)
        self._plan = plan
        self._habits = habits or Habits()
        self._attempts: Counter[str] = Counter()

    def close(self) -> None:
        self._connection.close()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        request = await _read(scope, receive)
        if request is None:
            await _answer(send, _refusal(413, "too_large", f"A body may have {BODY_BYTES_MAX} bytes."))
            return
        attempt, fault = self._fault(request)
        if fault is not None:
            ledger.fault_met(self._connection, f"{request.method} {request.path}", attempt, fault)
        # The queries below take microseconds, so they run on the loop itself: one at a time, in order.
        answer = self._post(request, fault) if request.method == "POST" else self._get(request, fault)
        await self._deliver(answer, fault, Line(receive, send, _drop_of(scope)))

    def _fault(self, request: Request) -> tuple[int, Fault | None]:
        if request.path == "/ledger":
            return 0, None
        self._attempts[request.subject] += 1
        attempt = self._attempts[request.subject]
        fault = self._plan.fault(request.subject, attempt)
        if fault is Fault.STALE and request.method == "POST":
            return attempt, None
        return attempt, fault

    async def _deliver(self, answer: Answer, fault: Fault | None, line: Line) -> None:
        send = line.send
        match fault:
            case None | Fault.STALE:
                await _answer(send, answer)
            case Fault.HTTP_500:
                await _answer(send, _refusal(500, "internal", "Something went wrong on our side."))
            case Fault.HTTP_503:
                wait = (("retry-after", str(self._habits.retry_after_s)),)
                await _answer(
                    send, Answer(503, {"error": "busy", "message": "Please come back later."}, wait)
                )
            case Fault.TIMEOUT:
                await _hold(line.receive, self._habits.hold_s)
                await _hang_up(line)
            case Fault.MALFORMED_HTML:
                page = b"<!doctype html><html><body><h1>We will be right back</h1></body></html>"
                await _write(send, 200, page, ((b"content-type", b"text/html; charset=utf-8"),))
            case Fault.CUT_JSON:
                whole = orjson.dumps(answer.body)
                await _write(
                    send, 200, whole[: len(whole) * 2 // 3], ((b"content-type", b"application/json"),)
                )
            case Fault.MISSING_FIELD:
                await _answer(send, answer._replace(body=_without_field(answer.body)))
            case Fault.RESET_AFTER_ACT:
                await _hang_up(line)

    def _get(self, request: Request, fault: Fault | None) -> Answer:
        stale = fault is Fault.STALE
        answer = self._look_up(request, stale=stale)
        if request.path == "/ledger":
            return answer
        # Every answer tells its day, so that a client can see that it is stale.
        as_of = shop.TODAY - timedelta(days=1) if stale else shop.TODAY
        age = (("age", str(_STALE_AGE_S)),) if stale else ()
        return answer._replace(body={**answer.body, "as_of": as_of.isoformat()}, headers=age)

    def _look_up(self, request: Request, *, stale: bool) -> Answer:
        query = request.query
        match request.path.strip("/").split("/"):
            case ["customers"] if "email" in query:
                return Answer(200, {"customers": shop.customers_by_email(self._connection, query["email"])})
            case ["customers", number] if number.isdecimal():
                return _found(shop.customer(self._connection, int(number)), f"customer {number}")
            case ["orders"] if query.get("customer_id", "").isdecimal():
                orders = shop.orders_of(self._connection, int(query["customer_id"]), stale=stale)
                return Answer(200, {"orders": list(orders)})
            case ["orders", number] if number.isdecimal():
                return _found(self._order(int(number), query.get("email"), stale=stale), f"order {number}")
            case ["products"]:
                found = shop.products(self._connection, query.get("query", ""), stale=stale)
                return Answer(200, {"products": list(found)})
            case ["policies"] if "topic" in query:
                return _found(shop.policy(self._connection, query["topic"]), f"policy on {query['topic']!r}")
            case ["ledger"]:
                return Answer(200, dict(vars(ledger.verify(self._connection))))
            case _:
                return _refusal(404, "not_found", f"There is nothing at {request.path}.")

    def _order(self, order_id: int, email: str | None, *, stale: bool) -> shop.Row | None:
        """With an e-mail address, somebody else's order is as absent as one that does not exist."""
        found = shop.order(self._connection, order_id, stale=stale)
        if found is None or email is None:
            return found
        owners = [owner["id"] for owner in shop.customers_by_email(self._connection, email)]
        return found if found["customer_id"] in owners else None

    def _post(self, request: Request, fault: Fault | None) -> Answer:
        try:
            asked = _asked(request)
        except ValidationError as error:
            return _refusal(422, "invalid", "; ".join(_complaints(error)))
        if asked is None:
            return _refusal(404, "not_found", f"There is nothing to post at {request.path}.")
        kind = "refund" if isinstance(asked, RefundRequest) else "mail"
        key, ticket = request.headers.get("idempotency-key"), request.headers.get("ticket")
        post = ledger.Post(kind, key, ticket, ledger.content_of(kind, asked))
        arrival = ledger.arrive(self._connection, post)
        if fault in _BEFORE_ACT:
            ledger.end(self._connection, arrival, "fault")
            return _refusal(500, "internal", "Something went wrong on our side.")
        # Effect, ledger and stored answer stand or fall together, or a crash here could act twice.
        with _transaction(self._connection):
            answer, how = self._act(post, asked)
            ledger.end(self._connection, arrival, how)
        return answer

    def _act(self, post: ledger.Post, asked: RefundRequest | MailRequest) -> tuple[Answer, ledger.End]:
        before = None
        if post.key is not None and self._habits.honours_keys:
            before = ledger.effect_of(self._connection, post.key)
        if before is not None and before.post.content != post.content:
            message = f"Key {post.key!r} has been used for a different request."
            return _refusal(409, "key_reused", message), "conflict"
        if before is not None:
            return Answer(200, orjson.loads(before.answer), (("idempotent-replay", "true"),)), "replayed"
        if isinstance(asked, RefundRequest):
            reason = shop.refund_refusal(self._connection, asked.order_id, asked.amount_cents)
            if reason is not None:
                return _refusal(422, reason, _REFUSALS[reason].format(**asked.model_dump())), "refused"
            number = shop.add_refund(self._connection, asked.order_id, asked.amount_cents, asked.reason)
            body: shop.Row = {
                "refund_id": number,
                "amount": shop.euros(asked.amount_cents),
                **asked.model_dump(),
            }
        else:
            number = shop.add_mail(self._connection, asked.to, asked.subject, asked.body)
            body = {"mail_id": number, "to": asked.to, "sent": True}
        ledger.carried_out(self._connection, ledger.Effect(post, orjson.dumps(body)))
        return Answer(200, body), "carried_out"


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Takes the write lock at once: a lock asked for halfway could be refused after something was done."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _asked(request: Request) -> RefundRequest | MailRequest | None:
    match request.path:
        case "/refunds":
            return RefundRequest.model_validate_json(request.body)
        case "/mail":
            return MailRequest.model_validate_json(request.body)
        case _:
            return None


def _complaints(error: ValidationError) -> list[str]:
    return [f"{'.'.join(map(str, fault['loc'])) or 'body'}: {fault['msg']}" for fault in error.errors()]


def _found(row: shop.Row | None, what: str) -> Answer:
    return Answer(200, row) if row is not None else _refusal(404, "not_found", f"There is no {what}.")


def _refusal(status: int, error: str, message: str) -> Answer:
    return Answer(status, {"error": error, "message": message})


def _without_field(body: shop.Row) -> shop.Row:
    """The body without one field that a client needs, in the first thing that has one."""
    for name in _FIELDS_TO_LOSE:
        if name in body:
            return {key: value for key, value in body.items() if key != name}
    for name, value in body.items():
        if isinstance(value, list) and value:
            return {**body, name: [_without_field(value[0]), *value[1:]]}
    return {key: value for key, value in body.items() if key == "as_of"}


async def _read(scope: Message, receive: Receive) -> Request | None:
    """None for a body over the bound."""
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > BODY_BYTES_MAX:
            return None
    query = dict(parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True))
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    return Request(scope["method"], scope["path"], query, headers, body)


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def _hold(receive: Receive, hold_s: float) -> None:
    """Until the client gives up, at most so long."""
    try:
        async with asyncio.timeout(hold_s):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        pass


async def _hang_up(line: Line) -> None:
    """Without a server that can reset a connection, a body is promised and never sent: the server then has to
    close the connection in the middle of the answer."""
    if line.drop is None:
        await line.send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"64")]}
        )
        return
    line.drop(flush=False)
    # Returning before the server has noticed would make it write an error page into the closed connection.
    await _hold(line.receive, 1.0)


def _drop_of(scope: Message) -> Callable[..., None] | None:
    drop: Callable[..., None] | None = scope.get("extensions", {}).get("airworthy.drop", {}).get("drop")
    return drop


async def _answer(send: Send, answer: Answer) -> None:
    extra = tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers)
    content_type = (b"content-type", b"application/json")
    await _write(send, answer.status, orjson.dumps(answer.body), (content_type, *extra))


async def _write(send: Send, status: int, body: bytes, headers: tuple[tuple[bytes, bytes], ...]) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [length, *headers]})
    await send({"type": "http.response.body", "body": body})
