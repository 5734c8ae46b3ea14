"""One side of a conversation: which request of ours stands for which of somebody else's. No I/O.

Ids, progress tokens and subscription ids are chosen by whoever asks, and two who ask may choose the same; so each
request gets an id of ours on its way, and what comes back is given its own again.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from airworthy.core.errors import AirworthyError
from airworthy.tools.mcp.generation import SUBSCRIPTION_KEY
from airworthy.tools.mcp.wire import Id, Message, is_id

PENDING_MAX: Final = 1024
R = TypeVar("R")


class Full(AirworthyError):
    """More requests are under way than may be."""

    code = "mcp_full"


@dataclass(slots=True)
class Pending(Generic[R]):
    """A request under way. `route`: where what belongs to it goes; `id` None: it is our own."""

    out: int
    id: Id | None
    method: str
    route: R
    token: Id | None
    answered: Callable[[Message], None]


class Table(Generic[R]):
    """The requests under way in one direction."""

    def __init__(self, pending_max: int = PENDING_MAX) -> None:
        self._pending: OrderedDict[int, Pending[R]] = OrderedDict()
        self._pending_max = pending_max
        self._last = 0
        self.strange = 0  # Answers to nothing: wrong ids, and ids for the second time.

    def __len__(self) -> int:
        return len(self._pending)

    def begin(
        self, message: Message, route: R, answered: Callable[[Message], None], *, own: bool = False
    ) -> tuple[Pending[R], Message]:
        """The request as it goes out. Raises: Full."""
        if len(self._pending) >= self._pending_max:
            raise Full(f"{self._pending_max} requests are under way.", mend="Wait for their answers.")
        self._last += 1
        params = message.get("params")
        out: Message = {**message, "id": self._last}
        token = None
        meta = params.get("_meta") if isinstance(params, dict) else None
        if isinstance(params, dict) and isinstance(meta, dict) and is_id(meta.get("progressToken")):
            token = meta["progressToken"]
            out["params"] = {**params, "_meta": {**meta, "progressToken": self._last}}
        made = Pending(self._last, None if own else message["id"], message["method"], route, token, answered)
        self._pending[self._last] = made
        return made, out

    def end(self, out: int) -> None:
        """Nobody waits for it any more; an answer that still comes is a strange one."""
        self._pending.pop(out, None)

    def answer(self, message: Message) -> bool:
        """False when it answers nothing that is under way."""
        pending = self._find(message.get("id"))
        if pending is None:
            self.strange += 1
            return False
        del self._pending[pending.out]
        pending.answered(restored(message, pending))
        return True

    def lost(self) -> list[Pending[R]]:
        """All that is under way, which nobody will answer any more."""
        gone = list(self._pending.values())
        self._pending.clear()
        return gone

    def routed(self, message: Message) -> tuple[Message, Pending[R] | None] | None:
        """A notification of the other side about a request of ours, in the words of whoever asked for it.

        (It, None) when it is about none; None when it is about one that is not under way, or is our own.
        """
        params = message.get("params")
        if not isinstance(params, dict):
            return message, None
        match message["method"]:
            case "notifications/progress":
                pending = self._find(params.get("progressToken"))
                if pending is None or pending.token is None:
                    return None
                return {**message, "params": {**params, "progressToken": pending.token}}, pending
            case "notifications/cancelled":
                pending = self._find(params.get("requestId"))
                if pending is None or pending.id is None:
                    return None
                return {**message, "params": {**params, "requestId": pending.id}}, pending
        meta = params.get("_meta")
        if isinstance(meta, dict) and SUBSCRIPTION_KEY in meta:
            pending = self._find(meta[SUBSCRIPTION_KEY])
            if pending is None or pending.id is None:
                return None
            return {**message, "params": {**params, "_meta": {**meta, SUBSCRIPTION_KEY: pending.id}}}, pending
        return message, None

    def standing_for(self, id_: Any) -> Pending[Any] | None:
        """The request under way that came with this id; the newest, should there be several."""
        for pending in reversed(self._pending.values()):
            if pending.id is not None and pending.id == id_ and type(pending.id) is type(id_):
                return pending
        return None

    def _find(self, out: Any) -> Pending[R] | None:
        # Some peers send an id back as text.
        if isinstance(out, str) and out.isascii() and out.isdigit() and len(out) < 16:
            out = int(out)
        return self._pending.get(out) if isinstance(out, int) and not isinstance(out, bool) else None


def restored(message: Message, pending: Pending[Any]) -> Message:
    """The answer under the id that the request came with."""
    made = {**message, "id": pending.id}
    result = message.get("result")
    meta = result.get("_meta") if isinstance(result, dict) else None
    if isinstance(result, dict) and isinstance(meta, dict) and meta.get(SUBSCRIPTION_KEY) == pending.out:
        made["result"] = {**result, "_meta": {**meta, SUBSCRIPTION_KEY: pending.id}}
    return made
