"""What goes over the wire as a value, whole or in pieces, so that every door (ASGI, in-process) sends the same."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

# whole: as HTTP wants it. half: half of the body, then closed. cut: closed without the end of the stream.
# reset: a TCP reset. open: nothing more comes, and the connection stays open.
Ending: TypeAlias = Literal["whole", "half", "cut", "reset", "open"]


class Chunk(NamedTuple):
    """`delay_s` is waited before the bytes."""

    delay_s: float
    data: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """A body, or the `chunks` of a stream. `delay_s` is waited before the headers.

    `announced` is a `content-length` that is not the body's. Status 0: there is no answer, only an ending.
    """

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    ending: Ending = "whole"
    chunks: tuple[Chunk, ...] = ()
    announced: int | None = None

    @property
    def is_stream(self) -> bool:
        return bool(self.chunks)

    @property
    def pieces(self) -> tuple[Chunk, ...]:
        """What a client reads as the body, in order; what comes after it, `ending` says."""
        if self.chunks:
            return self.chunks
        if self.ending == "half":
            return (Chunk(0.0, self.body[: len(self.body) // 2]),)
        return (Chunk(0.0, self.body[: self.announced]),)

    @property
    def stray(self) -> bytes:
        """Bytes after the announced end of the body; they are still in the connection when it closes."""
        return b"" if self.announced is None else self.body[self.announced :]
