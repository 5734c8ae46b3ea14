"""Who takes spans: our server, Arize Phoenix and MLflow, each with its SQLite as it comes, in a folder of its own."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks._environment import ROOT, NotTaken, Peer, last_lines, prepared
from benchmarks._gateway_process import free_port

OURS, PHOENIX, MLFLOW = "ours", "phoenix", "mlflow"
PHOENIX_PEER = Peer(PHOENIX, "", ("arize-phoenix==20.26.1",))
MLFLOW_PEER = Peer(MLFLOW, "", ("mlflow==3.17.2",))
SETUP_S_MAX = 60.0


@dataclass(frozen=True)
class Side:
    """A server that is ready to be started. `count`: SQL for how many spans can be read, in `database`."""

    name: str
    command: Sequence[str]
    port: int
    ready: str
    database: Path
    count: str = "SELECT COUNT(*) FROM spans"
    headers: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)

    def readable(self) -> int:
        """0 while there is no such table yet."""
        try:
            with sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=30) as connection:
                (count,) = connection.execute(self.count).fetchone()
        except sqlite3.OperationalError:
            return 0
        finally:
            connection.close()
        return int(count)

    def bytes(self) -> int:
        """Of its files once everything stands in the database itself; while the server runs, of what it left."""
        connection = sqlite3.connect(self.database, timeout=30)
        try:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            connection.close()
        return self.database.stat().st_size


def ours(folder: Path, python: Path = Path(sys.executable)) -> Side:
    """Raises: NotTaken."""
    command = python.parent / "airworthy"
    if not command.exists():
        raise NotTaken(f"there is no command at {command}")
    run = [str(command)]
    database = folder / "ours.db"
    project = folder / "project"
    environment = {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    _said([*run, "init", "support", str(project)], environment)
    key = _said([*run, "access", "create", "--program", "bench", "--role", "submitter", "-C", str(project),
                 "--database", str(database)], environment)  # fmt: skip
    port = free_port()
    serve = [*run, "api", "--listen", f"127.0.0.1:{port}", "-C", str(project), "--database", str(database)]
    headers = {"Authorization": f"Bearer {key}"}
    return Side(OURS, serve, port, "/livez", database, headers=headers, environment=environment)


def phoenix(folder: Path) -> Side:
    """Raises: NotTaken."""
    python = prepared(PHOENIX_PEER)
    port = free_port()
    environment = {
        "PHOENIX_WORKING_DIR": str(folder), "PHOENIX_PORT": str(port), "PHOENIX_HOST": "127.0.0.1",
        "PHOENIX_GRPC_PORT": str(free_port()), "PHOENIX_TELEMETRY_ENABLED": "false", "PYTHONPATH": "",
    }  # fmt: skip
    command = [str(python.parent / "phoenix"), "serve"]
    return Side(PHOENIX, command, port, "/healthz", folder / "phoenix.db", environment=environment)


def mlflow(folder: Path) -> Side:
    """Raises: NotTaken."""
    python = prepared(MLFLOW_PEER)
    port, database = free_port(), folder / "mlflow.db"
    command = [
        str(python.parent / "mlflow"), "server", "--host", "127.0.0.1", "--port", str(port),
        "--backend-store-uri", f"sqlite:///{database}", "--default-artifact-root", str(folder / "artifacts"),
    ]  # fmt: skip
    environment = {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "PYTHONPATH": "",
        "PATH": f"{python.parent}:/usr/bin:/bin",
    }
    return Side(
        MLFLOW,
        command,
        port,
        "/health",
        database,
        headers={"x-mlflow-experiment-id": "0"},
        environment=environment,
    )


def headers_of(side: Side) -> str:
    return json.dumps(dict(side.headers))


def _said(command: Sequence[str], environment: Mapping[str, str]) -> str:
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=SETUP_S_MAX,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotTaken(f"{command[0]} could not be run: {error}") from error
    if done.returncode != 0:
        raise NotTaken(f"{command[1]} failed: {last_lines(done.stderr)}")
    return done.stdout.strip()
