"""OpenAI as a provider: the errors and headers that chat completions, responses and embeddings share."""

import math
from dataclasses import replace

from airworthy.gateway.simulator import wire
from airworthy.gateway.simulator.answer import Answer
from airworthy.gateway.simulator.conversation import BadRequest
from airworthy.gateway.simulator.limits import Level, Shortage

_SHORT = {
    "requests": ("requests", "requests per min (RPM)"),
    "tokens": ("tokens", "tokens per min (TPM)"),
    "input_tokens": ("tokens", "input tokens per min"),
    "output_tokens": ("tokens", "output tokens per min"),
}


class OpenAI:
    def refused(self, problem: BadRequest) -> Answer:
        return wire.refused(problem)

    def wrong_key(self) -> Answer:
        return wire.wrong_key()

    def no_such_path(self, method: str, path: str) -> Answer:
        return wire.error(404, f"Invalid URL ({method} {path}).", kind="invalid_request_error")

    def failed(self) -> Answer:
        return wire.failed()

    def overloaded(self) -> Answer:
        return wire.overloaded()

    def rate_limited(self, model: str, wait_s: float) -> Answer:
        return wire.rate_limited(model, wait_s)

    def too_fast(self, model: str, shortage: Shortage) -> Answer:
        level, needed, wait_s = shortage
        kind, words = _SHORT[level.unit]
        if wait_s is None:
            message = f"Request too large for {model} on {words}: Limit {level.limit}, Requested {needed}."
            return wire.error(429, message, kind=kind, code="rate_limit_exceeded")
        made = wire.error(
            429,
            f"Rate limit reached for {model} on {words}: Limit {level.limit}, Used {level.limit - level.left},"
            f" Requested {needed}. Please try again in {duration(wait_s)}.",
            kind=kind,
            code="rate_limit_exceeded",
        )
        waits = {"retry-after": str(math.ceil(wait_s)), "retry-after-ms": str(math.ceil(wait_s * 1000))}
        return replace(made, headers={**made.headers, **waits})

    def call_headers(self, number: int, mark: bytes, prompt_tokens: int) -> dict[str, str]:
        return wire.call_headers(number, mark, prompt_tokens)

    def limit_headers(self, levels: tuple[Level, ...]) -> dict[str, str]:
        # The constant headers of a provider without limits would contradict the enforced ones.
        made: dict[str, str] = {}
        for level in levels:
            if level.unit in ("requests", "tokens"):
                made[f"x-ratelimit-limit-{level.unit}"] = str(level.limit)
                made[f"x-ratelimit-remaining-{level.unit}"] = str(level.left)
                made[f"x-ratelimit-reset-{level.unit}"] = duration(level.full_s)
        return made

    def model_list(self, models: tuple[str, ...]) -> Answer:
        return wire.model_list(models)

    def model_entry(self, model: str) -> Answer:
        return wire.json_answer(wire.model_entry(model))


def duration(seconds: float) -> str:
    """As Go writes a duration, in whole milliseconds, rounded up: `12ms`, `1.5s`, `6m0s`, `1h0m0s`."""
    ms = math.ceil(round(seconds * 1000, 6))
    if ms < 1000:
        return f"{ms}ms" if ms else "0s"
    minutes, ms = divmod(ms, 60_000)
    hours, minutes = divmod(minutes, 60)
    rest = f"{ms / 1000:g}s"
    if hours:
        return f"{hours}h{minutes}m{rest}"
    return f"{minutes}m{rest}" if minutes else rest
