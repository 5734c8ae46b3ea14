"""`init`: the folder it makes works as its README says, and nothing is ever written over."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from airworthy.gateway.simulator.server import Simulator
from airworthy.gateway.simulator.serving import serving
from airworthy.policy import load_policy
from tests.cli.conftest import Airworthy, Said, finished

FILES = [
    "README.md",
    "agent.py",
    "airworthy.toml",
    "cases/golden.yaml",
    "orders.json",
    "policy.toml",
    "preflight.toml",
]


def test_init_makes_the_whole_folder(airworthy: Airworthy, folder: Path) -> None:
    said = airworthy("init", "support", "mine", "--json")

    assert said.json == {"folder": "mine", "files": FILES}
    made = [path for path in (folder / "mine").rglob("*") if path.is_file()]
    assert sorted(path.relative_to(folder / "mine").as_posix() for path in made) == FILES


def test_init_names_the_folder_after_the_template(airworthy: Airworthy, folder: Path) -> None:
    assert airworthy("init", "support").code == 0
    assert (folder / "support" / "README.md").exists()


def test_init_overwrites_nothing_and_then_writes_nothing(airworthy: Airworthy, folder: Path) -> None:
    (folder / "mine").mkdir()
    (folder / "mine" / "policy.toml").write_text("precious")

    said = airworthy("init", "support", "mine")

    assert said.code == 1
    assert "policy.toml" in said.err
    assert [path.name for path in (folder / "mine").iterdir()] == ["policy.toml"]
    assert (folder / "mine" / "policy.toml").read_text() == "precious"


@pytest.mark.parametrize("to", ["airworthy.toml", "airworthy.toml/below"])
def test_a_folder_that_cannot_be_made_is_told(to: str, airworthy: Airworthy) -> None:
    said = airworthy("init", "support", to)

    assert said.code == 1
    assert "cannot be written" in said.err


def test_an_unknown_template_is_refused_with_the_known_ones(airworthy: Airworthy) -> None:
    said = airworthy("init", "suport")

    assert said.code == 2
    assert "support" in said.err


def test_the_agent_of_the_template_is_short(airworthy: Airworthy, folder: Path) -> None:
    airworthy("init", "support", "mine")
    lines = (folder / "mine" / "agent.py").read_text(encoding="utf-8").splitlines()

    assert len([line for line in lines if line.strip()]) <= 40
    assert load_policy(folder / "mine" / "policy.toml").agent == "support"


@pytest.fixture
def model() -> Iterator[str]:
    """The simulator, on a port of its own, because the one of the README may be taken."""
    with serving(Simulator(seed=7), port=0) as base_url:
        yield f"{base_url}/v1"


def _blocks(readme: str) -> list[list[str]]:
    return [block.strip().splitlines() for block in re.findall(r"```sh\n(.*?)```", readme, flags=re.DOTALL)]


@pytest.mark.process
@pytest.mark.slow
def test_the_folder_works_as_its_readme_says(tmp_path: Path, model: str) -> None:
    """Every command of the README in its order, each in a process of its own, as a reader types them."""
    made = finished(tmp_path, "init", "support", "mine")
    folder = tmp_path / "mine"
    policy = (folder / "policy.toml").read_text(encoding="utf-8")
    (folder / "policy.toml").write_text(policy.replace("http://127.0.0.1:8099/v1", model), encoding="utf-8")
    simulator, first, look, hold, decide, prove = _blocks((folder / "README.md").read_text(encoding="utf-8"))

    effect = ""
    said: list[Said] = []
    for line in [*first, *look, *hold, *decide]:
        words = [word.strip('"') for word in re.findall(r'"[^"]*"|\S+', line.replace("EFFECT_ID", effect))]
        assert words[0] == "airworthy"
        said.append(finished(folder, *words[1:]))
        effect = next(iter(re.findall(r"eff_[0-9a-f]+", said[-1].out)), effect)
    submitted, run, listed, shown, *_, last = said
    proved = finished(folder, *prove[0].split()[1:], "--only", "golden")

    assert made.code == 0
    assert [each.code for each in said] == [0] * len(said), [each.err for each in said]
    assert re.fullmatch(r"tsk_\w+\n", submitted.out)
    assert "answered" in run.out
    assert submitted.word in listed.out
    assert shown.out.startswith("Looked for order 1001; 3 steps, ")
    assert "Friday" in shown.out
    assert "Refunded 420.00 USD" in last.out
    assert prove == ["airworthy preflight --only golden"]
    assert "6 of 6 cases pass" in proved.out
    assert simulator == ["python -m airworthy.gateway.simulator --port 8099"]


@pytest.mark.process
@pytest.mark.slow
def test_the_simulator_starts_as_the_readme_says() -> None:
    """On any free port; the README's own may be taken on this machine."""
    with subprocess.Popen(
        [sys.executable, "-m", "airworthy.gateway.simulator", "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.terminate()

    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/v1\n", line)
