"""A way to break the demo's agent, as a list of small edits of its own files; knows no preflight that finds it."""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from airworthy.core.errors import ConfigError

NAMES: Final = (
    "no_retry", "double_send", "ignores_limit", "ignores_schema", "leaks_across_sessions", "obeys_injection",
    "confident_when_down", "loops",
)  # fmt: skip
File = Literal["agent.py", "policy.toml", "rules.toml"]


class VariantOutdated(ConfigError):
    """The sound agent was changed, so that an edit does not fit it any more."""

    code = "variant_outdated"


class Change(BaseModel):
    """`old` stands in the sound file exactly `times` times, and each is replaced by `new`; 0: once or more often."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: File
    old: str = Field(min_length=1)
    new: str
    times: int = Field(default=1, ge=0)


class Variant(BaseModel):
    """`broken`: what is wrong, in a sentence. `fails_in`: the part of a preflight that must find it, and `kinds` the
    kinds of finding by which it does. `guards`: what airworthy itself does about it, and why that is not enough.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = ""
    broken: str
    fails_in: Literal["golden", "adversarial", "failures", "context", "concurrency", "load"]
    kinds: tuple[str, ...] = Field(min_length=1)
    guards: str
    change: tuple[Change, ...] = Field(min_length=1)

    def applied(self, files: Mapping[str, str]) -> dict[str, str]:
        """The sound files with the defect in them. Raises: VariantOutdated."""
        changed = dict(files)
        for edit in self.change:
            found = changed[edit.file].count(edit.old)
            if found != edit.times and not (edit.times == 0 and found):
                raise VariantOutdated(
                    f"What the variant {self.name!r} edits in {edit.file} stands there {found} times, not "
                    f"{edit.times or 'once or more'}: {edit.old!r}.",
                    mend="Make the edit anew from the file as it is now.",
                )
            changed[edit.file] = changed[edit.file].replace(edit.old, edit.new)
        return changed


@cache
def variants() -> tuple[Variant, ...]:
    """All eight, in the order in which they are told of."""
    return tuple(variant(name) for name in NAMES)


@cache
def variant(name: str) -> Variant:
    """Raises: ConfigError."""
    if name not in NAMES:
        raise ConfigError(f"There is no variant {name!r}.", mend=f"Known are: {', '.join(NAMES)}.")
    text = resources.files("airworthy.demo.variants").joinpath(f"{name}.toml").read_text(encoding="utf-8")
    return Variant.model_validate({**tomllib.loads(text), "name": name})


@cache
def sound() -> Mapping[str, str]:
    """The demo's own files, by name."""
    demo = resources.files("airworthy.demo")
    return {
        name: demo.joinpath(name).read_text(encoding="utf-8")
        for name in ("agent.py", "policy.toml", "rules.toml")
    }


def broken_into(folder: Path, name: str) -> Variant:
    """Breaks the agent of a demo's folder, whose other files stay as they are. Raises: ConfigError."""
    found = variant(name)
    try:
        files = {file: (folder / file).read_text(encoding="utf-8") for file in sound()}
    except OSError as error:
        raise ConfigError(
            f"{folder} holds no agent of the demo: {error}.", mend="Make one first: airworthy demo --headless"
        ) from error
    for file, text in found.applied(files).items():
        (folder / file).write_text(text, encoding="utf-8")
    return found
