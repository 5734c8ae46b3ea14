"""What holds for every page: nothing inline, nothing from elsewhere, text from outside is text, errors are pages."""

import hashlib
from importlib.resources import files

import httpx
import pytest

from airworthy.console.api import application
from airworthy.console.web import assets, shown
from airworthy.console.web.pages import POLICY, environment
from tests.console.kit import api
from tests.console.web.html import read

BROWSER = {"Accept": "text/html,application/xhtml+xml"}


async def _get(path: str, **headers: str) -> httpx.Response:
    async with api().client("") as client:
        return await client.get(path, headers={**BROWSER, **headers})


async def test_a_path_that_is_not_there_is_a_page_with_a_way_on() -> None:
    answer = await _get("/nowhere")

    page = read(answer.text)
    assert answer.status_code == 404
    assert "There is nothing here" in page.text
    assert page.wrong == []
    assert {"href": "/", "class": "button"} in page.all("a")


async def test_a_page_carries_the_strict_policy_and_is_kept_nowhere() -> None:
    headers = (await _get("/nowhere")).headers

    assert headers["content-security-policy"] == POLICY
    assert "unsafe" not in POLICY
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["x-frame-options"] == "DENY"
    assert headers.get_list("content-security-policy", split_commas=False) == [POLICY]


@pytest.mark.parametrize(("path", "accept"), [("/nowhere", "*/*"), ("/api/v1/nowhere", "text/html")])
async def test_programs_are_answered_in_json_still(path: str, accept: str) -> None:
    answer = await _get(path, Accept=accept)

    assert answer.json()["error"]["code"] == "no_such_path"


async def test_files_may_be_kept_for_ever_because_their_path_names_their_content() -> None:
    path = assets.path_of("app.css")
    answer = await _get(path)
    other = await _get(path.replace("/assets/", "/assets/0"))

    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-type"].startswith("text/css")
    assert other.status_code == 404


def test_each_program_of_others_is_the_one_that_the_notice_names_and_has_its_licence_beside_it() -> None:
    folder = files("airworthy.console.web") / "assets"
    lines = [line.split("  ") for line in (folder / "NOTICE").read_text().splitlines() if ".min." in line]
    told = {line[0].strip(): (line[-2].strip(), line[-1].strip()) for line in lines}

    assert set(told) == {each.name for each in folder.iterdir() if ".min." in each.name}
    for name, (licence, digest) in told.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest, name
        assert (folder / licence).is_file()


def test_scripts_and_styles_of_others_stay_under_150_kilobytes() -> None:
    served = [content for _, content, _ in assets._all().values()]

    assert sum(map(len, served)) < 150_000


@pytest.mark.parametrize("name", environment().list_templates())
def test_every_template_compiles_and_escapes(name: str) -> None:
    source = environment().loader.get_source(environment(), name)[0]  # type: ignore[union-attr]

    environment().get_template(name)
    assert "|safe" not in source.replace(" ", "")
    assert "autoescape" not in source


@pytest.mark.parametrize(
    ("text", "wanted", "why"),
    [
        ("<script>alert(1)</script>", "&lt;script&gt;", "markup"),
        ("\u202egnp.exe", "U+202E", "turns the direction"),
        ("a\u200bb", "U+200B", "no width"),
        ("a\u200db", "U+200D", "a joiner where nothing is to be joined"),
        ("\x1b[31mred", "U+001B", "a terminal's order"),
        ("nul\x00", "U+0000", "NUL"),
        ("one\ntwo", "U+000A", "a line of its own"),
        ("\u3164", "U+3164", "a letter without a shape"),
        ("x\U000e0041", "U+E0041", "a tag"),
        ("x\ufe01", "U+FE01", "a selector that selects nothing"),
    ],
)
def test_text_that_hides_is_spelled_out(text: str, wanted: str, why: str) -> None:
    told = shown.line(text)

    assert wanted in told, why
    assert told.startswith("<bdi>")
    assert not any(char in told for char in "\u202e\u200b\x1b\x00\n\u3164")


def test_emoji_and_scripts_that_need_joiners_keep_them() -> None:
    family, persian = "👩\u200d👩\u200d👧", "می\u200cخواهم"

    assert family in shown.line(family)
    assert persian in shown.line(persian)


def test_a_megabyte_is_cut_and_its_size_told() -> None:
    told = shown.lines("x" * 1_000_000)

    assert len(told) < 30_000
    assert "1,000,000 characters" in told
    assert len(shown.line("y" * 1_000_000)) < 400


@pytest.mark.parametrize(
    ("us", "words"),
    [
        (None, "–"), (0, "0 s"), (400, "< 1 ms"), (850_000, "850 ms"), (3_240_000, "3.2 s"), (59_600_000, "1 min"),
        (125_000_000, "2 min 5 s"), (11_400_000_000, "3 h 10 min"), (90_000_000_000, "1 d 1 h"),
    ],
)  # fmt: skip
def test_durations_are_told_to_what_matters(us: int | None, words: str) -> None:
    assert shown.duration(us) == words


@pytest.mark.parametrize(
    ("nano", "words"),
    [
        (None, "unpriced"), (0, "0.0000 USD"), (40_000, "< 0.0001 USD"), (12_300_000, "0.0123 USD"),
        (4_210_000_000, "4.21 USD"),
    ],
)  # fmt: skip
def test_money_that_is_not_known_is_unpriced_and_never_nothing(nano: int | None, words: str) -> None:
    assert shown.money(nano) == words


def test_a_small_share_is_not_none_and_nearly_all_is_not_all() -> None:
    assert shown.share(0.0004) == "< 0.1 %"
    assert shown.share(0.9996) == "> 99.9 %"
    assert shown.share(0) == "0 %"
    assert shown.share(0.042) == "4.2 %"


async def test_a_fault_of_ours_is_a_page_that_tells_nothing_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    made = api()
    # Any fault that nobody foresaw; here the store, as it is asked who came.
    monkeypatch.setattr(made.app.database, "read_now", _fails)
    transport = httpx.ASGITransport(application(made.parts), raise_app_exceptions=False)
    headers = {**BROWSER, "Cookie": "airworthy=aws_" + "a" * 40}
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers) as client:
        answer = await client.get("/")

    assert answer.status_code == 500
    assert "This page could not be made." in read(answer.text).text
    assert "secret of ours" not in answer.text


def _fails(_: object) -> object:
    raise RuntimeError("secret of ours")


def test_times_have_a_form_for_machines_and_utc_for_people() -> None:
    at_us = 1_764_000_000_000_000

    assert 'datetime="2025-11-24T16:00:00.000000Z"' in shown.when(at_us)
    assert "2025-11-24 16:00:00 UTC" in shown.when(at_us)
    assert ">3 min ago<" in shown.ago(at_us, at_us + 190_000_000)
    assert ">in 2 h<" in shown.ago(at_us + 7_200_000_000, at_us)
