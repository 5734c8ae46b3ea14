"""The checks a policy can name without any code."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from airworthy.checks.check import Check
from airworthy.checks.facts import numbers_grounded
from airworthy.checks.inputs import (
    answer_language,
    empty,
    garbled,
    injection,
    language,
    refused_topic,
    too_long,
)
from airworthy.checks.outputs import bytes_limit, forbidden_patterns, schema, secrets

BUILTIN: Final[Mapping[str, Check]] = MappingProxyType(
    {
        each.name: each
        for each in (
            *(empty, too_long, garbled, language, refused_topic, injection),
            *(schema, bytes_limit, forbidden_patterns, secrets, answer_language, numbers_grounded),
        )
    }
)
