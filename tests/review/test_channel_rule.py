"""A channel that cannot work is an error where it is written, not at the first alarm."""

from typing import Any

import pytest
from pydantic import ValidationError

from airworthy.review import People
from airworthy.review.channel_rule import CHANNELS_MAX, ChannelRule

HOOK = {"kind": "webhook", "url_env": "URL", "secret_env": "SECRET"}


@pytest.mark.parametrize(
    "channel",
    [
        HOOK,
        {**HOOK, "previous_secret_file": "old.key", "per_hour": 5, "digest_s": "10 min", "give_up_s": 60},
        {"kind": "webhook", "url_file": "url", "secret_file": "key"},
        {"kind": "slack", "url_env": "URL"},
        {"kind": "teams", "url_env": "URL"},
        {"kind": "pagerduty", "secret_env": "KEY"},
        {"kind": "pagerduty", "secret_env": "KEY", "url_env": "URL"},
        {"kind": "email", "url_env": "URL", "sender": "agent@example.com", "to": ["ops@example.com"]},
        {"kind": "apprise", "url_env": "URL", "internal": True},
    ],
)
def test_sound_channels(channel: dict[str, Any]) -> None:
    ChannelRule.model_validate(channel)


@pytest.mark.parametrize(
    ("channel", "says"),
    [
        ({"kind": "webhook", "url_env": "URL"}, "lacks secret_env"),
        ({"kind": "slack"}, "lacks url_env"),
        ({"kind": "pagerduty", "url_env": "URL"}, "lacks secret_env"),
        ({"kind": "email", "url_env": "URL"}, "lacks sender"),
        ({"kind": "apprise", "url_env": "URL"}, "internal = true"),
        ({**HOOK, "url_file": "url"}, "stands beside url_env"),
        ({**HOOK, "sender": "a@example.com"}, "means nothing to 'webhook'"),
        ({"kind": "slack", "url_env": "URL", "secret_env": "KEY"}, "means nothing to 'slack'"),
        ({"kind": "slack", "url_env": "https://hooks.slack.com/SECRET"}, "url_env"),
        ({"kind": "pigeon", "url_env": "URL"}, "kind"),
        ({"kind": "email", "url_env": "URL", "sender": "a@example.com\r\nBcc: x@y"}, "sender"),
        ({"kind": "email", "url_env": "URL", "sender": "a@example.com", "to": ["a@b c"]}, "to"),
        ({**HOOK, "per_hour": 0}, "per_hour"),
        ({**HOOK, "timeout_s": 121.0}, "Keep it to 120 s"),
    ],
)
def test_others_are_errors(channel: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ChannelRule.model_validate(channel)

    assert says in str(caught.value)
    assert "SECRET" not in str(caught.value).replace("secret_env", "")


def test_the_number_of_channels_is_bounded() -> None:
    People.model_validate({"channels": {f"c{place}": HOOK for place in range(CHANNELS_MAX)}})
    with pytest.raises(ValidationError):
        People.model_validate({"channels": {f"c{place}": HOOK for place in range(CHANNELS_MAX + 1)}})


def test_the_team_of_alerts_must_be_there() -> None:
    with pytest.raises(ValidationError, match="ops"):
        People.model_validate({"alerts": "ops"})
