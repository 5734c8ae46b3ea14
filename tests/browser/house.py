"""A working folder, the real `airworthy up` on it, and the people and programs around it. Knows no browser."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx

from airworthy.app.build import App, opened
from airworthy.app.config import load_config
from airworthy.app.console import created
from airworthy.app.people import load_people
from airworthy.console import account_rows, sessions
from airworthy.console.door import COOKIE, Door
from airworthy.gateway.simulator import Simulator, serving
from airworthy.recorder.alerts import Alert, raised
from tests.cli.conftest import make_folder
from tests.console.kit import QUICK
from tests.recorder.otel.kit import attributes_of

if TYPE_CHECKING:
    from playwright._impl._api_structures import SetCookieParam

PATIENCE_S: Final = 20.0
UP: Final = ("--listen", "127.0.0.1:0", "--json")
PASSWORD: Final = "correct horse battery"
AGENT: Final = '''
"""Does what its input says."""
import json

from airworthy import Agent, Run, tool
from airworthy.tools import ToolError

@tool(effect="send")
def refund(to: str, amount: float, why: str) -> str:
    """Pays money back."""
    return f"paid {amount:g} to {to}"

@tool(effect="send")
def send_email(to: str, body: str) -> str:
    """Sends an e-mail."""
    return f"sent to {to}"

@tool
def find_order(order: str) -> dict[str, str]:
    """Looks an order up."""
    if order == "missing":
        raise KeyError(order)
    return {"order": order, "state": "shipped", "item": "a blue kettle"}

@tool
def read_page(text: str) -> str:
    """Gives back what it was told, or fails with it."""
    if text.startswith("fail "):
        raise ValueError(text.removeprefix("fail "))
    return text

agent = Agent("FOLDER/policy.toml", tools=[refund, send_email, find_order, read_page])

@agent.task
async def handle(run: Run) -> str:
    asked = run.input if isinstance(run.input, dict) else {"do": run.text}
    what, _, rest = asked["do"].partition(" ")
    text = asked.get("text", rest)
    match what:
        case "find":
            return f"It is {(await run.tool(find_order, order=rest))['state']}."
        case "refund":
            order = await run.tool(find_order, order="8812")
            return str(await run.tool(refund, to=text or "ann@example.com", amount=80.0, why=order["item"]))
        case "mail":
            return str(await run.tool(send_email, to=text or "ann@example.com", body="Your money is on its way."))
        case "fail":
            await run.tool(find_order, order="7710")
            raise RuntimeError(text)
        case "ask":
            choices = asked.get("choices", ["yes", "no"])
            return str(await run.ask(text, choices=choices, deadline_s=asked.get("deadline_s")))
        case "write":
            return str(await run.ask(text))
        case "chat":
            messages = [{"role": "system", "content": "You are brief."}, {"role": "user", "content": text}]
            return (await run.model(messages)).text
        case "read":
            for each in (text, "fail " + text):
                try:
                    await run.tool(read_page, text=each)
                except ToolError:
                    pass
            return text
        case "escalate":
            run.escalate(text)
        case "decline":
            run.decline(text)
        case "sleep":
            await run.sleep(3600)
    return f"Echo: {text}"
'''
POLICY: Final = """
agent = "support"
purpose = "Helps the customers of a shop."
[escalation]
default = "desk"
[limits]
off_track = 50
[runtime]
attempts_max = 1
[checks]
input = ["empty"]
output = []
[tools.refund]
amount_arg = "amount"
approval_above = 50
critical = false
attempts = 1
[tools.send_email]
delay_s = 600
attempts = 1
critical = false
[tools.find_order]
attempts = 1
critical = false
[tools.find_order.breaker]
calls_min = 1000
[tools.read_page]
attempts = 1
critical = false
[tools.read_page.breaker]
calls_min = 1000
[[models]]
name = "sim-large-2026-11-01"
provider = "compatible"
base_url = "{url}/v1"
api_key_env = ""
pinned = true
input_usd_per_mtok = 1.0
output_usd_per_mtok = 4.0
"""
# Dana decides for the desk, Vera looks, Ada runs the place, and Malo has the name that an attacker would choose.
PEOPLE: Final[dict[str, dict[str, Any]]] = {
    "ada": {"name": "Ada Boss", "roles": ["admin"], "email": "ada@example.com"},
    "dana": {"name": "Dana Smith"},
    "vera": {"name": "Vera Look", "roles": ["viewer"]},
}


@dataclass
class House:
    """`first`: the address of the first sign-in, "" when it was not offered."""

    folder: Path
    url: str
    first: str
    app: App

    @cached_property
    def api(self) -> httpx.Client:
        """An admin's program."""
        secret, _ = created(self.app, load_people(self.folder), program="tests", roles=["admin"])
        return httpx.Client(
            base_url=self.url, headers={"Authorization": f"Bearer {secret}"}, timeout=PATIENCE_S
        )

    def submit(self, input: Any, **about: Any) -> str:  # noqa: A002  # the API's word
        answer = self.api.post("/api/v1/tasks", json={"agent": "support", "input": input, **about})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def done(self, input: Any, *states: str, **about: Any) -> str:  # noqa: A002
        """Handed in, and arrived in one of these states; `waiting` is one. Left out: at its end."""
        id_ = self.submit(input, **about)
        self.until(id_, *states)
        return id_

    def until(self, id_: str, *states: str) -> dict[str, Any]:
        wanted = states or ("answered", "declined", "escalated", "dead_lettered", "cancelled")
        found: dict[str, Any] = until(lambda: self.task(id_), lambda task: task["state"] in wanted)
        return found

    def task(self, id_: str) -> dict[str, Any]:
        found: dict[str, Any] = self.api.get(f"/api/v1/tasks/{id_}").json()
        return found

    def items(self, task: str, **more: Any) -> list[dict[str, Any]]:
        """Of the review queue, open."""
        found: list[dict[str, Any]] = self.api.get("/api/v1/review", params={"task": task, **more}).json()
        return found

    def item(self, task: str, kind: str) -> str:
        """The id of the item that comes to wait for people."""
        return str(until(lambda: self.items(task, kind=kind), bool)[0]["id"])

    def decide(self, person: str, item: str, act: str, **said: Any) -> None:
        """As their program would, on what stands there now."""
        secret, _ = created(self.app, load_people(self.folder), person=person)
        own = {"Authorization": f"Bearer {secret}"}
        seen = self.api.get(f"/api/v1/review/{item}").json()["seen"]
        answer = self.api.post(f"/api/v1/review/{item}/{act}", json={"seen": seen, **said}, headers=own)
        assert answer.status_code < 300, answer.text

    def send(self, path: str, body: dict[str, Any]) -> None:
        """OTLP as JSON, with a key that may send and not look."""
        secret, _ = created(self.app, load_people(self.folder), program="sender", roles=["submitter"])
        answer = httpx.post(
            self.url + path, json=body, headers={"Authorization": f"Bearer {secret}"}, timeout=60
        )
        assert answer.status_code == 200, answer.text
        assert answer.json() == {}, answer.text

    def spans(self, *spans: dict[str, Any], **resource: Any) -> None:
        group = {"scope": {"name": "tests"}, "spans": list(spans)}
        about = {"attributes": attributes_of({"service.name": "planner", **resource})}
        self.send("/v1/traces", {"resourceSpans": [{"resource": about, "scopeSpans": [group]}]})

    def scores(self, *records: dict[str, Any]) -> None:
        group = {"scope": {}, "logRecords": list(records)}
        self.send("/v1/logs", {"resourceLogs": [{"resource": {}, "scopeLogs": [group]}]})

    def end_alerts(self, key: str) -> None:
        """Those whose keys begin so."""
        self.app.database.write_now(
            lambda tx: tx.execute("DELETE FROM alerts WHERE key LIKE ?", (f"{key}%",))
        )

    def alert(self, alert: Alert) -> None:
        self.app.database.write_now(lambda tx: raised(tx, alert, self.app.clock.now_us()))

    def cookie(self, person: str) -> "SetCookieParam":
        """Of a session that has just begun: most tests are about what comes after signing in."""
        door, now_us = Door(), self.app.clock.now_us()
        secret, session = sessions.drawn_for(self.app.ids, now_us, door.session_us, person, "password")
        self.app.database.write_now(lambda tx: sessions.begin(tx, secret, session))
        host = self.url.removeprefix("http://")
        return {"name": door.cookie(COOKIE, "http", host), "value": secret, "url": self.url}


def until(look: Callable[[], Any], enough: Callable[[Any], bool]) -> Any:
    """Polls, because what it waits for happens in another process."""
    ends_s = time.monotonic() + PATIENCE_S
    while not enough(found := look()):
        assert time.monotonic() < ends_s, f"it did not get there: {found}"
        threading.Event().wait(0.02)
    return found


def now_span(number: int, parent: int = 0, trace: str = "", **fields: Any) -> dict[str, Any]:
    """A span of the last seconds, in the form of OTLP/JSON. `attributes` as a plain dict."""
    start_ns = time.time_ns() - 20_000_000_000 + number * 100_000_000
    return {
        "traceId": trace, "spanId": f"{number:016x}", "parentSpanId": f"{parent:016x}" if parent else "",
        "name": "step", "startTimeUnixNano": str(start_ns), "endTimeUnixNano": str(start_ns + 90_000_000),
        **fields, "attributes": attributes_of(fields.get("attributes", {})),
    }  # fmt: skip


def people_toml() -> str:
    lines = [f"[people.{id_}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in rule.items())
             for id_, rule in PEOPLE.items()]  # fmt: skip
    return "\n".join([*lines, '[teams.desk]\nmembers = ["dana"]\n'])


@contextmanager
def at_home(folder: Path, people: str = "") -> Iterator[House]:
    """The real command, with worker, gateway, API and console. `people`: the text of people.toml.

    With people, each has a password already, so nobody is offered a first sign-in.
    """
    with ExitStack() as stack:
        model = stack.enter_context(serving(Simulator()))
        make_folder(folder, agent=AGENT, policy=POLICY.replace("{url}", model))
        if people:
            (folder / "people.toml").write_text(people)
        app = stack.enter_context(opened(load_config(folder)))
        hash_, now_us = QUICK.hash(PASSWORD), app.clock.now_us()
        for person in load_people(folder).people:
            app.database.write_now(lambda tx, each=person: account_rows.insert(tx, each, (), (), now_us))  # type: ignore[misc]
            app.database.write_now(lambda tx, each=person: account_rows.put_hash(tx, each, hash_, now_us))  # type: ignore[misc]
        line = stack.enter_context(running(folder))
        house = House(folder, line["url"], line.get("first_sign_in", ""), app)
        stack.callback(house.api.close)
        yield house


@contextmanager
def running(folder: Path) -> Iterator[dict[str, Any]]:
    """What it says when it can be reached. It is ended as a person would end it, and must end well."""
    with (folder / "up.err").open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-c", "from airworthy.cli.main import run; run()", "up", *UP],
            cwd=folder, text=True, encoding="utf-8", stdout=subprocess.PIPE, stderr=errors,
        )  # fmt: skip
    with process:
        assert process.stdout is not None
        first = process.stdout.readline()
        drained = threading.Thread(target=process.stdout.read, daemon=True)
        drained.start()
        try:
            assert first, (folder / "up.err").read_text()
            yield json.loads(first)
            process.terminate()
            assert process.wait(PATIENCE_S) == 0, (folder / "up.err").read_text()
            assert "Traceback" not in (folder / "up.err").read_text()
        finally:
            process.kill()
            drained.join(PATIENCE_S)
