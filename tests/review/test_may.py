"""Who may do what, as a table; and what a refusal says."""

import pytest

from airworthy.review import Act, Item, Kind, NotAllowed, People, Status
from airworthy.review.may import NAMES_SHOWN_MAX, Mine, may_look, role_for

PEOPLE = People.model_validate({
    "people": {
        "dana": {"name": "Dana"},
        "lee": {"name": "Lee"},
        "vera": {"name": "Vera", "roles": ["viewer"]},
        "otto": {"name": "Otto", "roles": ["viewer", "operator"]},
        "ada": {"name": "Ada", "roles": ["admin"]},
    },
    "teams": {"desk": {"members": ["dana", "vera"]}, "finance": {"members": ["lee"]}},
})  # fmt: skip


def item(
    kind: Kind = Kind.APPROVAL, *, to: str = "desk", assigned: str = "", placed: bool = True, edited: str = ""
) -> Item:
    return Item(
        "rev_1",
        kind,
        Status.OPEN,
        "eff_1",
        "tsk_1",
        "shop",
        to,
        0,
        placed=placed,
        assigned=assigned,
        edited_by=edited,
    )


@pytest.mark.parametrize(
    ("why", "by", "act", "about", "role"),
    [
        ("of the team", "dana", Act.APPROVE, item(), "reviewer of desk"),
        ("of another team", "lee", Act.APPROVE, item(), None),
        ("assigned", "lee", Act.APPROVE, item(assigned="lee"), "reviewer, assigned"),
        ("of the team, though assigned to another", "dana", Act.APPROVE, item(assigned="lee"), "reviewer of desk"),
        ("for no team: every reviewer", "lee", Act.APPROVE, item(to=""), "reviewer"),
        ("for a team that is not there", "dana", Act.APPROVE, item(to="legal"), None),
        ("for a team that is not there", "ada", Act.APPROVE, item(to="legal"), "admin"),
        ("its team is not known yet", "dana", Act.APPROVE, item(to="", placed=False), None),
        ("its team is not known yet", "ada", Act.APPROVE, item(to="", placed=False), "admin"),
        ("a viewer of the team only looks", "vera", Act.APPROVE, item(), None),
        ("an operator stops", "otto", Act.REJECT, item(), "operator"),
        ("an operator lets nothing out", "otto", Act.APPROVE, item(), None),
        ("an operator tries again", "otto", Act.APPROVE, item(Kind.DEAD_LETTER), "operator"),
        ("an operator does not answer for people", "otto", Act.ANSWER, item(Kind.DEAD_LETTER), None),
        ("an operator stops what is delayed", "otto", Act.HOLD, item(Kind.DELAYED), "operator"),
        ("an operator passes on", "otto", Act.ASSIGN, item(), "operator"),
        ("nobody knows them", "mallory", Act.APPROVE, item(), None),
        ("assigned, and nobody knows them", "mallory", Act.APPROVE, item(assigned="mallory"), None),
        ("an empty name", "", Act.APPROVE, item(), None),
    ],
)  # fmt: skip
def test_each_may_what_their_role_says(why: str, by: str, act: Act, about: Item, role: str | None) -> None:
    if role is not None:
        assert role_for(PEOPLE, by, about, act) == role, why
        return
    with pytest.raises(NotAllowed) as raised:
        role_for(PEOPLE, by, about, act)
    assert "Ada" in raised.value.mend, why


def test_without_people_everybody_may_and_no_role_is_claimed() -> None:
    assert role_for(People(), "anybody", item(), Act.APPROVE) == ""
    assert may_look(People(), "anybody")
    assert not may_look(PEOPLE, "anybody")


@pytest.mark.parametrize("by", ["dana", "ada"])
@pytest.mark.parametrize(("handed_in", "edited"), [("BY", ""), ("", "BY")])
def test_four_eyes_bind_admins_too_and_only_approvals(by: str, handed_in: str, edited: str) -> None:
    mine = Mine(four_eyes=True, handed_in=handed_in.replace("BY", by))
    about = item(edited=edited.replace("BY", by))

    with pytest.raises(NotAllowed, match="somebody else must approve"):
        role_for(PEOPLE, by, about, Act.APPROVE, mine)

    assert role_for(PEOPLE, by, about, Act.REJECT, mine)
    assert role_for(PEOPLE, by, about, Act.APPROVE)


def test_a_long_list_of_names_is_cut() -> None:
    many = {f"p{number}": {"name": f"Person {number}"} for number in range(50)}
    people = People.model_validate({"people": many, "teams": {"desk": {"members": list(many)}}})

    with pytest.raises(NotAllowed) as raised:
        role_for(people, "mallory", item(), Act.APPROVE)

    assert raised.value.mend.count("Person") == NAMES_SHOWN_MAX
    assert f"and {50 - NAMES_SHOWN_MAX} more" in raised.value.mend
