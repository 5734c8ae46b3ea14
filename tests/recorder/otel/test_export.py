"""Our runs at a collector: what it is sent, what happens when it does not take it, and that nothing goes out twice."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airworthy.app.doctor import stored
from airworthy.app.export import Export, ExportFails, export_chores
from airworthy.app.export_http import headers_from
from airworthy.app.export_settings import ExportRule
from airworthy.app.redact_settings import RedactRule
from airworthy.core.errors import ConfigError
from airworthy.core.outcome import Outcome
from airworthy.gateway.simulator import serving
from airworthy.policy import Limits
from airworthy.recorder import outgoing
from airworthy.recorder.otel import Reading
from airworthy.recorder.otel.answers import taken
from airworthy.recorder.outgoing import Standing
from airworthy.recorder.traces.span import Span, SpanKind
from airworthy.runtime import Run
from airworthy.tools import tool
from tests.gateway.kit import FIRST, completion, model, script
from tests.recorder.otel.kit import Collector, Sent, payload_of, reading
from tests.runtime.kit import Bench, bench
from tests.runtime.test_own_loop import proposes


async def _agent(run: Run) -> str:
    reply = await run.model([{"role": "user", "content": str(run.input)}])
    if reply.tool_calls:
        await run.tool("look", order="8812")
        reply = await run.model([{"role": "user", "content": "and now?"}])
    return reply.text


def _bench(*answers: bytes | Exception, **policy: Any) -> Bench:
    @tool
    async def look(order: str) -> str:
        """Looks."""
        return f"{order} is in Bremen"

    said = answers or (proposes(("look", "{}")), completion("In Bremen.", (20, 4)))
    return bench(_agent, look, clients={FIRST: script(*said)}, models=[model()], **policy)


def _rule(url: str, **more: Any) -> ExportRule:
    return ExportRule.model_validate({"endpoint": url, "internal": True, **more})


def _standing(made: Bench) -> Standing:
    found = made.app.database.read_now(outgoing.standing)
    assert found is not None
    return found


async def _round(made: Bench, export: Export) -> None:
    await export.round(made.app.clock.now_us())


def _spans(collector: Collector, made: Bench, reader: Reading | None = None) -> list[Span]:
    now_us = made.app.clock.now_us()
    decoded = [sent.decoded(reader or reading(), now_us) for sent in collector.got]
    assert not any(each.rejected for each in decoded)
    return [span for each in decoded for span in each.spans]


@pytest.mark.parametrize("protocol", ["http/json", "http/protobuf"])
@pytest.mark.slow
async def test_what_we_send_comes_back_through_our_own_door_as_it_was(protocol: str) -> None:
    """Slow: the first to serve and to carry loads the HTTP server and client."""
    collector, made = Collector(), _bench()
    with serving(collector) as url:
        export = Export(made.app, _rule(url, protocol=protocol, content="full"))
        await _round(made, export)
        task = await made.done("Where is 8812?", session="s-1", user="u-1", feature="status")
        await _round(made, export)
    spans = _spans(collector, made)
    by_kind = {kind: [span for span in spans if span.kind is kind] for kind in SpanKind}
    (agent,), (call,) = by_kind[SpanKind.AGENT], by_kind[SpanKind.TOOL]
    steps = {step.kind: step for step in made.steps(task.id)}

    assert [sent.headers["content-encoding"] for sent in collector.got] == ["gzip"]
    assert {span.trace_id for span in spans} == {task.trace_id}
    assert {span.parent_id for span in spans if span is not agent} == {agent.span_id}
    assert (agent.name, agent.agent, agent.session, agent.user, agent.feature, agent.outcome) == (
        "invoke_agent support", "support", "s-1", "u-1", "status", "answered",
    )  # fmt: skip
    assert agent.release == task.policy_hash.removeprefix("sha256:")[:12]
    assert (agent.started_us, agent.ended_us) == (task.created_us, task.closed_us)
    assert sum(span.tokens_in or 0 for span in spans) == 30
    assert sum(span.tokens_out or 0 for span in spans) == 9
    assert sum(span.cost_nano or 0 for span in by_kind[SpanKind.MODEL]) == task.cost_nano
    assert {span.name for span in by_kind[SpanKind.MODEL]} == {f"chat {FIRST}"}
    assert (call.name, call.tool) == ("execute_tool look", "look")
    assert payload_of(call)["output"] == "8812 is in Bremen"
    assert call.started_us == steps["tool"].started_us
    assert payload_of(agent)["output"][0]["parts"][0]["content"] == "In Bremen."
    assert {span.kind for span in spans if span.name.startswith("check")} <= {SpanKind.CHECK}
    assert _standing(made).sent == len(spans)


async def test_facts_alone_hold_nothing_that_anybody_said() -> None:
    collector, made = Collector(), _bench()
    with serving(collector) as url:
        export = Export(made.app, _rule(url, compression="none"))
        await _round(made, export)
        await made.done("my name is Wittgenstein")
        await _round(made, export)
    (sent,) = collector.got

    assert b"Bremen" not in sent.body
    assert b"Wittgenstein" not in sent.body
    assert b"execute_tool look" in sent.body


async def test_a_closed_run_is_sent_once_and_again_only_under_the_same_ids() -> None:
    busy = (503, {"retry-after": "7"}, b"")
    collector, made = Collector([(200, {}, b""), busy]), _bench()
    with serving(collector) as url:
        export = Export(made.app, _rule(url))
        await _round(made, export)
        await made.done()
        await _round(made, export)
        await _round(made, export)
        assert len(collector.got) == 1
        await made.done("once more")
        await _round(made, export)
        await _round(made, export)  # Not before the collector's wait is over.
        assert len(collector.got) == 2
        assert _standing(made).failures == 1
        await asyncio.sleep(7.1)
        await _round(made, export)
    first, second = (
        {span.span_id for span in sent.decoded(reading(), made.app.clock.now_us()).spans}
        for sent in collector.got[1:]
    )

    assert first == second
    assert _standing(made).failures == 0
    assert made.app.database.read_now(outgoing.waiting) == 0


async def test_a_crash_between_the_answer_and_the_mark_sends_the_same_spans_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def crash(*_: Any, **__: Any) -> None:
        raise RuntimeError("the worker died")

    collector, made = Collector(), _bench()
    with serving(collector) as url:
        export = Export(made.app, _rule(url))
        await _round(made, export)
        await made.done()
        with monkeypatch.context() as died:
            died.setattr(outgoing, "settled", crash)  # where the process ends
            with pytest.raises(RuntimeError):
                await _round(made, export)
        await _round(made, Export(made.app, _rule(url)))
    first, second = collector.got

    assert _ids(first, made) == _ids(second, made)
    assert _standing(made).sent == len(_ids(second, made))


def _ids(sent: Sent, made: Bench) -> set[str]:
    return {span.span_id for span in sent.decoded(reading(), made.app.clock.now_us()).spans}


async def test_a_run_that_was_opened_again_is_a_second_root_with_the_steps_since_then() -> None:
    collector = Collector()
    made = _bench(ValueError("down"), completion("fine"), runtime={"attempts_max": 1})
    with serving(collector) as url:
        export = Export(made.app, _rule(url))
        await _round(made, export)
        task = await made.done()
        assert task.outcome is Outcome.DEAD_LETTERED
        await _round(made, export)
        made.app.operations.requeue(task.id)
        await made.work()
        await _round(made, export)
    spans = _spans(collector, made)
    roots = [span for span in spans if span.kind is SpanKind.AGENT]

    assert [root.outcome for root in roots] == ["dead_lettered", "answered"]
    assert roots[0].error_type
    assert len({span.span_id for span in spans}) == len(spans)


@pytest.mark.parametrize(
    ("answer", "counts", "why"),
    [
        ((400, {"content-type": "application/json"}, b'{"message":"no such\\u001b[2J thing"}'), (0, 0, 4), "refused"),
        ((200, {"content-type": "application/json"}, taken("application/json", 2, "too old")[1]), (2, 2, 0), "partly"),
        ((200, {"content-type": "application/x-protobuf"}, taken("application/x-protobuf", 2, "old")[1]), (2, 2, 0),
         "partly, told in protobuf"),
        ((200, {"content-type": "text/html"}, b"<html>"), (4, 0, 0), "an answer that nobody can read is taken as yes"),
    ],
)  # fmt: skip
async def test_what_a_collector_refuses_is_counted_and_not_sent_again(
    answer: tuple[int, dict[str, str], bytes], counts: tuple[int, int, int], why: str
) -> None:
    collector, made = Collector([answer]), _bench(completion("fine"))
    with serving(collector) as url:
        export = Export(made.app, _rule(url))
        await _round(made, export)
        await made.done()
        await _round(made, export)
        await _round(made, export)
    standing = _standing(made)

    assert (standing.sent, standing.rejected, standing.dropped) == counts, why
    assert len(collector.got) == 1
    assert "\x1b" not in standing.error


async def test_a_request_that_is_too_large_is_halved() -> None:
    collector, made = Collector([(413, {}, b"")]), _bench(completion("fine"))
    with serving(collector) as url:
        export = Export(made.app, _rule(url))
        await _round(made, export)
        for number in range(4):
            await made.done(f"question {number}")
        await _round(made, export)
    standing = _standing(made)

    assert len(collector.got) == 3
    assert (standing.sent, standing.dropped) == (16, 0)


async def test_a_collector_that_stays_away_is_an_alert_and_costs_no_task_anything() -> None:
    made = _bench()
    export = Export(made.app, _rule("http://127.0.0.1:9", timeout_s=1))
    await _round(made, export)
    task = await made.done()
    assert task.outcome is Outcome.ANSWERED
    for _ in range(2):
        await _round(made, export)
        await asyncio.sleep(10)
    with pytest.raises(ExportFails) as told:
        await _round(made, export)
    with pytest.raises(ExportFails):
        await _round(made, export)  # It stays one while it waits.

    assert "recorder.toml" in str(told.value)
    assert made.app.database.read_now(outgoing.waiting) == 1


async def test_redirects_are_not_followed_and_internal_addresses_are_not_reached() -> None:
    elsewhere, made = Collector(), _bench()
    with serving(elsewhere) as other:
        collector = Collector([(307, {"location": f"{other}/v1/traces"}, b"")])
        with serving(collector) as url:
            export = Export(made.app, _rule(url))
            await _round(made, export)
            await made.done()
            await _round(made, export)
            assert "redirects are not followed" in _standing(made).error
            await asyncio.sleep(10)
            outside = Export(made.app, ExportRule(endpoint=url.replace("http://", "https://")))
            await _round(made, outside)

    assert "internal = true" in _standing(made).error
    assert elsewhere.got == []


async def test_a_rehearsal_says_that_it_is_one() -> None:
    collector, made = Collector(), _bench(completion("fine"))
    with serving(collector) as url:
        export = Export(made.app, _rule(url))
        await _round(made, export)
        await made.done(dry_run=True)
        await made.done("for real")
        await _round(made, export)
    roots = [payload_of(span) for span in _spans(collector, made) if span.kind is SpanKind.AGENT]

    assert {root["attributes"].get("airworthy.mode", "") for root in roots} == {"rehearsal", ""}


async def test_only_the_named_agents_are_sent_and_the_others_do_not_wait() -> None:
    collector, made = Collector(), _bench()
    with serving(collector) as url:
        export = Export(made.app, _rule(url, agents=["billing"]))
        await _round(made, export)
        await made.done()
        await _round(made, export)

    assert collector.got == []
    assert made.app.database.read_now(outgoing.waiting) == 0


async def test_without_an_export_no_end_is_noted_and_what_was_is_let_go(tmp_path: Path) -> None:
    made = _bench()
    await made.done()
    assert made.app.database.read_now(outgoing.waiting) == 0
    made.app.database.write_now(lambda tx: outgoing.begin(tx, 1))
    await made.done("again")
    assert made.app.database.read_now(outgoing.waiting) == 1
    (chore,) = export_chores(replace(made.app, folder=tmp_path))
    await chore.run(made.app.clock.now_us())

    assert made.app.database.read_now(outgoing.waiting) == 0
    assert made.app.database.read_now(outgoing.standing) is None


async def test_keys_travel_in_headers_from_the_environment_and_are_nowhere_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLLECTOR_HEADERS", "x-api-key=very%20secret%20words,content-type=evil")
    collector = Collector([(403, {}, b"the key very secret words is unknown")])
    made = _bench()
    made.app.payloads.redactor.learn("very secret words")
    with serving(collector) as url:
        export = Export(made.app, _rule(url, headers_env="COLLECTOR_HEADERS"))
        await _round(made, export)
        await made.done()
        await _round(made, export)
    (sent,) = collector.got

    assert sent.headers["x-api-key"] == "very secret words"
    assert sent.headers["content-type"] == "application/json"
    assert "very secret" not in _standing(made).error


async def test_the_doctor_says_what_was_sent_what_was_lost_and_what_waits() -> None:
    collector, made = (
        Collector([(400, {}, b"no"), (200, {}, b""), (503, {}, b"")]),
        _bench(completion("fine")),
    )

    def said() -> list[str]:
        (check,) = [each for each in stored.checks(made.app, []) if each.subject == "export"]
        return [f"{found.level}: {found.text}" for found in check.look()]

    assert said() == []
    with serving(collector) as url:
        export = Export(made.app, _rule(url))
        await _round(made, export)
        assert said() == ["ok: 0 spans went to the collector; 0 ended tasks wait to be sent."]
        for question in ("question 1", "question 2", "question 3"):
            await made.done(question)
            await _round(made, export)

    counts = "4 spans went to the collector, 0 refused, 4 given up; 1 ended tasks wait to be sent."
    assert said() == [f"caution: {counts} The collector answered 503."]


def test_headers_that_cannot_be_read_are_an_error_without_their_values() -> None:
    for text in ("nonsense-secret", "a\x00b=secret", "a=%0d%0asecret"):
        with pytest.raises(ConfigError) as told:
            headers_from(text)
        assert "secret" not in str(told.value)


def test_an_address_in_the_open_must_be_declared_internal() -> None:
    with pytest.raises(ValueError, match="shows what is sent"):
        ExportRule(endpoint="http://collector.example:4318")


async def test_the_oldest_are_given_up_and_counted_when_too_many_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outgoing, "WAITING_MAX", 1)  # the bound itself, so that two are enough
    made = _bench(limits=Limits(steps=5))
    export = Export(made.app, _rule("http://127.0.0.1:9", timeout_s=1))
    await _round(made, export)
    for number in range(3):
        await made.done(f"question {number}")
    await _round(made, export)

    assert made.app.database.read_now(outgoing.waiting) == 1
    assert _standing(made).dropped == 2


async def test_personal_data_that_is_to_be_hidden_is_not_sent() -> None:
    collector, made = Collector(), _bench()
    with serving(collector) as url:
        export = Export(made.app, _rule(url, content="full"), RedactRule(email="redact"))
        await _round(made, export)
        await made.done("Where is 8812, asks ada@example.org?", user="ada@example.org")
        await _round(made, export)
    spans = _spans(collector, made)

    assert spans
    assert {span.user for span in spans} <= {"", "[redacted:email]"}
    assert all(b"ada@example.org" not in span.payload for span in spans)
    assert any(b"[redacted:email]" in span.payload for span in spans)
