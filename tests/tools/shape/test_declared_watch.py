"""The watch where a shape is declared, and where a type says what the code needs: what is told, and what ends it."""

import asyncio
import json
from dataclasses import replace
from typing import Any, NotRequired

import pytest
from typing_extensions import TypedDict

from airworthy.core.errors import InputError
from airworthy.policy import SchemaFile, ToolRule
from airworthy.recorder.alerts import listing
from airworthy.tools import Tool, Toolbox, ToolError, tool
from airworthy.tools.mcp.remote import CALLER, RemoteTool
from airworthy.tools.shape import book
from airworthy.tools.shape.declared import SchemaUnusable
from tests.tools.kit import Kit, kit
from tests.tools.shape.test_watch import RULE, Process, Shop, shop

ORDER = {"id": 7, "total": 129}
SCHEMA = {
    "type": "object",
    "required": ["id", "total"],
    "properties": {"id": {"type": "integer"}, "total": {"type": "integer"}},
}


def declared(schema: Any = SCHEMA) -> ToolRule:
    file = SchemaFile.of("schemas/order.json", json.dumps(schema).encode())
    return ToolRule(result_schema=file, attempts=1, critical=False)


def under(made: Shop, rule: ToolRule) -> Process:
    """The same tool under another policy, as after a deploy."""
    return made.process(made.kit.policy.model_copy(update={"tools": {"look": rule}}))


async def test_the_first_result_is_held_against_it() -> None:
    made = shop(declared())
    process = made.process()

    await process.call({"id": "7"})
    (alert,) = made.alerts()

    assert (made.row().state, made.row().source, made.row().pinned_by) == ("pinned", "declared", "airworthy")
    assert "- `id` was an integer; it is a text in 1 of 1 results since" in alert.text
    assert "- `total` is missing in 1 of 1 results since" in alert.text
    assert "it was declared as always there." in alert.text
    assert "If it is right so: Change schemas/order.json to what the tool returns" in alert.text


async def test_it_is_never_widened_by_results_and_never_given_up() -> None:
    made = shop(declared())
    process = made.process()

    for number in range(30):
        await process.call({**ORDER, f"x{chr(97 + number % 26)}{number // 26}": 1}, times=2)

    assert made.row().state == "pinned"
    assert sorted(made.row().shape.root.fields) == ["id", "total"]
    assert made.row().since is None


async def test_accepting_it_is_refused_with_the_mend() -> None:
    made = shop(declared())
    await made.process().call({**ORDER, "id": "7"})

    with pytest.raises(InputError, match=r"declared in schemas/order.json") as caught:
        made.accept()

    assert caught.value.mend.startswith("Change schemas/order.json")
    assert len(made.alerts()) == 1


async def test_a_changed_file_ends_the_alert_and_is_what_counts() -> None:
    made = shop(declared())
    await made.process().call({**ORDER, "id": "7"})
    wider = {**SCHEMA, "properties": {"id": {"type": ["integer", "string"]}, "total": {"type": "integer"}}}

    await under(made, declared(wider)).call({**ORDER, "id": "7"})

    assert made.alerts() == []
    assert made.row().changes == ()


async def test_a_deploy_that_leaves_the_file_as_it_is_leaves_the_alert() -> None:
    made = shop(declared())
    await made.process().call({**ORDER, "id": "7"})

    await under(made, declared().model_copy(update={"timeout_s": 5.0})).call(ORDER)

    assert len(made.alerts()) == 1
    assert made.row().source == "declared"


async def test_a_shape_that_was_learnt_gives_way_to_one_declared_and_none_is_inherited_from_it() -> None:
    made = shop()
    await made.process().call({"id": "7", "total": 1}, times=20)
    await asyncio.sleep(1)
    await under(made, declared()).call(ORDER)
    between = made.row()
    await asyncio.sleep(1)

    await under(made, RULE.model_copy(update={"timeout_s": 5.0})).call(ORDER)

    assert (between.source, between.changes) == ("declared", ())
    rows = made.kit.database.read_now(lambda tx: book.listing(tx, "support", "look"))
    assert (rows[0].state, rows[0].source, rows[0].shape.results) == ("learning", "learnt", 1)


async def test_a_schema_that_cannot_be_used_is_an_error_at_the_start() -> None:
    made = shop()
    policy = made.kit.policy.model_copy(update={"tools": {"look": declared({"type": "nonsense"})}})

    with pytest.raises(SchemaUnusable, match="at #/type"):
        Toolbox(policy, [made.tool], made.kit.clock)


class Order(TypedDict):
    id: int
    phone: NotRequired[str]
    extra: dict[str, Any]


def typed() -> tuple[Kit, list[Any]]:
    answers: list[Any] = []

    @tool
    def look(order: str) -> Order:
        """Looks an order up."""
        return answers[-1]  # type: ignore[no-any-return]

    return kit(look, rules={"look": RULE}), answers


async def called(made: Kit, answers: list[Any], answer: Any, times: int = 1) -> None:
    await made.box.shapes.sync(made.database)
    for _ in range(times):
        answers.append(answer)
        try:
            await made.box.call(made.run(f"tsk_{len(answers)}"), "look", {"order": "7"})
        except ToolError:
            pass
    await made.box.shapes.sync(made.database)


def text(made: Kit) -> str:
    return "\n".join(alert.text for alert in made.database.read_now(listing))


TYPED = {"id": 7, "phone": "+44", "extra": {"a": 1}}


@pytest.mark.parametrize(("answer", "times", "said"), [
    ({**TYPED, "state": "paid"}, 2, "`state` is new (a text)"),
    ({"id": 7, "extra": {"a": 1}}, 1, "`phone` is missing in 1 of 1"),
    ({**TYPED, "extra": {"a": "1"}}, 1, "`extra.a` was an integer; it is a text"),
    ({**TYPED, "id": "7"}, 1, "`id` was an integer; it is a text"),
    ({**TYPED, "id": None}, 1, "`id` was an integer; it is null"),
    ({**TYPED, "id": None}, 1, "the result was as the code declares it; it is not so, and the call fails"),
])  # fmt: skip
async def test_the_watch_sees_what_came_before_its_type_made_something_of_it(
    answer: Any, times: int, said: str
) -> None:
    """A type lets fields be missing, drops those it does not know, and reads text as a number."""
    made, answers = typed()
    await called(made, answers, TYPED, 20)

    await called(made, answers, answer, times)

    assert said in text(made)


async def test_what_json_cannot_say_is_watched_as_its_type_says_it() -> None:
    made, answers = typed()
    await called(made, answers, TYPED, 20)

    await called(made, answers, {**TYPED, "ignored": object()}, 3)

    assert text(made) == ""


async def test_results_of_an_mcp_server_are_watched_and_its_new_schema_counts_at_once() -> None:
    class Server:
        async def call_tool(self, name: str, arguments: Any) -> Any:
            return {"content": [], "structuredContent": {**ORDER, "state": "paid"}}

    made = shop(RULE)
    box = Toolbox(made.kit.policy, [], made.kit.clock)
    CALLER.set(Server())

    async def ask(order: str) -> Any:
        return await CALLER.get().call_tool("look", {})

    first = RemoteTool(
        "look", "Looks.", made.tool.effect, keyed=False, function=ask, server="crm", output_schema=SCHEMA
    )
    process = Process(made, box, 1)
    box.replace([first])
    await process.call(None, times=2)
    (alert,) = made.alerts()
    assert "`structuredContent.state` is new (a text)" in alert.text
    assert "Let its server declare what it returns" in alert.text

    wider = {**SCHEMA, "properties": {**SCHEMA["properties"], "state": {"type": "string"}}}  # type: ignore[dict-item]
    box.replace([replace(first, output_schema=wider)])
    await process.call(None, times=2)
    assert made.alerts() == []

    box.replace([])
    box.replace([replace(first, output_schema=None)])
    await process.call(None)
    assert (made.row().state, made.row().source) == ("learning", "learnt")


async def test_tools_that_are_gone_are_forgotten() -> None:
    made = shop()
    box = Toolbox(made.kit.policy, [made.tool], made.kit.clock)
    tools: list[Tool] = []

    box.replace(tools)

    assert box.shapes._tools == {}
