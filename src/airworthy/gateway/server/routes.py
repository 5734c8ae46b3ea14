"""Which path means what, and what to say to one that is nearly right; a table, without I/O."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import unquote

from airworthy.gateway.keys import is_label
from airworthy.gateway.wire.failure import ProtocolName

Page = Literal["livez", "readyz", "metrics", "openapi"]

# Below `/v1`: the name of the dialect that a POST to it is read in.
CALLS: Final[Mapping[str, str]] = {
    "/chat/completions": "chat",
    "/responses": "responses",
    "/embeddings": "embeddings",
    "/messages": "messages",
    "/messages/count_tokens": "count_tokens",
}
PAGES: Final[Mapping[str, Page]] = {
    "/livez": "livez",
    "/readyz": "readyz",
    "/metrics": "metrics",
    "/openapi.json": "openapi",
}
MODELS: Final = "/v1/models"
PATH_CHARS_MAX = 512
_FOREIGN: Final[Mapping[str, str]] = {
    "/completions": "/chat/completions",
    "/complete": "/messages",
    "/engines": "/chat/completions",
}


@dataclass(frozen=True, slots=True)
class ToCall:
    """A model call. `run`: the task that the path names."""

    dialect: str
    run: str = ""


@dataclass(frozen=True, slots=True)
class ToModels:
    """The models this caller may use: all, or the one named."""

    run: str = ""
    model: str | None = None


@dataclass(frozen=True, slots=True)
class ToPage:
    """About the server itself; needs no key, but for metrics outside this machine."""

    page: Page


@dataclass(frozen=True, slots=True)
class Nowhere:
    """No such path; `mend` says which one was meant, where that can be seen."""

    mend: str


Route = ToCall | ToModels | ToPage | Nowhere

_EXACT: Final[Mapping[str, Route]] = {
    **{f"/v1{path}": ToCall(dialect) for path, dialect in CALLS.items()},
    **{path: ToPage(page) for path, page in PAGES.items()},
    MODELS: ToModels(),
}


def route(raw_path: str) -> Route:
    """`raw_path` as it was sent: a percent sign is decoded only where a name may hold one."""
    found = _EXACT.get(raw_path)
    if found is not None:
        return found
    if len(raw_path) > PATH_CHARS_MAX:
        return Nowhere(_LIST)
    run, rest = _split(raw_path)
    if run is not None:
        if not is_label(run):
            return Nowhere("A run's id has 1 to 128 letters, digits and the signs . _ : - and nothing else.")
        within = _EXACT.get(rest)
        if isinstance(within, ToCall):
            return ToCall(within.dialect, run)
        if isinstance(within, ToModels):
            return ToModels(run)
    if rest.startswith(f"{MODELS}/") and len(rest) > len(MODELS) + 1:
        return ToModels(run or "", unquote(rest[len(MODELS) + 1 :]))
    return Nowhere(_mend(rest, "" if run is None else f"/run/{run}"))


def methods(found: Route) -> tuple[str, ...]:
    """What may be done there, beside OPTIONS."""
    return ("POST",) if isinstance(found, ToCall) else ("GET", "HEAD")


def protocol(raw_path: str, *, versioned: bool) -> ProtocolName:
    """In whose form an error is told. `versioned`: the request carries `anthropic-version`."""
    return "anthropic" if versioned or "/messages" in raw_path else "openai"


def _split(raw_path: str) -> tuple[str | None, str]:
    """The run that a path begins with, and what is left of it."""
    if not raw_path.startswith("/run/"):
        return None, raw_path
    run, slash, rest = raw_path[5:].partition("/")
    return run, slash + rest


_LIST: Final = f"Known paths: {', '.join(_EXACT)}; the same under /run/RUN/v1."


def _mend(path: str, prefix: str) -> str:
    bare = path.rstrip("/")
    while bare.startswith("/v1/v1"):
        bare = bare[3:]
    bare = bare.removeprefix("/v1")
    bare = _FOREIGN.get(bare, bare)
    if bare not in CALLS and not bare.startswith("/models"):
        near = difflib.get_close_matches(bare, CALLS, n=1, cutoff=0.75)
        if not near:
            return _LIST
        bare = near[0]
    right = f"{prefix}/v1{bare}"
    if path.startswith("/v1/v1"):
        return f"Leave /v1 off the base URL, which adds it twice; the path is {right}."
    if not path.startswith("/v1"):
        return f"End the base URL with {prefix}/v1; the path is {right}."
    return f"The path is {right}."
