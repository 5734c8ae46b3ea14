"""Takes traces from files into the store: a batch of lines to a commit, what cannot be read counted and told."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from airworthy.app.build import App
from airworthy.app.otlp import price_by
from airworthy.app.privacy import personal_of, settings_of
from airworthy.core.errors import InputError
from airworthy.core.personal import Personal
from airworthy.gateway.prices import price_list
from airworthy.recorder.importing import BadLine, Defaults, lines_of, spans_in
from airworthy.recorder.importing.convert import Unreadable
from airworthy.recorder.otel import Reading
from airworthy.recorder.personal_spans import clean
from airworthy.recorder.traces.gather import gather
from airworthy.recorder.traces.span import Span
from airworthy.recorder.traces.write import write
from airworthy.store import Tx

COMMIT_SPANS: Final = 2_048
COMMIT_BYTES: Final = 32 * 1024 * 1024
BAD_TOLD_MAX: Final = 1_000  # lines whose number and reason are kept


@dataclass(slots=True)
class Imported:
    """What became of a file. `spans`: new ones; `duplicate`: known before. `bad`: the first of the bad lines."""

    lines: int = 0
    spans: int = 0
    duplicate: int = 0
    bad_count: int = 0
    bad: list[BadLine] = field(default_factory=list)

    @property
    def good(self) -> int:
        return self.lines - self.bad_count


class BadImport(InputError):
    """A line cannot be read, and that was not to be overlooked."""

    code = "bad_import"


@dataclass(frozen=True, slots=True)
class How:
    """`form`: traces or messages. `strict`: the first bad line ends it. `dry_run`: nothing is stored."""

    form: str = "traces"
    defaults: Defaults = field(default_factory=Defaults)
    strict: bool = False
    dry_run: bool = False


class Import:
    """One for all files of a command, so that they share what is worked out once."""

    def __init__(self, app: App, how: How, told: Callable[[Imported], None]) -> None:
        """`told`: after each commit."""
        self._app = app
        self._how = how
        self._told = told
        self._reading = Reading(app.payloads.redactor, price=price_by(price_list()))
        # As for what comes by OTLP. Raises: PolicyError, ConfigError.
        self._personal = Personal(()) if how.dry_run else personal_of(settings_of(app).redact, app.database)

    def take(self, name: str, stream: BinaryIO) -> Imported:
        """Returns when all of it is stored. Raises: BadImport if `strict`; what came before the line is stored."""
        done = Imported()
        for spans in self._batches(name, stream, done):
            self._store(spans, done)
            self._told(done)
        return done

    def _batches(self, name: str, stream: BinaryIO, done: Imported) -> Iterator[list[Span]]:
        waiting: list[Span] = []
        size = 0
        for line in lines_of(stream):
            done.lines += 1
            try:
                if isinstance(line, BadLine):
                    raise Unreadable(line.why)
                found = spans_in(
                    line, self._how.form, self._reading, self._how.defaults, self._app.clock.now_us()
                )
            except Unreadable as error:
                why = self._app.payloads.redactor.redact_text(str(error))
                done.bad_count += 1
                if len(done.bad) < BAD_TOLD_MAX:
                    done.bad.append(BadLine(line.number, why))
                if self._how.strict:
                    yield waiting
                    raise BadImport(
                        f"Line {line.number} of {name} cannot be taken in: {why}",
                        mend="Mend it, or leave out --strict to pass over such lines. What came before it is stored.",
                    ) from None
                continue
            waiting += found
            size += len(line.raw)
            if len(waiting) >= COMMIT_SPANS or size >= COMMIT_BYTES:
                yield waiting
                waiting, size = [], 0
        yield waiting

    def _store(self, spans: list[Span], done: Imported) -> None:
        if self._how.dry_run:
            done.spans += len(spans)
            return
        if not spans:
            return
        clean(self._personal, spans, ())
        batch = gather(spans, (), self._app.clock.now_us(), origin="import")

        def op(tx: Tx) -> tuple[int, int]:
            written = write(tx, [batch])[0]
            return written.accepted, written.duplicate

        accepted, _ = self._app.database.write_now(op)
        done.spans += accepted
        done.duplicate += len(spans) - accepted
