"""A JSON Schema that lies beside the policy and is part of what the policy says; knows no rule of such schemas."""

import json
from collections.abc import Callable
from functools import cached_property
from hashlib import sha256
from pathlib import PurePosixPath
from typing import Annotated, Any, ClassVar, Final, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, model_serializer

from airworthy.core.canonical import encode
from airworthy.policy.flaws import flaw_of_value

SCHEMA_BYTES_MAX: Final = 256 * 1024
BESIDE: Final = "beside"  # In pydantic's context: how a file beside the policy is read.

Read = Callable[[str, int], bytes]


class SchemaFile(BaseModel):
    """`name` is the path from the policy's folder on, `text` the JSON in it. Made by `of`."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: str
    text: str = Field(repr=False)

    @classmethod
    def of(cls, name: str, raw: bytes) -> Self:
        """Raises: PydanticCustomError, which says line and column of what is no JSON."""
        try:
            text = raw.decode("utf-8-sig")
            document = json.loads(text, parse_constant=_no_number)
        except UnicodeDecodeError as error:
            line = raw[: error.start].count(b"\n") + 1
            raise flaw_of_value(f"has no UTF-8 in line {line}.", "Save the file as UTF-8.") from error
        except json.JSONDecodeError as error:
            says = f"is no JSON in line {error.lineno}, column {error.colno}: {error.msg}."
            raise flaw_of_value(says, "Mend the file there.") from error
        except (ValueError, RecursionError) as error:
            raise flaw_of_value(
                f"cannot be read: {error}.", "Write it flat, with numbers JSON has."
            ) from error
        if not isinstance(document, dict):
            raise flaw_of_value("is JSON, and no JSON Schema.", 'Write an object: {"type": "object", ...}.')
        return cls(name=name, text=text)

    @cached_property
    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.text)
        return found

    @cached_property
    def digest(self) -> str:
        """Of what it means as JSON: blanks and the order of keys say nothing."""
        return f"sha256:{sha256(encode(self.document)).hexdigest()}"

    @model_serializer
    def _told(self) -> dict[str, str]:
        """The hash of a policy covers the content by its digest."""
        return {"file": self.name, "digest": self.digest}


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number of JSON")


def _read(value: object, info: ValidationInfo) -> object:
    if isinstance(value, SchemaFile):
        return value
    if not isinstance(value, str):
        raise flaw_of_value("is not text.", 'Name a file: "schemas/order.json".')
    path = PurePosixPath(value)
    if not value or path.is_absolute() or ".." in path.parts or "\\" in value:
        raise flaw_of_value(
            "does not lie beside the policy.", 'Put it below the policy\'s folder: "schemas/order.json".'
        )
    read: Read | None = (info.context or {}).get(BESIDE)
    if read is None:
        raise flaw_of_value(
            "names a file, and the policy itself comes from none.", "Load the policy with `load_policy`."
        )
    try:
        raw = read(value, SCHEMA_BYTES_MAX + 1)
    except (OSError, ValueError) as error:  # ValueError: a path with a null character.
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise flaw_of_value(
            f"cannot be read: {reason}.", "Put the file there, or correct the path."
        ) from error
    if len(raw) > SCHEMA_BYTES_MAX:
        raise flaw_of_value(f"is larger than {SCHEMA_BYTES_MAX} bytes.", "Name the schema of one result.")
    return SchemaFile.of(value, raw)


ResultSchema = Annotated[SchemaFile, BeforeValidator(_read)]
