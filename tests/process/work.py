"""A worker process for the tests beside it: `python -m tests.process.work DATABASE PORT` works until it is killed."""

import asyncio
import sys

from airworthy import Agent, tool
from airworthy.app.build import assembled, worker
from airworthy.policy import Limits, Policy, ToolRule
from airworthy.policy.sections import ChecksRule
from airworthy.runtime import Run
from tests.database import opened
from tests.process.receiver import ask

PORT = int(sys.argv[2]) if __name__ == "__main__" else 0


@tool(effect="read")
async def look(label: str) -> str:
    """Takes a while, so that kills find work under way."""
    await asyncio.sleep(0.02)
    return label


@tool(effect="send", keyed=True, dependency="send")
def send(label: str, *, idempotency_key: str) -> str:
    """An effect that the other side knows by its key."""
    return ask(PORT, label, idempotency_key)


@tool(effect="write", dependency="post")
def post(label: str) -> str:
    """An effect without a key."""
    return ask(PORT, label, "")


@tool(effect="send", keyed=True, dependency="later")
def later(label: str, *, idempotency_key: str) -> str:
    """A keyed effect that waits in the outbox."""
    return ask(PORT, label, idempotency_key)


agent = Agent(
    Policy(
        agent="killed",
        purpose="Goes on where a dead process stopped.",
        limits=Limits(seconds=600.0),
        tools={
            "later": ToolRule(delay_s=0.3),
            "send": ToolRule(concurrency=16),
            "post": ToolRule(concurrency=16),
        },
        checks=ChecksRule(input=(), output=()),
    ),
    tools=[look, send, post, later],
)


@agent.task
async def handle(run: Run) -> str:
    number = run.input["number"]
    await run.tool(look, label=f"{number}/look")
    await run.tool(send, label=f"{number}/send-1")
    if number % 4 == 0:
        await run.tool(post, label=f"{number}/post")
    await run.now()
    await asyncio.gather(run.tool(send, label=f"{number}/send-2"), run.tool(look, label=f"{number}/look-2"))
    if number % 5 == 0:
        await run.tool(later, label=f"{number}/later")
    return "done"


def labels(number: int) -> list[str]:
    """Of the keyed effects of a task."""
    return [f"{number}/send-1", f"{number}/send-2", *([f"{number}/later"] if number % 5 == 0 else [])]


async def main(path: str) -> None:
    app = assembled(opened(path), [agent])
    print("ready", flush=True)
    await worker(app, [agent], concurrency=8).run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
