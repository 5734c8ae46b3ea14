"""Why a request of OTLP is refused as a whole, each with the status that HTTP answers."""

from typing import ClassVar

from airworthy.core.errors import AirworthyError


class OtlpError(AirworthyError):
    """The request is not taken, and sending it again changes nothing."""

    code: ClassVar[str] = "otlp"
    status: ClassVar[int] = 400


class Malformed(OtlpError):
    """The body is not what its content type says."""

    code: ClassVar[str] = "otlp_malformed"


class TooLarge(OtlpError):
    """Unpacked, the body is beyond the bound."""

    code: ClassVar[str] = "otlp_too_large"
    status: ClassVar[int] = 413


class Unsupported(OtlpError):
    """A content type or encoding that is not read here."""

    code: ClassVar[str] = "otlp_unsupported"
    status: ClassVar[int] = 415
