"""Puts closed days into Parquet: each task and trace once, in parts that are written whole or not at all.

A part is on record only after it was read back; retention that waits for sealing asks that record. What was not over
when its day was sealed, or grew since, goes into a later part of the same day. Erasure writes parts anew.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from airworthy.core.clock import US_PER_S, iso
from airworthy.recorder import parquet, told
from airworthy.recorder import sealed_files as files
from airworthy.recorder.holdings import Holding, TaskRows, trace_bytes, waits
from airworthy.recorder.payload import Payloads
from airworthy.recorder.retention import Ref, is_sealed, pieces
from airworthy.recorder.sealed_files import Part
from airworthy.recorder.traces import chunk as chunks
from airworthy.recorder.traces.days import OF_TRACE, chunks_of
from airworthy.store import Database, Row, Tx

US_PER_DAY: Final = 86_400 * US_PER_S
PAGE: Final = 200
PART_BYTES_MAX: Final = 64 * 2**20  # of payloads in one part; it is held in memory while it is written
PART_REFS_MAX: Final = 5_000
# Spans of a trace may still be under way so long after the last was heard.
QUIET_US: Final = 3_600 * US_PER_S
_ELSEWHERE: Final = frozenset({"payloads", "steps", "spans", "chunks", "traces"})
_STEP: Final = (
    "seq, kind, name, state, effect, started_us, ended_us, attempts, error_type, model, tokens_in, tokens_out,"
    " cost_nano, resource"
)
_SPAN: Final = (
    "span, parent, kind, name, started_us, ended_us, error_type, model, tokens_in, tokens_out,"
    " cost_nano, chunk, part"
)
_TRACE: Final = (
    "SELECT id, origin, trace_id, agent, release, session, user_id, feature, name, at_us, ended_us, outcome,"
    " error_type, steps, tokens_in + tokens_out, cost_nano, sentence FROM traces WHERE id = ?"
)


@dataclass(slots=True)
class SealedDay:
    """`refs`: tasks and traces sealed now. `open`: those of the day that are not over, and so are left for later."""

    day: str
    parts: list[Part] = field(default_factory=list)
    refs: int = 0
    open: int = 0


@dataclass(slots=True)
class _Heap:
    """What the next part will hold."""

    rows: dict[str, list[dict[str, Any]]]
    refs: list[tuple[str, int]] = field(default_factory=list)
    size: int = 0


class Sealer:
    """`out`: the folder of all days. Synchronous; reads beside workers, and writes only what is sealed."""

    def __init__(self, database: Database, holdings: Sequence[Holding], tasks: TaskRows, out: Path) -> None:
        self._database = database
        self._holdings = holdings
        self._tasks = tasks
        self.out = out

    def days(self, before_us: int) -> list[str]:
        """Days before this moment on which anything began, the oldest first."""
        found: set[str] = set()
        for sql in (self._tasks.by_age, _FOREIGN):
            at_us = -1
            while page := self._read(sql, (at_us, at_us, "", before_us, 1)):
                day = day_of(page[0][1])
                found.add(day)
                at_us = start_us(day) + US_PER_DAY - 1  # Nothing of this day is looked at: on to the next.
        return sorted(found)

    def seal(self, day: str, now_us: int) -> SealedDay:
        """Everything of the day that is over and not sealed yet. Twice is once. Raises: SealBroken, SealBusy."""
        made = SealedDay(day)
        with files.locked(self.out):
            self._adopt(day, now_us)
            heap = _heap()
            for ref in self._refs(day):
                over = self._database.read_now(partial(self._look, ref=ref, now_us=now_us))
                if over is None:
                    made.open += 1
                elif over:
                    heap.size += self._database.read_now(partial(self._gather, ref=ref, heap=heap))
                    if heap.size >= PART_BYTES_MAX or len(heap.refs) >= PART_REFS_MAX:
                        self._put(heap, made, now_us)
                        heap = _heap()
            if heap.refs:
                self._put(heap, made, now_us)
        return made

    def verify(self) -> Iterator[tuple[str, str]]:
        """Each part by name, with what is wrong with it; empty: nothing is."""
        known = {row[0]: row[1] for row in self._read("SELECT part, manifest FROM sealed_parts", ())}
        present = files.names(self.out)
        for name in sorted({*known, *present}):
            if name not in present:
                yield name, f"It is not in {self.out}."
                continue
            try:
                part = files.check(self.out, name)
            except files.SealBroken as error:
                yield name, error.message
                continue
            wrong = name in known and known[name] != part.digest
            yield name, "Its manifest is not the one that was recorded." if wrong else ""

    def erase(self, users: Iterable[str], refs: Iterable[str], now_us: int) -> int:
        """Writes every part anew that holds a trace of one of these users, or one of `refs`; how many rows went."""
        wanted, named = frozenset(refs), frozenset(users)
        gone = 0
        if not self.out.exists():
            return 0
        with files.locked(self.out):
            for name in files.names(self.out):
                rows = parquet.read(self.out / name / "traces.parquet", "traces")
                hit = frozenset(row["id"] for row in rows if row["user"] in named or row["id"] in wanted)
                if hit:
                    part = files.without(self.out, name, hit, iso(now_us) or "")
                    self._database.write_now(
                        partial(_known, part=part, out=str(self.out), refs=(), now_us=now_us)
                    )
                    gone += len(hit)
        return gone

    def rows_for(
        self, users: Iterable[str], refs: Iterable[str]
    ) -> Iterator[tuple[str, dict[str, list[dict[str, Any]]]]]:
        """What stands in sealed parts of these users' traces, part by part."""
        wanted, named = frozenset(refs), frozenset(users)
        for name in files.names(self.out) if self.out.exists() else ():
            traces = parquet.read(self.out / name / "traces.parquet", "traces")
            hit = {row["id"] for row in traces if row["user"] in named or row["id"] in wanted}
            if hit:
                rows = files.rows_of(self.out, name)
                yield (
                    name,
                    {
                        file: [row for row in each if row["id" if file == "traces" else "ref"] in hit]
                        for file, each in rows.items()
                    },
                )

    def drop(self, before: str) -> int:
        """Deletes the days before this one; how many parts that were."""
        import shutil

        if not self.out.exists():
            return 0
        with files.locked(self.out):
            old = [name for name in files.names(self.out) if name.partition("/")[0] < before]
            for name in old:
                self._database.write_now(partial(_unknown, name=name))
                shutil.rmtree(self.out / name)
            for day in {name.partition("/")[0] for name in old}:
                (self.out / day).rmdir()
        return len(old)

    def _adopt(self, day: str, now_us: int) -> None:
        """A part that was put in its place and not recorded, because a crash came between."""
        known = {row[0] for row in self._read("SELECT part FROM sealed_parts", ())}
        for name in files.names(self.out):
            if name.startswith(f"{day}/") and name not in known:
                part = files.check(self.out, name)
                rows = files.rows_of(self.out, name)
                counts = dict.fromkeys((row["id"] for row in rows["traces"]), 0)
                for row in (*rows["steps"], *rows["spans"]):
                    counts[row["ref"]] += 1
                self._record(part, list(counts.items()), now_us)

    def _put(self, heap: _Heap, made: SealedDay, now_us: int) -> None:
        name = files.next_name(self.out, made.day)
        part = files.put(self.out, name, heap.rows, iso(now_us) or "")
        self._record(part, heap.refs, now_us)
        made.parts.append(part)
        made.refs += len(heap.refs)

    def _record(self, part: Part, refs: Sequence[tuple[str, int]], now_us: int) -> None:
        self._database.write_now(partial(_known, part=part, out=str(self.out), refs=refs, now_us=now_us))

    def _refs(self, day: str) -> Iterator[Ref]:
        begin_us = start_us(day)
        end_us = begin_us + US_PER_DAY
        for source in ("tasks", "traces"):
            at_us, id_ = begin_us - 1, "\uffff"
            sql = self._tasks.by_age if source == "tasks" else _FOREIGN
            while page := self._read(sql, (at_us, at_us, id_, end_us, PAGE)):
                for row in page:
                    yield (
                        Ref(row[0], row[1], row[2], row[4], row[5])
                        if source == "tasks"
                        else Ref(row[0], row[1], row[0], row[2], row[3])
                    )
                id_, at_us = page[-1][0], page[-1][1]

    def _look(self, tx: Tx, *, ref: Ref, now_us: int) -> bool | None:
        """Whether it is to be sealed; None: it is not over."""
        if ref.closed_us is None or waits(tx, self._holdings, ref.id):
            return None
        if not ref.id.startswith("tsk_") and now_us - ref.closed_us < QUIET_US:
            return None
        return not is_sealed(tx, ref)

    def _gather(self, tx: Tx, *, ref: Ref, heap: _Heap) -> int:
        """Adds its rows to the heap; how many bytes its payloads have."""
        trace, rows = trace_bytes(ref.trace_id), heap.rows
        rows["traces"].append(self._trace(tx, ref))
        size = 0
        for row in tx.rows(f"SELECT {_STEP} FROM steps WHERE task_id = ? ORDER BY seq", (ref.id,)):
            rows["steps"].append(_named("steps", ref.id, row))
        for seq, body in tx.rows("SELECT seq, body FROM payloads WHERE task_id = ? ORDER BY seq", (ref.id,)):
            text = Payloads.unpack(bytes(body)).decode("utf-8", "replace")
            rows["payloads"].append({"ref": ref.id, "seq": seq, "span": None, "body": text})
            size += len(text)
        size += _spans(tx, ref.id, trace, rows)
        for table, found in told.of_task(tx, self._holdings, ref.id, trace).items():
            if table not in _ELSEWHERE:
                for each in found:
                    text = _text(each)
                    rows["records"].append({"ref": ref.id, "table": table, "body": text})
                    size += len(text)
        heap.refs.append((ref.id, pieces(tx, ref.id, ref.trace_id)))
        return size

    def _trace(self, tx: Tx, ref: Ref) -> dict[str, Any]:
        row = tx.row(_TRACE, (ref.id,))
        own = tx.row(self._tasks.sealed, (ref.id,))
        if own is not None:  # The task itself knows best; the list's row has the sentence.
            row = (*own, row[16] if row is not None else None)
        assert row is not None
        return dict(zip(parquet.COLUMNS["traces"], row, strict=True))

    def _read(self, sql: str, params: Sequence[Any]) -> list[Row]:
        return self._database.read_now(lambda tx: tx.rows(sql, params))


def _spans(tx: Tx, ref: str, trace: bytes, rows: dict[str, list[dict[str, Any]]]) -> int:
    size, bodies = 0, dict[int, list[bytes]]()
    here = (trace, *chunks_of(tx, trace.hex()))
    for row in tx.rows(f"SELECT {_SPAN} FROM spans WHERE {OF_TRACE} ORDER BY started_us, span", here):
        span, chunk, part = bytes(row[0]).hex(), row[11], row[12]
        parent = None if row[1] is None else bytes(row[1]).hex()
        rows["spans"].append(_named("spans", ref, (span, parent, *row[2:11])))
        if chunk not in bodies:
            body = tx.row("SELECT body FROM chunks WHERE id = ?", (chunk,))
            bodies[chunk] = [] if body is None else chunks.unpack(bytes(body[0]))
        if 0 <= part < len(bodies[chunk]):
            text = bodies[chunk][part].decode("utf-8", "replace")
            rows["payloads"].append({"ref": ref, "seq": None, "span": span, "body": text})
            size += len(text)
    return size


def _heap() -> _Heap:
    return _Heap({file: [] for file in parquet.COLUMNS})


def _named(file: str, ref: str, row: Sequence[Any]) -> dict[str, Any]:
    return dict(zip(parquet.COLUMNS[file], (ref, *row), strict=True))


def _text(value: Any) -> str:
    import orjson

    return orjson.dumps(value).decode()


def _known(tx: Tx, *, part: Part, out: str, refs: Sequence[tuple[str, int]], now_us: int) -> None:
    tx.execute(
        "INSERT INTO sealed_parts (part, folder, manifest, at_us) VALUES (?, ?, ?, ?) ON CONFLICT (part)"
        " DO UPDATE SET folder = excluded.folder, manifest = excluded.manifest, at_us = excluded.at_us",
        (part.name, out, part.digest, now_us),
    )
    tx.many(
        "INSERT INTO sealed (ref, part, pieces) VALUES (?, ?, ?) ON CONFLICT (ref)"
        " DO UPDATE SET part = excluded.part, pieces = excluded.pieces",
        [(ref, part.name, count) for ref, count in refs],
    )


def _unknown(tx: Tx, *, name: str) -> None:
    tx.execute("DELETE FROM sealed WHERE part = ?", (name,))
    tx.execute("DELETE FROM sealed_parts WHERE part = ?", (name,))


def day_of(at_us: int) -> str:
    return datetime.fromtimestamp(at_us / US_PER_S, UTC).date().isoformat()


def start_us(day: str) -> int:
    at = datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC)
    return round(at.timestamp()) * US_PER_S


_FOREIGN: Final = (
    "SELECT id, at_us, agent, COALESCE(ended_us, at_us) FROM traces WHERE (at_us > ? OR (at_us = ? AND id > ?))"
    " AND at_us < ? AND origin <> 'task' ORDER BY at_us, id LIMIT ?"
)
