"""Every page can be found from the index, and no link of the README or the docs leads nowhere."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"
INDEX = DOCS / "index.md"
PAGES = sorted([ROOT / "README.md", *DOCS.rglob("*.md")])
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def _name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def _links(page: Path) -> list[tuple[str, str]]:
    return LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8")))


def _anchors(page: Path) -> set[str]:
    headings = HEADING.findall(FENCE.sub("", page.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def test_the_index_lists_every_page_once() -> None:
    listed = [(INDEX.parent / target).resolve() for target, _ in _links(INDEX)]
    pages = sorted(page.resolve() for page in DOCS.rglob("*.md") if page != INDEX)

    assert sorted(listed) == pages


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_links_lead_to_what_exists(page: Path) -> None:
    for target, anchor in _links(page):
        if "://" in target:
            continue
        found = (page.parent / target).resolve() if target else page
        assert found.exists(), f"{_name(page)} links to {target}, which does not exist"
        if anchor:
            assert anchor in _anchors(found), f"{_name(page)} links to {target}#{anchor}, no such heading"
