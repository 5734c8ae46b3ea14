"""Puts retention, erasure, sealed days and personal data together, as recorder.toml of the folder says."""

import asyncio
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from airworthy.app.holdings import HOLDINGS
from airworthy.app.recorder_settings import RecorderSettings, load_recorder_settings
from airworthy.app.redact_settings import RedactRule
from airworthy.app.retention_settings import RetentionRule
from airworthy.core.clock import US_PER_S
from airworthy.core.ids import drawn_bytes
from airworthy.core.personal import BUILT_IN, Personal, PersonalRule, Writing, own_rule
from airworthy.core.redact import MARK
from airworthy.gateway.holdings import nameless
from airworthy.policy.chars import printable
from airworthy.preflight.erasing import without_user
from airworthy.recorder import audit
from airworthy.recorder.audit import Entry
from airworthy.recorder.erase import Erased, Eraser, Found
from airworthy.recorder.export_user import Exported, Exporter
from airworthy.recorder.parquet import check_installed
from airworthy.recorder.personal_rows import PersonalRows
from airworthy.recorder.privacy_keys import digest_of, key_of
from airworthy.recorder.retention import US_PER_DAY, Removed, Retention, removed_by_day
from airworthy.recorder.seal import SealedDay, Sealer, day_of, start_us
from airworthy.recorder.traces import own_text
from airworthy.runtime.chores import Chore
from airworthy.runtime.holdings import TASK_ROWS
from airworthy.runtime.machine import OPEN, IllegalTransition
from airworthy.store import Database
from airworthy.store.scrub import AT_ONCE_BYTES_MAX, Scrubbed, scrub, size_of

if TYPE_CHECKING:
    from airworthy.app.build import App

EVERY_S: Final = 3_600.0
REFS_A_ROUND: Final = 5_000
REMOVED_SHOWN_MAX: Final = 100
WITHOUT_FILE: Final = RecorderSettings()


def settings_of(app: "App") -> RecorderSettings:
    """Raises: PolicyError."""
    return WITHOUT_FILE if app.folder is None else load_recorder_settings(app.folder)


def rules_of(rule: RedactRule) -> tuple[list[PersonalRule], dict[str, Writing]]:
    """Those that are on, and how each kind is written. Raises: ConfigError, when Presidio is asked for and missing."""
    kinds: dict[str, Writing] = {}
    for kind in ("email", "phone", "card", "iban", "national_id", "ip"):
        how = getattr(rule, kind)
        if how != "off":
            kinds[kind] = how
    found = [each for each in BUILT_IN if each.kind in kinds]
    for own in rule.rules:
        found.append(own_rule(own.name, own.pattern))
        kinds[own.name] = own.written
    if rule.presidio:
        from airworthy.recorder.presidio import presidio_rules

        found += presidio_rules(rule.presidio, rule.presidio_language, rule.presidio_model)
    return found, kinds


def personal_of(rule: RedactRule, database: Database | None) -> Personal:
    """`database`: where the key of pseudonyms is kept; without one they are of no use beyond this call."""
    rules, kinds = rules_of(rule)
    key = b""
    if "pseudonym" in kinds.values():
        key = drawn_bytes(32) if database is None else key_of(database, "pseudonyms", drawn_bytes)
    return Personal(rules, kinds, key)


def retention_of(app: "App", settings: RecorderSettings) -> Retention:
    return Retention(app.database, HOLDINGS, TASK_ROWS, settings.retention.keep(), own_text.forget)


def sealer_of(app: "App", settings: RecorderSettings, out: Path | None = None) -> Sealer:
    folder = app.folder if app.folder is not None else Path()
    return Sealer(app.database, HOLDINGS, TASK_ROWS, out or folder / settings.retention.sealed_folder)


def eraser_of(app: "App") -> Eraser:
    return Eraser(app.database, HOLDINGS, TASK_ROWS, own_text.forget, (nameless, without_user))


@dataclass(frozen=True, slots=True)
class Erasure:
    """What came of it. `scrubbed` None: the file was not rebuilt, so bytes of what was deleted are in it yet."""

    made: Erased
    sealed: int
    scrubbed: Scrubbed | None
    too_large: bool


def forms_of(app: "App", settings: RecorderSettings, user: str) -> tuple[str, ...]:
    """How a user may be on record: as they came, without secrets, and as a pseudonym."""
    clean = app.payloads.redactor.redact_text(user)
    rule = settings.redact
    personal = personal_of(rule, app.database).redact_text(clean)
    # A plain redaction stands for everybody who had an address, and so for nobody.
    stands = personal if MARK not in personal else clean
    return tuple(dict.fromkeys((user, clean, stands)))


def looked(app: "App", user: str) -> Found:
    app.reviews.keep_up()  # What has just ended stands on the list of people until somebody looks.
    return eraser_of(app).look(forms_of(app, settings_of(app), user))


def cancelled(app: "App", user: str, by: str) -> list[str]:
    """Cancels what is open of the user; those that run stop before their next step. Ids of what was asked to stop."""
    asked = []
    for blocked in looked(app, user).blocked:
        if blocked.state in OPEN:
            try:
                app.operations.cancel(blocked.task, by, "its user is erased")
            except IllegalTransition:
                continue  # It has ended meanwhile.
        elif blocked.state == "dead_lettered":
            app.operations.discard(blocked.task)
        else:
            continue
        asked.append(blocked.task)
    return asked


def erased(app: "App", user: str, by: str, *, scrubs: bool = True) -> Erasure:
    """Raises: StillOpen, before anything is changed; SealBusy. After any failure, doing it again goes on."""
    settings = settings_of(app)
    users = forms_of(app, settings, user)
    now_us = app.clock.now_us()
    digest = digest_of(key_of(app.database, "erasures", drawn_bytes), user)
    eraser = eraser_of(app)
    app.reviews.keep_up()
    made = Erased(app.ids.new("ers", now_us), digest)
    eraser.check(users)
    eraser.begin(made.id, digest, by, now_us)
    # The files first: they are found by names that the database loses.
    sealed = sealer_of(app, settings).erase(users, eraser.refs(users), now_us)
    eraser.erase(users, made, now_us)
    eraser.end(made, by, app.clock.now_us())
    too_large = size_of(app.database) > AT_ONCE_BYTES_MAX
    scrubbed = scrub(app.database) if scrubs and not too_large else None
    return Erasure(made, sealed, scrubbed, too_large)


def removed(app: "App", *, dry: bool) -> Removed:
    """All that is due, from the oldest on."""
    settings = settings_of(app)
    now_us = app.clock.now_us()
    made = retention_of(app, settings).round(now_us, refs_max=2**62, dry=dry, anew=True)
    days = settings.retention.sealed_days
    if days is not None and not dry:
        made.rows["sealed parts"] += sealer_of(app, settings).drop(day_of(now_us - round(days * US_PER_DAY)))
    if not dry:
        _noted(app, Entry("retention.run", detail={"rows": dict(made.rows)}))
    return made


def sealed(app: "App", before: str, out: Path | None) -> list[SealedDay]:
    """The same as the chore does, on somebody's word. Raises: SealBroken, SealBusy, ConfigError."""
    days = _sealed(app, before, out)
    _noted(app, Entry("retention.seal", detail={"sealed": sum(day.refs for day in days)}))
    return days


def _noted(app: "App", told: Entry) -> None:
    """Afterwards, since it was done in many transactions."""
    app.database.write_now(audit.noted(lambda _: None, told, app.clock.now_us()))


def _sealed(app: "App", before: str, out: Path | None) -> list[SealedDay]:
    """Days before `before` (left out: before today), the oldest first."""
    check_installed()
    now_us = app.clock.now_us()
    sealer = sealer_of(app, settings_of(app), out)
    before_us = min(start_us(before) if before else now_us, start_us(day_of(now_us)))
    return [sealer.seal(day, now_us) for day in sealer.days(before_us)]


def cleaner_of(app: "App", rule: RedactRule) -> PersonalRows | None:
    """None where nothing says that tasks of ours are cleaned."""
    if rule.closed_after_hours is None:
        return None
    personal = personal_of(rule, app.database)
    # What its own process told by OTLP was cleaned when it came.
    hooks = (partial(own_text.forget, spans=False), own_text.due)
    return (
        PersonalRows(app.database, app.payloads, personal, HOLDINGS, TASK_ROWS, hooks) if personal else None
    )


def privacy_chores(app: "App") -> list[Chore]:
    """What recorder.toml asks for; nothing without it. The file is read at each round, so a change needs no restart.

    Raises: PolicyError while recorder.toml cannot be read.
    """
    settings = settings_of(app)
    check_extras(settings)

    async def keep(now_us: int) -> None:
        if _bounds_something(settings_of(app)):
            await asyncio.to_thread(kept_once, app, now_us)

    return [Chore("retention", EVERY_S, keep)]


def _bounds_something(settings: RecorderSettings) -> bool:
    return settings.retention != RetentionRule() or settings.redact.closed_after_hours is not None


def check_extras(settings: RecorderSettings) -> None:
    """What the settings need and is not installed is told when a worker starts. Raises: ConfigError."""
    if settings.retention.seal:
        check_installed()
    rules_of(settings.redact)


def kept_once(app: "App", now_us: int) -> None:
    """A round of what keeps records within their bounds: seal, then remove, then clean. Each is bounded."""
    settings = settings_of(app)
    if settings.retention.seal:
        _sealed(app, "", None)
    retention = retention_of(app, settings)
    while retention.round(now_us, refs_max=REFS_A_ROUND).more:
        continue
    if settings.retention.sealed_days is not None:
        sealer_of(app, settings).drop(day_of(now_us - round(settings.retention.sealed_days * US_PER_DAY)))
    cleaner = cleaner_of(app, settings.redact)
    hours = settings.redact.closed_after_hours
    if cleaner is not None and hours is not None:
        while cleaner.round(now_us - round(hours * 3_600 * US_PER_S), REFS_A_ROUND).more:
            continue


def exported(app: "App", user: str, by: str, out: Path) -> Exported:
    """All that is stored on the user, as a ZIP; that somebody took it is in the audit log."""
    settings = settings_of(app)
    users = forms_of(app, settings, user)
    refs = eraser_of(app).refs(users)
    exporter = Exporter(app.database, HOLDINGS, TASK_ROWS, printable)
    sealed_rows = sealer_of(app, settings).rows_for(users, refs)
    digest = digest_of(key_of(app.database, "erasures", drawn_bytes), user)
    _noted(app, Entry("user.export", about=digest, who=by, detail={"refs": len(refs)}))
    return exporter.write(out, users, refs, sealed_rows, app.clock.now_us())


@dataclass(frozen=True, slots=True)
class Users:
    """For the API: implements `console.parts.Users`."""

    app: "App"

    def looked(self, user: str) -> Found:
        return looked(self.app, user)

    def erased(self, user: str, by: str, *, cancel: bool) -> dict[str, Any]:
        asked = cancelled(self.app, user, by) if cancel else []
        return {"cancelled": asked, **erasure_document(erased(self.app, user, by))}

    def exported(self, user: str, by: str, out: Path) -> Exported:
        return exported(self.app, user, by, out)


def erasure_document(done: Erasure) -> dict[str, Any]:
    made = done.made
    return {
        "id": made.id,
        "digest": made.digest,
        "tasks": made.tasks,
        "traces": made.traces,
        "rows": dict(made.rows),
        "sealed": done.sealed,
        "scrubbed": None if done.scrubbed is None else asdict(done.scrubbed),
    }


def verified(app: "App", out: Path | None) -> list[tuple[str, str]]:
    """Each sealed part, and what is wrong with it. Raises: ConfigError without pyarrow."""
    check_installed()
    return list(sealer_of(app, settings_of(app), out).verify())


def retention_document(app: "App") -> dict[str, Any]:
    """What is kept how long, what each table holds, and what has gone of late."""
    rule = settings_of(app).retention
    gone = app.database.read_now(lambda tx: removed_by_day(tx, REMOVED_SHOWN_MAX))
    return {
        "days": rule.model_dump(exclude={"agents", "seal", "sealed_folder"}, exclude_none=True),
        "agents": {name: each.model_dump(exclude_none=True) for name, each in rule.agents.items()},
        "seal": rule.seal,
        "tables": [{"table": h.table, "kept": h.kept.value, "holds": h.holds} for h in HOLDINGS],
        "removed": [{"day": day, "what": what, "count": count} for day, what, count in gone],
    }
