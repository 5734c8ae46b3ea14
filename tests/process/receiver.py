"""A service on the loopback that honours idempotency keys and counts what was done to it; and how to call it."""

import http.client
import http.server
import threading
from collections import Counter, defaultdict
from dataclasses import dataclass, field

import orjson

from airworthy.tools import Transient


@dataclass
class Receiver:
    """`done` counts what took effect, by label; `bodies` what came under each key."""

    done: Counter[str] = field(default_factory=Counter)
    bodies: dict[str, set[bytes]] = field(default_factory=lambda: defaultdict(set))
    keys_of: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    asked: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, key: str, body: bytes) -> bytes:
        label = str(orjson.loads(body)["label"])
        with self.lock:
            self.asked += 1
            if key:
                known = bool(self.bodies[key])
                self.bodies[key].add(body)
                self.keys_of[label].add(key)
                if known:
                    return orjson.dumps({"label": label, "done": True})
            self.done[label] += 1
        return orjson.dumps({"label": label, "done": True})


class Server:
    """`with Server() as server`: the port stands in `server.port`, the counts in `server.receiver`."""

    def __init__(self) -> None:
        self.receiver = receiver = Receiver()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                answer = receiver.take(self.headers.get("idempotency-key") or "", body)
                try:
                    self.send_response(200)
                    self.send_header("content-length", str(len(answer)))
                    self.end_headers()
                    self.wfile.write(answer)
                except (BrokenPipeError, ConnectionResetError):
                    pass  # The worker that asked was killed; what it asked for is done.

            def log_message(self, *_: object) -> None:
                pass

        class Quiet(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                pass  # A killed worker cuts its connection in the middle of a request.

        self._server = Quiet(("127.0.0.1", 0), Handler)
        self.port = int(self._server.server_address[1])

    def __enter__(self) -> "Server":
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def ask(port: int, label: str, key: str) -> str:
    """Called in a worker's thread."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("POST", "/", orjson.dumps({"label": label}), {"idempotency-key": key})
        answer = connection.getresponse()
        return str(orjson.loads(answer.read())["label"])
    except ConnectionRefusedError as error:
        raise Transient(str(error), happened="no") from error
    finally:
        connection.close()
