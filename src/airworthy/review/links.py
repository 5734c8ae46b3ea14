"""A link that lets whoever has it say something of one task, and nothing else. Secret and time come in."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airworthy.core.clock import US_PER_S
from airworthy.core.errors import InputError

if TYPE_CHECKING:
    from itsdangerous import URLSafeSerializer

LINK_CHARS_MAX = 1_000
LINK_S_DEFAULT = 30 * 86_400.0
LINK_S_MAX = 366 * 86_400.0


class LinkRefused(InputError):
    """The link is not one of ours, or its time is over. Which of these it is, is told; nothing of a task is."""

    code = "link_refused"


@dataclass(frozen=True, slots=True)
class Link:
    """`expires_us`: from then on it is refused."""

    task_id: str
    expires_us: int


def signed(link: Link, secret: str) -> str:
    """Fit for an address as it is. The same link and secret give the same text."""
    return str(_signer(secret).dumps([link.task_id, link.expires_us // US_PER_S]))


def opened(text: str, secret: str, now_us: int) -> Link:
    """Raises: LinkRefused."""
    from itsdangerous import BadData

    try:
        if len(text) > LINK_CHARS_MAX:
            raise BadData("too long")
        task_id, expires_s = _signer(secret).loads(text)
    except BadData as error:
        raise LinkRefused("This link is not valid.", mend="Open it as it was sent, whole.") from error
    link = Link(task_id, expires_s * US_PER_S)
    if now_us >= link.expires_us:
        raise LinkRefused("This link is too old.", mend="Ask for a new one.")
    return link


def _signer(secret: str) -> "URLSafeSerializer":
    import hashlib

    from itsdangerous import URLSafeSerializer

    return URLSafeSerializer(secret, salt="feedback", signer_kwargs={"digest_method": hashlib.sha256})
