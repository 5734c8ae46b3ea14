"""`api`, `access`, `feedback` and `result` as somebody types them, against a real server process."""

import json
import signal
from pathlib import Path

import httpx
import pytest

from tests.cli.conftest import Airworthy, finished, make_folder, started


@pytest.mark.process
def test_a_program_hands_in_a_task_and_a_user_says_something_of_it(
    airworthy: Airworthy, tmp_path: Path
) -> None:
    folder = make_folder(tmp_path / "shop")
    key = airworthy(
        "access", "create", "--program", "shop", "--role", "operator", "-C", str(folder)
    ).out.strip()
    with started(folder, "api", "--listen", "127.0.0.1:0", "--json") as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}) as client:
            task = client.post("/api/v1/tasks", json={"agent": "shop", "input": "hello"}).json()["id"]
            link = client.post(f"/api/v1/tasks/{task}/link").json()["path"]
            page = httpx.post(url + link, data={"thumb": "up", "text": "well done"})
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    said = json.loads(airworthy("feedback", "list", task, "--json", "-C", str(folder)).out)

    assert page.status_code == 200
    assert (said["thumb"], said["text"], said["via"]) == ("up", "well done", "link")
    assert process.returncode == 0


def test_a_file_of_results_is_kept_but_for_the_rows_that_are_bad(
    airworthy: Airworthy, tmp_path: Path
) -> None:
    folder = make_folder(tmp_path / "shop")
    task = airworthy("submit", "--input", "hello", "-C", str(folder)).out.strip()
    (tmp_path / "results.csv").write_text(f"task,name,value\n{task},resolved,yes\n{task},resolved,\x1b[31m\n")

    done = airworthy("result", "import", str(tmp_path / "results.csv"), "-C", str(folder))
    listed = airworthy("result", "list", task, "--json", "-C", str(folder))

    assert done.code == 1
    assert "1 result kept, 1 refused" in done.out
    assert "Line 3" in done.err
    assert "\x1b" not in done.err
    assert json.loads(listed.out)["value"] == 1


@pytest.mark.process
def test_results_from_standard_input_may_hold_a_byte_that_is_no_text(
    airworthy: Airworthy, tmp_path: Path
) -> None:
    folder = make_folder(tmp_path / "shop")
    task = airworthy("submit", "--input", "hello", "-C", str(folder)).out.strip()
    rows = tmp_path / "results.csv"
    rows.write_bytes(f"task,name,by\n{task},resolved,ann\n".encode() + b"tsk_\xff,resolved,ann\n")

    with rows.open("rb") as stdin:
        done = finished(folder, "result", "import", "-", stdin=stdin)

    assert (done.code, done.word) == (1, "1 result kept, 1 refused")
    assert "Line 3" in done.err


def test_keys_are_listed_without_their_secret_and_revoked(airworthy: Airworthy, tmp_path: Path) -> None:
    folder = str(make_folder(tmp_path / "shop"))
    made = json.loads(
        airworthy("access", "create", "--program", "x", "--role", "viewer", "--json", "-C", folder).out
    )
    listed = airworthy("access", "list", "-C", folder).out
    first = json.loads(airworthy("access", "revoke", made["id"], "--json", "-C", folder).out)
    again = airworthy("access", "revoke", made["id"], "-C", folder).out
    person = airworthy("access", "create", "--person", "dana", "-C", folder)

    assert made["id"] in listed
    assert made["key"] not in listed
    assert first["changed"] is True
    assert "was revoked before" in again
    assert person.code == 1
    assert "people.toml" in person.err
