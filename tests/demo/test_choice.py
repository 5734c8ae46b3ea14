"""Which model the demo takes is decided by what is set, said plainly, and never costs money by accident."""

import pytest

from airworthy.core.errors import ConfigError
from airworthy.demo.choice import ANTHROPIC_NAME, OPENAI_NAME, choose
from airworthy.demo.folder import policy_text
from airworthy.gateway.simulator.server import Simulator
from airworthy.gateway.simulator.serving import serving
from airworthy.policy import golive_gaps, parse_policy

KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "OPENAI_BASE_URL")


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in KEYS:
        monkeypatch.delenv(key, raising=False)


@pytest.mark.parametrize(
    ("environment", "name", "why"),
    [
        ({}, "simulated", "nothing is set"),
        ({"OPENAI_API_KEY": "sk-0123456789"}, OPENAI_NAME, "a key is set"),
        ({"ANTHROPIC_API_KEY": "sk-0123456789"}, ANTHROPIC_NAME, "the other key is set"),
        ({"OPENAI_API_KEY": "sk-0123456789", "ANTHROPIC_API_KEY": "sk-0"}, OPENAI_NAME, "both are"),
    ],
)
def test_the_environment_decides(
    environment: dict[str, str], name: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in environment.items():
        monkeypatch.setenv(key, value)

    choice = choose(None, None)

    assert choice.name == name, why
    policy = parse_policy(policy_text(choice, "http://127.0.0.1:1/v1" if choice.simulated else None))
    assert policy.models[0].priced
    assert [gap.subject for gap in golive_gaps(policy, None, ()) if "models" in gap.subject] == []


def test_simulated_can_be_asked_for_although_a_key_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789")

    assert choose("simulated", None).simulated


def test_a_model_without_a_known_price_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789")

    with pytest.raises(ConfigError, match="does not know the price"):
        choose("gpt-unknown-2030-01-01", None)


def test_a_model_without_a_key_is_refused() -> None:
    with pytest.raises(ConfigError, match="no key"):
        choose(OPENAI_NAME, None)


def test_a_server_of_ones_own_is_asked_for_its_model_and_costs_nothing() -> None:
    with serving(Simulator(models=("own-model",))) as url:
        choice = choose(None, f"{url}/v1")

    assert (choice.name, choice.base_url, choice.price_known) == ("own-model", f"{url}/v1", True)
    assert choice.estimate_usd(200) == 0


def test_a_server_with_several_models_asks_to_choose() -> None:
    with serving(Simulator()) as url, pytest.raises(ConfigError, match="Choose one with --model"):
        choose(None, f"{url}/v1")


def test_a_server_that_does_not_answer_is_an_error_in_words() -> None:
    with pytest.raises(ConfigError, match="does not say which models"):
        choose(None, "http://127.0.0.1:9/v1")


def test_a_far_server_without_a_known_price_says_so() -> None:
    assert not choose("own-model", "https://models.example.com/v1").price_known
