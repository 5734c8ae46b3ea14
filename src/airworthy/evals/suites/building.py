"""From what stands in a file to a case, or to all that is wrong with it."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError

from airworthy.core.canonical import NotSerialisable, encode
from airworthy.evals.case import Case
from airworthy.evals.suites.impossible import impossible
from airworthy.evals.suites.wording import Wrong, did_you_mean, wrongs

# One text may stand for a list of one, as people write it.
_LISTS: Final = ("outcome", "reason", "facts", "not_facts", "not_tools", "approval")
_NOT_DEFAULT: Final = frozenset({"id", "input"})


def built(raw: Any, defaults: Mapping[str, Any]) -> tuple[Case | None, list[Wrong]]:
    """A case that cannot be met is given as well, so that it can be held against others."""
    if not isinstance(raw, Mapping):
        return None, [
            Wrong(
                (), "A case is a mapping with id, input and expect.", "Write - id: NAME, and its keys below."
            )
        ]
    try:
        encode(raw)
        case = Case.model_validate(_plain(_merged(raw, defaults)))
    except ValidationError as error:
        return None, wrongs(error)
    except NotSerialisable as error:
        return None, [Wrong((), f"The case holds what is no plain data: {error.message}", error.mend)]
    except RecursionError:
        return None, [Wrong((), "The case is nested too deeply.", "Write it flatter.")]
    return case, list(impossible(case))


def wrong_defaults(defaults: Any) -> list[Wrong]:
    """Of a file's `defaults`, checked by themselves so that they are told once and not with every case."""
    if not isinstance(defaults, Mapping):
        return [Wrong((), "defaults is no mapping.", "Write its keys below it, indented.")]
    found = [
        Wrong((key,), "Each case has its own.", "Write it in the case.")
        for key in defaults
        if key in _NOT_DEFAULT
    ]
    known = [name for name in Case.model_fields if name not in _NOT_DEFAULT]
    found += [
        Wrong((key,), "This key is not known.", did_you_mean(key, known))
        for key in defaults if key not in known and key not in _NOT_DEFAULT
    ]  # fmt: skip
    if not found:
        try:
            Case.model_validate(_plain({**defaults, "id": "defaults", "input": ""}))
        except ValidationError as error:
            found = wrongs(error)
    return found


def _merged(raw: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """A case's own keys win; `expect` is merged key by key."""
    merged = {**defaults, **raw}
    ours, given = defaults.get("expect"), raw.get("expect")
    if isinstance(ours, Mapping) and isinstance(given, Mapping):
        merged["expect"] = {**ours, **given}
    return merged


def _plain(raw: Mapping[str, Any]) -> dict[str, Any]:
    made = {key: value for key, value in raw.items() if value is not None or key == "input"}
    if isinstance(made.get("tags"), str):
        made["tags"] = [made["tags"]]
    if isinstance(made.get("expect"), Mapping):
        expect = {key: value for key, value in made["expect"].items() if value is not None}
        for key in _LISTS:
            if isinstance(expect.get(key), str):
                expect[key] = [expect[key]]
        for key in ("tools", "acts"):
            if isinstance(expect.get(key), str):
                expect[key] = [expect[key]]
            if isinstance(expect.get(key), list | tuple):
                expect[key] = [{"name": each} if isinstance(each, str) else each for each in expect[key]]
        made["expect"] = expect
    return made
