"""One span as every later part knows it, whoever sent it and in whichever convention."""

from dataclasses import dataclass
from enum import StrEnum


class SpanKind(StrEnum):
    AGENT = "agent"
    MODEL = "model"
    TOOL = "tool"
    RETRIEVAL = "retrieval"
    EMBEDDING = "embedding"
    CHECK = "check"
    STEP = "step"  # Anything else: a chain, a workflow's node, plain code.


@dataclass(slots=True)
class Span:
    """Ids are lower-case hex (32 and 16 digits), times UTC microseconds, money nano-USD; "" and None are unknown.

    Usage stands only with spans of kind model and embedding, so that a sum over a trace counts nothing twice. The
    labels from `agent` to `feature` are what the sender said on this very span. `payload`: JSON with `input`,
    `output`, and `attributes`, `events`, `links`, `resource`, `scope` as they were sent; it has been through the
    redactor. `text`: what can be searched for.
    """

    trace_id: str
    span_id: str
    parent_id: str
    kind: SpanKind
    name: str
    started_us: int
    ended_us: int
    error_type: str = ""
    error_text: str = ""
    agent: str = ""
    release: str = ""
    session: str = ""
    user: str = ""
    feature: str = ""
    outcome: str = ""
    provider: str = ""
    model: str = ""
    tool: str = ""
    tokens_in: int | None = None
    tokens_out: int | None = None
    cost_nano: int | None = None
    payload: bytes = b"{}"
    text: str = ""


@dataclass(slots=True)
class Score:
    """What an evaluation said of a trace, or of one span of it ("": of the whole)."""

    trace_id: str
    span_id: str
    name: str
    value: float | None
    label: str
    explanation: str
    at_us: int
