"""Tokens as the providers count them, in all their spellings, read into `Usage`; nonsense counts as not said."""

from typing import Any

from airworthy.gateway.wire.facts import TOKENS_MAX, UNKNOWN, Usage


def chat_usage(raw: object) -> Usage:
    """The `usage` of a chat completion or an embedding.

    Some servers leave the thinking out of `completion_tokens` and show it only in the total; it is billed as output,
    so what the total has beyond the two is output.
    """
    if type(raw) is not dict:
        return UNKNOWN
    tokens_in = raw.get("prompt_tokens")
    tokens_out = raw.get("completion_tokens")
    total = raw.get("total_tokens")
    if tokens_out is None and total == tokens_in:
        tokens_out = 0  # An embedding writes nothing.
    if type(tokens_in) is not int or type(tokens_out) is not int:
        return UNKNOWN
    details_in = _details(raw, "prompt_tokens_details")
    details_out = _details(raw, "completion_tokens_details")
    cached = details_in.get("cached_tokens")
    if cached is None:
        for name in ("prompt_cache_hit_tokens", "cached_tokens", "num_cached_tokens"):
            if (cached := raw.get(name)) is not None:
                break
    unsaid = total - tokens_in - tokens_out if type(total) is int else 0
    reasoning = details_out.get("reasoning_tokens") or 0
    if unsaid > 0:
        tokens_out += unsaid
        if type(reasoning) is int:
            reasoning = max(reasoning, unsaid)
    return usage(
        tokens_in,
        tokens_out,
        cached or 0,
        (details_in.get("cache_write_tokens") or 0, 0),
        reasoning,
        details_in.get("audio_tokens") or 0,
        details_out.get("audio_tokens") or 0,
    )


def responses_usage(raw: object) -> Usage:
    if type(raw) is not dict:
        return UNKNOWN
    details_in = _details(raw, "input_tokens_details")
    details_out = _details(raw, "output_tokens_details")
    return usage(
        raw.get("input_tokens"),
        raw.get("output_tokens"),
        details_in.get("cached_tokens") or 0,
        (details_in.get("cache_write_tokens") or 0, 0),
        details_out.get("reasoning_tokens") or 0,
        details_in.get("audio_tokens") or 0,
        details_out.get("audio_tokens") or 0,
    )


def messages_usage(raw: object) -> Usage:
    """Here `input_tokens` is only what was neither read from the cache nor written to it.

    The top counts leave out what other rounds inside the call took (compaction, an advisor); `iterations` has it all.
    """
    if type(raw) is not dict:
        return UNKNOWN
    whole = _round(raw)
    rounds = raw.get("iterations")
    if whole.known and type(rounds) is list and len(rounds) > 1:
        counted = [_round(entry) for entry in rounds]
        if all(entry.known for entry in counted):
            summed = _sum(counted)
            return summed if summed.known and summed.tokens_in >= whole.tokens_in else whole
    return whole


def _round(raw: object) -> Usage:
    if type(raw) is not dict:
        return UNKNOWN
    fresh = raw.get("input_tokens")
    read = raw.get("cache_read_input_tokens") or 0
    written = raw.get("cache_creation_input_tokens") or 0
    by_life = _details(raw, "cache_creation")
    hour = by_life.get("ephemeral_1h_input_tokens") or 0
    minutes = by_life.get("ephemeral_5m_input_tokens") or 0
    if not (type(fresh) is int and type(read) is int and type(written) is int and type(hour) is int):
        return UNKNOWN
    if type(minutes) is not int or min(fresh, read, written, hour, minutes) < 0:
        return UNKNOWN
    minutes = max(minutes, written - hour)  # What is not told apart has the shorter life.
    thinking = _details(raw, "output_tokens_details").get("thinking_tokens") or 0
    return usage(
        fresh + read + minutes + hour, raw.get("output_tokens"), read, (minutes, hour), thinking, 0, 0
    )


def _sum(rounds: list[Usage]) -> Usage:
    return usage(
        sum(entry.tokens_in for entry in rounds),
        sum(entry.tokens_out for entry in rounds),
        sum(entry.cached for entry in rounds),
        (sum(entry.cache_write for entry in rounds), sum(entry.cache_write_1h for entry in rounds)),
        sum(entry.reasoning for entry in rounds),
        0,
        0,
    )


def usage(
    tokens_in: object,
    tokens_out: object,
    cached: object,
    written: tuple[object, object],
    reasoning: object,
    audio_in: object,
    audio_out: object,
) -> Usage:
    """UNKNOWN unless all are whole numbers that fit into one another. `written`: for minutes, for an hour."""
    minutes, hour = written
    if not (
        type(tokens_in) is int
        and type(tokens_out) is int
        and type(cached) is int
        and type(minutes) is int
        and type(hour) is int
        and type(reasoning) is int
        and type(audio_in) is int
        and type(audio_out) is int
    ):
        return UNKNOWN
    if (
        tokens_in > TOKENS_MAX
        or tokens_out > TOKENS_MAX
        # One negative number makes the whole of them negative, bit by bit.
        or (tokens_in | tokens_out | cached | minutes | hour | reasoning | audio_in | audio_out) < 0
        or cached + minutes + hour > tokens_in
        or audio_in > tokens_in
        or reasoning > tokens_out
        or audio_out > tokens_out
    ):
        return UNKNOWN
    return Usage(tokens_in, tokens_out, cached, minutes, hour, reasoning, audio_in, audio_out)


def _details(raw: dict[str, Any], key: str) -> dict[str, Any]:
    details = raw.get(key)
    return details if type(details) is dict else {}
