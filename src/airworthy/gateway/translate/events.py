"""What happens in a stream, as neutral values, between the protocols; and the format's tool call made text again."""

from dataclasses import dataclass, replace

from airworthy.gateway.wire.facts import Finish, Usage


@dataclass(frozen=True, slots=True)
class Begin:
    id: str
    model: str
    created_s: int = 0


@dataclass(frozen=True, slots=True)
class TextDelta:
    text: str


@dataclass(frozen=True, slots=True)
class RefusalDelta:
    text: str


@dataclass(frozen=True, slots=True)
class CallBegin:
    """`key` tells the calls of one stream apart; calls may overlap."""

    key: int
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class CallDelta:
    key: int
    text: str


@dataclass(frozen=True, slots=True)
class CallEnd:
    key: int


@dataclass(frozen=True, slots=True)
class Ending:
    """Why the model ended; usage may still follow."""

    finish: Finish


@dataclass(frozen=True, slots=True)
class Counted:
    usage: Usage


@dataclass(frozen=True, slots=True)
class Beat:
    """Something happened that is not carried over, such as thinking; a caller should know that the line is alive."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The stream is over, and not at its end. `kind` is the provider's word for it."""

    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class End:
    """The protocol's own end: the stream is whole."""


Event = (
    Begin
    | TextDelta
    | RefusalDelta
    | CallBegin
    | CallDelta
    | CallEnd
    | Ending
    | Counted
    | Beat
    | Failed
    | End
)


class FormatText:
    """Turns the calls of the format's tool into text, as `unwrapped` does for a whole reply.

    Text is held back until it is known whether such a call comes: beside it there is no place for text.
    """

    def __init__(self, tool: str) -> None:
        self._tool = tool
        self._keys: set[int] = set()
        self._others = False
        self._held: list[Event] = []

    def turn(self, event: Event) -> list[Event]:
        match event:
            case TextDelta() if not self._keys:
                self._held.append(event)
                return [Beat()]
            case TextDelta():
                return [Beat()]
            case CallBegin(key, _, name) if name == self._tool:
                self._keys.add(key)
                self._held.clear()
                return [Beat()]
            case CallBegin():
                self._others = True
            case CallDelta(key, words) if key in self._keys:
                return [TextDelta(words)]
            case CallEnd(key) if key in self._keys:
                return [Beat()]
            case Ending() | Failed() | End():
                before, self._held = self._held, []
                if (
                    isinstance(event, Ending)
                    and self._keys
                    and not self._others
                    and event.finish == "tool_calls"
                ):
                    return [*before, replace(event, finish="stop")]
                return [*before, event]
            case _:
                pass
        return [event]
