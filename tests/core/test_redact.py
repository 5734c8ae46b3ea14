"""Secrets never survive, JSON stays JSON, and clean text stays as it is."""

import base64
import json
import random
import re
import string
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airworthy.core.errors import ConfigError
from airworthy.core.redact import LEARNT_MAX, Redactor, find

ALNUM = string.ascii_letters + string.digits
UPPER = string.ascii_uppercase + string.digits
URLSAFE = ALNUM + "-_"
# Who writes this into a value means no secret; the strategies do find such words.
PLACEHOLDER = re.compile(r"your[_ -]|example|placeholder|redacted|change[_ -]?me|xxxx|\.\.\.", re.IGNORECASE)


def _draw(chance: random.Random, alphabet: str, length: int) -> str:
    """Random, but always with a digit, as real keys have."""
    return "".join(chance.choices(alphabet, k=length - 1)) + "7"


# Built when the tests run: a whole key in a file makes secret scanners stop the file.
def _planted(chance: random.Random) -> dict[str, tuple[str, str]]:
    """kind -> (text that holds the secret, the secret)."""
    alnum = {n: _draw(chance, ALNUM, n) for n in (16, 20, 24, 36, 48, 64)}
    urlsafe = _draw(chance, URLSAFE, 35)
    jwt = ".".join(
        [
            "eyJ" + _draw(chance, URLSAFE, 30),
            "eyJ" + _draw(chance, URLSAFE, 60),
            _draw(chance, URLSAFE, 43),
        ]
    )
    basic = base64.b64encode(f"ada:{alnum[16]}".encode()).decode()
    pem_body = "\n".join(_draw(chance, ALNUM + "+/", 64) for _ in range(4))
    pem = f"-----BEGIN RSA PRIVATE KEY-----\n{pem_body}\n-----END RSA PRIVATE KEY-----"
    whole = {
        "openai_key": "sk-proj-" + _draw(chance, URLSAFE, 60),
        "anthropic_key": "sk-ant-" + "api03-" + _draw(chance, URLSAFE, 80),
        "google_key": "AIza" + urlsafe,
        "airworthy_key": "aw_" + _draw(chance, ALNUM, 32),
        "aws_key": "AKIA" + _draw(chance, UPPER, 16),
        "github_token": f"gh{chance.choice('pousr')}_" + alnum[36],
        "gitlab_token": "glpat-" + alnum[20],
        "slack_token": "xoxb-" + "123456789012-" + alnum[24],
        "jwt": jwt,
        "private_key": pem,
    }
    planted = {kind: (secret, secret) for kind, secret in whole.items()}
    planted |= {
        "stripe_key": (f"sk_live_{alnum[24]}", alnum[24]),
        "slack_webhook": (f"https://hooks.slack.com/services/T01/B02/{alnum[24]}", alnum[24]),
        "authorization": (f"Authorization: Bearer {alnum[48]}", alnum[48]),
        "authorization ": (f"Authorization: Basic {basic}", basic),
        "url_password": (f"postgresql://app:{alnum[16]}@db:5432/app", alnum[16]),
        "password": (f"password={alnum[16]}", alnum[16]),
        "api_key": (f"API_KEY: {alnum[20]}", alnum[20]),
        "secret": (f"client_secret = '{alnum[20]}'", alnum[20]),
        "token": (f"GITLAB_TOKEN={alnum[24]}", alnum[24]),
    }
    return planted


KINDS = sorted(_planted(random.Random(0)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_planted_secret_is_found_and_named(kind: str) -> None:
    text, secret = _planted(random.Random(4))[kind]

    redacted = Redactor().redact_text(f"Before it. {text} After it.")

    assert secret not in redacted
    assert f"[redacted:{kind.strip()}]" in redacted
    assert redacted.startswith("Before it. ")
    assert redacted.endswith(" After it.")


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    kind=st.sampled_from(KINDS),
    before=st.text(max_size=12),
    after=st.text(max_size=12),
    depth=st.integers(0, 2),
    ascii_only=st.booleans(),
)
def test_no_planted_secret_survives_and_json_stays_json(
    seed: int, kind: str, before: str, after: str, depth: int, ascii_only: bool
) -> None:
    text, secret = _planted(random.Random(seed))[kind]
    value: object = {"id": 1, "note": f"{before}\n{text}\n{after}", "list": [before, {"x": after}]}
    for _ in range(depth):
        value = {"inner": json.dumps(value, ensure_ascii=ascii_only), "ok": True}
    data = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")

    redacted, count = Redactor().redact_bytes(data)

    json.loads(redacted)
    assert count >= 1
    assert secret.split("\n")[-2 if "\n" in secret else 0].encode() not in redacted
    assert Redactor().redact_bytes(redacted) == (redacted, 0)


@settings(max_examples=150, deadline=None)
@given(
    name=st.sampled_from(
        ["password", "api_key", "apiKey", "x-api-key", "client_secret", "aws_secret_access_key"]
    ),
    value=st.text(min_size=8, max_size=40).filter(lambda value: not PLACEHOLDER.search(value)),
    depth=st.integers(0, 3),
    indent=st.sampled_from([None, 2]),
)
def test_a_named_value_is_taken_whole_however_deep_its_json_is_nested(
    name: str, value: str, depth: int, indent: int | None
) -> None:
    payload: object = {"a": "x", name: f"S3cr{value}", "z": {"k": "kept"}}
    for _ in range(depth):
        payload = {"inner": json.dumps(payload, indent=indent), "ok": True}
    data = json.dumps(payload, indent=indent).encode()

    seen = json.loads(Redactor().redact_bytes(data)[0])

    for _ in range(depth):
        seen = json.loads(seen["inner"])
    assert seen[name].startswith("[redacted:")
    assert seen["a"] == "x"
    assert seen["z"] == {"k": "kept"}


FRAGMENTS = st.one_of(
    st.sampled_from(
        [
            *("password", "api_key", "secret", "token", "authorization", "Bearer ", "Basic ", "PRIVATE KEY"),
            *(
                '"',
                "'",
                "\\",
                "\\n",
                ":",
                "=",
                " ",
                "\n",
                "{",
                "}",
                "[",
                "]",
                ",",
                "&",
                "?",
                "@",
                "://",
                "-----",
            ),
            *("[redacted:password]", "[redacted:", "hunter2hunter2", "é", "\U0001f642", "\ud800"),
            *("-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "eyJ", "sk-", "ghp_", "a1" * 20),
        ]
    ),
    st.text(max_size=6),
)
SOUP = st.lists(FRAGMENTS, max_size=14).map("".join)


@settings(max_examples=400, deadline=None)
@given(values=st.lists(SOUP, max_size=4), keys=st.lists(SOUP, max_size=4), indent=st.sampled_from([None, 9]))
def test_any_json_stays_json_of_the_same_shape(
    values: list[str], keys: list[str], indent: int | None
) -> None:
    value = [dict(zip(keys, values, strict=False)), values, 12345678, None]
    data = json.dumps(value, indent=indent).encode()

    redacted, count = Redactor(["12345678", "hunter2hunter2", "u00e9 and more", "null,null"]).redact_bytes(
        data
    )

    seen = json.loads(redacted)
    assert len(seen[1]) == len(values)
    assert seen[2:] == [12345678, None]
    assert (redacted == data) == (count == 0)


@settings(max_examples=400, deadline=None)
@given(text=SOUP)
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    redactor = Redactor(["hunter2hunter2"])
    once = redactor.redact_text(text)
    once_json = redactor.redact_bytes(json.dumps(text).encode())[0]

    assert redactor.redact_text(once) == once
    assert redactor.redact_bytes(once_json) == (once_json, 0)


CLEAN = [
    "The passenger passed security; her passport was checked.",
    "Password: incorrect, please try again. I forgot my password.",
    "My secret: patience. The key: practice.",
    "Basic economy tickets cannot be changed. The bearer of this letter may enter.",
    "See https://shop.example.com:8080/orders?id=8812&ref=a@b.c and write to ada@example.com",
    "task-management-for-people-who-like-lists and disk-usage-of-the-first-machine-2024",
    '{"input_tokens": 812, "output_tokens": 90, "max_tokens": 4096, "token_count": 123456789}',
    '{"next_page_token": "CAUQAA1234567890abcdef", "sort_key": "created_at_desc_1", "key": "abcdef123456"}',
    '{"idempotency_key": "task_01k9zq2x7m0q8v3c5n6p4r2t1s", "id": "2f1c1f8e-9a0b-4d6e-8c1a-5f0e9d8c7b6a"}',
    '{"password": "", "api_key": null, "secret": "<your-secret>", "token": "${GITLAB_TOKEN}"}',
    '{"api_key": "YOUR_API_KEY_HERE", "password": "********", "client_secret": "xxxxxxxxxxxx"}',
    '{"password": 12345678, "secret": true, "token": [1, 2], "api_key": {"a": 1}}',
    '{"msg": "Enter your password: ",\n            "next": "abcdefgh12345"}',
    '{"msg": "the token=", "next_step": "abcdefgh12345abcdefgh"}',
    "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQ\n-----END PUBLIC KEY-----",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "Zürich, 東京, Москва, العربية 🙂",
]


@pytest.mark.parametrize("text", CLEAN)
def test_clean_text_is_untouched(text: str) -> None:
    assert find(text) == []
    assert Redactor().redact_text(text) is text
    data = text.encode()
    assert Redactor().redact_bytes(data) == (data, 0)
    assert Redactor().redact_bytes(data)[0] is data


def test_positions_count_characters_whatever_stands_before() -> None:
    text = "Zürich 🙂 password=hunter2hunter2 end"

    assert [(f.kind, text[f.start : f.end]) for f in find(text)] == [("password", "hunter2hunter2")]


@pytest.mark.parametrize(
    ("secret", "why"),
    [
        ("plain-value-1", "nothing to escape"),
        ('with "quotes" inside', "JSON writes a backslash before each"),
        ("back\\slash\\value", "JSON doubles it"),
        ("line\nbreak and tab\t", "JSON writes letters for them"),
        ("schlüssel-größe", "JSON may write \\u escapes"),
        ("emoji🙂secret", "JSON may write two \\u escapes"),
    ],
)
@pytest.mark.parametrize("depth", [0, 1])
@pytest.mark.parametrize("ascii_only", [False, True])
def test_a_known_value_is_removed_in_every_form_json_gives_it(
    secret: str, why: str, depth: int, ascii_only: bool
) -> None:
    value: object = {"a": f"<{secret}>", "b": [secret]}
    if depth:
        value = {"inner": json.dumps(value, ensure_ascii=ascii_only)}
    data = json.dumps(value, ensure_ascii=ascii_only).encode()

    seen = json.loads(Redactor([secret]).redact_bytes(data)[0])

    if depth:
        seen = json.loads(seen["inner"])
    assert seen == {"a": "<[redacted:known]>", "b": ["[redacted:known]"]}, why
    assert Redactor([secret]).redact_text(f"<{secret}>") == "<[redacted:known]>"


def test_a_known_value_that_an_escape_only_imitates_does_not_break_the_json() -> None:
    data = json.dumps(["\nabcdefgh", "é-secret", "\\nabcdefgh"]).encode()

    seen = json.loads(Redactor(["nabcdefgh", "00e9-secret"]).redact_bytes(data)[0])

    assert seen == ["\nabcdefgh", "é-secret", "\\[redacted:known]"]


def test_a_short_known_value_is_refused_without_showing_it() -> None:
    with pytest.raises(ConfigError) as raised:
        Redactor(["hunter2"])

    assert "hunter2" not in str(raised.value)


def test_an_overlap_is_written_once_and_counted_once() -> None:
    key = "sk-" + "a1" * 20
    data = json.dumps({"api_key": key, "url": f"https://u:{key}@h/"}).encode()

    redacted, count = Redactor([key]).redact_bytes(data)

    assert json.loads(redacted) == {
        "api_key": "[redacted:api_key]",
        "url": "https://u:[redacted:url_password]@h/",
    }
    assert count == 2


HARD = {
    "password ": "password=",
    "quoted": '"password":"',
    "escaped": '\\"api_key\\":\\"',
    "backslashes": "\\",
    "password and backslashes": "password\\\\\\",
    "jwt": "eyJ-",
    "jwt parts": "eyJaaaaaaaaaa.",
    "sk": "sk-",
    "urls": "://a:b",
    "at": "://:@",
    "pem": "-----BEGIN PRIVATE KEY-----",
    "pem slashes": "-----BEGIN PRIVATE KEY-----\\",
    "header": "authorization: basic ",
    "commas": "password=a,a,",
    "spaces": "password          ",
    "quotes": "password='",
    "same": "password=aaaaaaaa",
}


@pytest.mark.slow
@pytest.mark.parametrize("why", HARD)
def test_a_megabyte_of_the_worst_input_takes_no_more_than_a_few_times_its_half(why: str) -> None:
    """Slow: megabytes. Processor time of the best of three; a quadratic search would cost 16 times."""

    def cost(size: int) -> float:
        data = (HARD[why] * (size // len(HARD[why]))).encode()
        best = 1e9
        for _ in range(3):
            started = time.process_time()
            Redactor(["known-value"]).redact_bytes(data)
            best = min(best, time.process_time() - started)
        return best

    assert cost(1_000_000) < 8 * cost(250_000) + 0.05


def test_what_is_learnt_later_is_written_over_too_and_the_oldest_is_let_go() -> None:
    redactor = Redactor(["given-at-the-start"])
    for number in range(LEARNT_MAX + 1):
        redactor.learn(f"learnt-value-{number:03}")
    redactor.learn("short")

    assert (
        redactor.redact_text("learnt-value-100, given-at-the-start") == "[redacted:known], [redacted:known]"
    )
    assert redactor.redact_bytes(b'{"a": "x learnt-value-001 y"}') == (b'{"a": "x [redacted:known] y"}', 1)
    assert redactor.redact_text("learnt-value-000 short") == "learnt-value-000 short"


def test_what_many_threads_learn_at_once_is_all_known() -> None:
    redactor = Redactor()
    threads = [threading.Thread(target=redactor.learn, args=(f"learnt-value-{n}",)) for n in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert all("learnt" not in redactor.redact_text(f"learnt-value-{n}") for n in range(50))
