"""What every protocol's requests have in common, checked at the door; knows no protocol."""

from collections.abc import Iterable
from typing import Any, ClassVar

import orjson

from airworthy.core.errors import InputError
from airworthy.gateway.wire.facts import TOKENS_MAX

CHOICES_MAX = 128  # The most that a provider gives; more would only make the reservation absurd.


class BadCall(InputError):
    """A request that cannot be understood, found before any provider is asked."""

    code: ClassVar[str] = "bad_call"


def parsed(raw: bytes) -> dict[str, Any]:
    """Raises: BadCall when it is no JSON object."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise BadCall(
            f"The request is not JSON ({len(raw)} bytes: {error}).", mend="Send one JSON object."
        ) from error
    if type(body) is not dict:
        raise BadCall(
            f"The request is JSON but a {type(body).__name__}, not an object.", mend="Send one JSON object."
        )
    return body


def model_of(body: dict[str, Any]) -> str:
    model = body.get("model")
    if type(model) is not str or not model:
        raise BadCall(
            "The request names no model." if not model else f"`model` is {_shown(model)}, not a text.",
            mend="Set `model` to the name of a model that the policy allows.",
        )
    return model


def flag(body: dict[str, Any], key: str) -> bool:
    value = body.get(key)
    if value is not None and type(value) is not bool:
        raise BadCall(f"`{key}` is {_shown(value)}.", mend=f"Set `{key}` to true or false.")
    return bool(value)


def bound(body: dict[str, Any], key: str) -> int | None:
    """The most tokens the caller wants; None when it is left open."""
    value = body.get(key)
    if value is None:
        return None
    if type(value) is not int or not 0 <= value <= TOKENS_MAX:
        raise BadCall(
            f"`{key}` is {_shown(value)}.", mend=f"Set `{key}` to a whole number of tokens, 1 or more."
        )
    return value


def choices(body: dict[str, Any]) -> int:
    value = body.get("n")
    if value is None:
        return 1
    if type(value) is not int or not 1 <= value <= CHOICES_MAX:
        raise BadCall(f"`n` is {_shown(value)}.", mend=f"Set `n` to a whole number from 1 to {CHOICES_MAX}.")
    return value


def needed(body: dict[str, Any], key: str, kinds: tuple[type, ...], wanted: str) -> None:
    value = body.get(key)
    if type(value) not in kinds:
        raise BadCall(
            f"The request has no `{key}`." if value is None else f"`{key}` is {_shown(value)}, not {wanted}.",
            mend=f"Set `{key}` to {wanted}.",
        )


def text(value: object) -> str:
    """The value if it is a text, else nothing: for fields that are only read to be recorded."""
    return value if type(value) is str else ""


def named(call: dict[str, Any]) -> str:
    """The name of a tool that is called. Raises: LookupError, TypeError."""
    name = call["name"]
    if type(name) is not str or not name:
        raise TypeError("a call of a tool without a name")
    return name


def names(values: Iterable[object]) -> tuple[str, ...]:
    return tuple(value for value in values if type(value) is str)


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
