"""What a provider's refusal means, in all providers' wordings, as one of our errors; asks nobody."""

import re
from collections.abc import Mapping
from typing import Any, Literal

import orjson

from airworthy.core.redact import Redactor
from airworthy.gateway.errors import (
    ContextOverflow,
    ModelAuthFailed,
    ModelError,
    ModelFiltered,
    ModelMalformed,
    ModelOutage,
    ModelRateLimited,
    ModelRefusedRequest,
    ModelTimeout,
    ModelUnknown,
)
from airworthy.resilience import parse_retry_after

ProtocolName = Literal["openai", "anthropic"]
SAYS_CHARS_MAX = 300
_REDACTOR = Redactor()
RAW_BYTES_MAX = 64 * 1024  # An explanation longer than this explains nothing.

# Small letters; each was seen from a provider or a widely used model server.
_OVERFLOW = re.compile(
    r"context[_ ](length|window|size|limit)|maximum context|too many (input )?tokens|(prompt|input) is too long"
    r"|maximum prompt length|exceeds? the (maximum|available) (number of )?(input )?(tokens|context)"
    r"|too large for model|reduce the length|string_above_max_length|exceed_context_size|inputs?` tokens \+ `max_new"
    r"|request_too_large|input token count"
)
_FILTERED = re.compile(
    r"content[_ ]policy|content[_ ]filter|responsibleaipolicy|content management policy|moderation_blocked"
    r"|flagged as potentially violating|input was flagged|requires moderation|data_inspection_failed|safety_violation"
    r"|content exists risk|invalid_prompt|policy_violation|blocked by (our )?content"
)
_NO_MODEL = re.compile(
    r"model_?not_?found|deployment_?not_?found|model not exist|invalid model\b|unknown_?model|not a valid model"
    r"|model identifier is invalid|model_decommissioned|model[^.]{0,120} (does not exist|not found|is not supported)"
    r"|unable to access model|no endpoints found"
)
_NO_KEY = re.compile(
    r"api_key_invalid|api key not valid|invalid_api_key|invalid api[- ]key|incorrect api key"
)
_NO_CREDIT = re.compile(
    r"insufficient_quota|insufficient[_ ](balance|funds|credit)|billing_(hard_limit|not_active|error)|credit balance"
    r"|out of credit|more credits"
)
_MAYBE_NO_CREDIT = re.compile(r"quota|billing|credit")
_PASSING = re.compile(
    r"rate.?limit|per[ _-]?(minute|second|day|hour)|retry (in|after)|try again|resource_exhausted|retrydelay"
)
_NOT_YET = re.compile(
    r'"retrydelay": ?"([\d.]+s)"|(?:retry|try again) (?:in|after) ((?:[\d.]+(?:ms|[dhms]))+)'
)

# What an error inside a 200 calls itself, and the status it would have had outside.
_STATUS_OF = {
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "rate_limited": 429,
    "too_many_requests": 429,
    "insufficient_quota": 429,
    "resource_exhausted": 429,
    "overloaded_error": 529,
    "engine_overloaded": 529,
    "service_unavailable": 503,
    "authentication_error": 401,
    "invalid_api_key": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "model_not_found": 404,
    "request_too_large": 413,
    "timeout_error": 504,
    "invalid_request_error": 400,
    "invalid_prompt": 400,
    "invalid_image": 400,
    "context_length_exceeded": 400,
    "content_filter": 400,
    "content_policy_violation": 400,
}


def classify(
    protocol: ProtocolName, where: str, status: int, headers: Mapping[str, str], raw: bytes, now_us: int
) -> ModelError:
    """What an answer other than 200 means. `where` names the server for the reader; headers in small letters."""
    raw = raw[:RAW_BYTES_MAX]
    shown, told = _words(raw)
    says = f"{where} answered {status}: {shown}"
    retry_after_s = parse_retry_after(headers, now_us)
    if retry_after_s is None:
        retry_after_s = _asked_in_words(told, now_us)
    return _meaning(status, says, told, retry_after_s, inside=False, protocol=protocol)


def error_inside(protocol: ProtocolName, where: str, error: object, now_us: int = 0) -> ModelError:
    """What an error means that came in the body or the stream of a 200: what was billed by then stays billed."""
    raw = orjson.dumps({"error": error}, default=str)[:RAW_BYTES_MAX]
    shown, told = _words(raw)
    says = f"{where} answered 200 with an error inside: {shown}"
    return _meaning(
        _status_of(error), says, told, _asked_in_words(told, now_us), inside=True, protocol=protocol
    )


def _meaning(
    status: int, says: str, told: str, wait_s: float | None, *, inside: bool, protocol: ProtocolName
) -> ModelError:
    if status < 300:
        return ModelMalformed(f"{says} (a status no model call ends with)", billed=True)
    if status in (401, 403):
        if _FILTERED.search(told):
            return _filtered(says)
        if _NO_MODEL.search(told):
            return _unknown(says)
        return _no_key(says)
    if status == 402:
        return _no_credit(says)
    if status == 404 and "previous_response" not in told:
        return _unknown(says)
    if status in (408, 409, 425, 499):
        return ModelTimeout(says, retry_after_s=wait_s, billed=inside)
    if status in (429, 498):
        if _NO_CREDIT.search(told):
            return _no_credit(says)
        if _MAYBE_NO_CREDIT.search(told) and wait_s is None and not _PASSING.search(told):
            return _no_credit(says)
        return ModelRateLimited(says, retry_after_s=wait_s)
    if status in (504, 524):
        return ModelTimeout(says, retry_after_s=wait_s, billed=True)
    if status >= 500:
        # Unavailable and overloaded servers say so before they work; nothing else is sure not to be billed.
        return ModelOutage(says, retry_after_s=wait_s, billed=status not in (503, 529))
    return _refused(status, says, told, protocol)


def _refused(status: int, says: str, told: str, protocol: ProtocolName) -> ModelError:
    """A 4xx that blames the request; some of them mean something else."""
    if status == 413 or _OVERFLOW.search(told):
        return ContextOverflow(says, mend="Send less history, or use a model with a larger window.")
    if _FILTERED.search(told):
        return _filtered(says)
    if _NO_KEY.search(told):
        return _no_key(says)
    if _NO_CREDIT.search(told):
        return _no_credit(says)
    if (
        300 <= status < 400
        or _NO_MODEL.search(told)
        or (protocol == "anthropic" and told.startswith("model:"))
    ):
        return _unknown(says)
    return ModelRefusedRequest(says, mend="Mend the request: the provider says what it dislikes.")


def _filtered(says: str) -> ModelError:
    return ModelFiltered(says, mend="Leave out what its content filter refuses, or use another model.")


def _unknown(says: str) -> ModelError:
    return ModelUnknown(says, mend="Check the model's name and base_url in the policy.")


def _no_key(says: str) -> ModelError:
    return ModelAuthFailed(
        says, mend="Put a valid key for this server into the variable the policy names (api_key_env)."
    )


def _no_credit(says: str) -> ModelError:
    return ModelAuthFailed(says, mend="The account is out of credit: top it up, or use another.")


def _asked_in_words(told: str, now_us: int) -> float | None:
    """Some providers say only in words when to come back."""
    found = _NOT_YET.search(told)
    if found is None:
        return None
    return parse_retry_after({"retry-after": found.group(1) or found.group(2)}, now_us)


def _status_of(error: object) -> int:
    if not isinstance(error, dict):
        return 500
    for key in ("code", "status", "type"):
        value = error.get(key)
        if type(value) is int and 400 <= value < 600:
            return value
        if type(value) is str:
            if value.lower() in _STATUS_OF:
                return _STATUS_OF[value.lower()]
            if value.isdecimal() and 400 <= int(value[:4]) < 600:
                return int(value[:4])
    return 500


def _words(raw: bytes) -> tuple[str, str]:
    """The provider's own words for people, shortened, and all of them in small letters for the patterns.

    Its body is data and may be anything, even a key it was sent.
    """
    try:
        body: Any = orjson.loads(raw)
    except orjson.JSONDecodeError:
        text = raw.decode("utf-8", "replace")
        return _shown(text), text.lower()
    if isinstance(body, list) and body:
        body = body[0]
    error = body.get("error", body) if isinstance(body, dict) else body
    if not isinstance(error, dict):
        text = str(error or "")
    else:
        text = " ".join(
            str(error[key]) for key in ("code", "type", "status", "message", "detail") if error.get(key)
        )
    return _shown(text), f"{text} {raw.decode('utf-8', 'replace')}".lower()


def _shown(text: str) -> str:
    text = _REDACTOR.redact_text(text[:4_000])
    return "".join(char if char.isprintable() else " " for char in text)[:SAYS_CHARS_MAX] or "no explanation"
