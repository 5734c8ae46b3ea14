"""Items of the review queue for a person, from their documents; and what a person typed, as values."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airworthy.cli import show
from airworthy.core.errors import InputError
from airworthy.review.item import Act, Kind

if TYPE_CHECKING:
    from airworthy.runtime.looking import Look
    from airworthy.runtime.reviews import Whole

STEP_CHARS_MAX = 200
_HOW = {
    Act.APPROVE: "review approve {id} --seen {seen}",
    Act.EDIT: "review edit {id} --seen {seen} --set KEY=VALUE",
    Act.REJECT: "review reject {id} --seen {seen} --why TEXT",
    Act.ANSWER: "review answer {id} TEXT --seen {seen}",
    Act.REOPEN: "review answer {id} TEXT --reopen --seen {seen}",
    Act.HOLD: "review hold {id}",
    Act.HAPPENED: "review answer {id} --happened --seen {seen}",
    Act.NOT_HAPPENED: "review answer {id} --not-happened --seen {seen}",
    Act.AGAIN: "review answer {id} --again --seen {seen}",
}


def show_lines(lines: "Sequence[Look]", limit: int) -> None:
    from airworthy.runtime.telling import line

    if not lines:
        show.note("Nothing waits for a person.")
        return
    show.table(
        ("id", "kind", "for", "agent", "since", "deadline", "what"),
        [
            (
                each.item.id, each.item.kind.value, each.item.assigned or each.item.to or "anybody", each.item.agent,
                show.when(each.item.created_us), show.when(each.item.deadline_us),
                show.clipped(line(each), 80) if each.item.status == "open" else _ending(each),
            )
            for each in lines
        ],
    )  # fmt: skip
    if len(lines) == limit:
        show.note(f"There may be more: add --after {lines[-1].item.id}")


def show_whole(document: dict[str, Any]) -> None:
    show.say(document["happened"], style="bold")
    show.say(document["stopped"])
    if document["status"] != "open":
        show.say()
        show.say(_decision(document), style="yellow")
    show.say()
    _show_facts(document)
    if document["status"] == "open":
        show.say()
        show.say(document["asked"], style="bold")
        for answer in document["answers"]:
            show.say(f"  airworthy {_HOW[Act(answer['act'])].format(**document)}")
            show.say(f"      {answer['then']}", style="dim")
        show.say(f"  {document['by_default']}")
    _show_steps(document)


def show_decided(document: dict[str, Any], task_state: str) -> None:
    if document["status"] == "open":
        to = document["assigned"] or document["to"] or "anybody"
        edited = f" It was changed by {document['edited_by']}." if document["edited_by"] else ""
        show.say(f"{document['id']} waits for {to}.{edited}")
    else:
        show.say(_decision(document))
    show.say(f"Task {document['task']} is {task_state}.")


def changed(before: "Whole", sets: Sequence[str], whole: str | None) -> Any:
    """The arguments or the answer as the person wants them. Raises: InputError."""
    from airworthy.runtime.review_documents import whole_document

    document = whole_document(before)
    if document["call"] is None:
        if sets:
            raise InputError("An answer is changed as a whole.", mend="Give it with --value.")
        return whole if isinstance(document["blocked_answer"], str) else parsed(whole or "", "--value")
    if whole is not None:
        return parsed(whole, "--value")
    arguments = dict(document["call"]["arguments"])
    for each in sets:
        key, equals, value = each.partition("=")
        if not equals or not key:
            raise InputError(f"--set {each} has no value.", mend="Write it as --set amount=20.")
        arguments[key] = _json_or_text(value, text=isinstance(arguments.get(key), str))
    return arguments


def spoken(before: "Whole", text: str | None, value: str | None) -> Any:
    """What a person answered: JSON where they say so, or where the question asks for something else than text."""
    if value is not None:
        return parsed(value, "--value")
    if text is None or before.look.item.kind is not Kind.QUESTION:
        return text
    question = before.look.question
    plain = question is None or question.schema is None or question.schema.get("type") == "string"
    return text if plain else _json_or_text(text, text=False)


def parsed(text: str, option: str) -> Any:
    """Raises: InputError."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{option} is no JSON: {error}.", mend="Quote text: '\"R-17\"'.") from error


def _json_or_text(value: str, *, text: bool) -> Any:
    if text:
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _show_facts(document: dict[str, Any]) -> None:
    call, question, origin = document["call"] or {}, document["question"] or {}, document["origin"]
    blocked, reason = document["blocked_answer"], document["reason"] or {}
    show.facts(
        [
            ("Item", document["id"]),
            ("Kind", document["kind"].replace("_", " ")),
            ("For", document["to"]),
            ("Assigned", document["assigned"]),
            ("Deadline", show.from_iso(document["deadline"])),
            ("Tool", call.get("tool")),
            ("Recipient", call.get("recipient")),
            ("Arguments", show.readable(call["arguments"], indent=2) if call else ""),
            ("Choices", ", ".join(question.get("choices", ()))),
            ("Answer", show.readable(blocked, indent=2) if blocked is not None else ""),
            ("Evidence", show.readable(reason["evidence"], indent=2) if reason.get("evidence") else ""),
            ("Error", (reason.get("error") or {}).get("message")),
            ("Input", show.readable(origin["input"], indent=2)),
            (
                "From",
                ", ".join(
                    f"{key} {origin[key]}" for key in ("user", "session", "source", "feature") if origin[key]
                ),
            ),
            ("Task", f"{document['task']} of {document['agent']}"),
            ("Cost so far", "unpriced" if document["cost_usd"] is None else f"${document['cost_usd']:.4f}"),
            ("Seen as", document["seen"]),
        ]
    )


def _show_steps(document: dict[str, Any]) -> None:
    if document["steps"]:
        show.say()
        show.say("Steps", style="dim")
    if document["steps_left_out"]:
        show.say(
            f"  {document['steps_left_out']} earlier: airworthy task show {document['task']}", style="dim"
        )
    for step in document["steps"]:
        came = step["error"] or (show.readable(step["result"]) if step["result"] is not None else "")
        text = f"{show.readable(step['arguments'])} -> {came}" if came else show.readable(step["arguments"])
        name = f"{step['kind']} {show.plain(step['name'])}"
        show.say(f"  {step['seq']:>3}  {name}  {step['state']}  {show.clipped(text, STEP_CHARS_MAX)}")
    if document["records"]:
        show.say()
        show.say("What people did", style="dim")
    for record in document["records"]:
        role = f", {record['role']}" if record["role"] else ""
        note = f": {show.clipped(record['note'], STEP_CHARS_MAX)}" if record["note"] else ""
        detail = (
            f" {show.clipped(show.readable(record['detail']), STEP_CHARS_MAX)}"
            if record["detail"] is not None
            else ""
        )
        show.say(
            f"  {show.from_iso(record['at'])}  {record['act'].replace('_', ' ')} by {record['by']}{role}{note}{detail}"
        )


def _ending(each: "Look") -> str:
    from airworthy.runtime.reviews import told_decision

    return told_decision(each.item)


def _decision(document: dict[str, Any]) -> str:
    if document["status"] == "gone":
        return f"{document['id']} waits no more: {document['note']}"
    role = f" ({document['role']})" if document["role"] else ""
    note = f": {document['note']}" if document["note"] else ""
    word = document["decision"].replace("_", " ")
    by, when = f"{document['decided_by']}{role}", show.from_iso(document["decided"])
    return f"{document['id']} was decided by {by} at {when}: {word}{note}."
