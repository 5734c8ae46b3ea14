"""Reads a page as a browser would, and says what no page of ours may have."""

from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass
class Read(HTMLParser):
    """`text`: what a reader sees. `wrong`: what the content policy would block, or what reaches outside."""

    text: str = ""
    wrong: list[str] = field(default_factory=list)
    tags: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    _open: str = ""

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        held = {name: value or "" for name, value in attrs}
        self.tags.append((tag, held))
        self._open = tag
        if tag in {"style", "iframe", "object", "embed", "base"}:
            self.wrong.append(f"<{tag}>")
        if tag == "script" and not held.get("src", "").startswith("/assets/"):
            self.wrong.append(f"<script {held}>")
        for name, value in held.items():
            outside = name in {"href", "src", "action", "formaction"} and not value.startswith(
                ("/", "#", "?")
            )
            if name == "style" or name.startswith(("on", "hx-on")) or outside or value.startswith("//"):
                self.wrong.append(f"<{tag} {name}={value[:80]!r}>")

    def handle_data(self, data: str) -> None:
        if self._open == "script" and data.strip():
            self.wrong.append(f"script: {data[:80]!r}")
        self.text += data

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def all(self, tag: str) -> list[dict[str, str]]:
        return [held for name, held in self.tags if name == tag]


def read(page: str) -> Read:
    found = Read()
    found.feed(page)
    found.close()
    return found
