"""From what stands to what needs a person, and to one sentence about all of it. Pure; the words quote the outside."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final
from urllib.parse import urlencode

from airworthy.console import ways
from airworthy.console.standing import Standing
from airworthy.recorder.alerts import AlertRow
from airworthy.recorder.traces.query import label
from airworthy.review import Item, Kind
from airworthy.runtime.machine import State
from airworthy.runtime.switches import ALL, Switch

NAMED_MAX: Final = 3
ITEMS_NAMED_MAX: Final = 8
ALERTS_NAMED_MAX: Final = 8
# A call in doubt may have happened twice or never, and nobody but a person finds out.
_ONE_BY_ONE: Final = tuple(kind for kind in Kind if kind not in (Kind.DELAYED, Kind.DEAD_LETTER))
_ASKED: Final[Mapping[Kind, str]] = {
    Kind.APPROVAL: "Approve or reject a call",
    Kind.IN_DOUBT: "Find out whether a call happened",
    Kind.QUESTION: "Answer a question",
    Kind.ESCALATION: "Take over a task",
    Kind.BLOCKED_ANSWER: "Look at an answer that was held back",
    Kind.DEAD_LETTER: "Look at a task that could not be processed",
    Kind.DELAYED: "Stop a call, or let it go out",
}


class Weight(IntEnum):
    """What comes first."""

    BROKEN = 0  # Nothing goes on, or harm is done, until somebody acts.
    OVERDUE = 1
    WAITING = 2  # Somebody is waited for; there is time.
    CARE = 3


@dataclass(frozen=True, slots=True)
class Need:
    """One thing for a person. `title` is ours, `about` quotes the outside. `link` is where it is dealt with."""

    weight: Weight
    word: str
    shape: str
    title: str
    about: str
    link: str
    act: str
    agent: str = ""
    since_us: int | None = None
    deadline_us: int | None = None


def needs(standing: Standing, lines: Mapping[str, str]) -> list[Need]:
    """The most pressing first. `lines`: of items, what each is about, by id."""
    found = [
        *_house(standing),
        *map(_alert, standing.alerts[:ALERTS_NAMED_MAX]),
        *_more_alerts(standing),
        *(_item(item, lines.get(item.id, ""), standing.now_us) for item in named_items(standing)),
        *_dead_letters(standing),
        *_stuck(standing),
        *(_paused(row) for row in standing.switches if row.scope != ALL),
    ]
    return sorted(
        found, key=lambda need: (need.weight, need.deadline_us or 2**63, need.since_us or 2**63, need.title)
    )


def named_items(standing: Standing) -> Sequence[Item]:
    """Those of the queue that are told one by one."""
    return [item for item in standing.items if item.kind in _ONE_BY_ONE][:ITEMS_NAMED_MAX]


def unnamed(standing: Standing) -> int:
    """How many more of them there are."""
    return max(0, standing.count(_ONE_BY_ONE) - len(named_items(standing)))


def troubles(standing: Standing) -> dict[str, list[str]]:
    """By agent, what is wrong with it, worst first; agents with which nothing is, are left out."""
    found: dict[str, list[str]] = {}

    def add(agent: str, words: str) -> None:
        found.setdefault(agent, []).append(words)

    for alert in standing.alerts:
        if alert.agent and alert.severity == "critical":
            add(alert.agent, "has a critical alert")
    for agent, tasks in standing.stuck.items():
        add(agent, f"has {counted(tasks.count, 'stuck task')}")
    for (agent, kind), count in sorted(standing.waiting.items()):
        if kind is Kind.DEAD_LETTER:
            add(agent, f"has {counted(count, 'dead letter')}")
        if kind is Kind.IN_DOUBT:
            add(agent, f"has {counted(count, 'call')} in doubt")
    late: dict[str, int] = {}
    for item in standing.items:
        if overdue(item, standing.now_us):
            late[item.agent] = late.get(item.agent, 0) + 1
    for agent, count in late.items():
        add(agent, f"has {count} overdue")
    for row in standing.switches:
        if row.scope != ALL:
            add(row.scope.removeprefix("agent:"), "works by hand" if row.manual else "is paused")
    for alert in standing.alerts:
        if alert.agent and alert.severity == "warning":
            add(alert.agent, "has a warning")
    return {agent: list(dict.fromkeys(words)) for agent, words in found.items()}


@dataclass(frozen=True, slots=True)
class Said:
    """The first sentence of the page. `level`: good, person or bad."""

    text: str
    level: str


def sentence(standing: Standing, agents: Collection[str]) -> Said:
    """`agents`: all that are known to whoever asks."""
    wrong = {agent: words for agent, words in troubles(standing).items() if agent in agents}
    house = [need.title for need in _house(standing) if need.weight is Weight.BROKEN]
    house += ["A critical alert stands." for alert in standing.alerts if _is_house_alert(alert)][:1]
    waiting = standing.count([kind for kind in Kind if kind is not Kind.DELAYED])
    parts = list(house)
    if wrong:
        names = list(wrong)
        named = "; ".join(
            f"{name or 'traces without an agent'} {wrong[name][0]}" for name in names[:NAMED_MAX]
        )
        rest = f"; and {len(names) - NAMED_MAX} more" if len(names) > NAMED_MAX else ""
        verb = "needs" if len(names) == 1 else "need"
        parts.append(f"{len(names)} of {counted(len(agents), 'agent')} {verb} attention: {named}{rest}.")
    if not parts:
        if not agents:
            return Said("Nothing has been recorded yet.", "person")
        return Said(f"All is well. {_waits(waiting)}", "good")
    if waiting:
        parts.append(_waits(waiting))
    return Said(" ".join(parts), "bad" if house or _is_bad(standing) else "person")


def overdue(item: Item, now_us: int) -> bool:
    return item.overdue_at is not None and item.overdue_at <= now_us


def counted(count: int, noun: str) -> str:
    return f"{count:,} {noun if count == 1 else noun + 's'}"


def _waits(count: int) -> str:
    if not count:
        return "Nothing waits for a person."
    return f"{counted(count, 'thing')} {'waits' if count == 1 else 'wait'} for a person."


def _is_house_alert(alert: AlertRow) -> bool:
    return alert.severity == "critical" and not alert.agent


def _is_bad(standing: Standing) -> bool:
    return any(alert.severity == "critical" for alert in standing.alerts)


def _house(standing: Standing) -> list[Need]:
    """What concerns all agents at once."""
    found: list[Need] = []
    due = sum(
        each.count
        for state in (State.QUEUED, State.RUNNING)
        for each in standing.open.get(state, {}).values()
    )
    if not standing.workers and due:
        verb = "waits" if due == 1 else "wait"
        found.append(
            Need(
                Weight.BROKEN, "no worker", "bad", f"No worker is running and {counted(due, 'task')} {verb}.",
                "Start one with: airworthy run", ways.traces(label("is", "open")), "See what waits",
            )
        )  # fmt: skip
    if standing.unread is not None:
        found.append(
            Need(
                Weight.BROKEN, "people.toml", "bad", "Nobody can decide anything: people.toml cannot be read.",
                f"{standing.unread.message} {standing.unread.mend}", "/review", "See the queue",
            )
        )  # fmt: skip
    found += [_paused(row) for row in standing.switches if row.scope == ALL]
    lately = ways.traces(label("is", "error"), ways.since(3_600, standing.now_us))
    found += [
        Need(
            Weight.CARE, "cut off", "off", f"Calls to {row.name} are cut off.", row.state.reason, lately,
            "See what failed", since_us=row.changed_us,
        )
        for row in standing.breakers
    ]  # fmt: skip
    if standing.spoiled:
        listed = ", ".join(f"{count:,} {what}" for what, count in standing.spoiled.items())
        found.append(
            Need(
                Weight.CARE, "intake", "no", "Spans sent in today were not kept.", listed,
                "/api/v1/overview", "See the counts",
            )
        )  # fmt: skip
    return found


def _item(item: Item, about: str, now_us: int) -> Need:
    late = overdue(item, now_us)
    weight = Weight.OVERDUE if late or item.kind is Kind.IN_DOUBT else Weight.WAITING
    return Need(
        weight, "overdue" if late else item.kind.value.replace("_", " "), "bad" if late else "person",
        _ASKED[item.kind], about, ways.item(item.id), "Decide", item.agent, item.created_us,
        item.deadline_us,
    )  # fmt: skip


def _dead_letters(standing: Standing) -> list[Need]:
    found = []
    for (agent, kind), count in standing.waiting.items():
        if kind is Kind.DEAD_LETTER:
            first = min(
                (i.created_us for i in standing.items if (i.agent, i.kind) == (agent, kind)), default=None
            )
            title = f"{counted(count, 'task')} could not be processed"
            link = f"/review?{urlencode({'kind': 'dead_letter', 'agent': agent})}"
            found.append(
                Need(Weight.OVERDUE, "dead letters", "bad", title, "", link, "Look at them", agent, first)
            )
    return found


def _stuck(standing: Standing) -> list[Need]:
    return [
        Need(
            Weight.OVERDUE, "stuck", "bad", f"{counted(tasks.count, 'task')} due and taken up by nobody",
            "", ways.traces(label("is", "open"), label("agent", agent)), "See them", agent, tasks.oldest_us,
        )
        for agent, tasks in standing.stuck.items()
    ]  # fmt: skip


def _paused(row: Switch) -> Need:
    every = row.scope == ALL
    who = "All agents are" if every else "The agent is"
    title = f"{who} paused" + ("; people do the tasks." if row.manual else ".")
    about = f"by {row.by_whom}: {row.reason}" if row.reason else f"by {row.by_whom}"
    agent = "" if every else row.scope.removeprefix("agent:")
    weight = Weight.BROKEN if every else Weight.CARE
    return Need(weight, "paused", "pause", title, about, "/agents", "Resume", agent, row.at_us)


def _alert(row: AlertRow) -> Need:
    weight = Weight.BROKEN if row.severity == "critical" else Weight.CARE
    shape = {"critical": "bad", "warning": "person"}.get(row.severity, "none")
    return Need(
        weight,
        row.severity,
        shape,
        "",
        row.title,
        ways.alert(row.key),
        "See the alert",
        row.agent,
        row.first_us,
    )


def _more_alerts(standing: Standing) -> list[Need]:
    more = len(standing.alerts) - ALERTS_NAMED_MAX
    if more <= 0:
        return []
    return [
        Need(Weight.CARE, "alerts", "person", f"{counted(more, 'more alert')}", "", "/alerts", "See them all")
    ]
