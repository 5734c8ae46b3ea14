"""What all pages owe a reader: landmarks, one heading, labels, contrast, and no script that they cannot do without."""

import re

import pytest

from airworthy.console.web import assets
from airworthy.console.web.pages import POLICY
from tests.console.web import world
from tests.console.web.html import read
from tests.console.web.kit import House
from tests.database import lasting

PATHS = (
    "/",
    "/?window=1h",
    "/traces",
    "/traces?q=is:error",
    "/traces?q=no:thing",
    "/alerts",
    "/agents",
    "/nowhere",
)


@pytest.fixture(scope="module")
def full() -> House:
    """Nothing is changed in it."""
    with lasting():
        house = House()
    world.fill(house.parts.database, house.now_us(), 6, share=0.1)
    house.parts.database.write_now(lambda tx: world.trouble(tx, house.now_us()))
    return house


@pytest.mark.parametrize("path", PATHS)
async def test_a_page_can_be_read_by_heading_landmark_and_label(full: House, path: str) -> None:
    async with full.visit("ada") as client:
        answer = await client.get(path)
    page = read(answer.text)

    assert answer.headers["content-security-policy"] == POLICY
    assert answer.headers["cache-control"] == "no-store"
    assert page.wrong == []
    assert len(page.all("h1")) == len(page.all("main")) == 1
    assert page.all("html")[0]["lang"] == "en"
    assert page.all("a")[0] == {"class": "skip", "href": "#main"}
    ids = [held["id"] for _, held in page.tags if "id" in held]
    assert len(ids) == len(set(ids))
    labelled = {held["for"] for held in page.all("label") if "for" in held}
    for field in page.all("input"):
        within = f'<label>Why<input type="text" name="{field.get("name")}"' in answer.text
        known = within or field.get("id") in labelled or field["type"] in {"hidden", "checkbox"}
        assert known, field
    for picture in page.all("svg"):
        assert picture.get("aria-hidden") == "true" or picture.get("aria-label"), picture
    for time in page.all("time"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", time["datetime"])


@pytest.mark.parametrize("path", PATHS[:-1])
async def test_every_link_and_twin_of_a_page_is_there(full: House, path: str) -> None:
    async with full.visit("ada") as client:
        page = read((await client.get(path)).text)
        links = {tag["href"].partition("#")[0] for tag in page.all("a")} - {""}
        links |= {tag["href"] for tag in page.all("link")} | {tag["src"] for tag in page.all("script")}
        ours = [
            link for link in sorted(links) if not link.startswith(("/review", "/traces/", "/api/v1/traces"))
        ]
        found = {link: (await client.get(link)).status_code for link in ours}

    assert {link: status for link, status in found.items() if status not in {200, 303}} == {}


def _tokens(dark: bool) -> dict[str, str]:
    sheet = assets._all()["app.css"][1].decode()
    light, other = re.findall(r":root \{(.*?)\n\s*\}", sheet, re.S)
    found = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{3,6});", light))
    return found | (dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{3,6});", other)) if dark else {})


def _light(colour: str) -> float:
    digits = colour.lstrip("#")
    whole = "".join(2 * each for each in digits) if len(digits) == 3 else digits
    parts = [int(whole[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    """As WCAG 2.2 has it: 1 to 21."""
    dark, light = sorted((_light(one), _light(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_text_stands_out_from_its_ground(dark: bool) -> None:
    tokens = _tokens(dark)
    grounds = ("ground", "panel", "sunk")
    pairs = [(text, ground) for text in ("text", "soft", "link") for ground in grounds]
    pairs += [(name, f"{name}-ground") for name in ("good", "warn", "bad", "calm", "off", "paused")]
    pairs += [(name, "panel") for name in ("good", "warn", "bad", "calm", "paused")]
    pairs += [("text", f"{name}-ground") for name in ("warn", "bad", "calm")]
    pairs += [("on-link", "link"), ("text", "select"), ("panel", "bad")]

    poor = {pair: round(_contrast(tokens[pair[0]], tokens[pair[1]]), 2) for pair in pairs}
    assert {pair: seen for pair, seen in poor.items() if seen < 4.5} == {}
    # What is no text, as the edge of a field and the ring of what has the focus.
    assert _contrast(tokens["edge"], tokens["panel"]) >= 3
    assert _contrast(tokens["focus"], tokens["ground"]) >= 3
