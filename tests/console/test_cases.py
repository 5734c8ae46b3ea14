"""Cases over HTTP: listed, read and deleted by their id, and by the agent where two agents have one of it."""

from airworthy.core.canonical import encode
from airworthy.evals import Case
from airworthy.store import Tx
from tests.console.kit import Api, api


def house_with(*agents: str) -> Api:
    """With a case `late` of each."""
    house = api()

    def op(tx: Tx) -> None:
        for at, agent in enumerate(agents):
            case = Case(id="late", input=f"a question to {agent}")
            body = house.app.payloads.pack(encode(case.model_dump(mode="json")))
            tx.execute(
                "INSERT INTO cases (agent, id, task_id, user_id, kind, made_us, made_by, body)"
                " VALUES (?, 'late', ?, '', 'golden', ?, 'ann', ?)",
                (agent, f"tsk_{at}", at, body),
            )

    house.app.database.write_now(op)
    return house


async def test_a_case_is_read_and_deleted_by_its_id() -> None:
    async with house_with("support").client("operator") as http:
        found = await http.get("/api/v1/cases/late")
        deleted = await http.delete("/api/v1/cases/late")
        left = await http.get("/api/v1/cases")

    assert found.json()["case"]["input"] == "a question to support"
    assert (deleted.status_code, left.json()) == (204, [])


async def test_where_two_agents_have_one_of_the_same_id_none_is_deleted_by_guess() -> None:
    async with house_with("clerk", "support").client("operator") as http:
        guessed = await http.delete("/api/v1/cases/late")
        named = await http.delete("/api/v1/cases/late", params={"agent": "support"})
        left = await http.get("/api/v1/cases")

    assert (guessed.status_code, named.status_code) == (404, 204)
    assert "of each of clerk, support" in guessed.json()["detail"]
    assert [row["agent"] for row in left.json()] == ["clerk"]
