"""The course of a demo: a shop, a model, letters, a worker that is killed at work, a person, and the end."""

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from os import getpid
from pathlib import Path
from typing import Final

import httpx
import orjson

from airworthy.app.build import App, opened
from airworthy.app.console import created, revoked
from airworthy.core.money import nano_from_usd
from airworthy.core.outcome import Outcome
from airworthy.demo import folder as folders
from airworthy.demo import shop
from airworthy.demo.children import Child, ChildFailed, Children
from airworthy.demo.choice import Choice
from airworthy.demo.evidence import EVERYTHING, Course, Kill, gathered
from airworthy.demo.folder import Folder
from airworthy.demo.inquiries import Inquiry, inquiries
from airworthy.demo.plural import some
from airworthy.demo.progress import progress_of
from airworthy.demo.report import Report
from airworthy.demo.view import View
from airworthy.policy import Policy, load_policy
from airworthy.review import People
from airworthy.runtime import State, Submission, TaskRow
from airworthy.tools import EffectRow, EffectState

POLL_S: Final = 0.1
ASK_S_MAX: Final = 20.0
AIM_S: Final = 0.004
AIM_S_MAX: Final = 3.0
# With real models a letter takes seconds; with the simulated one a whole demo takes one minute.
WHOLE_S_MAX: Final = 1_200.0
KILLS_AT: Final = (0.35, 0.6)
KILLS_FROM_LETTERS: Final = 100  # Fewer letters leave no room for a second kill in the middle.
STAND_IN: Final = "the demo, in a person's place"
STAND_IN_APPROVES_CENTS_MAX: Final = 15_000

# What a person says to a refund that waits for them.
Decide = Callable[[EffectRow], bool]
# What is done while everything still runs.
Stay = Callable[[Report, str], None]


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the command was asked for. `count`: letters handed in. `jobs`: tasks under way at once."""

    folder: Path
    count: int = 200
    seed: int = 7
    jobs: int = 16
    kill: bool = True
    faults: bool = True

    @property
    def kills(self) -> tuple[float, ...]:
        if not self.kill:
            return ()
        return KILLS_AT if self.count >= KILLS_FROM_LETTERS else KILLS_AT[:1]


def stand_in(effect: EffectRow) -> bool:
    """A rule as a person might have one, so that approvals and rejections are both seen."""
    return bool(orjson.loads(effect.arguments)["amount_cents"] <= STAND_IN_APPROVES_CENTS_MAX)


def letters_for(seed: int, count: int) -> tuple[Inquiry, ...]:
    """The first so many; at least one is always handed in twice."""
    chosen = inquiries(seed)[:count]
    if len(chosen) > 1 and len({letter.key for letter in chosen}) == len(chosen):
        return (*chosen[:-1], chosen[0])
    return chosen


def play(
    wishes: Wishes, choice: Choice, view: View, decide: Decide | None, stay: Stay | None = None
) -> Report:
    """Runs it to the end and reads what is left. `decide` None: the demo stands in for the person.

    `stay`: is handed the report and the link by which one signs in to the console, while shop, model, console and a
    worker run; they end when it returns. Raises: AirworthyError when something it needs does not start or ends early.
    """
    folder = folders.prepared(wishes.folder, getpid())
    letters = letters_for(wishes.seed, wishes.count)
    by = "you, at the terminal" if decide is not None else STAND_IN
    with Children() as children:
        policy = _open_shop(wishes, choice, folder, children)
        with opened(folder.config) as app:
            stage = _Stage(wishes, folder, app, children, view, letters)
            stage.hand_in(policy)
            stage.work(decide)
            desk = stage.open_desk()
            told = asked(app, str(desk["url"]))
            cap_nano = nano_from_usd(policy.budgets.day_usd or 0)
            course = Course(letters, stage.kills, len(wishes.kills), cap_nano, told)
            report = Report.of(gathered(app, folder, course), choice, stage.seconds, by)
            if stay is not None:
                stage.start_worker()
                stay(report, str(desk["first_sign_in"]))
            children.stop()
    return report


def asked(app: App, url: str) -> dict[str, int]:
    """What the console tells of the tasks, asked as any program would. Raises: ChildFailed."""
    secret, key = created(app, People(), program="demo", roles=("viewer",), expires="1h")
    try:
        answer = httpx.get(
            f"{url}/api/v1/overview", params={"window": "24h"}, headers={"authorization": f"Bearer {secret}"},
            timeout=ASK_S_MAX, trust_env=False,
        ).raise_for_status()  # fmt: skip
    except httpx.HTTPError as error:
        raise ChildFailed(
            f"The console did not answer: {error}.", mend="Read console.log in the folder."
        ) from error
    finally:
        revoked(app, key.id)
    sums = answer.json()["all"]
    return {
        "opened": int(sums["opened"]),
        **{outcome.value: int(sums["outcomes"][outcome.value]["count"]) for outcome in Outcome},
    }


def _open_shop(wishes: Wishes, choice: Choice, folder: Folder, children: Children) -> Policy:
    """Starts the services and writes the project around them."""
    with closing(shop.connect(str(folder.shop))) as connection:
        shop.build(connection, wishes.seed)
    service = _service(wishes, children, folder, "shop", folder.shop)
    model_url = None
    if choice.simulated:
        folders.write_rules(folder)
        provider = _service(wishes, children, folder, "provider", folder.rules)
        model_url = f"{provider.first_line()}/v1"
    folders.write_preflight(folder, wishes.seed, simulated=choice.simulated)
    folders.furnish(
        folder, choice, model_url=model_url, shop_url=service.first_line(), concurrency=wishes.jobs
    )
    return load_policy(folder.policy)


def _service(wishes: Wishes, children: Children, folder: Folder, what: str, file: Path) -> Child:
    arguments = ["airworthy.demo.serve", what, str(file), "--seed", str(wishes.seed)]
    if wishes.faults:
        arguments.append("--faults")
    return children.start(what, arguments, folder.path / f"{what}.log")


class _Stage:
    """One demo under way: the worker of the moment, the kills so far, and the clock."""

    def __init__(
        self,
        wishes: Wishes,
        folder: Folder,
        app: App,
        children: Children,
        view: View,
        letters: tuple[Inquiry, ...],
    ) -> None:
        self.kills: list[Kill] = []
        self._folder = folder
        self._app = app
        self._children = children
        self._view = view
        self._letters = letters
        self._by_key = {letter.key: letter for letter in letters}
        self._kills_due = list(wishes.kills)
        self._started_s = time.monotonic()
        self._aside_s = 0.0

    @property
    def seconds(self) -> float:
        """Without the time that a person took to decide."""
        return time.monotonic() - self._started_s - self._aside_s

    def hand_in(self, policy: Policy) -> None:
        for letter in self._letters:
            # The address comes from the mail server, not from the letter's text, which may say anything.
            submission = Submission(
                letter.message, key=letter.key, session=letter.key, user=letter.sender, source="email"
            )
            self._app.operations.submit(policy, submission)

    def work(self, decide: Decide | None) -> None:
        worker = self.start_worker()
        while self.seconds < WHOLE_S_MAX:
            tasks = self._app.operations.tasks(EVERYTHING)
            progress = progress_of(tasks, self._by_key, self.seconds, len(self.kills))
            self._view.show(progress)
            if progress.closed == progress.total:
                break
            if worker.ended is not None:
                raise worker.failure()
            if self._kills_due and progress.share >= self._kills_due[0]:
                self._kill(worker)
                worker = self.start_worker()
                continue
            self._decide(decide, tasks)
            time.sleep(POLL_S)
        worker.stop()

    def open_desk(self) -> dict[str, object]:
        """The console, on all that was done. Raises: ChildFailed."""
        arguments = ["airworthy.demo.desk", str(self._folder.path)]
        desk = self._children.start("console", arguments, self._folder.path / "console.log")
        said: dict[str, object] = orjson.loads(desk.first_line())
        return said

    def start_worker(self) -> Child:
        arguments = ["airworthy.demo.work", str(self._folder.path)]
        return self._children.start("worker", arguments, self._folder.path / "worker.log")

    def _kill(self, worker: Child) -> None:
        """Waits for the worst moment, which is while an effect is on its way, and then does not wait any more."""
        self._kills_due.pop(0)
        operations, until_s = self._app.operations, time.monotonic() + AIM_S_MAX
        while not operations.outbox([EffectState.STARTED], 1) and time.monotonic() < until_s:
            time.sleep(AIM_S)
        worker.kill()
        states = operations.counts()
        cut_off = tuple(effect.id for effect in operations.outbox([EffectState.STARTED], 1_000))
        closed = sum(count for state, count in states.items() if state.value in _CLOSED)
        self.kills.append(Kill(closed, states.get(State.RUNNING, 0), cut_off))
        begun = f" and {some(len(cut_off), 'mail or refund', 'mails or refunds')} begun" if cut_off else ""
        self._view.say(
            f"The worker was killed with SIGKILL after {closed} tasks, with {self.kills[-1].under_way} under way"
            f"{begun}. A new one takes over."
        )

    def _decide(self, decide: Decide | None, tasks: list[TaskRow]) -> None:
        held = self._app.operations.outbox([EffectState.HELD], 100)
        if not held:
            return
        if decide is None:
            for effect in held:
                self._say_to(effect, approved=stand_in(effect), by=STAND_IN)
            return
        if any(task.state in (State.QUEUED, State.RUNNING) for task in tasks):
            return  # A person is asked once, when everything else is done, not interrupted again and again.
        asked_s = time.monotonic()
        with self._view.aside():
            for effect in held:
                self._say_to(effect, approved=decide(effect), by="the person at the terminal")
        self._aside_s += time.monotonic() - asked_s

    def _say_to(self, effect: EffectRow, *, approved: bool, by: str) -> None:
        state = EffectState.APPROVED if approved else EffectState.REJECTED
        note = "" if approved else "too much to give back without looking at the case"
        self._app.operations.decide(effect.id, state, by, note)


_CLOSED = frozenset(state.value for state in State) - {"queued", "running", "waiting", "paused"}
