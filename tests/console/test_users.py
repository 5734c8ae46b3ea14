"""Users over HTTP: who may, what stops an erasure, and what an export is."""

import io
import zipfile

import pytest

from tests.console.kit import api


@pytest.mark.parametrize("path", ["look", "erase", "export"])
async def test_only_an_admin_may(path: str) -> None:
    made = api()
    for who in ("viewer", "reviewer", "operator", "submitter"):
        async with made.client(who) as client:
            answer = await client.post(f"/api/v1/users/{path}", json={"user": "ada"})
        assert answer.status_code == 403, who


async def test_a_user_is_looked_up_exported_and_erased() -> None:
    made = api()
    task = await made.submit("marmalade", user="ada")
    made.app.operations.cancel(task, "dana")
    async with made.client("admin") as client:
        there = (await client.post("/api/v1/users/look", json={"user": "ada"})).json()
        export = await client.post("/api/v1/users/export", json={"user": "ada"})
        done = await client.post("/api/v1/users/erase", json={"user": "ada"})
        after = (await client.get(f"/api/v1/tasks/{task}")).json()

    assert there == {"tasks": 1, "traces": 0, "open": []}
    assert export.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(export.content)) as archive:
        assert f"tasks/{task}.json" in archive.namelist()
    assert (done.status_code, done.json()["tasks"]) == (200, 1)
    assert (after["user"], after["input"]) == ("", None)


async def test_an_open_task_is_a_conflict_until_it_is_cancelled() -> None:
    made = api()
    task = await made.submit("marmalade", user="ada")
    async with made.client("admin") as client:
        refused = await client.post("/api/v1/users/erase", json={"user": "ada"})
        done = await client.post("/api/v1/users/erase", json={"user": "ada", "cancel": True})

    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "still_open")
    assert done.json()["cancelled"] == [task]


async def test_the_name_is_in_the_body_and_an_empty_one_is_nobody() -> None:
    made = api()
    async with made.client("admin") as client:
        answer = await client.post("/api/v1/users/erase", json={"user": ""})

    assert answer.status_code == 422
