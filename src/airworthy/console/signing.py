"""Signing in and out: by a password, by a link, or on the word of a provider. Knows no HTTP and makes no account."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Final

from airworthy.console import account_rows, attempts, passes, sessions
from airworthy.console.access import person_of
from airworthy.console.accounts import names_of
from airworthy.console.attempts import Counted, TooManyAttempts
from airworthy.console.door import Door
from airworthy.console.passes import Pass
from airworthy.console.passwords import Hasher, checked
from airworthy.console.sessions import Session, Way
from airworthy.core.clock import US_PER_S, Clock
from airworthy.core.errors import AirworthyError
from airworthy.core.ids import Ids
from airworthy.core.origin import origin
from airworthy.gateway.keys.key import drawn
from airworthy.recorder import audit
from airworthy.recorder.audit import Entry
from airworthy.review.people import People
from airworthy.store import Database, Tx

KNOWN_US: Final = 90 * 86_400 * US_PER_S
NAME_CHARS_MAX: Final = 254


class SignInRefused(AirworthyError):
    """The same whatever is wrong: the name, the password, or the account."""

    code: ClassVar[str] = "sign_in_refused"

    def __init__(self) -> None:
        super().__init__(
            "That name and that password do not go together.",
            mend="Try again, or ask an admin for a link: `airworthy user link`.",
        )


class LinkUsed(AirworthyError):
    """Unknown, used, or too old."""

    code: ClassVar[str] = "link_refused"

    def __init__(self) -> None:
        super().__init__(
            "This link is not good any more: it works once, for 15 minutes.",
            mend="Ask an admin for a new one: `airworthy user link`.",
        )


@dataclass(frozen=True, slots=True)
class Browser:
    """Who tries to sign in, as far as the request says. `known`: what the cookie of a browser known before holds."""

    address: str = ""
    browser: str = ""
    known: str = ""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """What the cookies are to hold: of the session, and of the browser that is known from now on."""

    secret: str
    session: Session
    known: str


@dataclass(slots=True)
class SigningIn:
    """Synchronous. `people`: asked each time. Every write notes down who did it, by `core.origin`."""

    database: Database
    clock: Clock
    ids: Ids
    people: Callable[[], People]
    door: Door = field(default_factory=Door)
    hasher: Hasher = field(default_factory=Hasher)

    # Signing in and out.

    def sign_in(self, name: str, password: str, by: Browser) -> SignedIn:
        """`name`: their id, or their e-mail address in people.toml.

        Raises: SignInRefused, TooManyAttempts, Busy.
        """
        now_us = self.clock.now_us()
        name = name.strip()[:NAME_CHARS_MAX]
        person = self._person(name)
        known = self._known(by.known, person, now_us)
        counted = self._counted(name, person, by, known=known)
        self._attempt(counted, now_us)
        hash_ = self.database.read_now(lambda tx: account_rows.hash_of(tx, person))
        fits = self.hasher.fits(hash_, password)
        if not fits or not self._may(person):
            self._note_refusal(person, "password", now_us)
            raise SignInRefused
        fresh = self.hasher.hash(password) if self.hasher.stale(hash_) else hash_
        made = self._drawn(person, "password", by, now_us, known=known)
        came = origin()

        def op(tx: Tx) -> bool:
            # Changed or closed while the password was being checked.
            if account_rows.hash_of(tx, person) != hash_:
                return False
            if fresh != hash_:
                tx.execute("UPDATE accounts SET hash = ? WHERE person = ?", (fresh, person))
            attempts.succeeded(tx, counted)
            self._begin(tx, made, now_us)
            audit.note(tx, Entry("sign_in", person, person, detail=_told(made)), came, now_us)
            return True

        if not self.database.write_now(op):
            raise SignInRefused
        return made

    def admit(self, person: str, way: Way, by: Browser, *, roles: Sequence[str] | None = None) -> SignedIn:
        """Somebody whom a provider vouches for. Raises: SignInRefused when they have no role here, or are shut out."""
        now_us = self.clock.now_us()
        if not self._may(person, roles):
            self._note_refusal(person, way, now_us)
            raise SignInRefused
        made = self._drawn(person, way, by, now_us, roles=roles)
        came = origin()

        def op(tx: Tx) -> None:
            self._begin(tx, made, now_us)
            audit.note(tx, Entry("sign_in", person, person, detail=_told(made)), came, now_us)

        self.database.write_now(op)
        return made

    def sign_out(self, session: str, person: str) -> bool:
        """Ends a session of theirs. False when it had ended."""
        now_us, came = self.clock.now_us(), origin()

        def op(tx: Tx) -> bool:
            changed = sessions.end(tx, session, now_us, person)
            if changed:
                audit.note(tx, Entry("session.end", session, detail={"person": person}), came, now_us)
            return changed

        return self.database.write_now(op)

    def end_sessions(self, person: str, *, but: str = "") -> int:
        """How many. `but`: one that goes on."""
        now_us, came = self.clock.now_us(), origin()

        def op(tx: Tx) -> int:
            count = sessions.end_all(tx, person, now_us, but)
            if count:
                audit.note(tx, Entry("session.end_all", person, detail={"sessions": count}), came, now_us)
            return count

        return self.database.write_now(op)

    def sessions(self, person: str = "") -> list[Session]:
        """Those that have not ended, the newest first."""
        now_us = self.clock.now_us()
        found = self.database.read_now(lambda tx: sessions.listing(tx, person))
        return [session for session in found if session.good(now_us, self.door.idle_us)]

    def has_password(self, person: str) -> bool:
        return bool(self.database.read_now(lambda tx: account_rows.hash_of(tx, person)))

    # Passwords.

    def change_password(self, person: str, old: str, new: str, by: Browser) -> SignedIn:
        """All their sessions end, and a new one begins. Raises: SignInRefused, TooManyAttempts, Busy, InputError."""
        now_us = self.clock.now_us()
        whole = self._checked(person, new)
        counted = (Counted("known", f"change {person}"),)
        self._attempt(counted, now_us)
        hash_ = self.database.read_now(lambda tx: account_rows.hash_of(tx, person))
        if not self.hasher.fits(hash_, old):
            self._note_refusal(person, "password", now_us)
            raise SignInRefused
        return self._set(person, whole, by, counted=counted, was=hash_)

    def redeem(self, secret: str, new: str, by: Browser) -> SignedIn:
        """Sets a password by a link, once. Raises: LinkUsed, InputError, Busy."""
        person = self.opened(secret)
        return self._set(person, self._checked(person, new), by, link=secret)

    def opened(self, secret: str) -> str:
        """Whom a link is for; looking uses nothing up, for scanners of mail look too. Raises: LinkUsed."""
        now_us = self.clock.now_us()
        found = self.database.read_now(lambda tx: passes.find(tx, "link", secret, now_us))
        if found is None or not self._may(found.person):
            raise LinkUsed
        return found.person

    # What they share.

    def _set(
        self,
        person: str,
        new: str,
        by: Browser,
        *,
        counted: Sequence[Counted] = (),
        was: str = "",
        link: str = "",
    ) -> SignedIn:
        """By `link`, or by the password that hashes to `was`. Raises: SignInRefused, LinkUsed, Busy."""
        hash_ = self.hasher.hash(new)
        now_us, came = self.clock.now_us(), origin()
        made = self._drawn(person, "link" if link else "password", by, now_us)

        def op(tx: Tx) -> bool:
            if link and passes.use(tx, "link", link, now_us) is None:
                return False
            if not link and account_rows.hash_of(tx, person) != was:
                return False
            account_rows.put_hash(tx, person, hash_, now_us)
            attempts.succeeded(tx, counted)
            self._begin(tx, made, now_us)
            detail = {"by": "link"} if link else {}
            audit.note(tx, Entry("account.password", person, person, detail=detail), came, now_us)
            audit.note(tx, Entry("sign_in", person, person, detail=_told(made)), came, now_us)
            return True

        if not self.database.write_now(op):
            raise LinkUsed if link else SignInRefused
        return made

    def _person(self, name: str) -> str:
        """An id stands for itself, whether there is such a person or not."""
        declared = self.people().people
        wanted = name.casefold()
        by_mail = [id_ for id_, rule in declared.items() if rule.email and rule.email.casefold() == wanted]
        return by_mail[0] if name not in declared and len(by_mail) == 1 else name

    def _may(self, person: str, roles: Sequence[str] | None = None) -> bool:
        """Whether they have a role here, of these if some are given, and nobody has closed their account."""

        def query(tx: Tx) -> bool:
            kept = account_rows.find(tx, person)
            if kept is not None and kept.disabled_us is not None:
                return False
            own, agents = (kept.roles, kept.agents) if kept is not None else ((), ())
            caller = person_of(person, self.people(), own, agents)
            return caller is not None and (roles is None or bool(caller.narrowed(roles).roles))

        return self.database.read_now(query)

    def _checked(self, person: str, new: str) -> str:
        return checked(new, names_of(self.people(), person))

    def _counted(self, name: str, person: str, by: Browser, *, known: bool) -> tuple[Counted, ...]:
        """A browser that they have signed in from is counted by itself: no stranger's attempts shut them out."""
        if known:
            return (Counted("known", f"{person} {by.known}"),)
        return (attempts.by_name(person or name), attempts.by_address(by.address))

    def _known(self, known: str, person: str, now_us: int) -> bool:
        if not known:
            return False
        found = self.database.read_now(lambda tx: passes.find(tx, "known", known, now_us))
        return found is not None and found.person == person

    def _attempt(self, counted: Sequence[Counted], now_us: int) -> None:
        """Raises: TooManyAttempts."""
        wait_s = self.database.write_now(lambda tx: attempts.begin(tx, counted, now_us))
        if wait_s:
            raise TooManyAttempts(wait_s)

    def _note_refusal(self, person: str, way: Way, now_us: int) -> None:
        """A name that nobody has is left out: people type their password there."""
        came = origin()

        def op(tx: Tx) -> None:
            is_one = person in self.people().people or account_rows.find(tx, person) is not None
            about = person if is_one else ""
            audit.note(tx, Entry("sign_in", about, outcome="refused", detail={"way": way}), came, now_us)

        self.database.write_now(op)

    def _drawn(
        self,
        person: str,
        way: Way,
        by: Browser,
        now_us: int,
        *,
        roles: Sequence[str] | None = None,
        known: bool = False,
    ) -> SignedIn:
        secret, session = sessions.drawn_for(self.ids, now_us, self.door.session_us, person, way, roles=roles)
        return SignedIn(
            secret,
            replace(session, address=by.address, browser=by.browser),
            by.known if known else drawn(passes.PREFIX, self.ids),
        )

    def _begin(self, tx: Tx, made: SignedIn, now_us: int) -> None:
        person = made.session.person
        sessions.begin(tx, made.secret, made.session)
        passes.use(tx, "known", made.known, now_us)
        passes.give(tx, made.known, Pass("known", person, now_us + KNOWN_US), now_us)
        passes.keep_newest(tx, "known", person, passes.KNOWN_MAX)


def _told(made: SignedIn) -> dict[str, str]:
    return {"way": made.session.way, "session": made.session.id}
