"""`result_schema`: a file beside the policy, read with it, part of its hash."""

from pathlib import Path

import pytest

from airworthy.policy import Policy, PolicyError, SchemaFile, ToolRule, load_policy, parse_policy, policy_hash
from airworthy.policy.document import Bullets
from airworthy.policy.schema_file import SCHEMA_BYTES_MAX
from airworthy.policy.scope_tools import tool_blocks

HEAD = 'agent = "a"\npurpose = "p"\n[tools.look]\n'
SCHEMA = b'{"type": "object", "required": ["id"]}'


def load(folder: Path, schema: bytes | None, said: str = 'result_schema = "schemas/order.json"') -> Policy:
    (folder / "schemas").mkdir(exist_ok=True)
    if schema is not None:
        (folder / "schemas" / "order.json").write_bytes(schema)
    (folder / "policy.toml").write_text(HEAD + said)
    return load_policy(folder / "policy.toml")


def test_the_file_is_read_with_the_policy(tmp_path: Path) -> None:
    said = load(tmp_path, SCHEMA).tools["look"].result_schema

    assert said is not None
    assert (said.name, said.document["required"]) == ("schemas/order.json", ["id"])


def test_the_hash_of_the_policy_covers_what_the_schema_says_and_not_how(tmp_path: Path) -> None:
    first = policy_hash(load(tmp_path, SCHEMA))
    spread = policy_hash(load(tmp_path, b'\xef\xbb\xbf{ "required": ["id"],\n"type": "object" }'))
    other = policy_hash(load(tmp_path, b'{"type": "object"}'))

    assert first == spread
    assert first != other
    assert first != policy_hash(Policy(agent="a", purpose="p", tools={"look": ToolRule()}))


def test_a_policy_without_one_hashes_as_before() -> None:
    """An approval that was given before there was such a key."""
    meaning = ToolRule().model_dump(mode="json", exclude_none=True)

    assert "result_schema" not in meaning


@pytest.mark.parametrize(("said", "schema", "says", "mend"), [
    ('result_schema = "schemas/order.json"', None, "cannot be read: No such file", "Put the file there"),
    ('result_schema = "schemas"', None, "cannot be read: Is a directory", "Put the file there"),
    ('result_schema = "../order.json"', None, "does not lie beside the policy.", "below the policy's folder"),
    ('result_schema = "/etc/order.json"', None, "does not lie beside the policy.", "below the policy's folder"),
    ('result_schema = ""', None, "does not lie beside the policy.", "below the policy's folder"),
    ("result_schema = 7", None, "is not text.", "Name a file"),
    ('result_schema = "schemas/order.json"', b'{\n"a": }', "is no JSON in line 2, column 6", "Mend the file there."),
    ('result_schema = "schemas/order.json"', b'{\n"a": "\xff"}', "has no UTF-8 in line 2.", "Save the file"),
    ('result_schema = "schemas/order.json"', b'{"minimum": NaN}', "NaN is no number of JSON", "Write it flat"),
    ('result_schema = "schemas/order.json"', b"[" * 100_000, "cannot be read", "Write it flat"),
    ('result_schema = "schemas/order.json"', b"[1]", "is JSON, and no JSON Schema.", "Write an object"),
    ('result_schema = "schemas/order.json"', b" " * (SCHEMA_BYTES_MAX + 1), "is larger than", "Name the schema"),
    ('result_schema = "schemas/order.json"\nschema_watch = false', SCHEMA, "beside result_schema", "Delete one"),
    ('result_schema = "schemas/order.json"\nschema_learn = 20', SCHEMA, "beside result_schema", "Delete one"),
])  # fmt: skip
def test_what_cannot_be_read_is_told_with_its_line_in_the_policy(
    tmp_path: Path, said: str, schema: bytes | None, says: str, mend: str
) -> None:
    with pytest.raises(PolicyError) as caught:
        load(tmp_path, schema, said)

    (problem,) = caught.value.problems
    assert problem.line in (4, 5)
    assert says in problem.says
    assert mend in problem.mend


def test_the_largest_schema_allowed_is_read(tmp_path: Path) -> None:
    assert load(tmp_path, SCHEMA + b" " * (SCHEMA_BYTES_MAX - len(SCHEMA))).tools["look"].result_schema


def test_a_text_without_a_folder_may_name_no_file() -> None:
    with pytest.raises(PolicyError, match="comes from none"):
        parse_policy(HEAD + 'result_schema = "schemas/order.json"')


def test_an_approver_sees_that_somebody_is_told_and_by_what() -> None:
    rule = ToolRule(result_schema=SchemaFile.of("schemas/order.json", SCHEMA))
    lines = [
        str(line)
        for block in tool_blocks({"look": rule}, [])
        if isinstance(block, Bullets)
        for line in block.lines
    ]

    assert any(
        "Somebody is told if its results are not as" in line and "schemas/order.json" in line
        for line in lines
    )
