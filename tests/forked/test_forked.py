"""A forked program is the program: what goes in, what comes out, and how it ends."""

import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.forked import forked

pytestmark = pytest.mark.process


def _ran(tmp_path: Path, code: str, *arguments: str, **how: Any) -> "subprocess.CompletedProcess[str]":
    (tmp_path / "page.py").write_text(code)
    return subprocess.run(
        [forked().script, "page.py", *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False,
        **how,
    )  # fmt: skip


def test_it_has_the_arguments_folder_environment_and_files_of_who_asks(tmp_path: Path) -> None:
    code = """
import os, sys
print(sys.argv, os.path.samefile(os.getcwd(), sys.path[0]), dict(os.environ), sys.stdin.read())
print("beside", file=sys.stderr)
"""
    done = _ran(tmp_path, code, "a b", "ü", env={"LC_ALL": "C.UTF-8"}, input="heard")

    assert done.stdout == "['page.py', 'a b', 'ü'] True {'LC_ALL': 'C.UTF-8'} heard\n"
    assert (done.stderr, done.returncode) == ("beside\n", 0)


@pytest.mark.parametrize(
    ("code", "ends", "says"),
    [
        ("", 0, ""),
        ("import sys; sys.exit(7)", 7, ""),
        ("import sys; sys.exit('said')", 1, "said\n"),
        ("import warnings; warnings.warn('old', DeprecationWarning)", 1, "DeprecationWarning: old\n"),
        ("import os; os.kill(os.getpid(), 9)", -9, ""),
        ("import os; os.abort()", -6, ""),
        ("import atexit, os; atexit.register(os._exit, 5)", 5, ""),
    ],
)
def test_it_ends_as_it_would(tmp_path: Path, code: str, ends: int, says: str) -> None:
    done = _ran(tmp_path, code)

    assert done.returncode == ends
    assert done.stderr.endswith(says)


def test_what_one_changes_no_other_sees(tmp_path: Path) -> None:
    code = "import airworthy, os; print(hasattr(airworthy, 'seen'), os.getenv('SEEN')); "
    code += "airworthy.seen = os.environ['SEEN'] = '1'"

    assert [_ran(tmp_path, code).stdout for _ in "ab"] == ["False None\n", "False None\n"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_reaches_it(tmp_path: Path, number: int) -> None:
    (tmp_path / "page.py").write_text(
        f"import os, signal\nsignal.signal({int(number)}, lambda *_: os._exit(3))\n"
        "print('ready', flush=True)\nsignal.pause()"
    )
    with subprocess.Popen(
        [forked().script, tmp_path / "page.py"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(number)

        assert process.wait(10) == 3


def test_it_is_killed_with_who_asked_for_it(tmp_path: Path) -> None:
    (tmp_path / "page.py").write_text("import signal\nprint('ready', flush=True)\nsignal.pause()")
    with subprocess.Popen(
        [forked().script, tmp_path / "page.py"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.kill()

        assert process.stdout.read() == ""  # Ends when nobody is left who could write.


def test_many_run_beside_one_another(tmp_path: Path) -> None:
    """Each waits for a word that comes only when all are there."""
    code = "import sys; print('there', flush=True); print(sys.stdin.readline(), end='')"
    (tmp_path / "page.py").write_text(code)
    all_ = [
        subprocess.Popen(
            [forked().script, tmp_path / "page.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(5)
    ]
    heard = [process.stdout.readline() for process in all_ if process.stdout]
    said = [process.communicate(f"{number}\n")[0] for number, process in reversed([*enumerate(all_)])]

    assert heard == ["there\n"] * 5
    assert said == ["4\n", "3\n", "2\n", "1\n", "0\n"]


def test_airworthy_is_the_program(tmp_path: Path) -> None:
    done = subprocess.run(
        [forked().airworthy, "submit", "--input", "x"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert "airworthy init" in done.stderr
