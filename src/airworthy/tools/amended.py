"""A call whose arguments a person changed while it was held: the same call to the agent, another one to the world."""

from dataclasses import replace
from typing import TYPE_CHECKING

import orjson

from airworthy.tools import outbox

if TYPE_CHECKING:
    from airworthy.tools.call import Call


async def as_amended(call: "Call") -> "Call":
    """Asked of every call that was recorded before. Its place in the journal, its id and its key stay what they were.

    Raises: SchemaBroken when the tool takes such arguments no more.
    """
    row = await call.run.journal.database.read(lambda tx: outbox.find(tx, call.effect_id))
    if row is None or row.arguments.encode() == call.slot.arguments:
        return call
    # What a person writes is refused if it holds a secret, so the stored arguments are the whole ones.
    values, canonical = call.tool.read_arguments(row.arguments.encode())
    arguments = orjson.loads(canonical)
    resource = call.tool.resource_of(arguments)
    return replace(
        call, values=values, arguments=arguments, stored=arguments, resource=resource, amended=True
    )
