"""How each fault looks to the guards around a tool: as the tool's own function would raise or return it."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import TypeAdapter

from airworthy.preflight.faults.damage import Inapplicable, aged, damaged
from airworthy.preflight.stage.values import ToolCall
from airworthy.resilience.chaos import KINDS, RETRY_AFTER_S, Fault, plainly
from airworthy.tools.errors import http_error

_DETAIL = {"http_401": "token_expired: The access token expired.", "http_404": "not_found: No such thing."}
_ANY = TypeAdapter(Any)


async def faulty(
    fault: Fault, call: ToolCall, perform: Callable[[], Awaitable[Any]], chance: random.Random
) -> Any:
    """What comes of the call: the fault's error, or the answer that it makes of `perform()`, which carries it out.

    A damaged answer is handed on as it came, so that the tool's own schema is what refuses it.
    """
    kind = KINDS[fault.kind]
    if fault.kind.startswith("http_"):
        error = http_error(
            int(fault.kind.removeprefix("http_")),
            RETRY_AFTER_S.get(fault.kind),
            _DETAIL.get(fault.kind, "The service is not well."),
        )
        assert error is not None
        raise error
    if fault.kind == "not_done":
        if not call.acts or fault.result is None:
            return await perform()
        await asyncio.sleep(0)
        return fault.result
    if not kind.damages:
        return await plainly(fault, perform)
    if fault.kind == "stale" and fault.result is not None:
        return fault.result
    result = _ANY.dump_python(await perform(), mode="json")
    try:
        return (
            aged(result) if fault.kind == "stale" else damaged(fault.kind, result, call.result_schema, chance)
        )
    except Inapplicable:
        return result
