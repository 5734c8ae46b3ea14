"""One token for all processes: who may ask for the next one, and that it is stored before anybody uses it.

The claim is a name in the store, held by an owner that lives only as long as the request. Whoever finds it held waits
for what its holder stores. A write counts only while nobody else has stored a token since, whatever clocks say.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from airworthy.core.clock import US_PER_S, Clock
from airworthy.recorder.alerts import Alert, ended, find, raised
from airworthy.store import Database, StoreError, Tx
from airworthy.store import lease as leases
from airworthy.store.lease import Owner
from airworthy.tools.credentials import shelf
from airworthy.tools.credentials.answer import RETRY_AFTER_S_MAX, Given, Later, Refused
from airworthy.tools.credentials.grant import Grant, TokenRequest
from airworthy.tools.credentials.sealing import Seal, row_name
from airworthy.tools.credentials.shelf import TokenRow
from airworthy.tools.credentials.token import Renewed, Token, lifetime_s

BACKOFF_S = 1.0
BACKOFF_S_MAX = 300.0
LOOK_AGAIN_S = 60.0  # At a broken one, to see whether a person has mended it.
FAILURES_TOLD = 3  # In a row, before a person hears of it.
OTHERS_S_MAX = 12.0  # How long another process is waited for: longer than its claim can last.
POLL_S = 0.05
STORE_TRIES = (
    60  # Of a refresh token that would be lost; the claim before it was written, so the store was well then.
)
STORE_POLL_S = 0.25
WAIT_US_MAX = round(RETRY_AFTER_S_MAX * US_PER_S)

Ask = Callable[[TokenRequest, tuple[str, ...]], Given | Later | Refused]


@dataclass(frozen=True, slots=True)
class _Mine:
    """The claim is ours: ask. `refresh` is the refresh token to use up, `usable` the token that still lasts."""

    row: TokenRow
    refresh: str
    usable: Token | None


@dataclass(frozen=True, slots=True)
class _Held:
    """Somebody else is asking."""


class Renewal:
    """Called in a thread. `seal` None: nothing is shared, and each process asks for itself.

    `owner` makes an identity in the store for one request. `learn` hears of every secret before it goes anywhere.
    """

    def __init__(
        self,
        grant: Grant,
        ask: Ask,
        database: Database,
        clock: Clock,
        owner: Callable[[], Owner],
        *,
        seal: Seal | None,
        learn: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.grant = grant
        self._ask = ask
        self._database = database
        self._clock = clock
        self._owner = owner
        self._seal = seal
        self._learn = learn
        self.name = row_name(grant.root, grant.identity)
        self._claim = f"credential:{self.name}"
        self._pause = threading.Event()  # Never set: a wait that needs no other clock.
        self._unsaved: tuple[TokenRow, Token] | None = None

    def __repr__(self) -> str:
        return f"Renewal({self.grant!r})"

    def __call__(self, refused: str, known: Token | None) -> Renewed:
        try:
            if self._unsaved is not None:
                renewed = self._saved(*self._unsaved)
                if renewed.token is None or renewed.token.lasts(self._clock.now_us()):
                    return renewed
            return self._renewed(refused, known)
        except StoreError as error:
            return Renewed(failed=Later(f"The database fails, and the token is shared through it: {error}"))

    def _renewed(self, refused: str, known: Token | None) -> Renewed:
        owner = self._owner()
        until_us = self._clock.now_us() + round(OTHERS_S_MAX * US_PER_S)
        turns = round(OTHERS_S_MAX / POLL_S)  # Bounds it even where the clock stands still.
        while self._clock.now_us() < until_us and turns > 0:
            found = self._database.read_now(lambda tx: self._look(tx, refused, known))
            if isinstance(found, _Mine):
                found = self._database.write_now(lambda tx: self._take(tx, owner, refused, known))
            if isinstance(found, _Mine):
                return self._asked(owner, found)
            if isinstance(found, Renewed):
                return found
            self._pause.wait(POLL_S)
            turns -= 1
        return Renewed(failed=Later("Another process has been asking for a token for too long."))

    def _look(self, tx: Tx, refused: str, known: Token | None) -> Renewed | _Mine | _Held:
        """What there is, what another one does, or that it is ours to ask."""
        now_us = self._clock.now_us()
        row = shelf.find(tx, self.name) or TokenRow(
            self.name, self.grant.dependency, self.grant.kind, changed_us=now_us
        )
        token, refresh = self._opened(row)
        token = token if self._seal is not None else known
        usable = token if token is not None and token.text != refused and token.lasts(now_us) else None
        if usable is not None and usable.fresh(now_us, self.grant.early_s):
            return Renewed(usable)
        if row.broken:
            retry_us = now_us + round(LOOK_AGAIN_S * US_PER_S)
            return Renewed(usable, Refused(row.why, row.mend), retry_us)
        if now_us < row.retry_us <= now_us + WAIT_US_MAX:  # A longer one is the word of a wrong clock.
            return Renewed(usable, Later(row.why), row.retry_us)
        if self._seal is not None:
            holder = leases.holder(tx, self._claim)
            if holder is not None and holder in {
                each.id for each in leases.alive(tx, leases.this_host(), now_us)
            }:
                return Renewed(usable) if usable is not None else _Held()
        return _Mine(row, refresh or self.grant.first_refresh, usable)

    def _take(self, tx: Tx, owner: Owner, refused: str, known: Token | None) -> Renewed | _Mine | _Held:
        found = self._look(tx, refused, known)
        if isinstance(found, _Mine) and self._seal is not None:
            now_us = self._clock.now_us()
            leases.join(tx, owner, now_us)
            leases.take(tx, self._claim, owner.id, now_us)
        return found

    def _opened(self, row: TokenRow) -> tuple[Token | None, str]:
        if self._seal is None or row.sealed is None:
            return None, ""
        texts = self._seal.opened(row.sealed)
        if texts is None:
            return None, ""
        access, refresh = texts
        self._learn_all(access, refresh)
        return (Token(access, row.made_us, row.until_us) if access else None), refresh

    def _asked(self, owner: Owner, mine: _Mine) -> Renewed:
        asked_us = self._clock.now_us()
        self._learn_all(*self.grant.secrets, mine.refresh)
        secrets = tuple(value for value in (*self.grant.secrets, mine.refresh) if value)
        answer = self._ask(self.grant.request(mine.refresh), secrets)
        now_us = self._clock.now_us()
        if not isinstance(answer, Given):
            return self._failed(owner, mine, answer, now_us)
        refresh = answer.refresh or mine.refresh
        self._learn_all(answer.access, refresh)
        token = Token(answer.access, asked_us, asked_us + round(lifetime_s(answer.expires_in) * US_PER_S))
        row = replace(
            mine.row, made_us=token.made_us, until_us=token.until_us, failures=0, retry_us=0, why="", mend="",
            broken=False, changed_us=now_us, sealed=self._sealed(answer.access, refresh, now_us),
        )  # fmt: skip
        return self._saved(row, token, owner.id)

    def _saved(self, row: TokenRow, token: Token, owner_id: str = "") -> Renewed:
        """Nobody gets the token before it is on disk: with it goes the refresh token that took the last one's place."""
        failed: StoreError | None = None
        for turn in range(STORE_TRIES):
            if turn:
                self._pause.wait(STORE_POLL_S)
            try:
                stored = self._database.write_now(lambda tx: self._store(tx, row, owner_id))
            except StoreError as error:
                failed = error
                if self.grant.kind == "client_credentials":
                    return Renewed(token)  # Nothing is lost with it: another one can be had at any time.
                continue
            self._unsaved = None
            # False: another one was given the claim meanwhile, and was faster.
            return Renewed(token) if stored else self._database.read_now(self._theirs)
        self._unsaved = (row, token)
        return Renewed(failed=Later(f"A new token is there and the database does not take it: {failed}"))

    def _store(self, tx: Tx, row: TokenRow, owner_id: str) -> bool:
        if owner_id and self._seal is not None:
            leases.leave(tx, owner_id)
        current = shelf.find(tx, self.name)
        if self._seal is not None and current is not None and current.generation != row.generation:
            return False
        shelf.put(tx, replace(row, generation=row.generation + 1))
        ended(tx, self._alert_key, "airworthy", row.changed_us)
        return True

    def _theirs(self, tx: Tx) -> Renewed:
        row = shelf.find(tx, self.name)
        token, _ = self._opened(row) if row is not None else (None, "")
        return Renewed(token, None if token is not None else Later("Another process has changed the token."))

    def _failed(self, owner: Owner, mine: _Mine, answer: Later | Refused, now_us: int) -> Renewed:
        row, failures = mine.row, mine.row.failures + 1
        wait_s = min(BACKOFF_S * 2 ** min(failures - 1, 20), BACKOFF_S_MAX)
        if isinstance(answer, Later):
            wait_s = max(wait_s, answer.retry_after_s or 0.0)
        retry_us = now_us + round(wait_s * US_PER_S)
        broken = isinstance(answer, Refused)
        told = replace(
            row, failures=failures, retry_us=retry_us, why=answer.why, broken=broken, changed_us=now_us,
            mend=answer.mend if isinstance(answer, Refused) else "",
        )  # fmt: skip

        def store(tx: Tx) -> Renewed:
            if self._seal is not None:
                leases.leave(tx, owner.id)
            current = shelf.find(tx, self.name)
            if current is not None and current.generation != row.generation:
                return Renewed(self._opened(current)[0])  # Another one has a token meanwhile.
            shelf.put(tx, told)
            alert = self._alert(answer)
            standing = find(tx, alert.key)
            if standing is not None and standing.severity != alert.severity:
                ended(tx, alert.key, "airworthy", now_us)  # It has become worse, so it is told anew.
            if broken or failures >= FAILURES_TOLD:
                raised(tx, alert, now_us)
            look_us = now_us + round(LOOK_AGAIN_S * US_PER_S) if broken else retry_us
            return Renewed(mine.usable, answer, look_us)

        return self._database.write_now(store)

    @property
    def _alert_key(self) -> str:
        return f"credential:{self.grant.dependency}"

    def _alert(self, answer: Later | Refused) -> Alert:
        name = self.grant.dependency
        if isinstance(answer, Refused):
            text = (
                f"{answer.why}\n{answer.mend}\nThen try it: airworthy dependency check {name}\n"
                "and let the agents that were paused for it go on: airworthy resume --agent NAME"
            )
            return Alert(
                self._alert_key, "credential", "", "critical", f"The credential of {name} is refused", text
            )
        return Alert(
            self._alert_key, "credential", "", "warning", f"No token for {name} can be had", answer.why
        )

    def _sealed(self, access: str, refresh: str, now_us: int) -> bytes | None:
        return self._seal.sealed(access, refresh, now_us) if self._seal is not None else None

    def _learn_all(self, *values: str) -> None:
        for value in values:
            if value:
                self._learn(value)
