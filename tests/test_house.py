"""The house rules that a machine can keep. An exception stands in a list below, with its reason."""

import ast
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "airworthy"
FILES = sorted(SOURCE.rglob("*.py"))
FUNCTION_LINES_MAX = 60
FILE_LINES_MAX = 400
PARAMETERS_MAX = 7

# path or path::function -> why the bound does not fit there.
EXCEPTIONS: dict[str, str] = {
    "tools/tool.py::tool": "a declaration, read as a form: each fact by its name, all but one left out",
}

# Files that may tell the time or draw chance; everybody else is handed a clock and ids.
TIME_AND_CHANCE = {"core/clock.py", "core/ids.py"}
FORBIDDEN_CALLS = {
    ("time", "time"),
    ("time", "time_ns"),
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("date", "today"),
    ("random", "random"),
    ("random", "randint"),
    ("random", "choice"),
    ("random", "shuffle"),
    ("uuid", "uuid4"),
    ("os", "urandom"),
}
ENVIRONMENT_READERS = {"app/config.py"}


@dataclass(frozen=True)
class Function:
    """`parameters`: without self and cls."""

    name: str
    lines: int
    parameters: int
    is_command: bool


@dataclass(frozen=True)
class Read:
    """What the rules ask of a file; `calls`: of time and chance, with their lines."""

    lines: int
    charter: str
    functions: tuple[Function, ...]
    calls: tuple[str, ...]
    reads_environment: bool


@cache
def read() -> dict[str, Read]:
    """By name; nothing of the trees is kept, which would slow down every test that comes after."""
    return {path.relative_to(SOURCE).as_posix(): _read(path.read_text()) for path in FILES}


def _read(text: str) -> Read:
    tree = ast.parse(text)
    nodes = list(ast.walk(tree))
    return Read(
        len(text.splitlines()),
        ast.get_docstring(tree) or "",
        tuple(_function(each) for each in nodes if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)),
        tuple(
            f"line {each.lineno}: {'.'.join(name)}"
            for each in nodes
            if isinstance(each, ast.Call) and (name := _dotted(each.func)) in FORBIDDEN_CALLS
        ),
        "os.environ" in text or "getenv" in text,
    )


def _function(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Function:
    arguments = node.args
    names = [each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    return Function(
        node.name,
        (node.end_lineno or node.lineno) - node.lineno + 1,
        len([name for name in names if name not in {"self", "cls"}]),
        any("command" in ast.unparse(each) for each in node.decorator_list),
    )


def _dotted(node: ast.expr) -> tuple[str, str]:
    """("time", "sleep") of `time.sleep`; of anything else, what no rule names."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return node.value.id, node.attr
    return "", ""


# Each rule is one test that names all that breaks it: a test for each file would cost as much as all others together.


def test_files_stay_short() -> None:
    long = {name: file.lines for name, file in read().items() if file.lines > FILE_LINES_MAX}

    assert {name: lines for name, lines in long.items() if name not in EXCEPTIONS} == {}


def test_functions_stay_short_and_take_few_parameters() -> None:
    assert [
        f"{name}: {function}"
        for name, file in read().items()
        for function in file.functions
        if f"{name}::{function.name}" not in EXCEPTIONS and _is_too_large(function)
    ] == []


def _is_too_large(function: Function) -> bool:
    # A command's parameters are its options, read one by one in --help, never passed by position.
    many = function.parameters > PARAMETERS_MAX and not function.is_command
    return function.lines > FUNCTION_LINES_MAX or many


def test_every_file_opens_with_its_charter() -> None:
    """In one sentence, what the file is for."""
    ends = (".", ":", ";")

    assert [
        name
        for name, file in read().items()
        if not file.charter or not file.charter.splitlines()[0].rstrip().endswith(ends)
    ] == []


def test_time_and_chance_come_in_as_arguments() -> None:
    calls = {name: file.calls for name, file in read().items() if name not in TIME_AND_CHANCE}

    assert {name: found for name, found in calls.items() if found} == {}


def test_only_the_configuration_reads_the_environment() -> None:
    readers = {name for name, file in read().items() if file.reads_environment}

    assert readers <= ENVIRONMENT_READERS


def test_the_readme_tells_every_room() -> None:
    table = (ROOT / "README.md").read_text().partition("| room |")[2].partition("\n\n")[0]
    told = set(re.findall(r"`(\w+)`", table))

    assert told == {path.parent.name for path in SOURCE.glob("*/__init__.py")}


def test_exceptions_name_things_that_exist() -> None:
    for entry in EXCEPTIONS:
        path, _, function = entry.partition("::")
        assert path in read(), entry
        if function:
            assert function in {each.name for each in read()[path].functions}, entry


def test_no_test_sleeps_for_real() -> None:
    assert [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sorted((ROOT / "tests").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and _dotted(node.func) == ("time", "sleep")
    ] == []
