"""What can go wrong with a model call, told apart by what the caller may do about it."""

from typing import ClassVar

from airworthy.core.errors import AirworthyError, ConfigError
from airworthy.core.outcome import ErrorFact


class ModelError(AirworthyError):
    """A model call gave no usable reply. `billed` says whether it may cost money all the same.

    `retryable`: the same model may answer later. `elsewhere`: another model may answer now.
    """

    code: ClassVar[str] = "model_error"
    retryable: ClassVar[bool] = False
    elsewhere: ClassVar[bool] = False

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

    code, retryable, elsewhere = "model_unreachable", True, True


class ModelTimeout(ModelError):
    """No reply in time, or the connection broke on the way: the call may have been worked on and billed."""

    code, retryable, elsewhere = "model_timeout", True, True


class ModelOutage(ModelError):
    """The provider answered with a 5xx."""

    code, retryable, elsewhere = "model_outage", True, True


class ModelRateLimited(ModelError):
    """The provider asked to come back later."""

    code, retryable, elsewhere = "model_rate_limited", True, True


class ModelMalformed(ModelError):
    """A reply came and is not what the protocol says: cut, not JSON, or without content."""

    code, retryable, elsewhere = "model_malformed", True, True


class ContextOverflow(ModelError):
    """The conversation is longer than the model's window."""

    code, elsewhere = "context_overflow", True


class ModelAuthFailed(ModelError):
    """The provider does not accept the key."""

    code, elsewhere = "model_auth_failed", True


class ModelUnknown(ModelError):
    """The provider does not know the model, or this key may not use it."""

    code, elsewhere = "model_unknown", True


class ModelRefusedRequest(ModelError):
    """The provider found the request itself wrong; it is the same everywhere and for ever."""

    code = "model_refused_request"


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
        ModelRateLimited,
        ModelMalformed,
        ContextOverflow,
        ModelAuthFailed,
        ModelUnknown,
        ModelRefusedRequest,
    )
}


def error_from(fact: ErrorFact, seq: int) -> ModelError:
    """The error that a recorded fact stands for."""
    error = _BY_TYPE.get(fact.type, ModelError)(fact.message, mend=fact.mend)
    error.seq = seq
    return error
