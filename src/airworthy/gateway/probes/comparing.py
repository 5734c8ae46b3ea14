"""What of a model's answers is not as it was. Pure: answers in, a comparison out."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from airworthy.gateway.probes.asking import ProbeAnswer

# What a name may have more than another and still mean the same model: its date, and the version of its packing.
_VERSION: Final = re.compile(
    r"(?:[-@:._](?:\d{4}-\d{2}-\d{2}|\d{8}|\d{6}|\d{4}|\d{3}|v\d+(?::\d+)?|latest))+"
)
_VENDOR: Final = re.compile(r"^(?:[a-z]{2,6}\.)?[a-z0-9]+\.(?=[a-z])")


@dataclass(frozen=True, slots=True)
class Comparison:
    """`new_models`: not among those of the last time. `new_fingerprints`: not among those of any time before.

    A provider answers from several machines, whose fingerprints come and go; one that was never there is a change.
    `differing`: the probes with no answer as the last time, of those `compared` that were asked then too. `since_us`:
    when the last time was; None: this is the first.
    """

    models: tuple[str, ...]
    fingerprints: tuple[str, ...]
    new_models: tuple[str, ...] = ()
    new_fingerprints: tuple[str, ...] = ()
    models_before: tuple[str, ...] = ()
    compared: int = 0
    differing: tuple[str, ...] = ()
    since_us: int | None = None

    @property
    def changed(self) -> bool:
        """Different texts alone are no proof: even at temperature 0 a model may answer the same question otherwise."""
        return bool(self.new_models or self.new_fingerprints)


def compared(
    now: Sequence[ProbeAnswer], before: Sequence[ProbeAnswer], known_fingerprints: Iterable[str]
) -> Comparison:
    """`before`: the last time; empty: there was none."""
    models, fingerprints = _named(one.answered for one in now), _named(one.fingerprint for one in now)
    if not before:
        return Comparison(models, fingerprints)
    models_before = _named(one.answered for one in before)
    asked = [name for name in dict.fromkeys(one.probe for one in now) if _texts(before, now, name)]
    return Comparison(
        models,
        fingerprints,
        tuple(name for name in models if name not in models_before),
        tuple(name for name in fingerprints if name not in set(known_fingerprints)),
        models_before,
        len(asked),
        tuple(name for name in asked if not _texts(before, now, name) & _texts(now, now, name)),
        min(one.asked_us for one in before),
    )


def fits(pin: str, answered: str) -> bool:
    """Whether a model that calls itself `answered` can be the one that was asked for as `pin`.

    Either may leave out what the other says: the vendor, the date. Neither may contradict.
    """
    pinned, said = _bare(pin), _bare(answered)
    longer, shorter = (pinned, said) if len(pinned) > len(said) else (said, pinned)
    return longer == shorter or (
        longer.startswith(shorter) and _VERSION.fullmatch(longer[len(shorter) :]) is not None
    )


def _texts(of: Sequence[ProbeAnswer], like: Sequence[ProbeAnswer], name: str) -> set[str]:
    """What was answered to the very question that is asked by this name in `like`."""
    digests = {one.prompt_digest for one in like if one.probe == name}
    return {one.text for one in of if one.probe == name and one.prompt_digest in digests}


def _named(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({name for name in names if name}))


def _bare(name: str) -> str:
    return _VENDOR.sub("", name.rsplit("/", 1)[-1].casefold())
