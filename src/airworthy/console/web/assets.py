"""Styles and scripts of the pages: from the wheel, under a path that names their content, so that they may be kept."""

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final

from fastapi import APIRouter, Response
from starlette.exceptions import HTTPException

router = APIRouter(include_in_schema=False)
_TYPES: Final = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
_FOREVER: Final = "public, max-age=31536000, immutable"


@cache
def _all() -> Mapping[str, tuple[str, bytes, str]]:
    """By name: digest, content, media type."""
    found: dict[str, tuple[str, bytes, str]] = {}
    for each in (files(__package__) / "assets").iterdir():
        kind = _TYPES.get("." + each.name.rpartition(".")[2])
        if kind is not None:
            content = each.read_bytes()
            found[each.name] = (hashlib.sha256(content).hexdigest()[:16], content, kind)
    return found


def path_of(name: str) -> str:
    """Raises: KeyError when there is no such file; a template names only those that there are."""
    return f"/assets/{_all()[name][0]}/{name}"


@router.get("/assets/{digest}/{name}")
def asset(digest: str, name: str) -> Response:
    known = _all().get(name)
    if known is None or known[0] != digest:
        raise HTTPException(404, "There is no such file; reload the page.")
    return Response(known[1], media_type=known[2], headers={"Cache-Control": _FOREVER})
