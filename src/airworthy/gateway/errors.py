"""What can go wrong with a model call, told apart by what the caller may do about it."""

from typing import ClassVar

from airworthy.core.errors import AirworthyError, ConfigError
from airworthy.core.outcome import ErrorFact
from airworthy.policy import Why


class ModelError(AirworthyError):
    """A model call gave no usable reply. `billed` says whether it may cost money all the same.

    `retryable`: the same model may answer later. `elsewhere`: another model may answer now, and `why` is the word a
    policy has for that. `trips`: it says something about the provider's health, so the breaker counts it. `status` is
    what a caller over HTTP gets.
    """

    code: ClassVar[str] = "model_error"
    retryable: ClassVar[bool] = False
    elsewhere: ClassVar[bool] = False
    why: ClassVar[Why | None] = None
    trips: ClassVar[bool] = False
    status: ClassVar[int] = 502

    def __init__(
        self, message: str, *, mend: str = "", billed: bool = False, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message, mend=mend)
        self.billed = billed
        self.retry_after_s = retry_after_s
        self.seq = 0

    def fact(self, step: str, model: str, attempt: int) -> ErrorFact:
        return ErrorFact(
            type=type(self).__name__,
            message=self.message,
            mend=self.mend,
            step=step,
            dependency=model,
            attempt=attempt,
            retryable=self.retryable,
        )


class ModelUnreachable(ModelError):
    """No connection: nothing was sent, nothing is owed."""

    code, retryable, elsewhere, why, trips, status = "model_unreachable", True, True, "outage", True, 503


class ModelTimeout(ModelError):
    """No reply in time, or the connection broke on the way: the call may have been worked on and billed."""

    code, retryable, elsewhere, why, trips, status = "model_timeout", True, True, "timeout", True, 504


class ModelOutage(ModelError):
    """The provider answered with a 5xx."""

    code, retryable, elsewhere, why, trips, status = "model_outage", True, True, "outage", True, 503


class ModelCircuitOpen(ModelError):
    """The model failed too often lately, or somebody switched it off: it was not asked."""

    code, retryable, elsewhere, why, status = "model_circuit_open", True, True, "outage", 503


class ModelRateLimited(ModelError):
    """The provider asked to come back later."""

    code, retryable, elsewhere, why, status = "model_rate_limited", True, True, "rate_limit", 429


class ModelQueueFull(ModelRateLimited):
    """So many calls wait for their turn at this model that this one's would come too late; it was not asked."""

    code = "model_queue_full"


class ModelMalformed(ModelError):
    """A reply came and is not what the protocol says: cut, not JSON, or without content."""

    code, retryable, elsewhere, why, trips = "model_malformed", True, True, "malformed", True


class ModelStreamBroken(ModelError):
    """A stream broke after its first words had been handed on."""

    code, retryable, elsewhere, why, trips = "model_stream_broken", True, True, "outage", True


class ContextOverflow(ModelError):
    """The conversation is longer than the model's window."""

    code, elsewhere, why, status = "context_overflow", True, "overflow", 400


class ModelFiltered(ModelError):
    """The provider's content filter refused the request itself."""

    code, elsewhere, why, status = "model_filtered", True, "filter", 400


class ModelAuthFailed(ModelError):
    """The provider does not accept the key."""

    code, elsewhere, why = "model_auth_failed", True, "refused_key"


class ModelUnknown(ModelError):
    """The provider does not know the model, or this key may not use it."""

    code, elsewhere, why = "model_unknown", True, "refused_key"


class ModelRefusedRequest(ModelError):
    """The provider found the request itself wrong; it is the same everywhere and for ever."""

    code, status = "model_refused_request", 400


class ModelUntranslatable(ModelError):
    """Only models of another protocol are left, and the request holds what that protocol has no words for."""

    code, status = "model_untranslatable", 400


class ModelNotAllowed(ConfigError):
    """The agent asked for a model that its policy does not name."""

    code = "model_not_allowed"


class Unpriced(ConfigError):
    """A model without a price: its calls cannot be bounded in money."""

    code = "unpriced"


_BY_TYPE: dict[str, type[ModelError]] = {
    cls.__name__: cls
    for cls in (
        ModelUnreachable,
        ModelTimeout,
        ModelOutage,
        ModelCircuitOpen,
        ModelRateLimited,
        ModelQueueFull,
        ModelMalformed,
        ModelStreamBroken,
        ContextOverflow,
        ModelFiltered,
        ModelAuthFailed,
        ModelUnknown,
        ModelRefusedRequest,
        ModelUntranslatable,
    )
}


def error_from(fact: ErrorFact, seq: int) -> ModelError:
    """The error that a recorded fact stands for."""
    error = _BY_TYPE.get(fact.type, ModelError)(fact.message, mend=fact.mend)
    error.seq = seq
    return error
