"""The list of traces: what is found, what is said of what was asked, page by page, and for whom."""

import re

import pytest

from airworthy.runtime import Submission
from tests.console.web import world
from tests.console.web.hostile import TEXTS, UNSEEN
from tests.console.web.html import read
from tests.console.web.kit import House
from tests.database import lasting


@pytest.fixture(scope="module")
def full() -> House:
    """Nothing is changed in it."""
    with lasting():
        house = House()
    world.fill(house.parts.database, house.now_us(), 30, share=0.1)
    return house


async def test_each_run_is_a_sentence_with_what_it_came_to_and_leads_to_its_page(full: House) -> None:
    newest = max(world.traces(full.now_us(), 30, share=0.1), key=lambda trace: (trace.at_us, trace.id))
    async with full.visit() as client:
        answer = await client.get("/traces")

    page = read(answer.text)
    runs = [tag["href"] for tag in page.all("a") if re.match(r"/traces/[a-z0-9_]+$", tag.get("href", ""))]
    assert answer.status_code == 200
    assert page.wrong == []
    assert runs[0] == f"/traces/{newest.id}"
    assert len(runs) == 50
    assert newest.sentence in page.text
    assert "unpriced" in page.text


async def test_pages_follow_each_other_without_a_gap_and_end(full: House) -> None:
    wanted = [
        trace.id for trace in world.traces(full.now_us(), 30, share=0.1) if trace.kind.agent == "support"
    ]
    found: list[str] = []
    path = "/traces?q=agent:support"
    async with full.visit() as client:
        while path:
            page = read((await client.get(path)).text)
            found += [
                tag["href"].removeprefix("/traces/") for tag in page.all("a")
                if re.match(r"/traces/[a-z0-9_]+$", tag.get("href", ""))
            ]  # fmt: skip
            path = next((tag["href"] for tag in page.all("a") if tag.get("rel") == "next"), "")

    assert len(found) > 100
    assert sorted(found) == sorted(wanted)
    assert len(set(found)) == len(found)


async def test_what_was_asked_stands_as_chips_and_each_can_be_taken_away(full: House) -> None:
    async with full.visit() as client:
        page = read((await client.get("/traces?q=agent:refunds outcome:escalated since:24h")).text)

    removals = [tag["href"] for tag in page.all("a") if tag.get("aria-label", "").startswith("Remove")]
    assert removals == [
        "/traces?q=outcome%3Aescalated+since%3A24h",
        "/traces?q=agent%3Arefunds+since%3A24h",
        "/traces?q=agent%3Arefunds+outcome%3Aescalated",
    ]
    (field,) = [tag for tag in page.all("input") if tag.get("type") == "search"]
    assert field["value"] == "agent:refunds outcome:escalated since:24h"


@pytest.mark.parametrize(
    ("q", "words"),
    [
        ("bogus:3", "There is no key 'bogus'"),
        ("cost>much", "at character"),
        ("agent:", "A value of agent is missing"),
        ('"', "at character"),
    ],
)
async def test_a_filter_that_is_none_is_told_where_and_stays_in_its_field(
    full: House, q: str, words: str
) -> None:
    async with full.visit() as client:
        answer = await client.get("/traces", params={"q": q})

    page = read(answer.text)
    assert answer.status_code == 400
    assert words in page.text
    assert [tag["value"] for tag in page.all("input") if tag.get("type") == "search"] == [q]


async def test_a_place_in_the_list_that_is_none_is_told(full: House) -> None:
    async with full.visit() as client:
        answer = await client.get("/traces?before=%00nonsense")

    assert answer.status_code == 400
    assert "is no place in a list" in read(answer.text).text


async def test_nothing_found_says_what_to_do(full: House) -> None:
    async with full.visit() as client, House().visit() as other:
        found = read((await client.get("/traces?q=agent:nobody")).text).text
        empty = read((await other.get("/traces")).text).text

    assert "Remove a chip, or ask for a longer time." in found
    assert "airworthy task submit" in empty


async def test_traces_of_an_agent_that_one_may_not_see_are_not_found(full: House) -> None:
    async with full.visit("sven") as client:
        pages = [(await client.get(path)).text for path in ("/traces", "/traces?q=agent:refunds,support")]
        none = read((await client.get("/traces?q=agent:refunds")).text).text

    for page in pages:
        text = read(page.partition('<table class="cards runs">')[2].partition("</table>")[0]).text
        assert "support" in text
        assert not any(kind.agent in text for kind in world.KINDS if kind.agent != "support")
    assert "Nothing was found." in none


@pytest.mark.parametrize("q", [text[:1_000] for text in TEXTS], ids=lambda text: ascii(text[:16]))
async def test_hostile_filters_are_text(full: House, q: str) -> None:
    async with full.visit() as client:
        answer = await client.get("/traces", params={"q": q})
        quoted = await client.get(
            "/traces", params={"q": 'user:"' + q.replace("\\", "").replace('"', "") + '"'}
        )

    for each in (answer, quoted):
        page = read(each.text)
        assert each.status_code in {200, 400}
        assert page.wrong == []
        assert not set(UNSEEN) & set(page.text)
        assert len(page.all("script")) == 1


async def test_an_open_task_of_ours_says_how_it_stands() -> None:
    house = House()
    row = house.parts.operations.submit(house.parts.policies["support"], Submission("hello")).task
    async with house.visit() as client:
        page = read((await client.get(f"/traces?q=id:{row.id}")).text)

    assert "queued" in page.text
