"""What a reader of a broken policy sees: each problem with file, line, key, value and mend."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from airworthy.core.errors import ConfigError
from airworthy.policy.chars import printable

PROBLEMS_SHOWN_MAX = 50


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a policy file. `line` and `column` count from 1; 0 means the file as a whole.

    `value` is what stands there, made safe to print; it is empty where there is none, or where it might be
    a secret.
    """

    line: int
    column: int
    key: str
    value: str
    says: str
    mend: str

    def text(self, name: str) -> str:
        where = f"{name}, line {self.line}, column {self.column}" if self.line else name
        what = f"{self.key} = {self.value}" if self.key and self.value else self.key
        return " ".join(part for part in (f"{where}:", what, self.says, self.mend) if part)


class PolicyError(ConfigError):
    """A policy that cannot be used; `problems` holds everything wrong with it, in the order of its lines."""

    code: ClassVar[str] = "policy"

    def __init__(self, name: str, problems: Sequence[Problem]) -> None:
        name = printable(name)
        self.problems = tuple(problems)
        if len(self.problems) == 1:
            only = self.problems[0]
            super().__init__(Problem(only.line, only.column, only.key, only.value, only.says, "").text(name))
            self.mend = only.mend
            return
        shown = [problem.text(name) for problem in self.problems[:PROBLEMS_SHOWN_MAX]]
        hidden = len(self.problems) - len(shown)
        more = [f"... and {hidden} more."] if hidden else []
        super().__init__("\n".join([f"{name} has {len(self.problems)} problems:", *shown, *more]))
