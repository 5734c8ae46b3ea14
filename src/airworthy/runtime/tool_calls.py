"""How tool calls ended in a span of time, counted from the journal; so that no call pays for being counted."""

from collections import Counter
from collections.abc import Collection
from typing import Final

import orjson

from airworthy.recorder import Payloads
from airworthy.runtime.machine import State
from airworthy.store import Tx
from airworthy.tools.gaps import noted
from airworthy.tools.windows import SLOT_US

REPLACED_MAX: Final = 20_000  # Results that are looked into at once, for whether they are their tool's own.
_FAILED = "s.state = 'failed' AND s.error_type = 'ToolUnavailable' AND s.attempts > 0"

# (agent, tool, start of five minutes, whether it went well) -> how many.
Ends = Counter[tuple[str, str, int, bool]]


def ends(tx: Tx, since_us: int, until_us: int, replaced: Collection[str] = ()) -> Ends:
    """Calls that got a result, and calls whose dependency was away; not those that were refused or had no attempt.

    `replaced`: tools whose result another may have taken the place of.
    """
    found: Ends = Counter()
    names = sorted(replaced)
    marks = ", ".join("?" for _ in names)
    plain = f"s.state = 'done' AND s.name NOT IN ({marks})" if names else "s.state = 'done'"
    for state in State:
        # A task changes when its run ends; one that still runs may have begun at any time.
        changed_us = 0 if state is State.RUNNING else since_us
        where = (
            "t.state = ? AND t.changed_us >= ? AND s.task_id = t.id AND s.kind = 'tool' "
            "AND s.ended_us >= ? AND s.ended_us < ?"
        )
        span = (state.value, changed_us, since_us, until_us)
        for agent, tool, slot, went_well, times in tx.rows(
            f"SELECT t.agent, s.name, s.ended_us / {SLOT_US}, s.state = 'done', COUNT(*) FROM tasks t, steps s "
            f"WHERE {where} AND ({plain} OR {_FAILED}) GROUP BY 1, 2, 3, 4",
            (*span, *names),
        ):
            found[agent, tool, slot * SLOT_US, bool(went_well)] += times
        if not names:
            continue
        for agent, tool, ended_us, body in tx.rows(
            "SELECT t.agent, s.name, s.ended_us, p.body FROM tasks t, steps s, payloads p "
            f"WHERE {where} AND s.state = 'done' AND s.attempts > 0 AND s.name IN ({marks}) "
            "AND p.task_id = s.task_id AND p.seq = s.seq LIMIT ?",
            (*span, *names, REPLACED_MAX),
        ):
            own = noted(orjson.loads(Payloads.unpack(body)).get("notes", ())) is None
            found[agent, tool, ended_us // SLOT_US * SLOT_US, own] += 1
    return found
