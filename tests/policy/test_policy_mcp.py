"""Tools of MCP servers in the policy: what an approver reads, what is missing before going live, what a hash means."""

from airworthy.policy import Policy, ToolRule, golive_gaps, policy_hash
from airworthy.policy.render_markdown import render_markdown
from airworthy.policy.scope import scope_document

TOOL = "files.write"


def _policy(**rule: object) -> Policy:
    return Policy(agent="support", purpose="Tests.", stage="beta", tools={TOOL: ToolRule(**rule)})  # type: ignore[arg-type]


def test_the_scope_document_says_whose_tool_it_is() -> None:
    text = render_markdown(scope_document(_policy(server="files", effect="write"), ()))

    assert "A tool of the MCP server `files`" in text
    assert "Not settled" not in text


def test_a_tool_of_a_server_need_not_be_in_the_code_and_has_to_say_what_it_does() -> None:
    def gaps(**rule: object) -> set[str]:
        return {
            gap.subject for gap in golive_gaps(_policy(**rule), None, ()) if gap.subject.startswith("tools")
        }

    assert gaps(effect="write") == {f"tools.{TOOL}"}
    assert gaps(server="files", effect="write") == set()
    assert gaps(server="files") == {f"tools.{TOOL}.effect"}


def test_a_policy_without_servers_keeps_its_hash() -> None:
    """Approvals given before there was the key hold on."""
    assert policy_hash(_policy(effect="write")) == policy_hash(_policy(effect="write", server=None))
    assert policy_hash(_policy(effect="write")) != policy_hash(_policy(effect="write", server="files"))
