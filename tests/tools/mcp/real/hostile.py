"""A server on stdio that misbehaves as the tool's name says; standard library only, so that it starts at once."""

import contextlib
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

OUT = sys.stdout.buffer
TOOLS = [
    "read",
    "die",
    "garbage",
    "flood_line",
    "flood_notes",
    "huge",
    "hang",
    "complain",
    "twice",
    "write",
    "child",
]


def send(message: dict[str, Any]) -> None:
    OUT.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
    OUT.flush()


def done(id_: Any, text: str = "fine") -> None:
    send({"id": id_, "result": {"content": [{"type": "text", "text": text}]}})


def call(id_: Any, tool: str, arguments: dict[str, Any]) -> None:
    match tool:
        case "die" | "write":
            before = Path(arguments["unless"]) if "unless" in arguments else None
            if before is not None and not before.exists():
                with contextlib.suppress(OSError):
                    before.touch()
                os._exit(7)
            done(id_)
        case "garbage":
            OUT.write(b'hello\n\xff\xfe\x00\n[1,2]\n{}\n{"jsonrpc":"2.0"}\n' + b"[" * 100_000 + b"\n")
            send({"id": 99_999, "result": {"content": []}})
            send({"id": "x", "result": {}})
            send({"id": None, "error": {"code": 1, "message": "?"}})
            done(id_)
        case "flood_line":
            for _ in range(400):
                OUT.write(b"x" * 100_000)
            OUT.write(b"\n")
            done(id_)
        case "flood_notes":
            note = json.dumps(
                {"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": "x" * 50}}
            )
            for _ in range(200):
                OUT.write((note + "\n").encode() * 100)
            done(id_)
        case "huge":
            done(id_, "x" * 9_000_000)
        case "hang":
            threading.Event().wait(600)
        case "complain":
            sys.stderr.buffer.write(b"\x1b[2J\x07bad\xff\nforged line\r\n" + b"y" * 100_000 + b"\n")
            sys.stderr.buffer.flush()
            for _ in range(5_000):
                sys.stderr.write("again\n")
            sys.stderr.flush()
            done(id_)
        case "twice":
            done(id_, "first")
            done(id_, "second")
        case "child":
            import subprocess

            process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
            done(id_, str(process.pid))
        case _:
            done(id_)


def main() -> None:
    for line in sys.stdin:
        message = json.loads(line)
        if "id" not in message or "method" not in message:
            continue
        match message["method"]:
            case "initialize":
                version = message["params"]["protocolVersion"]
                about = {"name": "hostile", "version": "1"}
                send(
                    {
                        "id": message["id"],
                        "result": {"protocolVersion": version, "capabilities": {}, "serverInfo": about},
                    }
                )
            case "tools/list":
                tools = [{"name": name, "inputSchema": {"type": "object"}} for name in TOOLS]
                send({"id": message["id"], "result": {"tools": tools}})
            case "tools/call":
                call(message["id"], message["params"]["name"], message["params"].get("arguments", {}))
            case _:
                send({"id": message["id"], "result": {}})


if __name__ == "__main__":
    main()
