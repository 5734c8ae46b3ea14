"""Worker processes under chaos: `python -m benchmarks._chaos_worker` makes one for each line that it reads.

They are forked from a process that has everything imported, which costs a second otherwise; and they are not its
threads but processes, so that they can be stopped and killed. Its answer to a line is the new process's id.

The outside world is a file that every worker appends to: it stands outside the database, and so it witnesses. What an
agent was told is done goes to another one; the check finds each such word again in the record.
"""

import asyncio
import ctypes
import hashlib
import json
import os
import signal
import sys
import time
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path

from airworthy import Agent, tool
from airworthy.app.build import assembled, worker
from airworthy.core.clock import SystemClock
from airworthy.policy import Limits, Policy, ToolRule
from airworthy.policy.sections import ChecksRule, RuntimeRules
from airworthy.runtime import Ended, Run
from airworthy.store import PostgresDatabase
from airworthy.store.lease import Owner, process_born

ACTS, WORDS, ENDS = "acts", "words", "ends"
CLONE_NEWNET = 0x40000000


@dataclass(frozen=True, slots=True)
class Spec:
    """`shift_s`: how far this machine's clock is off. `own_clock`: the control, where the server's time is not used."""

    url: str
    folder: str
    name: str
    owner: str
    seed: int
    step_s: float
    concurrency: int
    steps: int
    shift_s: float = 0.0
    own_clock: bool = False
    space: str = ""  # the network namespace

    def written(self) -> str:
        return json.dumps(asdict(self))


SPEC = Spec("", "", "", "", 0, 0.0, 1, 8)  # What this process is, once it is one.


def noted(file: str, *fields: object) -> None:
    """One line in one write, which nobody else's can be mixed with."""
    line = "\t".join(str(field) for field in fields) + "\n"
    descriptor = os.open(Path(SPEC.folder) / file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


async def takes_a_while(label: str) -> None:
    drawn = hashlib.sha256(f"{SPEC.seed}/{label}".encode()).digest()[0]
    await asyncio.sleep(SPEC.step_s * (0.25 + drawn / 170) / 2)


def token() -> str:
    return os.urandom(6).hex()


async def acted(label: str, key: str) -> str:
    made = token()
    await takes_a_while(label)
    noted(ACTS, label, key, made, SPEC.owner, time.monotonic_ns())
    await takes_a_while(label)
    return made


@tool(effect="read")
async def look(label: str) -> str:
    """A read: it answers with something else each time it is really carried out."""
    await takes_a_while(label)
    await takes_a_while(label)
    return token()


@tool(effect="send", keyed=True, dependency="send")
async def send(label: str, *, idempotency_key: str) -> str:
    """An effect that the other side knows by its key."""
    return await acted(label, idempotency_key)


@tool(effect="write", dependency="post")
async def post(label: str) -> str:
    """An effect without a key."""
    return await acted(label, "-")


agent = Agent(
    Policy(
        agent="chaotic",
        purpose="Goes on, whatever breaks.",
        limits=Limits(seconds=3600.0, steps=1000, tool_calls=1000, off_track=1000, no_progress=1000),
        runtime=RuntimeRules(attempts_max=50),
        tools={"send": ToolRule(concurrency=64), "post": ToolRule(concurrency=64)},
        checks=ChecksRule(input=(), output=()),
    ),
    tools=[look, send, post],
)


def has_post(number: int) -> bool:
    return number % 2 == 0


def labels(number: int, steps: int) -> list[tuple[str, str]]:
    """Of a task's calls of tools: the tool, and what marks the call. One more step asks for the time."""
    tools = ["look", "send", "look", "post" if has_post(number) else "send", "look", "send", "look"]
    return [(tools[at % len(tools)], f"{number}/{at}-{tools[at % len(tools)]}") for at in range(steps - 1)]


@agent.task
async def handle(run: Run) -> str:
    number = run.input["number"]
    tools = {"look": look, "send": send, "post": post}
    for at, (name, label) in enumerate(labels(number, SPEC.steps)):
        if at == SPEC.steps // 2:
            await run.now()
        answer = await run.tool(tools[name], label=label)
        noted(WORDS, label, answer, SPEC.owner)
    return "done"


def ended(end: Ended) -> None:
    if end.lost is not None or end.outcome is None:
        noted(ENDS, SPEC.owner, end.task_id, type(end.lost).__name__, end.text)


def shift(by_s: float) -> None:
    """What the machine's clock says, in this process, is off by so much from now on."""
    real_ns, real = time.time_ns, time.time
    time.time_ns = lambda: real_ns() + round(by_s * 1e9)
    time.time = lambda: real() + by_s


async def main() -> None:
    shift(SPEC.shift_s)
    database = PostgresDatabase(SPEC.url)
    app = assembled(database, [agent], SystemClock() if SPEC.own_clock else None)
    # As on a machine of its own: nobody else may look at its process, so only its lease tells that it is dead.
    owner = Owner(SPEC.owner, f"machine-{SPEC.name}", os.getpid(), process_born(os.getpid()) or "")
    made = worker(app, [agent], concurrency=SPEC.concurrency, owner=owner)
    made.on_end = ended
    await made.run()


def become(spec: Spec) -> None:
    """The process that works, from its first moment to its last."""
    global SPEC
    SPEC = spec
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    errors = os.open(Path(spec.folder) / f"{spec.owner}.err", os.O_WRONLY | os.O_CREAT)
    nothing = os.open(os.devnull, os.O_RDWR)
    for ours, theirs in ((0, nothing), (1, nothing), (2, errors)):
        os.dup2(theirs, ours)
    if spec.space:
        enter(spec.space)
    asyncio.run(main())


def enter(space: str) -> None:
    """This process's network is from now on that of the namespace."""
    with Path(f"/run/netns/{space}").open() as held:
        if ctypes.CDLL(None, use_errno=True).setns(held.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"setns {space}")


def make_workers() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # Nobody waits for them here.
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                become(Spec(**json.loads(line)))
                code = 0
            except BaseException as error:  # the end of the process, whatever it is
                traceback.print_exception(error)
            finally:
                sys.stderr.flush()
                os._exit(code)
        print(pid, flush=True)


if __name__ == "__main__":
    make_workers()
