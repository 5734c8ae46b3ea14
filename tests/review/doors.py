"""The doors to the review queue, each behind one small protocol, so that one suite holds them all to the same words.

A door takes what a person sends and gives back the JSON document, or raises `Refused` with the stable code.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

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
