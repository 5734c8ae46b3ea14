"""The one door to models: which provider answers, at what price, within which budget; knows no agent and no tool."""

from typing import TYPE_CHECKING

from airworthy.core.late import late

if TYPE_CHECKING:
    from airworthy.gateway.client import OPENAI_URL, Endpoint, OpenAIClient
    from airworthy.gateway.errors import (
        ContextOverflow,
        ModelAuthFailed,
        ModelError,
        ModelMalformed,
        ModelNotAllowed,
        ModelOutage,
        ModelRateLimited,
        ModelRefusedRequest,
        ModelTimeout,
        ModelUnknown,
        ModelUnreachable,
        Unpriced,
    )
    from airworthy.gateway.gateway import Gateway, ModelRequest
    from airworthy.gateway.place import place_of
    from airworthy.gateway.reply import ModelReply, ModelToolCall, Usage
    from airworthy.gateway.upstream import ModelClient, Upstream

__getattr__ = late(
    __name__,
    {
        "client": "Endpoint OPENAI_URL OpenAIClient",
        "errors": (
            "ContextOverflow ModelAuthFailed ModelError ModelMalformed ModelNotAllowed ModelOutage "
            "ModelRateLimited ModelRefusedRequest ModelTimeout ModelUnknown ModelUnreachable "
            "Unpriced"
        ),
        "gateway": "Gateway ModelRequest",
        "place": "place_of",
        "reply": "ModelReply ModelToolCall Usage",
        "upstream": "ModelClient Upstream",
    },
)

__all__ = [
    "OPENAI_URL",
    "ContextOverflow",
    "Endpoint",
    "Gateway",
    "ModelAuthFailed",
    "ModelClient",
    "ModelError",
    "ModelMalformed",
    "ModelNotAllowed",
    "ModelOutage",
    "ModelRateLimited",
    "ModelRefusedRequest",
    "ModelReply",
    "ModelRequest",
    "ModelTimeout",
    "ModelToolCall",
    "ModelUnknown",
    "ModelUnreachable",
    "OpenAIClient",
    "Unpriced",
    "Upstream",
    "Usage",
    "place_of",
]
