"""The doors to the review queue, each behind one small protocol, so that one suite holds them all to the same words.

A door takes what a person sends and gives back the JSON document, or raises `Refused` with the stable code.
"""

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import httpx

from airworthy.app.console import created, parts_of
from airworthy.app.people import PeopleFile, load_people
from airworthy.app.project import project
from airworthy.console.api import application
from airworthy.review import Status

Document = dict[str, Any]


@dataclass
class Refused(Exception):
    """`code`: of the error, as in `AirworthyError.code`; empty where the door tells words alone."""

    words: str
    code: str = ""


class Door(Protocol):
    def listing(self, *, to: str = "", kind: str = "", all_: bool = False) -> list[Document]: ...
    def show(self, item: str) -> Document: ...
    def approve(self, item: str, by: str, seen: str, note: str = "") -> Document: ...
    def edit(self, item: str, by: str, seen: str, value: Any) -> Document: ...
    def reject(self, item: str, by: str, seen: str, why: str) -> Document: ...
    def answer(self, item: str, by: str, seen: str, value: Any) -> Document: ...
    def reopen(self, item: str, by: str, seen: str, word: str) -> Document: ...
    def settle(self, item: str, by: str, seen: str, how: str, value: Any = None) -> Document: ...
    def assign(self, item: str, by: str, to: str) -> Document: ...


class CommandDoor:
    """`airworthy review ...`, as a script would call it."""

    def __init__(self, airworthy: Callable[..., Any]) -> None:
        self._airworthy = airworthy

    def listing(self, *, to: str = "", kind: str = "", all_: bool = False) -> list[Document]:
        extra = [
            *(["--to", to] if to else []),
            *(["--kind", kind] if kind else []),
            *(["--all"] if all_ else []),
        ]
        said = self._airworthy("review", "list", "--json", *extra)
        assert said.code == 0, said.err
        lines: list[Document] = said.lines
        return lines

    def show(self, item: str) -> Document:
        return self._said("show", item)

    def approve(self, item: str, by: str, seen: str, note: str = "") -> Document:
        return self._said("approve", item, "--by", by, "--seen", seen, "--note", note)

    def edit(self, item: str, by: str, seen: str, value: Any) -> Document:
        return self._said("edit", item, "--by", by, "--seen", seen, "--value", json.dumps(value))

    def reject(self, item: str, by: str, seen: str, why: str) -> Document:
        return self._said("reject", item, "--by", by, "--seen", seen, "--why", why)

    def answer(self, item: str, by: str, seen: str, value: Any) -> Document:
        return self._said("answer", item, "--by", by, "--seen", seen, "--value", json.dumps(value))

    def reopen(self, item: str, by: str, seen: str, word: str) -> Document:
        return self._said("answer", item, word, "--reopen", "--by", by, "--seen", seen)

    def settle(self, item: str, by: str, seen: str, how: str, value: Any = None) -> Document:
        extra = [] if value is None else ["--value", json.dumps(value)]
        return self._said("answer", item, f"--{how.replace('_', '-')}", "--by", by, "--seen", seen, *extra)

    def assign(self, item: str, by: str, to: str) -> Document:
        return self._said("assign", item, to, "--by", by)

    def _said(self, *arguments: str) -> Document:
        said = self._airworthy("review", *arguments, "--json")
        if said.code != 0:
            assert said.out == "", "a refusal puts nothing on stdout"
            raise Refused(said.err)
        document: Document = said.json
        return document


class ApiDoor:
    """The HTTP API, as a program of the person's would call it: with a key of theirs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def listing(self, *, to: str = "", kind: str = "", all_: bool = False) -> list[Document]:
        params = {"to": to, **({"kind": kind} if kind else {})}
        statuses = [("status", status.value) for status in Status] if all_ else []
        found: list[Document] = self._asked("GET", "", "", params=[*params.items(), *statuses])
        return found

    def show(self, item: str) -> Document:
        return self._said("GET", item, "")

    def approve(self, item: str, by: str, seen: str, note: str = "") -> Document:
        return self._said("POST", f"{item}/approve", by, {"seen": seen, "note": note})

    def edit(self, item: str, by: str, seen: str, value: Any) -> Document:
        return self._said("POST", f"{item}/edit", by, {"seen": seen, "value": value})

    def reject(self, item: str, by: str, seen: str, why: str) -> Document:
        return self._said("POST", f"{item}/reject", by, {"seen": seen, "note": why})

    def answer(self, item: str, by: str, seen: str, value: Any) -> Document:
        return self._said("POST", f"{item}/answer", by, {"seen": seen, "value": value})

    def reopen(self, item: str, by: str, seen: str, word: str) -> Document:
        return self._said("POST", f"{item}/reopen", by, {"seen": seen, "word": word})

    def settle(self, item: str, by: str, seen: str, how: str, value: Any = None) -> Document:
        body = {"seen": seen, **({"value": value} if how == "happened" else {})}
        return self._said("POST", f"{item}/{how.replace('_', '-')}", by, body)

    def assign(self, item: str, by: str, to: str) -> Document:
        return self._said("POST", f"{item}/assign", by, {"to": to})

    def _said(self, method: str, path: str, by: str, body: Document | None = None) -> Document:
        found: Document = self._asked(method, f"/{path}", by, json=body)
        return found

    def _asked(self, method: str, path: str, by: str, **request: Any) -> Any:
        people = load_people(self._folder)
        declared = by in people.people
        with project(self._folder) as found:
            who = {"person": by} if declared or (not people.people and by) else {"program": by or "looker"}
            roles = [] if declared else ["admin"]
            key, _ = created(found.app, people, roles=roles, **who)
            inner = application(parts_of(found.app, found.agents, PeopleFile(self._folder)))

            async def asked() -> httpx.Response:
                transport = httpx.ASGITransport(inner, raise_app_exceptions=False)
                headers = {"Authorization": f"Bearer {key}"}
                async with httpx.AsyncClient(
                    transport=transport, base_url="http://api", headers=headers
                ) as client:
                    return await client.request(method, f"/api/v1/review{path}", **request)

            # In a thread of its own: whoever calls may stand in a loop already.
            with ThreadPoolExecutor(1) as pool:
                answer = pool.submit(lambda: asyncio.run(asked())).result()
        document = answer.json()
        if answer.status_code >= 400:
            error = document["error"]
            raise Refused(f"{error['message']} {error['mend']}", error["code"])
        return document
