"""What becomes of each top-level field of a request, as tables; what is in none of them blocks, unless it is null."""

from collections.abc import Mapping

from airworthy.gateway.translate.conversation import DialectName
from airworthy.gateway.translate.findings import Findings

_KEPT_FOR_LATER = "the reply is made by another provider, so OpenAI cannot store it"
_CACHE = "prompt caching is each provider's own, and changes only the price"
_TIER = "service tiers are each provider's own"

# Read into the neutral conversation.
CARRIED: Mapping[DialectName, frozenset[str]] = {
    "chat": frozenset({
        "model", "messages", "tools", "tool_choice", "parallel_tool_calls", "max_tokens",
        "max_completion_tokens", "temperature", "top_p", "stop", "stream", "stream_options",
        "response_format", "reasoning_effort", "user", "verbosity",
    }),
    "responses": frozenset({
        "model", "input", "instructions", "tools", "tool_choice", "parallel_tool_calls",
        "max_output_tokens", "temperature", "top_p", "stream", "text", "reasoning", "include", "user",
    }),
    "messages": frozenset({
        "model", "messages", "system", "max_tokens", "tools", "tool_choice", "temperature", "top_p",
        "stop_sequences", "stream", "thinking", "output_config", "metadata",
    }),
}  # fmt: skip

# The same words in both of OpenAI's protocols: carried between those, left out elsewhere for the reason given.
FAMILY: Mapping[str, str] = {
    "store": _KEPT_FOR_LATER,
    "metadata": "labels for OpenAI's own list of stored replies",
    "prompt_cache_key": _CACHE,
    "prompt_cache_retention": _CACHE,
    "prompt_cache_options": _CACHE,
    "safety_identifier": "only OpenAI's own abuse monitoring reads it",
}

# Left out wherever the request goes: the answer means the same without it.
DROPPED: Mapping[DialectName, Mapping[str, str]] = {
    "chat": {
        "seed": "a best effort to repeat one model's answer, and another model answers",
        "service_tier": _TIER,
        "prediction": "speeds a model up and changes no answer",
    },
    "responses": {
        "service_tier": _TIER,
        "stream_options": "padding against eavesdropping on lengths, which only OpenAI adds",
        "truncation": "a conversation that does not fit is refused and not cut",
        "max_tool_calls": "bounds hosted tools, which are not carried over at all",
    },
    "messages": {
        "cache_control": _CACHE,
        "service_tier": _TIER,
        "speed": "a way to pay for speed that only Anthropic has",
        "diagnostics": "asks Anthropic about its own cache",
        "workspace_id": "says which of Anthropic's accounts pays",
        "anthropic_version": "names a version of a protocol that is not spoken here",
    },
}

# Saying what holds anyway.
WITHOUT_EFFECT: Mapping[DialectName, Mapping[str, tuple[object, ...]]] = {
    "chat": {
        "n": (1,),
        "logprobs": (False,),
        "top_logprobs": (0,),
        "frequency_penalty": (0,),
        "presence_penalty": (0,),
        "logit_bias": ({},),
        "modalities": (["text"],),
        "functions": ([],),
    },
    "responses": {"background": (False,), "top_logprobs": (0,), "truncation": ("disabled",)},
    "messages": {"mcp_servers": ([],), "top_k": (0,)},
}


def sift_fields(
    body: Mapping[str, object], source: DialectName, to: DialectName, findings: Findings
) -> dict[str, object]:
    """The fields that go over word for word; the carried ones are the readers' to take."""
    word_for_word: dict[str, object] = {}
    for key, value in body.items():
        if value is None or key in CARRIED[source]:
            continue
        if any(value == harmless for harmless in WITHOUT_EFFECT[source].get(key, ())):
            continue
        if source != "messages" and key in FAMILY:
            if to == "messages":
                findings.note(key, FAMILY[key])
            else:
                word_for_word[key] = value
        elif key in DROPPED[source]:
            findings.note(key, DROPPED[source][key])
        else:
            findings.block(key)
    return word_for_word
