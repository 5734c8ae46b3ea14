"""Sends OTLP requests to a server from a file, over a few connections; says as its last line what was answered.

Run as `python -m benchmarks._recorder_load PORT FILE CONNECTIONS HEADERS`; a process of its own, so that its work does
not count as the server's.
"""

import http.client
import json
import queue
import struct
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks._figures import percentile

TRIES_MAX = 200
TIMEOUT_S = 120.0
CUT_OFF = 0  # in place of a status


def store(path: Path, requests: Sequence[bytes]) -> None:
    path.write_bytes(b"".join(struct.pack("<I", len(each)) + each for each in requests))


def stored(path: Path) -> Iterator[bytes]:
    raw, at = path.read_bytes(), 0
    while at < len(raw):
        (size,) = struct.unpack_from("<I", raw, at)
        yield raw[at + 4 : at + 4 + size]
        at += 4 + size


def main() -> None:
    port, path, connections, headers = sys.argv[1:5]
    waiting: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    for request in stored(Path(path)):
        waiting.put(request)
    answered: Counter[int] = Counter()
    laps: list[float] = []

    def send() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=TIMEOUT_S)
        sent = {"Content-Type": "application/x-protobuf", **json.loads(headers)}
        while True:
            try:
                request = waiting.get_nowait()
            except queue.Empty:
                return
            for _ in range(TRIES_MAX):
                began = time.perf_counter()
                try:
                    connection.request("POST", "/v1/traces", request, sent)
                    answer = connection.getresponse()
                    answer.read()
                except (OSError, http.client.HTTPException):
                    answered[CUT_OFF] += 1
                    connection.close()
                    break
                laps.append(time.perf_counter() - began)
                answered[answer.status] += 1
                if answer.status not in {429, 503}:
                    break
                time.sleep(float(answer.headers.get("Retry-After", "1")))

    began = time.perf_counter()
    threads = [threading.Thread(target=send) for _ in range(int(connections))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps({
        "seconds": time.perf_counter() - began,
        "answered": {str(status): count for status, count in answered.items()},
        "p50_ms": round(percentile(laps, 50) * 1e3, 1) if laps else None,
    }))  # fmt: skip


if __name__ == "__main__":
    main()
