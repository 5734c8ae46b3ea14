"""The house rules that a machine can keep. An exception stands in a list below, with its reason."""

import ast
import re
from pathlib import Path

import pytest

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


def _name(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def _functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = ast.parse(path.read_text())
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_files_stay_short(path: Path) -> None:
    if _name(path) in EXCEPTIONS:
        return
    assert len(path.read_text().splitlines()) <= FILE_LINES_MAX


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_functions_stay_short_and_take_few_parameters(path: Path) -> None:
    for function in _functions(path):
        if f"{_name(path)}::{function.name}" in EXCEPTIONS:
            continue
        lines = (function.end_lineno or function.lineno) - function.lineno + 1
        arguments = function.args
        names = [a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
        count = len([name for name in names if name not in {"self", "cls"}])
        is_command = any("command" in ast.unparse(d) for d in function.decorator_list)
        assert lines <= FUNCTION_LINES_MAX, f"{function.name} has {lines} lines"
        # A command's parameters are its options, read one by one in --help, never passed by position.
        assert is_command or count <= PARAMETERS_MAX, f"{function.name} takes {count} parameters"


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_every_file_opens_with_its_charter(path: Path) -> None:
    charter = ast.get_docstring(ast.parse(path.read_text()))
    assert charter, "say in one sentence what the file is for"
    assert charter.splitlines()[0].rstrip().endswith((".", ":", ";"))


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_time_and_chance_come_in_as_arguments(path: Path) -> None:
    if _name(path) in TIME_AND_CHANCE:
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
        ):
            assert (node.func.value.id, node.func.attr) not in FORBIDDEN_CALLS, f"line {node.lineno}"


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_only_the_configuration_reads_the_environment(path: Path) -> None:
    if _name(path) in ENVIRONMENT_READERS:
        return
    text = path.read_text()
    assert "os.environ" not in text
    assert "getenv" not in text


def test_the_readme_tells_every_room() -> None:
    table = (ROOT / "README.md").read_text().partition("| room |")[2].partition("\n\n")[0]
    told = set(re.findall(r"`(\w+)`", table))

    assert told == {path.parent.name for path in SOURCE.glob("*/__init__.py")}


def test_exceptions_name_things_that_exist() -> None:
    for entry in EXCEPTIONS:
        path, _, function = entry.partition("::")
        assert (SOURCE / path).exists(), entry
        if function:
            assert function in {f.name for f in _functions(SOURCE / path)}, entry


@pytest.mark.parametrize("path", sorted((ROOT / "tests").rglob("*.py")), ids=lambda p: p.name)
def test_no_test_sleeps_for_real(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            assert ast.unparse(node.func) != "time.sleep", f"{path.name}:{node.lineno}"
