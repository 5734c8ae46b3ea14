"""The one door to models: which provider answers, at what price, within which budget; knows no agent and no tool."""

from airworthy.gateway.client import OPENAI_URL, Endpoint, ModelClient, OpenAIClient
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
from airworthy.gateway.gateway import Gateway, ModelRequest, place_of
from airworthy.gateway.reply import ModelReply, ModelToolCall, Usage

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
    "Usage",
    "place_of",
]
