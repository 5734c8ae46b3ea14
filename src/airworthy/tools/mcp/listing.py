"""Lists all tools of a server, page after page, within bounds."""

import asyncio
from typing import Any, Final

from airworthy.tools.mcp.definition import TOOLS_MAX
from airworthy.tools.mcp.headers import of_request
from airworthy.tools.mcp.link import Unanswered
from airworthy.tools.mcp.server import Server
from airworthy.tools.mcp.wire import Message, request

PAGES_MAX: Final = 100
LIST_S_MAX: Final = 30.0


async def listed(server: Server, common: Message) -> tuple[list[Any], Message]:
    """(The tools, the last answer without them). `common`: what each request carries. Raises: Unanswered, Full.

    An answer that is an error comes back as the last one; what was found before it does not count.
    """
    found: list[Any] = []
    cursor: str | None = None
    seen: set[str] = set()
    try:
        async with asyncio.timeout(LIST_S_MAX):
            for _ in range(PAGES_MAX):
                params = common if cursor is None else {**common, "cursor": cursor}
                asked = request(0, "tools/list", params or None)
                answer = await server.ask(asked, None, own=True, headers=of_request(asked))
                came = answer.get("result")
                if "error" in answer:
                    return [], answer
                if not isinstance(came, dict) or not isinstance(came.get("tools"), list):
                    raise Unanswered("The server's list of tools is none.", "no")
                found += came["tools"]
                cursor = came.get("nextCursor")
                rest = {key: value for key, value in came.items() if key not in ("tools", "nextCursor")}
                if not isinstance(cursor, str) or cursor in seen or len(found) > TOOLS_MAX:
                    return found, {**answer, "result": rest}
                seen.add(cursor)
    except TimeoutError:
        raise Unanswered(f"The server took longer than {LIST_S_MAX:g} s to list its tools.", "no") from None
    raise Unanswered(f"The server's list of tools has more than {PAGES_MAX} pages.", "no")
