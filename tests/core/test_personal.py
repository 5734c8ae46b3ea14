"""Personal data by rules: every documented example holds, JSON stays JSON, and a second time changes nothing."""

import json
import timeit
from functools import partial
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airworthy.core.pattern_bound import WAYS_MAX, WIDTH_MAX, Unbounded, bounded
from airworthy.core.personal import BUILT_IN, KINDS, Personal, PersonalRule, Writing, own_rule

EXAMPLES = [(rule, hit) for rule in BUILT_IN for hit in rule.hits]
COUNTEREXAMPLES = [(rule, miss) for rule in BUILT_IN for miss in rule.misses]
ALL = Personal(BUILT_IN)
PSEUDONYMS: dict[str, Writing] = dict.fromkeys(KINDS, "pseudonym")
NAMING = Personal(BUILT_IN, PSEUDONYMS, b"a key of some bytes")


@pytest.mark.parametrize(("rule", "hit"), EXAMPLES, ids=[f"{r.name}: {h}" for r, h in EXAMPLES])
def test_a_rule_takes_its_examples_whole_and_nothing_beside_them(rule: PersonalRule, hit: str) -> None:
    text = f"Please note ({hit}), and go on."

    written = Personal([rule]).redact_text(text)

    assert written == f"Please note ([redacted:{rule.kind}]), and go on."


@pytest.mark.parametrize(
    ("rule", "miss"), COUNTEREXAMPLES, ids=[f"{r.name}: {m}" for r, m in COUNTEREXAMPLES]
)
def test_a_rule_leaves_what_only_looks_like_it(rule: PersonalRule, miss: str) -> None:
    text = f"Please note ({miss}), and go on."

    assert Personal([rule]).redact_text(text) == text


@pytest.mark.parametrize("text", [
    "order 8812 of 2026-11-26 came to 42.10 EUR", "see RFC 9110 section 15.5.21", "version 10.15.7, build 20240101",
    "tsk_01kb5e8q3vmf2r8k0y1d7n4w6z took 1764000000000000 us", "3fa85f64-5717-4562-b3fc-2c963f66afa6",
    "def f(x): return x @ y", "1234 5678 9012 3456", "ISBN 978-3-16-148410-0", "at 12:30:45 on 2026-11-26T08:00:00Z",
    "SKU DE12ABCD", "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8",
])  # fmt: skip
def test_ordinary_text_is_left_alone(text: str) -> None:
    rules = [rule for rule in BUILT_IN if rule.kind != "ip"]  # a version is an address to it, and it says so

    assert Personal(rules).redact_text(text) == text


def test_the_same_value_has_the_same_pseudonym_however_it_is_spelled() -> None:
    mails = [NAMING.redact_text(each) for each in ("ada@example.org", "Ada@Example.ORG")]
    cards = [NAMING.redact_text(each) for each in ("4111 1111 1111 1111", "4111111111111111")]

    assert len({*mails}) == len({*cards}) == 1
    assert mails[0].startswith("[email:")
    assert mails[0] != NAMING.redact_text("bob@example.org")


def test_another_key_gives_another_pseudonym() -> None:
    other = Personal(BUILT_IN, PSEUDONYMS, b"another key")

    assert other.redact_text("ada@example.org") != NAMING.redact_text("ada@example.org")


def test_pseudonyms_without_a_key_are_refused() -> None:
    with pytest.raises(ValueError, match="could be guessed"):
        Personal(BUILT_IN, PSEUDONYMS)


def test_a_number_that_is_a_card_becomes_a_string() -> None:
    clean, count = ALL.redact_json(b'{"card":4111111111111111,"order":4111111111111112}')

    assert (json.loads(clean), count) == ({"card": "[redacted:card]", "order": 4111111111111112}, 1)


@pytest.mark.parametrize("text", [
    "9 4111 1111 1111 1111", "4111 1111 1111 1111 7", "orders 12345 4111 1111 1111 1111 99", "4111-1111-1111-1111 - 3",
    "4111 1111 1111 1111 5555 5555 5555 4444",
])  # fmt: skip
def test_a_card_is_found_beside_other_numbers(text: str) -> None:
    written = ALL.redact_text(text)

    assert "1111 1111" not in written
    assert "1111-1111" not in written
    assert written.count("[redacted:card]") == (2 if "5555" in text else 1)


def test_names_of_an_object_that_become_one_are_kept_apart() -> None:
    clean, _ = ALL.redact_json(b'{"ada@example.org":1,"bob@example.org":2}')

    assert json.loads(clean) == {"[redacted:email]": 1, "[redacted:email] 2": 2}


def test_what_holds_nothing_comes_back_as_the_very_same_bytes() -> None:
    data = b'{ "b" : 1.10, "a" : "nothing here" }'

    assert ALL.redact_json(data) == (data, 0)


def test_what_cannot_be_walked_is_not_kept() -> None:
    data = b"[" * 900 + b'"ada@example.org"' + b"]" * 900

    clean, count = ALL.redact_json(data)

    json.loads(clean)
    assert count
    assert b"ada@" not in clean


VALUES = [hit for _, hit in EXAMPLES]
NOISE = st.text(st.sampled_from('ab9 @.-+:"\\\n\té😀[]{}'), max_size=12)
# A word that touches a value makes it another word; what a sentence has around a value does not.
EDGE = st.sampled_from([" ", ", ", "\n", "(", '"', "\t", "; "])


@settings(max_examples=200, deadline=None)
@given(
    value=st.sampled_from(VALUES), before=NOISE, after=NOISE, edges=st.tuples(EDGE, EDGE), depth=st.integers(0, 3),
    ascii_only=st.booleans(), naming=st.booleans(),
)  # fmt: skip
def test_no_value_survives_json_stays_json_and_twice_is_once(
    value: str, before: str, after: str, edges: tuple[str, str], depth: int, ascii_only: bool, naming: bool
) -> None:
    personal = NAMING if naming else ALL
    payload: object = {"id": 1, "list": [{"note": f"{before}{edges[0]}{value}{edges[1]}{after}"}]}
    for _ in range(depth):
        payload = {"inner": json.dumps(payload, ensure_ascii=ascii_only), "ok": True}
    data = json.dumps(payload, ensure_ascii=ascii_only).encode()

    clean, count = personal.redact_json(data)

    seen = json.loads(clean)
    for _ in range(depth):
        seen = json.loads(seen["inner"])
    assert count >= 1
    assert value not in seen["list"][0]["note"]
    assert seen["id"] == 1
    assert personal.redact_json(clean) == (clean, 0)


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("abAB9 @.-+:é()[]/0123456789DE89"), max_size=80))
def test_any_text_is_written_once_and_for_all(text: str) -> None:
    once = ALL.redact_text(text)

    assert ALL.redact_text(once) == once
    hits = ALL.find(text)
    assert all(one.end <= two.start for one, two in pairwise(hits))


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
        max_leaves=12,
    )
)
def test_any_json_stays_json(value: object) -> None:
    """Slow: nested values take Hypothesis longer to draw than us to read."""
    for ascii_only in (True, False):
        data = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
        json.loads(ALL.redact_json(data)[0])


@pytest.mark.parametrize(("pattern", "why"), [
    (r"(a+)+b", "repetition that is not bounded"), (r"\w+@", "not bounded"), (r"(a|a){1,30}b", "a choice is repeated"),
    (r"(?:a{1,9}){1,9}b", "nested"), (r"a{1,100}a{1,100}b", f"more than {WAYS_MAX} ways"),
    (r"(a)\1", "looks back at what it matched"), (r"x{0,9}", "matches nothing at all"), ("(", "is no pattern"),
    (r"a{1,600}", f"wider than {WIDTH_MAX}"), ("a" * 501, "too long to read"),
    (r"(?=a{1,80}a{1,80})b", "hides its ways in a look ahead"),
])  # fmt: skip
def test_a_pattern_that_may_take_for_ever_is_refused(pattern: str, why: str) -> None:
    with pytest.raises(Unbounded):
        bounded(pattern)


@pytest.mark.parametrize(
    "pattern", [r"KD-\d{6}", r"\b[A-Z]{2}\d{5,8}\b", r"(?i:customer) \d{1,9}", r"cust_[a-z0-9]{1,64}"]
)
def test_a_pattern_whose_ways_can_be_counted_is_taken(pattern: str) -> None:
    assert bounded(pattern).pattern == pattern


def test_a_rule_of_ones_own_is_written_under_its_name() -> None:
    personal = Personal([own_rule("customer", r"KD-\d{6}")])

    assert personal.redact_text("KD-123456, KD-12") == "[redacted:customer], KD-12"


@pytest.mark.slow
def test_the_worst_text_for_the_rules_takes_time_in_proportion_to_its_length() -> None:
    """Four times the text may take twelve times as long, and not sixteen. Slow: it measures, on long texts."""
    for unit in ("a@", "1 ", "+1", "a.", "1-", "AB12", "[email:", "@" * 8, "1." * 4, ":", "a" * 64):
        times = []
        for size in (20_000, 80_000):
            text = unit * (size // len(unit))
            times.append(min(timeit.repeat(partial(ALL.find, text), number=1, repeat=3)))
        assert times[1] < 12 * times[0] + 0.2, unit
