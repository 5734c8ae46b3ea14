"""Who may use the gateway: keys that are shown once and known by their hash; knows no HTTP and no model."""

from typing import TYPE_CHECKING

from airworthy.core.late import late

if TYPE_CHECKING:
    from airworthy.gateway.keys.book import KeyFilter, UnknownKey, create, keys, revoke
    from airworthy.gateway.keys.key import Key, NewKey, digest_of, expiry_us, is_label, mint
    from airworthy.gateway.keys.ring import KeyRing
    from airworthy.gateway.keys.tables import MIGRATIONS

__getattr__ = late(
    __name__,
    {
        "book": "KeyFilter UnknownKey create keys revoke",
        "key": "Key NewKey digest_of expiry_us is_label mint",
        "ring": "KeyRing",
        "tables": "MIGRATIONS",
    },
)

__all__ = [
    "MIGRATIONS",
    "Key",
    "KeyFilter",
    "KeyRing",
    "NewKey",
    "UnknownKey",
    "create",
    "digest_of",
    "expiry_us",
    "is_label",
    "keys",
    "mint",
    "revoke",
]
