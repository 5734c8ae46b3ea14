"""`models`: a person sees what models cost and how long they live, and is told what to mend."""

from pathlib import Path

import pytest

from airworthy.cli import main
from tests.cli.conftest import POLICY, Airworthy

PINNED = """
[[models]]
name = "gpt-4.1-2025-04-14"
[[models]]
name = "claude-sonnet-4-5-20250929"
provider = "anthropic"
[[models]]
name = "qwen3:32b"
provider = "ollama"
pinned = true
input_usd_per_mtok = 0.0
output_usd_per_mtok = 0.0
"""
DAY = ("--on", "2026-06-01")


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(main.COMMANDS, "models", ("airworthy.cli.models", "Models."))  # in any build


def write(folder: Path, models: str) -> None:
    (folder / "policy.toml").write_text(POLICY + models)


def test_the_folders_models_are_listed_with_their_prices(airworthy: Airworthy, folder: Path) -> None:
    write(folder, PINNED)

    said = airworthy("models", *DAY)

    assert said.code == 0
    rows = {line.split()[1]: line.split() for line in said.out.splitlines()[1:]}
    assert rows["gpt-4.1-2025-04-14"][2:8] == ["openai", "pinned", "2", "0.5", "8", "128000"]
    assert rows["gpt-4.1-2025-04-14"][8] == "2027-01-14"
    assert rows["claude-sonnet-4-5-20250929"][4:7] == ["3+", "0.3+", "15+"]
    assert rows["qwen3:32b"][-1] == "policy"
    assert "The price list is of 2026-" in said.err
    assert "a long input costs more" in said.err


def test_json_has_every_price_exactly(airworthy: Airworthy, folder: Path) -> None:
    write(folder, PINNED)

    first, second, third = airworthy("models", *DAY, "--json").lines

    assert first["usd_per_mtok"]["cached"] == "0.5"
    assert first["service_tiers"]["batch"]["input"] == "1"
    assert second["long_input"][0]["tokens_in_above"] == 200_000
    assert second["long_input"][0]["usd_per_mtok"]["cache_write_1h"] == "12"
    assert third["end_of_life"] is None
    assert third["pinned"] is True


def test_a_model_without_a_price_is_shown_as_such(airworthy: Airworthy, folder: Path) -> None:
    write(folder, '[[models]]\nname = "made-up-2026-01-01"\n')

    assert "unpriced" in airworthy("models").out
    assert airworthy("models", "--json").lines[0]["usd_per_mtok"] is None


def test_an_agent_without_models_is_no_error(airworthy: Airworthy) -> None:
    assert airworthy("models").code == 0
    assert airworthy("models", "check").code == 0


@pytest.mark.parametrize(("asked", "provider"), [("anthropic", "anthropic"), ("gemini", "google")])
def test_the_price_list_is_shown_by_provider(asked: str, provider: str, airworthy: Airworthy) -> None:
    said = airworthy("models", "--provider", asked, "--json")

    assert {row["provider"] for row in said.lines} == {provider}
    assert len(said.lines) > 20


def test_the_whole_list_needs_no_folder(airworthy: Airworthy, folder: Path) -> None:
    (folder / "airworthy.toml").unlink()

    said = airworthy("models", "--all")

    assert said.code == 0
    assert len(said.out.splitlines()) > 1000


def test_an_unknown_provider_names_those_there_are(airworthy: Airworthy) -> None:
    said = airworthy("models", "--provider", "openay")

    assert said.code == 2
    assert "openai" in said.err


def test_check_is_content_with_pinned_models_of_a_known_price(airworthy: Airworthy, folder: Path) -> None:
    write(folder, PINNED)

    said, document = airworthy("models", "check", *DAY), airworthy("models", "check", *DAY, "--json").json

    assert said.code == 0
    assert "Nothing to mend about 3 models." in said.out
    assert document["ready"] is True
    assert document["on"] == "2026-06-01"


def test_check_names_what_to_mend_and_fails(airworthy: Airworthy, folder: Path) -> None:
    write(folder, '[[models]]\nname = "gpt-4.1"\n[[models]]\nname = "made-up-2026-01-01"\n')

    said, document = airworthy("models", "check", *DAY), airworthy("models", "check", *DAY, "--json")

    assert said.code == document.code == 1
    assert "2 things to mend" in said.out
    assert 'Write name = "gpt-4.1-2025-04-14".' in said.out
    assert [one["must"] for one in document.json["concerns"]] == [True, True]


def test_an_end_of_life_comes_near_with_the_days(airworthy: Airworthy, folder: Path) -> None:
    write(folder, PINNED)

    said = airworthy("models", "check", "--on", "2027-01-01")

    assert said.code == 1
    assert "gpt-4.1-2025-04-14 is switched off on 2027-01-14, in 13 days." in said.out


def test_an_odd_price_is_a_caution_and_no_failure(airworthy: Airworthy, folder: Path) -> None:
    write(
        folder,
        '[[models]]\nname = "gpt-4.1-2025-04-14"\ninput_usd_per_mtok = 0.2\noutput_usd_per_mtok = 8.0\n',
    )

    said = airworthy("models", "check", *DAY)

    assert said.code == 0
    assert "caution: shop: gpt-4.1-2025-04-14 input_usd_per_mtok is 0.2, and 2 in the list" in said.out


def test_a_day_that_is_none_is_refused(airworthy: Airworthy) -> None:
    assert airworthy("models", "check", "--on", "yesterday").code == 2
