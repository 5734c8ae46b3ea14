"""What was answered with 200 is stored, through kill -9, with two servers on one store."""

import http.client
import json
import signal
import threading
from pathlib import Path
from urllib.parse import urlsplit

import orjson
import pytest

from airworthy.recorder.traces.read import spans_of
from tests.cli.conftest import Airworthy, make_folder, started
from tests.database import opened_at

pytestmark = [pytest.mark.process, pytest.mark.slow]
SPANS, REQUESTS = 16, 12


def request(trace_id: str) -> bytes:
    spans = [
        {"traceId": trace_id, "spanId": f"{number:016x}", "name": "step", "startTimeUnixNano": "1763999990000000000",
         "endTimeUnixNano": "1763999991000000000"}
        for number in range(1, SPANS + 1)
    ]  # fmt: skip
    return orjson.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]})


class Sender(threading.Thread):
    """Sends until it is cut off, and remembers what was answered with 200."""

    def __init__(self, url: str, key: str, number: int, enough: threading.Semaphore) -> None:
        super().__init__()
        self.acknowledged: list[str] = []
        self._where = urlsplit(url)
        self._headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        self._number = number
        self._enough = enough

    def run(self) -> None:
        connection = http.client.HTTPConnection(
            str(self._where.hostname), int(self._where.port or 0), timeout=60
        )
        for number in range(10_000):
            trace_id = f"{self._number + 1:016x}{number:016x}"
            try:
                connection.request("POST", "/v1/traces", request(trace_id), self._headers)
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException):
                return
            assert answer.status == 200
            self.acknowledged.append(trace_id)
            self._enough.release()


def test_every_span_that_was_answered_is_there_after_kill_9_of_both_servers(
    airworthy: Airworthy, tmp_path: Path
) -> None:
    """Slow: two real servers on one store, both killed in the middle of their work."""
    folder = make_folder(tmp_path / "shop")
    key = airworthy(
        "access", "create", "--program", "x", "--role", "submitter", "-C", str(folder)
    ).out.strip()
    enough = threading.Semaphore(0)
    with (
        started(folder, "api", "--listen", "127.0.0.1:0", "--json") as one,
        started(folder, "api", "--listen", "127.0.0.1:0", "--json") as two,
    ):
        urls = []
        for process in (one, two):
            assert process.stdout is not None
            urls.append(json.loads(process.stdout.readline())["url"])
        running = [Sender(urls[number % 2], key, number, enough) for number in range(4)]
        for sender in running:
            sender.start()
        for _ in range(REQUESTS):
            assert enough.acquire(timeout=60)
        for process in (one, two):
            process.send_signal(signal.SIGKILL)
        for sender in running:
            sender.join(60)
        for process in (one, two):
            process.communicate(timeout=60)
    database = opened_at(folder)
    acknowledged = [trace_id for sender in running for trace_id in sender.acknowledged]
    found = database.read_now(lambda tx: [spans_of(tx, trace_id).total for trace_id in acknowledged])
    database.close()

    assert len(acknowledged) >= REQUESTS
    assert found == [SPANS] * len(acknowledged)
