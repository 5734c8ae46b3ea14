"""Who holds a name, at which epoch, and who is still alive to hold it. Decides nothing about what a name means."""

from dataclasses import dataclass
from pathlib import Path

from airworthy.store.database import Fence, Tx

LEASE_S = 10.0
HEARTBEAT_S = 3.0
NEIGHBOURS_MAX = 32


@dataclass(frozen=True, slots=True)
class Owner:
    """A process that can hold claims. `host` and `born` tell it from another process with the same pid.

    For people alone: `roles`, what it does, and `agents`, whom for, each with commas; `machine`, as its operators call
    it; `version`, of its code.
    """

    id: str
    host: str
    pid: int
    born: str
    roles: str = ""
    machine: str = ""
    version: str = ""
    agents: str = ""


def join(tx: Tx, owner: Owner, now_us: int) -> None:
    tx.execute(
        "INSERT INTO owners (id, host, pid, born, started_us, expires_us, roles, machine, version, agents)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            owner.id,
            owner.host,
            owner.pid,
            owner.born,
            now_us,
            now_us + round(LEASE_S * 1e6),
            owner.roles,
            owner.machine,
            owner.version,
            owner.agents,
        ),
    )


def beat(tx: Tx, owner_id: str, now_us: int) -> bool:
    """False when the owner was declared dead meanwhile; it must then stop or join anew."""
    expires_us = now_us + round(LEASE_S * 1e6)
    return tx.execute("UPDATE owners SET expires_us = ? WHERE id = ?", (expires_us, owner_id)) == 1


def leave(tx: Tx, owner_id: str) -> None:
    """Frees every claim of the owner at once; their epochs stay, so its late writes are still refused."""
    tx.execute("UPDATE claims SET epoch = epoch + 1, owner = NULL WHERE owner = ?", (owner_id,))
    tx.execute("DELETE FROM owners WHERE id = ?", (owner_id,))


def take(tx: Tx, name: str, owner_id: str, now_us: int) -> Fence:
    """Makes `owner_id` the holder at a new epoch, whoever held it before: ask `holder` first.

    A name that was forgotten begins at the time, not at 1: a holder from before must not fit by chance.
    """
    rows = tx.rows(
        "INSERT INTO claims (name, epoch, owner) VALUES (?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE SET epoch = claims.epoch + 1, owner = excluded.owner RETURNING epoch",
        (name, now_us, owner_id),
    )
    return Fence(name, rows[0][0])


def release(tx: Tx, fence: Fence) -> None:
    tx.put(
        "UPDATE claims SET owner = NULL, epoch = epoch + 1 WHERE name = ? AND epoch = ?",
        (fence.name, fence.epoch),
    )


def forget(tx: Tx, name: str) -> None:
    """Keeps the table small; a late write by an old holder is refused all the same."""
    tx.put("DELETE FROM claims WHERE name = ?", (name,))


def holder(tx: Tx, name: str) -> str | None:
    row = tx.row("SELECT owner FROM claims WHERE name = ?", (name,))
    return None if row is None else row[0]


@dataclass(frozen=True, slots=True)
class Alive:
    """An owner whose lease runs and, on this machine, whose process exists. Times are UTC microseconds."""

    id: str
    pid: int
    started_us: int
    expires_us: int
    here: bool
    roles: str = ""
    machine: str = ""
    version: str = ""
    agents: str = ""


def alive(tx: Tx, host: str, now_us: int) -> list[Alive]:
    """The longest running first. `host`: this one, as `this_host` names it."""
    found = []
    rows = tx.rows(
        "SELECT id, host, pid, born, started_us, expires_us, roles, machine, version, agents FROM owners"
        " ORDER BY started_us, id"
    )
    for id_, on, pid, born, started_us, expires_us, *about in rows:
        here = bool(on) and on == host
        if expires_us >= now_us and (not here or process_born(pid) == born):
            found.append(Alive(id_, pid, started_us, expires_us, here, *about))
    return found


def bury(tx: Tx, here: Owner, now_us: int) -> tuple[str, ...]:
    """Ends every owner whose lease is over, and those of this host whose process is gone; gives their claims free.

    A dead process on this machine is seen at once, without waiting for its lease.
    """
    gone = dead(tx, here, now_us)
    for owner_id in gone:
        leave(tx, owner_id)
    # Claimed by one who had been buried while it was frozen, and who died before it could join again.
    tx.execute(
        "UPDATE claims SET epoch = epoch + 1, owner = NULL"
        " WHERE owner IS NOT NULL AND owner NOT IN (SELECT id FROM owners)"
    )
    return gone


def dead(tx: Tx, here: Owner, now_us: int) -> tuple[str, ...]:
    """Whom `bury` would end."""
    rows = tx.rows("SELECT id, host, pid, born, expires_us FROM owners WHERE id <> ?", (here.id,))
    return tuple(
        owner_id
        for owner_id, host, pid, born, expires_us in rows
        if expires_us < now_us or (host and host == here.host and Neighbour(pid, born).gone())
    )


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another owner's process on this machine."""

    pid: int
    born: str

    def gone(self) -> bool:
        return process_born(self.pid) != self.born


@dataclass(frozen=True, slots=True)
class Others:
    """Who else holds a lease: how many, how many of them come first in line, and when the first lease ends.

    `neighbours`: those on this machine, as far as they can be looked after one by one.
    """

    count: int = 0
    before: int = 0
    first_expires_us: int | None = None
    neighbours: tuple[Neighbour, ...] = ()


def others(tx: Tx, here: Owner) -> Others:
    counted = tx.row(
        "SELECT COUNT(*), COUNT(CASE WHEN id < ? THEN 1 END), MIN(expires_us) FROM owners WHERE id <> ?",
        (here.id, here.id),
    )
    assert counted is not None
    near = tx.rows(
        "SELECT pid, born FROM owners WHERE host = ? AND host <> '' AND id <> ? LIMIT ?",
        (here.host, here.id, NEIGHBOURS_MAX),
    )
    count, before, first_expires_us = counted
    return Others(count, before, first_expires_us, tuple(Neighbour(*row) for row in near))


def process_born(pid: int) -> str | None:
    """When the kernel started this pid, as it says itself; None when there is no such process or no /proc.

    Without /proc (macOS, Windows) a dead neighbour is noticed by its lease alone.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    if fields[0] in {"Z", "X"}:
        return None
    return fields[19]


def this_host() -> str:
    """Tells this kernel boot and pid namespace from every other, so that pids can be compared."""
    parts = []
    for source in ("/proc/sys/kernel/random/boot_id",):
        try:
            parts.append(Path(source).read_text().strip())
        except OSError:
            return ""
    try:
        parts.append(str(Path("/proc/self/ns/pid").stat().st_ino))
    except OSError:
        return ""
    return ":".join(parts)
