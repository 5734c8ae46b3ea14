"""How tools show a dependency who we are: keys, OAuth 2 tokens and callables, renewed once for everybody."""

from typing import TYPE_CHECKING

from airworthy.core.late import late

if TYPE_CHECKING:
    from airworthy.tools.credentials.answer import Given, Later, Refused
    from airworthy.tools.credentials.errors import CredentialBroken, CredentialDown
    from airworthy.tools.credentials.grant import Grant
    from airworthy.tools.credentials.keeper import Flights, Keeper, Source
    from airworthy.tools.credentials.plain import FromCode, PlainKey
    from airworthy.tools.credentials.renewal import Renewal
    from airworthy.tools.credentials.sealing import Seal, sealing_missing
    from airworthy.tools.credentials.token import Renewed, Token

__getattr__ = late(
    __name__,
    {
        "answer": "Given Later Refused",
        "errors": "CredentialBroken CredentialDown",
        "grant": "Grant",
        "keeper": "Flights Keeper Source",
        "plain": "FromCode PlainKey",
        "renewal": "Renewal",
        "sealing": "Seal sealing_missing",
        "token": "Renewed Token",
    },
)

__all__ = [
    "CredentialBroken",
    "CredentialDown",
    "Flights",
    "FromCode",
    "Given",
    "Grant",
    "Keeper",
    "Later",
    "PlainKey",
    "Refused",
    "Renewal",
    "Renewed",
    "Seal",
    "Source",
    "Token",
    "sealing_missing",
]
