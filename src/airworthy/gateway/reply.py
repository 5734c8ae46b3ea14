"""What a model answered, as a value: read from the provider's body, stored in the journal, handed to the agent."""

from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field

from airworthy.gateway.errors import ModelMalformed
from airworthy.gateway.wire.facts import ReplyFacts

# A negative count would give money back, and an absurd one does not fit the record.
Tokens = Annotated[int, Field(ge=0, le=10**9)]
Finish = Literal["stop", "tool_calls", "length", "content_filter", "refusal"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class Usage(_Frozen):
    """Tokens as the provider counted them. `cached` is part of `tokens_in`, `reasoning` part of `tokens_out`."""

    tokens_in: Tokens
    tokens_out: Tokens
    cached: Tokens = 0
    reasoning: Tokens = 0
    known: bool = True  # False: the provider did not say, and the zeros mean nothing.


class ModelToolCall(_Frozen):
    """A tool call the model proposes. `arguments` is its text as it came: it may not even be JSON."""

    id: str
    name: str
    arguments: str


class ModelReply(_Frozen):
    """`finish` is explicit about every way a reply can end: an agent that reads only `text` still gets no half answer
    unnoticed, because the built-in loop treats `length`, `content_filter` and `refusal` apart.

    `model` and `fingerprint` are what the provider says answered, to be held against the pin.
    """

    text: str
    tool_calls: tuple[ModelToolCall, ...] = ()
    finish: Finish
    refusal: str = ""
    usage: Usage
    model: str
    fingerprint: str = ""
    pin: str = ""

    def message(self) -> dict[str, Any]:
        """The reply as the next request's assistant message."""
        message: dict[str, Any] = {"role": "assistant", "content": self.text or None}
        if self.tool_calls:
            message["tool_calls"] = [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.name, "arguments": call.arguments},
                }
                for call in self.tool_calls
            ]
        return message


def read_chat_completion(raw: bytes, pin: str) -> ModelReply:
    """Reads an OpenAI chat-completion body. Raises: ModelMalformed, saying what is wrong with it."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise ModelMalformed(
            f"The reply of {pin} is not JSON ({len(raw)} bytes: {error}).", billed=True
        ) from error
    try:
        choice = body["choices"][0]
        message = choice["message"]
        calls = tuple(
            ModelToolCall(
                id=str(call.get("id") or f"call_{position}"),
                name=call["function"]["name"],
                arguments=call["function"].get("arguments") or "{}",
            )
            for position, call in enumerate(message.get("tool_calls") or ())
        )
        text = message.get("content") or ""
        refusal = message.get("refusal") or ""
        reply = ModelReply(
            text=text if isinstance(text, str) else "".join(part.get("text", "") for part in text),
            tool_calls=calls,
            finish=_finish(choice.get("finish_reason"), has_calls=bool(calls), refused=bool(refusal)),
            refusal=refusal,
            usage=_usage(body.get("usage") or {}),
            model=body.get("model") or "",
            fingerprint=body.get("system_fingerprint") or "",
            pin=pin,
        )
    except (LookupError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise ModelMalformed(
            f"The reply of {pin} is JSON but no chat completion ({type(error).__name__}: {error}).",
            billed=True,
        ) from error
    if not reply.text and not reply.tool_calls and not reply.refusal and reply.finish == "stop":
        raise ModelMalformed(f"The reply of {pin} is empty.", billed=True)
    return reply


def _finish(reason: Any, *, has_calls: bool, refused: bool) -> Finish:
    if refused:
        return "refusal"
    match reason:
        case "length" | "content_filter":
            return reason  # type: ignore[no-any-return]  # narrowed by the pattern
        case _:
            return "tool_calls" if has_calls else "stop"


def _usage(raw: dict[str, Any]) -> Usage:
    if raw.get("prompt_tokens") is None or raw.get("completion_tokens") is None:
        return Usage(tokens_in=0, tokens_out=0, known=False)
    return Usage(
        tokens_in=int(raw["prompt_tokens"]),
        tokens_out=int(raw["completion_tokens"]),
        cached=int((raw.get("prompt_tokens_details") or {}).get("cached_tokens") or 0),
        reasoning=int((raw.get("completion_tokens_details") or {}).get("reasoning_tokens") or 0),
    )


def reply_from(facts: ReplyFacts, pin: str) -> ModelReply:
    """What a place answered, as agents get it."""
    usage = facts.usage
    return ModelReply(
        text=facts.text,
        tool_calls=tuple(
            ModelToolCall(id=call.id or f"call_{position}", name=call.name, arguments=call.arguments or "{}")
            for position, call in enumerate(facts.tool_calls)
        ),
        finish=facts.finish,
        refusal=facts.refusal,
        usage=Usage(
            tokens_in=usage.tokens_in,
            tokens_out=usage.tokens_out,
            cached=usage.cached,
            reasoning=usage.reasoning,
            known=usage.known,
        ),
        model=facts.model,
        fingerprint=facts.fingerprint,
        pin=pin,
    )
