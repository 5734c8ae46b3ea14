"""What a failed HTTP exchange says about the request: whether it can have reached the other side."""

from typing import Literal

Reached = Literal["no", "maybe", "timeout"]


def reached(error: Exception) -> Reached:
    """For an exception of pyreqwest. "no": no connection was made, so nothing was sent; "timeout" is a "maybe" too.

    The exception's class misleads: a connection that is reset after the request was sent is a ConnectError as well,
    and a slow answer a ConnectTimeoutError. Only the causes tell.
    """
    details = getattr(error, "details", None) or {}
    causes = " ".join(cause["message"] for cause in details.get("causes") or ())
    if "client error (Connect)" in causes:
        return "no"
    return "timeout" if "timed out" in causes or "timeout" in str(error) else "maybe"
