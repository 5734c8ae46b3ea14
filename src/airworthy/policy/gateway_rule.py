"""How the gateway treats this agent's model calls beyond which models it may ask; knows no protocol."""

from typing import Annotated, Literal

from pydantic import Field

from airworthy.policy.kinds import Bytes, Seconds, Section

Share = Annotated[float, Field(gt=0, le=1)]


class CacheRule(Section):
    """Whether an identical request is answered again without asking the model."""

    enabled: bool = Field(
        default=False,
        description="Answers an identical request from what was answered before, at no cost. "
        "Broken: a cache that fails is passed by, and the model is asked.",
    )
    ttl_s: Seconds = Field(
        default=86_400.0,
        description="How long an answer may be used again. Broken: an older one is asked for anew.",
    )
    shared: bool = Field(
        default=False,
        description="One user's answers may serve another. Broken: left out, each user has a cache of their own.",
    )
    with_tools: bool = Field(
        default=False,
        description="Also for requests that offer tools. "
        "Broken: left out, a request that offers tools always reaches the model.",
    )
    temperature_max: Annotated[float, Field(ge=0, le=2)] = Field(
        default=2.0,
        description="Requests that ask for a higher temperature are not cached. "
        "Broken: a value outside 0 to 2 is an error at load.",
    )
    entries_bytes_max: Bytes = Field(
        default=256 * 1024 * 1024,
        description="How much the cache keeps. Broken: what was used longest ago goes first.",
    )


class GatewayRules(Section):
    """What happens at the door to the models."""

    on_stop: Literal["message", "error"] = Field(
        default="message",
        description="The form of a stop (a limit, a budget) for callers over HTTP: an ordinary last message, which no "
        "framework retries or passes on to another model, or an error 402. Broken: any other word is an error at load.",
    )
    on_overflow: Literal["refuse", "truncate", "summarise"] = Field(
        default="refuse",
        description="A conversation that does not fit any model: an error that says so, or its oldest turns are left "
        "out, or put into a summary by the model. Instructions are never left out. "
        "Broken: what does not fit even so is refused.",
    )
    guard_tools: bool = Field(
        default=True,
        description="Withholds tool calls that this policy does not allow, for agents whose tools run elsewhere. "
        "Broken: switched off, the caller gets whatever the model proposes.",
    )
    retell_max: Annotated[int, Field(ge=0, le=10)] = Field(
        default=2,
        description="How often a model whose every proposed call was withheld is told so and asked again. "
        "Broken: after that, the caller gets a message that names what was withheld.",
    )
    record: Literal["full", "facts"] = Field(
        default="full",
        description="What is kept of a call over HTTP: request and answer whole, or only what is counted. "
        "Broken: any other word is an error at load.",
    )
    cache: CacheRule = Field(
        default=CacheRule(),
        description="Answers used again; its keys stand in `[gateway.cache]`. "
        "Broken: an unknown key is an error at load.",
    )
