"""A shop whose agent does everything that a page of a run has to show; and browsers of the people around it."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import httpx

from airworthy import Run, tool
from airworthy.app.console import parts_of
from airworthy.checks import CheckContext, Verdict, blocked, check, passed
from airworthy.console import sessions
from airworthy.console.api import application
from airworthy.console.parts import Parts
from airworthy.core.asgi import Application
from airworthy.core.clock import Clock
from airworthy.gateway import ModelClient
from airworthy.policy import BreakerRule, Limits, ToolRule
from airworthy.recorder.traces import chunk
from airworthy.recorder.traces.read import SpanRow
from airworthy.review import Kind, People
from airworthy.runtime.reviews import Whole
from airworthy.store import Tx
from airworthy.tools import ToolError, Transient
from tests.gateway.kit import FIRST, SECOND, model, script
from tests.runtime.kit import Bench, bench

PEOPLE = People.model_validate({
    "people": {
        "dana": {"name": "Dana Smith"},
        "lee": {"name": "Lee Wong"},
        "vera": {"name": "Vera Look", "roles": ["viewer"]},
        "otto": {"name": "Otto Run", "roles": ["operator"]},
        "ada": {"name": "Ada Boss", "roles": ["admin"]},
        "nina": {"name": "Nina Else", "roles": ["admin"], "agents": ["another"]},
    },
    "teams": {"desk": {"members": ["dana"]}, "finance": {"members": ["lee"]}},
})  # fmt: skip
POLICY: dict[str, Any] = {
    "tools": {
        "refund": ToolRule(amount_arg="amount_eur", approval_above=50, recipient_arg="to", critical=False, attempts=1),
        "send_email": ToolRule(delay_s=600),
        "get_order": ToolRule(attempts=3, breaker=BreakerRule(calls_min=100)),
        "find_customer": ToolRule(critical=False, attempts=1, breaker=BreakerRule(calls_min=100)),
    },
    "escalation": {"default": "desk"},
    "limits": Limits(steps=400, tool_calls=400, identical_calls=400, off_track=400, seconds=3_000),
}  # fmt: skip


@check(on="output")
def nothing_rude(answer: Any, context: CheckContext) -> Verdict:
    return blocked("It is rude.") if answer == "rude" else passed()


@dataclass
class Shop:
    """`fail`: how often the next lookups of an order fail. `orders`: what `get_order` gives."""

    bench: Bench = field(init=False)
    people: People = PEOPLE
    fail: int = 0
    order: Any = "shipped"
    refunds: list[tuple[str, float]] = field(default_factory=list)

    @cached_property
    def parts(self) -> Parts:
        return parts_of(self.bench.app, [self.bench.agent], lambda: self.people)

    @cached_property
    def served(self) -> Application:
        return application(self.parts)

    def browser(self, person: str = "dana") -> "Browser":
        door, app = self.parts.door, self.bench.app
        secret, session = sessions.drawn_for(app.ids, app.clock.now_us(), door.session_us, person, "password")
        app.database.write_now(lambda tx: sessions.begin(tx, secret, session))
        transport = httpx.ASGITransport(self.served, raise_app_exceptions=False)
        headers = {
            "Accept": "text/html",
            "Cookie": f"{door.cookie('airworthy', 'http', 'localhost')}={secret}",
        }
        client = httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers)
        return Browser(client, sessions.csrf_of(secret), secret)

    async def handle(self, run: Run) -> Any:
        """Does what the words of the input say, one after the other."""
        done: list[Any] = []
        for word in str(run.input).split(";"):
            what, _, rest = word.strip().partition(" ")
            try:
                done.append(await self._do(run, what, rest))
            except ToolError as error:
                done.append(error.message)
        return done[-1] if done else None

    async def _do(self, run: Run, what: str, rest: str) -> Any:
        match what:
            case "order":
                return await run.tool("get_order", order_id=int(rest))
            case "customer":
                return await run.tool("find_customer", email=rest)
            case "refund":
                return await run.tool("refund", to="ann@example.com", amount_eur=float(rest), why="it broke")
            case "mail":
                return await run.tool("send_email", to=rest, body="Your money is on its way.")
            case "ask":
                return await run.ask(rest, choices=["yes", "no"])
            case "many":
                return [await run.tool("get_order", order_id=number) for number in range(int(rest))]
            case "model":
                return (await run.model([{"role": "user", "content": rest}])).text
            case "crash":
                raise RuntimeError(rest)
            case "escalate":
                return run.escalate(rest, to="desk")
            case _:
                return word_of(what, rest)

    def tools(self) -> list[Any]:
        @tool
        async def get_order(order_id: int) -> Any:
            """Looks."""
            if self.fail:
                self.fail -= 1
                raise Transient("the line went dead", happened="no")
            return {"id": order_id, "state": self.order}

        @tool
        async def find_customer(email: str) -> str:
            """Never finds."""
            raise ValueError(f"nobody has {email}")

        @tool(effect="send")
        async def refund(to: str, amount_eur: float, why: str) -> str:
            """Pays."""
            self.refunds.append((to, amount_eur))
            return f"paid {amount_eur:g}"

        @tool(effect="send")
        async def send_email(to: str, body: str) -> str:
            """Sends."""
            return f"sent {len(body)} to {to}"

        return [get_order, find_customer, refund, send_email]

    async def done(self, words: str, **about: Any) -> str:
        return (await self.bench.done(words, **about)).id

    async def waiting(self, words: str, *kinds: Kind) -> Whole:
        await self.bench.done(words)
        return self.bench.waiting(*kinds)


def word_of(what: str, rest: str) -> str:
    return f"{what} {rest}".strip()


def shop(clock: Clock | None = None, replies: tuple[Any, ...] = (), **policy: Any) -> Shop:
    """Call it inside a test: time is the running loop's, unless a clock is given. `replies`: of its model, in turn."""
    made = Shop()
    client: ModelClient = script(*replies)
    made.bench = bench(
        made.handle, *made.tools(), checks=[nothing_rude], people=PEOPLE, clock=clock,
        clients={FIRST: client, SECOND: client}, **{**POLICY, "models": (model(), model(SECOND)), **policy},
    )  # fmt: skip
    return made


@dataclass
class Browser:
    client: httpx.AsyncClient
    csrf: str
    secret: str = ""

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self.client.get(path, headers=headers)

    async def post(self, path: str, **fields: str) -> httpx.Response:
        return await self.client.post(path, data={"csrf": self.csrf, **fields})


TRACE = "0af7651916cd43dd8448eb211c80319c"


def span(number: int, parent: int = 0, **fields: Any) -> SpanRow:
    values: dict[str, Any] = {
        "span_id": f"{number:016x}", "parent_id": f"{parent:016x}" if parent else "", "kind": "tool",
        "name": f"execute_tool look_{number}", "started_us": number * 1_000, "ended_us": number * 1_000 + 900,
        "error_type": "", "model": "", "tokens_in": None, "tokens_out": None, "cost_nano": None,
        "trace_id": TRACE, "payload": b"{}",
    }  # fmt: skip
    return SpanRow(**{**values, **fields})


def keep_trace(tx: Tx, *spans: SpanRow, **fields: Any) -> None:
    """A trace of another program, as the intake would keep it."""
    row: dict[str, Any] = {
        "id": TRACE, "origin": "otlp", "trace_id": TRACE, "agent": "support", "release": "", "session": "",
        "user_id": "", "feature": "", "name": "invoke_agent", "at_us": 1_000, "started_us": 1_000, "ended_us": 9_000,
        "duration_us": 8_000, "outcome": None, "error_type": None, "steps": len(spans), "model_calls": 0,
        "tool_calls": 0, "errors": 0, "retries": 0, "tokens_in": 0, "tokens_out": 0, "cost_nano": None, "unpriced": 0,
        "sentence": None, **fields,
    }  # fmt: skip
    tx.execute(
        f"INSERT INTO traces ({', '.join(row)}) VALUES ({', '.join('?' for _ in row)})", tuple(row.values())
    )
    keep_spans(tx, str(row["trace_id"]), *spans)


def keep_spans(tx: Tx, trace_id: str, *spans: SpanRow) -> None:
    row = tx.row("SELECT COUNT(*) FROM chunks")
    number = row[0] + 1 if row is not None else 1
    body = chunk.pack([each.payload or b"{}" for each in spans], "")
    tx.execute("INSERT INTO chunks (id, body) VALUES (?, ?)", (number, body))
    tx.many(
        "INSERT INTO spans (trace, span, parent, kind, name, started_us, ended_us, error_type, model, tokens_in,"
        " tokens_out, cost_nano, chunk, part) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                bytes.fromhex(trace_id), bytes.fromhex(each.span_id), bytes.fromhex(each.parent_id) or None, each.kind,
                each.name, each.started_us, each.ended_us, each.error_type or None, each.model or None, each.tokens_in,
                each.tokens_out, each.cost_nano, number, part,
            )
            for part, each in enumerate(spans)
        ],
    )  # fmt: skip
