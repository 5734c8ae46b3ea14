"""Anthropic as a provider: its form of errors, its headers, its list of models."""

import math
from dataclasses import replace
from datetime import UTC, datetime

import orjson

from airworthy.core.clock import US_PER_S
from airworthy.gateway.simulator import wire
from airworthy.gateway.simulator.answer import Answer
from airworthy.gateway.simulator.conversation import BadRequest, Json, OverWindow
from airworthy.gateway.simulator.limits import Level, Shortage

OVERLOADED = 529
_KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    OVERLOADED: "overloaded_error",
}
_CREATED = datetime.fromtimestamp(wire.CREATED_FIRST_S, UTC).isoformat().replace("+00:00", "Z")


class Anthropic:
    def refused(self, problem: BadRequest) -> Answer:
        if isinstance(problem, OverWindow):
            return error(400, f"prompt is too long: {problem.tokens} tokens > {problem.window} maximum")
        return error(problem.status, problem.message)

    def wrong_key(self) -> Answer:
        return error(401, "invalid x-api-key")

    def no_such_path(self, method: str, path: str) -> Answer:
        return error(404, f"Not found: {method} {path}")

    def failed(self) -> Answer:
        return error(500, "Internal server error")

    def overloaded(self) -> Answer:
        return error(OVERLOADED, "Overloaded")

    def rate_limited(self, model: str, wait_s: float) -> Answer:
        return _later(
            f"This request would exceed the rate limit for {model}. Please try again later.", wait_s
        )

    def too_fast(self, model: str, shortage: Shortage) -> Answer:
        level, needed, wait_s = shortage
        message = (
            f"This request would exceed the rate limit of {level.limit} {level.unit.replace('_', ' ')}"
            f" per minute for {model}: {needed} are needed and {level.left} are left."
        )
        return error(429, message) if wait_s is None else _later(message, wait_s)

    def call_headers(self, number: int, mark: bytes, prompt_tokens: int) -> dict[str, str]:  # noqa: ARG002  # the port's
        return {
            "request-id": f"req_{mark.hex()[:20]}{number:012x}",
            "anthropic-organization-id": "simulator",
        }

    def limit_headers(self, levels: tuple[Level, ...]) -> dict[str, str]:
        made: dict[str, str] = {}
        for level in levels:
            name = f"anthropic-ratelimit-{level.unit.replace('_', '-')}"
            made[f"{name}-limit"] = str(level.limit)
            made[f"{name}-remaining"] = str(level.left)
            # To the second, as Anthropic writes it, rounded up so that nobody comes back too early.
            reset_s = math.ceil(level.full_us / US_PER_S)
            made[f"{name}-reset"] = datetime.fromtimestamp(reset_s, UTC).isoformat().replace("+00:00", "Z")
        return made

    def model_list(self, models: tuple[str, ...]) -> Answer:
        listed: list[Json] = [_entry(model) for model in models]
        return wire.json_answer(
            {"data": listed, "has_more": False, "first_id": models[0], "last_id": models[-1]}
        )

    def model_entry(self, model: str) -> Answer:
        return wire.json_answer(_entry(model))


def error_body(status: int, message: str) -> dict[str, Json]:
    return {"type": "error", "error": {"type": _KINDS.get(status, "api_error"), "message": message}}


def error(status: int, message: str) -> Answer:
    return Answer(status, orjson.dumps(error_body(status, message)), {"content-type": "application/json"})


def _later(message: str, wait_s: float) -> Answer:
    made = error(429, message)
    return replace(made, headers={**made.headers, "retry-after": str(math.ceil(wait_s))})


def _entry(model: str) -> dict[str, Json]:
    return {"type": "model", "id": model, "display_name": model, "created_at": _CREATED}
