"""The folder a demo works in: made, marked as ours, cleared of an earlier demo, and left as a working project."""

from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

from airworthy.app.config import CONFIG_FILE, Config, load_config
from airworthy.core.errors import ConfigError
from airworthy.demo.choice import Choice
from airworthy.store.lease import process_born

MARKER: Final = ".airworthy-demo"
DATABASE: Final = "airworthy.db"
SHOP_DATABASE: Final = "shop.db"
REPORT: Final = "demo-report.json"
CASES: Final = "cases/letters.yaml"
_MARKER_TEXT: Final = "This folder was made by `airworthy demo`, which clears it when it runs again."
# Only what a demo itself made is ever deleted; whatever else lies in the folder stays.
_OURS: Final = (
    CONFIG_FILE, "agent.py", "policy.toml", "rules.toml", "shop.toml", "preflight.toml", CASES, REPORT, "shop.log",
    "provider.log", "worker.log", "console.log",
    *(f"{name}{end}" for name in (DATABASE, SHOP_DATABASE) for end in ("", "-wal", "-shm", "-journal")),
)  # fmt: skip


class FolderTaken(ConfigError):
    """The demo will not work in this folder."""

    code = "folder_taken"


@dataclass(frozen=True, slots=True)
class Folder:
    path: Path

    @property
    def config(self) -> Config:
        # Named here, so that a database in the environment cannot turn the demo towards real data.
        return load_config(self.path, database=DATABASE)

    @property
    def shop(self) -> Path:
        return self.path / SHOP_DATABASE

    @property
    def report(self) -> Path:
        return self.path / REPORT

    @property
    def rules(self) -> Path:
        return self.path / "rules.toml"

    @property
    def policy(self) -> Path:
        return self.path / "policy.toml"


def prepared(path: Path, pid: int) -> Folder:
    """Empty of earlier demos, and marked as this process's. Raises: FolderTaken."""
    marker = path / MARKER
    if path.exists() and not path.is_dir():
        raise FolderTaken(f"{path} is a file.", mend="Name another folder with --folder.")
    if path.is_dir() and any(path.iterdir()) and not marker.exists():
        raise FolderTaken(
            f"{path} holds files that no demo made, and the demo clears its folder.",
            mend="Name an empty or a new folder with --folder.",
        )
    busy = _running(marker)
    if busy is not None and busy != pid:
        raise FolderTaken(
            f"Another demo (process {busy}) is at work in {path}.",
            mend="Wait for it, or use another --folder.",
        )
    try:
        path.mkdir(parents=True, exist_ok=True)
        for name in _OURS:
            (path / name).unlink(missing_ok=True)
        marker.write_text(f"{_MARKER_TEXT}\nprocess {pid} {process_born(pid) or ''}\n", encoding="utf-8")
    except OSError as error:
        raise FolderTaken(
            f"{path} cannot be used: {error}.", mend="Name a folder you may write to with --folder."
        ) from error
    return Folder(path)


def furnish(
    folder: Folder, choice: Choice, *, model_url: str | None, shop_url: str, concurrency: int
) -> None:
    """Writes the project: agent, policy and configuration, each as a user would have it."""
    (folder.path / "agent.py").write_text(_packaged("agent.py"), encoding="utf-8")
    folder.policy.write_text(policy_text(choice, model_url), encoding="utf-8")
    (folder.path / "shop.toml").write_text(
        f'# Where the shop is reached; it runs only while the demo does.\nurl = "{shop_url}"\n',
        encoding="utf-8",
    )
    (folder.path / CONFIG_FILE).write_text(
        f'agents = ["agent:agent"]\nconcurrency = {concurrency}\n', encoding="utf-8"
    )


def write_preflight(folder: Folder, seed: int, *, simulated: bool) -> None:
    """Cases of the letters, and what stands in for the shop while they are run."""
    from airworthy.demo.cases import cases_text

    (folder.path / CASES).parent.mkdir(exist_ok=True)
    (folder.path / CASES).write_text(cases_text(seed), encoding="utf-8")
    told = _packaged("preflight.toml")
    if not simulated:
        told = told.replace("simulator = ", "# simulator = ")
    (folder.path / "preflight.toml").write_text(told, encoding="utf-8")


def write_rules(folder: Folder) -> None:
    folder.rules.write_text(_packaged("rules.toml"), encoding="utf-8")


def policy_text(choice: Choice, model_url: str | None) -> str:
    """The packaged policy with the chosen model in place of the one written there."""
    rules, _, _ = _packaged("policy.toml").partition("[[models]]")
    return rules + "\n".join(
        _model_table(name, choice, model_url or choice.base_url) for name in choice.models
    )


def _model_table(name: str, choice: Choice, base_url: str | None) -> str:
    price = choice.price
    lines = [
        "[[models]]",
        f'name = "{name}"',
        f'base_url = "{base_url}"' if base_url else "",
        f'api_key_env = "{choice.api_key_env}"',
        f"timeout_s = {10 if choice.simulated else 60}",
        "window = 32_000" if choice.simulated else "",
        f"input_usd_per_mtok = {price.tokens_in}",
        f"cached_input_usd_per_mtok = {price.cached}" if price.cached is not None else "",
        f"output_usd_per_mtok = {price.tokens_out}",
    ]
    return "\n".join(line for line in lines if line) + "\n"


def _packaged(name: str) -> str:
    return resources.files("airworthy.demo").joinpath(name).read_text(encoding="utf-8")


def _running(marker: Path) -> int | None:
    """The process that the marker names, if it still lives."""
    try:
        _, pid, born = marker.read_text(encoding="utf-8").splitlines()[1].split(" ")
        return int(pid) if born and process_born(int(pid)) == born else None
    except (OSError, ValueError, IndexError):
        return None
