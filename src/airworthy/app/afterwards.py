"""Feedback and results on this project's database, with the secret of its links."""

from airworthy.app.build import App
from airworthy.app.config import SECRET_CHARS_MIN, secret
from airworthy.core.errors import ConfigError
from airworthy.runtime.afterwards import Afterwards

LINK_SECRET = "AIRWORTHY_LINK_SECRET"  # noqa: S105  # the name of a variable, not what it holds


def afterwards_of(app: App) -> Afterwards:
    """Raises: ConfigError for a secret that is too short to be one."""
    found = secret(LINK_SECRET)
    if found and len(found) < SECRET_CHARS_MIN * 4:
        raise ConfigError(
            f"{LINK_SECRET} has {len(found)} characters.",
            mend=f"Give it {SECRET_CHARS_MIN * 4} or more by chance, or unset it: one is then kept in the database.",
        )
    return Afterwards(app.database, app.clock, app.ids, app.payloads, found)
