"""A policy file is read strictly, and whatever is wrong with it is said with its line and its mend."""

import os
import string
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airworthy.core.errors import ConfigError
from airworthy.policy import Policy, PolicyError, Problem, load_policy, parse_policy

HEAD = 'agent = "support"\npurpose = "Answers mail."\n'


def problems(text: str) -> list[tuple[int, str, str, str]]:
    with pytest.raises(PolicyError) as caught:
        parse_policy(text)
    return [(p.line, p.key, p.says, p.mend) for p in caught.value.problems]


def problems_of(text: str) -> tuple[Problem, ...] | None:
    """None for a sound policy; any other error than the policy's own fails the test."""
    try:
        parse_policy(text)
    except PolicyError as error:
        return error.problems
    return None


def test_three_keys_make_a_policy_with_strict_finite_defaults() -> None:
    policy = parse_policy(HEAD + '[[models]]\nname = "sim-large-2026-11-01"\n')

    limits = policy.limits
    assert (limits.steps, limits.tool_calls, limits.seconds) == (20, 20, 120.0)
    assert (limits.tokens_in, limits.tokens, limits.cost_usd) == (32_000, 200_000, 0.50)
    assert (limits.identical_calls, limits.cycle_repeats, limits.no_progress, limits.off_track) == (
        3,
        3,
        6,
        4,
    )
    assert (policy.input.bytes_max, policy.output.bytes_max, policy.input.chars_min) == (2**20, 2**18, 2)
    assert policy.checks.input == ("empty", "too_long", "garbled", "language")
    assert policy.checks.output == ("schema", "secrets")
    assert (policy.stage, policy.live) == ("development", False)
    assert (policy.runtime.attempts_max, policy.runtime.retry_delay_s) == (3, 5.0)


def test_units_become_seconds_bytes_and_rates() -> None:
    policy = parse_policy(
        HEAD
        + '[limits]\nseconds = "2 min"\n[input]\nbytes_max = "2 MB"\n'
        + '[tools.mail]\ndelay_s = "1 h 30 min"\nrate = "60/min"\nretry_wait_s = "50 ms"\n'
    )

    assert (policy.limits.seconds, policy.input.bytes_max) == (120.0, 2_000_000)
    mail = policy.tools["mail"]
    assert (mail.delay_s, mail.retry_wait_s) == (5_400.0, 0.05)
    assert mail.rate is not None
    assert (mail.rate.calls, mail.rate.per_s) == (60, 60.0)


# text after HEAD, line, key, part of what is said, part of the mend, why
BROKEN = [
    ("zzzz = 1", 3, "zzzz", "not a known key", "Delete it", "unknown key, nothing near"),
    ('stagee = "beta"', 3, "stagee", "not a known key", "Did you mean stage?", "nearest key"),
    ("steps = 3", 3, "steps", "not a known key", "belongs in [limits]", "right key, wrong section"),
    (
        "[limits]\nstep = 3",
        4,
        "limits.step",
        "not a known key",
        "Did you mean steps?",
        "nearest key in a section",
    ),
    ("[tools.a]\napprovall = 1", 4, "tools.a.approvall", "known", "mean approval?", "nearest key in a tool"),
    (
        "[tools.a]\nbreaker = {open = 1}",
        4,
        "tools.a.breaker.open",
        "known",
        "open_s",
        "inside an inline table",
    ),
    ('stage = "betta"', 3, "stage", "known words", 'Did you mean "beta"?', "closed set"),
    ('[limits]\nsteps = "20"', 4, "limits.steps", "whole number", "without quotes", "text for a number"),
    ("[limits]\nsteps = true", 4, "limits.steps", "whole number", "whole number", "true is not 1"),
    ("[limits]\nsteps = 0", 4, "limits.steps", "too small", "at least 1", "lower bound"),
    ("[limits]\nsteps = 1000001", 4, "limits.steps", "too large", "1,000,000", "upper bound"),
    ("[limits]\ncost_usd = inf", 4, "limits.cost_usd", "finite", "ordinary number", "no bound is no limit"),
    ("[limits]\ncost_usd = nan", 4, "limits.cost_usd", "", "", "a bound that compares false to all"),
    ('[limits]\nseconds = "2 m"', 4, "limits.seconds", "unknown unit 'm'", '"2 min"', "minutes or months"),
    ('[limits]\nseconds = "soon"', 4, "limits.seconds", "not a duration", '"2 min"', "no number"),
    ("[limits]\nseconds = inf", 4, "limits.seconds", "finite", "", "endless task"),
    ("[limits]\nseconds = true", 4, "limits.seconds", "not a duration", "", "true is not a second"),
    ("[limits]\nseconds = -1", 4, "limits.seconds", "too small", "above 0", "negative time"),
    ('[input]\nbytes_max = "1 Mb"', 4, "input.bytes_max", "unknown unit 'Mb'", "MiB", "megabits"),
    ("[input]\nbytes_max = 1.5", 4, "input.bytes_max", "not a size", "whole number", "half a byte"),
    ('[input]\nbytes_max = "0.3 B"', 4, "input.bytes_max", "whole number of bytes", "", "part of a byte"),
    ('[tools.a]\nrate = "10"', 4, "tools.a.rate", "not a rate", '"10/s"', "no period"),
    ('[tools.a]\nrate = "10/fortnight"', 4, "tools.a.rate", "period", '"10/s"', "unknown period"),
    ('[tools.a]\nrate = "0/s"', 4, "tools.a.rate", "no call", "", "a tool that may never be called"),
    (
        "[input]\nlanguages = [\n 'en',\n 'English',\n]",
        6,
        "input.languages[2]",
        "written",
        "ISO",
        "list over lines",
    ),
    ('[input]\nlanguages = "en"', 4, "input.languages", "not a list", "brackets", "text for a list"),
    ('[input]\nlanguages = ["en", "en"]', 4, "input.languages", "twice", "Delete", "twins"),
    (
        '[input]\ntypes = ["text", "image"]',
        4,
        "input.types[2]",
        "no entry of formats",
        "media types",
        "no format",
    ),
    (
        '[input]\nformats = ["text/plain", "image/*"]',
        4,
        "input.formats[2]",
        "types does not list",
        'Add "image"',
        "no type",
    ),
    (
        "[refuse]\npatterns = ['(a']",
        4,
        "refuse.patterns[1]",
        "regular expression",
        "single quotes",
        "bad regex",
    ),
    ("[refuse]\npatterns = ['a*']", 4, "refuse.patterns[1]", "everything", "one character", "matches all"),
    (
        "[refuse]\npatterns = ['[[a]']",
        4,
        "refuse.patterns[1]",
        "regular expression",
        "",
        "Python warns of it",
    ),
    ('[models]\nname = "m"', 3, "models", "one table", "[[models]]", "one bracket for two"),
    ('[[tools]]\nname = "m"', 3, "tools", "not a table", "[tools.name]", "two brackets for one"),
    ("[[models]]\nwindow = 9", 3, "models[1].name", "missing", "Add it", "a missing key stands at its table"),
    ('[[models]]\nname = "a b"', 4, "models[1].name", "written", "without spaces", "no model's name"),
    ('[tools."a b"]', 3, 'tools."a b"', "written", "Name the tool", "no tool's name"),
    ("owner = 3", 3, "owner", "not a table", "[name]", "value for a table"),
    ('[owner]\nname = "\\u202Eann"', 4, "owner.name", "U+202E", "anew", "text that reads backwards"),
    ('[owner]\nname = "  "', 4, "owner.name", "empty", "sentence", "blank text"),
    (
        '[[models]]\nname="m"\nend_of_life = "2026-01-01"',
        5,
        "models[1].end_of_life",
        "date",
        "quotes",
        "text date",
    ),
    (
        '[[models]]\nname="m"\nend_of_life = 2026-01-01T10:00:00',
        5,
        "models[1].end_of_life",
        "date",
        "",
        "a time",
    ),
    (
        "[tools.a]\nrecipients = []",
        4,
        "tools.a.recipients",
        "empty",
        "leave the key out",
        "nobody or anybody?",
    ),
]


@pytest.mark.parametrize(
    ("text", "line", "key", "says", "mend", "why"), BROKEN, ids=[row[-1] for row in BROKEN]
)
def test_a_broken_key_is_named_with_line_and_mend(
    text: str, line: int, key: str, says: str, mend: str, why: str
) -> None:
    found = problems(HEAD + text + "\n")

    assert [(at, name) for at, name, _, _ in found] == [(line, key)], found
    assert says in found[0][2]
    assert mend in found[0][3]


# text after HEAD, keys with a problem, why
CONTRADICTIONS = [
    ("[tools.a]\namount_max = 5", ["tools.a.amount_max"], "amount without its argument"),
    ("[tools.a]\napproval_above = 5", ["tools.a.approval_above"], "amount without its argument"),
    ("[tools.a]\nrecipients = ['x']", ["tools.a.recipients"], "recipients without their argument"),
    ("[tools.a]\nper_recipient_per_day = 5", ["tools.a.per_recipient_per_day"], "cap without its argument"),
    (
        "[tools.a]\namount_arg='n'\nrecipient_arg='n'",
        ["tools.a.recipient_arg"],
        "one argument for two things",
    ),
    ("[tools.a]\namount_arg='n'\napproval_above=9\namount_max=8", ["tools.a.amount_max"], "never asked"),
    (
        "[tools.a]\namount_arg='n'\napproval_above=9\namount_max=9",
        ["tools.a.amount_max"],
        "never asked, just so",
    ),
    (
        "[tools.a]\namount_arg='n'\napproval_above=9\napproval='always'",
        ["tools.a.approval_above"],
        "asked twice",
    ),
    (
        "[tools.a]\nrecipient_arg='t'\nper_day=3\nper_recipient_per_day=4",
        ["tools.a.per_recipient_per_day"],
        "caps",
    ),
    ("[tools.a]\nretry_wait_s = 21", ["tools.a.retry_wait_s"], "first wait above the longest"),
    (
        "[tools.a]\neffect='read'\ndelay_s=1\ndry_run=true",
        ["tools.a.delay_s", "tools.a.dry_run"],
        "reads are not held",
    ),
    ("[tools.a]\ntimeout_s = 121", ["tools.a.timeout_s"], "a call longer than its task"),
    ("[limits]\ntokens_in = 200001", ["limits.tokens_in"], "one call above the task"),
    ("[limits]\ntokens = 1000", ["limits.tokens"], "the task below a default; the written key is named"),
    ("[limits]\nsteps = 5\ntool_calls = 6", ["limits.tool_calls"], "unreachable"),
    ("[[models]]\nname='m'\nwindow=8192", ["models[1].window"], "no window holds a call"),
    (
        "[limits]\ntokens_in=9000\n[[models]]\nname='m'\nwindow=8192",
        ["limits.tokens_in"],
        "no window holds a call",
    ),
    ("[[models]]\nname='m'\n[[models]]\nname='m'", ["models[2].name"], "a model twice"),
    ("[[models]]\nname='m'\noutput_tokens_max=128000", ["models[1].output_tokens_max"], "no room for input"),
    ("[[models]]\nname='m'\ninput_usd_per_mtok=1", ["models[1].output_usd_per_mtok"], "half a price"),
    (
        "[[models]]\nname='m'\ncached_input_usd_per_mtok=1",
        ["models[1].cached_input_usd_per_mtok"],
        "no full price",
    ),
    ("[[models]]\nname='gpt-4o'\npinned=true", ["models[1].pinned"], "an alias is not fixed"),
    ("[[models]]\nname='m-latest'\npinned=true", ["models[1].pinned"], "latest is not fixed"),
    ("[budgets]\nday_usd=5\nmonth_usd=4", ["budgets.day_usd"], "day above month"),
    ("[budgets]\nday_usd=5\nuser_day_usd=6", ["budgets.user_day_usd"], "user above all"),
    ("[limits]\ncost_usd=2\n[budgets]\nday_usd=1", ["limits.cost_usd"], "task above day"),
    ("[[stop]]\nwhen='limit'", ["stop[1]"], "escalates to nobody"),
    ("[[stop]]\nwhen='limit'\nto='a'\n[[stop]]\nwhen='limit'\nto='b'", ["stop[2].when"], "a condition twice"),
    ("[[stop]]\nwhen='matches'\nto='a'", ["stop[1].when"], "nothing to match"),
    ("[[stop]]\nwhen='limit'\nto='a'\npattern='x'", ["stop[1].pattern"], "pattern for nothing"),
    ("[[stop]]\nwhen='limit'\nthen='decline'\nto='a'", ["stop[1].to"], "declined to somebody"),
    ("[[stop]]\nwhen='in_doubt'\nthen='decline'", ["stop[1].then"], "doubt is a person's to settle"),
    ("[[stop]]\nwhen='divergence'\nthen='decline'", ["stop[1].then"], "divergence is a person's to settle"),
    ("[output]\npermitted=['A b']\nmust_not=['a B']", ["output.permitted[1]"], "permitted and forbidden"),
    ("[output]\npermitted=['a']\n[refuse]\ntopics=['a']", ["output.permitted[1]"], "permitted and refused"),
]


@pytest.mark.parametrize(
    ("text", "keys", "why"), CONTRADICTIONS, ids=[f"{r[2]} {r[1][0]}" for r in CONTRADICTIONS]
)
def test_a_contradiction_is_refused(text: str, keys: list[str], why: str) -> None:
    found = problems(HEAD + text + "\n")

    assert [key for _, key, _, _ in found] == keys
    assert all(line > 2 and mend for line, _, _, mend in found)


def test_a_stop_without_a_place_is_fine_once_there_is_a_default() -> None:
    policy = parse_policy(HEAD + "[escalation]\ndefault='leads'\n[[stop]]\nwhen='limit'\n")

    assert policy.stop_for("limit").to == "leads"
    assert policy.stop_for("loop").to == "leads"


def test_many_patterns_may_stop_a_task_as_long_as_they_differ() -> None:
    text = "[[stop]]\nwhen='matches'\nto='a'\npattern='x'\n[[stop]]\nwhen='matches'\nto='a'\npattern='y'\n"

    assert len(parse_policy(HEAD + text).stop) == 2


def test_all_problems_are_reported_at_once_in_the_order_of_lines() -> None:
    text = (
        'agent = "S"\nstage = "x"\n[limits]\nsteps = 0\n[[stop]]\nwhen = "limit"\n[tools.a]\namount_max = 1\n'
    )

    found = problems(text)

    assert [(line, key) for line, key, _, _ in found] == [
        (1, "agent"),
        (1, "purpose"),
        (2, "stage"),
        (4, "limits.steps"),
        (5, "stop[1]"),
        (8, "tools.a.amount_max"),
    ]


def test_the_message_names_file_line_key_value_and_mend() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_policy(HEAD + "[limits]\nsteps = 'many'\n", name="support.toml")

    assert str(caught.value) == (
        'support.toml, line 4, column 1: limits.steps = "many" is not a whole number. '
        "Write a whole number without quotes, such as 20."
    )


@pytest.mark.parametrize(
    "text",
    [
        "[[models]]\nname='m'\napi_key = 'sk-abc123SECRET'",
        "[[models]]\nname='m'\napi_key_env = 'sk-abc123SECRET'",
        "[[models]]\nname='m'\nbase_url = 'https://user:SECRET@host/v1'",
        "[[models]]\nname='m'\nbase_url = 'https://host/v1?key=SECRET'",
    ],
)
def test_a_secret_in_the_wrong_place_is_not_repeated(text: str) -> None:
    with pytest.raises(PolicyError) as caught:
        parse_policy(HEAD + text)

    assert "SECRET" not in str(caught.value) + repr(caught.value.problems)


def test_control_characters_of_a_file_do_not_reach_the_terminal() -> None:
    with pytest.raises(PolicyError) as caught:
        parse_policy(HEAD + '"\\u001b[31m" = 1\n[limits]\nsteps = "\\u001b[2J\\n"\n', name="a\x1b[2J.toml")

    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("agent = ", 1, "Not valid TOML"),
        ('agent = "a"\nagent = "b"', 2, "Not valid TOML"),
        ("[limits]\nsteps=1\n[limits]\nseconds=1", 3, "Not valid TOML"),
        ("a = [1,\n2,\n", 3, "Not valid TOML"),
        (f"a = {'9' * 5000}", 0, "Not valid TOML"),
        (f"a = {'[' * 5000}", 0, "nested too deeply"),
        ("a = '\ud800'", 0, "surrogate"),
    ],
    ids=["no value", "key twice", "table twice", "unclosed", "huge number", "deep", "surrogate"],
)
def test_what_is_not_toml_says_so(text: str, line: int, says: str) -> None:
    found = problems(text)

    assert (found[0][0], len(found)) == (line, 1)
    assert says in found[0][2]


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes(b'agent = "support"\npurpose = "caf\xe9"\n')
    (tmp_path / "big.toml").write_bytes(b"#" * 1_048_577)
    told = {}
    for name in ("missing.toml", ".", "latin.toml", "big.toml", "nul\0.toml"):
        with pytest.raises(PolicyError) as caught:
            load_policy(tmp_path / name)
        told[name] = str(caught.value)

    assert "does not exist" in told["missing.toml"]
    assert "is a directory" in told["."]
    assert "line 2, column 15: The byte 0xe9 is not UTF-8. Save" in told["latin.toml"]
    assert "larger than 1048576 bytes" in told["big.toml"]
    assert "cannot be read" in told["nul\0.toml"]


@pytest.mark.skipif(os.name != "posix", reason="the mark is written by other systems' editors")
def test_a_byte_order_mark_and_foreign_line_ends_are_read(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    path.write_bytes(b"\xef\xbb\xbf" + (HEAD + "[limits]\nsteps = 7\n").replace("\n", "\r\n").encode())

    assert load_policy(path).limits.steps == 7


def test_a_policy_never_changes() -> None:
    policy = parse_policy(HEAD)

    with pytest.raises(ValueError, match="frozen"):
        policy.agent = "other"


def test_a_policy_built_in_code_is_checked_too() -> None:
    with pytest.raises(ValueError, match="escalates 'limit' to nobody"):
        Policy.model_validate({"agent": "a", "purpose": "b", "stop": [{"when": "limit"}]})


@given(st.text(max_size=200))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_any_text_gives_a_policy_or_a_policy_error(text: str) -> None:
    assert problems_of(text) is None or problems_of(text)


KEYS = st.sampled_from(
    [
        "agent",
        "purpose",
        "stage",
        "limits",
        "steps",
        "seconds",
        "tools",
        "models",
        "stop",
        "name",
        "a",
        "breaker",
        "''",
    ]
)
VALUES = st.recursive(
    st.one_of(
        st.integers(-(10**30), 10**30).map(str),
        st.floats().map(lambda f: str(f).replace("e+", "e")),
        st.sampled_from(
            ["true", "'x'", '"2 min"', '"""\n"""', "2026-01-01", "07:32:00", "'limit'", "nan", "-0.0"]
        ),
        st.text(string.printable, max_size=5).map(lambda t: f"'{t}'"),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.tuples(KEYS, inner).map(lambda pair: f"{{ {pair[0]} = {pair[1]} }}"),
    ),
    max_leaves=6,
)
LINES = st.one_of(
    st.tuples(KEYS, VALUES).map(lambda pair: f"{pair[0]} = {pair[1]}"),
    st.lists(KEYS, min_size=1, max_size=3).map(lambda keys: f"[{'.'.join(keys)}]"),
    st.lists(KEYS, min_size=1, max_size=2).map(lambda keys: f"[[{'.'.join(keys)}]]"),
)


@pytest.mark.slow
@given(st.lists(LINES, max_size=8))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_any_arrangement_of_known_keys_gives_a_policy_or_a_policy_error(lines: list[str]) -> None:
    """Slow: tries hundreds of files."""
    text = "\n".join(lines)

    found = problems_of(text) or ()

    assert all(problem.line <= len(text.splitlines()) + 1 for problem in found)
    assert list(found) == sorted(found, key=lambda problem: (problem.line, problem.column))


@pytest.mark.parametrize(("count", "lines"), [(50, 51), (51, 52), (300, 52)])
def test_a_message_shows_fifty_problems_and_counts_the_rest(count: int, lines: int) -> None:
    with pytest.raises(PolicyError) as caught:
        parse_policy(HEAD + "".join(f"k{n} = 1\n" for n in range(count)))

    assert len(caught.value.problems) == count
    assert len(str(caught.value).splitlines()) == lines
