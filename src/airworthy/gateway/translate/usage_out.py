"""Writes `Usage` as each protocol counts: Anthropic's input leaves out what the cache did, OpenAI's does not."""

from airworthy.gateway.wire.facts import Usage

Json = dict[str, object]


def chat_usage_out(usage: Usage) -> Json | None:
    if not usage.known:
        return None
    return {
        "prompt_tokens": usage.tokens_in,
        "completion_tokens": usage.tokens_out,
        "total_tokens": usage.tokens_in + usage.tokens_out,
        "prompt_tokens_details": {
            "cached_tokens": usage.cached,
            "cache_write_tokens": usage.cache_write + usage.cache_write_1h,
            "audio_tokens": usage.audio_in,
        },
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning, "audio_tokens": usage.audio_out},
    }


def responses_usage_out(usage: Usage) -> Json | None:
    if not usage.known:
        return None
    return {
        "input_tokens": usage.tokens_in,
        "input_tokens_details": {
            "cached_tokens": usage.cached,
            "cache_write_tokens": usage.cache_write + usage.cache_write_1h,
        },
        "output_tokens": usage.tokens_out,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.tokens_in + usage.tokens_out,
    }


def messages_usage_out(usage: Usage) -> Json:
    """Here usage cannot be left out: unknown is written as zeros, since the clients' types demand numbers."""
    written = usage.cache_write + usage.cache_write_1h
    out: Json = {
        "input_tokens": usage.tokens_in - usage.cached - written,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": usage.cached,
        "output_tokens": usage.tokens_out,
    }
    if usage.cache_write_1h:
        out["cache_creation"] = {
            "ephemeral_5m_input_tokens": usage.cache_write,
            "ephemeral_1h_input_tokens": usage.cache_write_1h,
        }
    if usage.reasoning:
        out["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    return out
