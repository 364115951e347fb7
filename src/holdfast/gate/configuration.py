"""The configuration in force: activated whole, by named people, on record. What merely lies on the disk is not used.

It is kept in the state file beside the ledger, so that a record of its activation and the configuration itself become true in
one transaction. Who must sign is what the configuration *in force* says: a new one can't lower the bar for itself.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from holdfast.clock import Clock
from holdfast.gate.guard.compile import compile_site
from holdfast.gate.identity.names import folded
from holdfast.gate.identity.people import People
from holdfast.gate.ledger.log import Log
from holdfast.gate.ledger.store import State
from holdfast.site.load import load
from holdfast.site.model import Problem, Site, SiteError
from holdfast.terms import Adopt, Word, canonical, digest

KEPT_MAX = 100  # activated configurations; the oldest go first, the ledger keeps them all
SIGNED_FOR_NS = 24 * 3600 * 1_000_000_000  # a signature that waits longer for the others is void
SITE_BYTES_MAX = 8 << 20
How = Literal["first start", "activate", "rollback"]
SITE = TypeAdapter(Site)

TABLES = """
CREATE TABLE IF NOT EXISTS configuration (
  generation INTEGER PRIMARY KEY, digest TEXT NOT NULL, revision INTEGER NOT NULL, former TEXT NOT NULL, bytes BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS configuration_signature (
  digest TEXT NOT NULL, generation INTEGER NOT NULL, fold TEXT NOT NULL, role TEXT NOT NULL, person TEXT NOT NULL, at_ns INTEGER NOT NULL,
  PRIMARY KEY (digest, generation, fold)
) STRICT;
CREATE TABLE IF NOT EXISTS configuration_adopted (
  generation INTEGER PRIMARY KEY, how TEXT NOT NULL, signed TEXT NOT NULL, at_ns INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS configuration_peak (one INTEGER PRIMARY KEY CHECK (one = 1), revision INTEGER NOT NULL) STRICT;
"""


class ConfigurationError(Exception):
    """The configuration can't be adopted as it was asked; the text says what to do. `code`, with `facts`, has words of its own."""

    def __init__(self, code: str, message: str, **facts: str) -> None:
        super().__init__(message)
        self.code = code
        self.facts = facts


class Active(Word):
    """The configuration in force. `generation` counts activations, `revision` is its policy's."""

    generation: int
    digest: str
    revision: int
    former: str  # digest of the one before, "" for the first
    site: Site


class Standing(Word):
    """How far an activation came: in force, or who has signed and which roles are still asked for."""

    digest: str
    revision: int
    adopted: bool
    signed: tuple[tuple[str, str], ...]  # (role, person)
    missing: tuple[str, ...]


class Revision(Word):
    """One activation. `how`, `signed` and `at_ns` are unknown ("", (), 0) of what an earlier release activated."""

    generation: int
    digest: str
    revision: int
    former: str
    how: str
    signed: tuple[tuple[str, str], ...]  # (role, person)
    at_ns: int
    active: bool


class Settled(Word):
    """What a gate runs, and what it says of a file on the disk that differs; "" where there is nothing to say."""

    active: Active
    on_disk: str


class Configurations:
    """Makes its tables. Writes join the caller's transaction."""

    def __init__(self, state: State, log: Log, people: People, clock: Clock) -> None:
        self._state = state
        self._log = log
        self._people = people
        self._clock = clock
        state.ensure(TABLES)

    def active(self) -> Active | None:
        """None before the first start. Raises ConfigurationError where what is kept is not what was activated."""
        return self._kept("SELECT * FROM configuration ORDER BY generation DESC LIMIT 1")

    def first(self, site: Site) -> Active:
        """A home that never had a configuration takes the site file that it is started with. Raises SiteError."""
        if (known := self.active()) is not None:
            return known
        compile_site(site)
        with self._state.transaction():
            return self._adopt(site, "first start", (), former="")

    def activate(self, site: Site, person: str, password: str, *, role: str = "") -> Standing:
        """One person's signature for this configuration; the last one that is asked for puts it in force.

        Raises ConfigurationError for a revision that doesn't rise or a person without a role that is asked for, SiteError for a
        configuration that can't decide, IdentityError for a wrong password.
        """
        self.demand_next(site)
        return self.sign(site, "activate", person, lambda message: self._people.sign(person, password, message), role=role)

    def demand_next(self, site: Site) -> None:
        """Whether this could be activated at all. Raises ConfigurationError, SiteError."""
        now = self._demand_active()
        if digest(site) == now.digest:
            raise ConfigurationError(
                "configuration.same", f"{now.digest[:16]} is in force already (revision {now.revision}).", revision=str(now.revision)
            )
        peak = self._peak()
        if site.policy.revision <= peak:
            raise ConfigurationError(
                "configuration.revision",
                f"Its policy is revision {site.policy.revision}, and revision {peak} was in force here. Write revision: {peak + 1}.",
                revision=str(site.policy.revision),
                peak=str(peak),
                next=str(peak + 1),
            )
        compile_site(site)

    def rollback(self, person: str, password: str, *, role: str = "") -> Standing:
        """One person's signature for going back to what was in force before. The highest revision ever in force still counts.

        Raises ConfigurationError where there is nothing to go back to, and as `activate`.
        """
        return self.sign(self.former().site, "rollback", person, lambda message: self._people.sign(person, password, message), role=role)

    def former(self) -> Active:
        """What a rollback goes back to. Raises ConfigurationError."""
        former = self.kept(self._demand_active().former)
        if former is None:
            raise ConfigurationError("configuration.no_former", "There is no configuration before this one that is kept here.")
        return former

    def kept(self, of: str) -> Active | None:
        """An activated configuration by its digest, as it was activated last."""
        return self._kept("SELECT * FROM configuration WHERE digest = ? ORDER BY generation DESC LIMIT 1", of)

    def revisions(self) -> tuple[Revision, ...]:
        """All that are kept here, the newest first."""
        rows = self._state.rows(
            "SELECT c.generation, c.digest, c.revision, c.former, coalesce(a.how, ''), coalesce(a.signed, '[]'), coalesce(a.at_ns, 0)"
            " FROM configuration c LEFT JOIN configuration_adopted a USING (generation) ORDER BY c.generation DESC"
        )
        return tuple(
            Revision(
                generation=generation,
                digest=of,
                revision=revision,
                former=former,
                how=how,
                signed=tuple((role, person) for role, person in json.loads(signed)),
                at_ns=at_ns,
                active=place == 0,
            )
            for place, (generation, of, revision, former, how, signed, at_ns) in enumerate(rows)
        )

    def standing(self, of: str, revision: int) -> Standing:
        """Who has signed so far for a configuration that is not in force."""
        now = self._demand_active()
        signed = self._signed(of, now)
        missing = tuple(r for r in self._wanted(now) if r not in signed)
        return Standing(digest=of, revision=revision, adopted=False, signed=tuple(signed.items()), missing=missing)

    def sign(
        self,
        site: Site,
        how: How,
        person: str,
        signer: Callable[[bytes], bytes],
        *,
        role: str = "",
        adopt: bool = True,
        then: Callable[[Active], None] = lambda _: None,
    ) -> Standing:
        """A signature that `signer` makes; the last one puts it in force if `adopt`, and `then` belongs to the same transaction.

        The caller has seen to it that this configuration may follow (`demand_next`, `former`). Raises ConfigurationError for a
        person without a role that is asked for, and what `signer` and `then` raise.
        """
        now = self._demand_active()
        known = self._people.get(person)
        person = known.name if known else person
        wanted = self._wanted(now)
        of = digest(site)
        signed = self._signed(of, now, but=folded(person))
        free = [r for r in wanted if r not in signed and r in self._people.roles(person)]
        chosen = role or (free[0] if free else "")
        if chosen not in free:
            asked = ", ".join(r for r in wanted if r not in signed)
            raise ConfigurationError(
                "configuration.role", f"{person} can't sign for this: it asks for one person each as {asked}.", person=person, roles=asked
            )
        act = self._act(how, site, of, now, person, chosen)
        signature = signer(canonical(act))
        with self._state.transaction():
            self._log.append("configuration.signed", {**act, "signature": signature})
            self._state.db.execute(
                "INSERT OR REPLACE INTO configuration_signature VALUES (?, ?, ?, ?, ?, ?)",
                (of, now.generation, folded(person), chosen, person, self._clock.now_ns()),
            )
            signed[chosen] = person
            missing = tuple(r for r in wanted if r not in signed)
            adopted = adopt and not missing
            if adopted:
                then(self._adopt(site, how, tuple(signed.items()), former=now.digest))
        return Standing(digest=of, revision=site.policy.revision, adopted=adopted, signed=tuple(signed.items()), missing=missing)

    @staticmethod
    def _wanted(now: Active) -> tuple[str, ...]:
        return now.site.configuration_approvals or now.site.default_approvals

    def _signed(self, of: str, now: Active, but: str = "") -> dict[str, str]:
        """By role, who signed for this as what follows `now`; not one of them after SIGNED_FOR_NS, nor without the role."""
        rows = self._state.rows(
            "SELECT fold, role, person FROM configuration_signature WHERE digest = ? AND generation = ? AND at_ns > ?",
            (of, now.generation, self._clock.now_ns() - SIGNED_FOR_NS),
        )
        return {r: p for fold, r, p in rows if r in self._people.roles(p) and fold != but}

    def _act(self, how: How, site: Site, of: str, now: Active, person: str, role: str) -> Mapping[str, Any]:
        """What a person signs: this action, on this generation, in this role."""
        return {
            "act": how,
            "action": Adopt(what="configuration", name=site.name, digest=of),
            "revision": site.policy.revision,
            "after": {"generation": now.generation, "digest": now.digest},
            "person": person,
            "role": role,
            "at_ns": self._clock.now_ns(),
        }

    def _adopt(self, site: Site, how: How, signed: tuple[tuple[str, str], ...], *, former: str) -> Active:
        """In the caller's transaction."""
        kept = canonical(site)
        of = digest(site)
        if len(kept) > SITE_BYTES_MAX or digest(_read(kept)) != of:
            raise ConfigurationError("configuration.kept", f"{of[:16]} can't be kept as it is: it doesn't read back as itself.")
        (last,) = self._state.rows("SELECT coalesce(max(generation), -1) FROM configuration")
        generation = int(last[0]) + 1
        revision = site.policy.revision
        self._state.db.execute("INSERT INTO configuration VALUES (?, ?, ?, ?, ?)", (generation, of, revision, former, kept))
        told = (generation, how, json.dumps(signed), self._clock.now_ns())
        self._state.db.execute("INSERT INTO configuration_adopted VALUES (?, ?, ?, ?)", told)
        for table in ("configuration", "configuration_adopted"):
            self._state.db.execute(f"DELETE FROM {table} WHERE generation <= ?", (generation - KEPT_MAX,))  # noqa: S608 - constants
        self._state.db.execute("DELETE FROM configuration_signature")
        self._state.db.execute("INSERT OR REPLACE INTO configuration_peak VALUES (1, ?)", (max(revision, self._peak()),))
        body = {"how": how, "generation": generation, "digest": of, "revision": revision, "former": former, "signed": signed}
        self._log.append("activated", body)
        return Active(generation=generation, digest=of, revision=revision, former=former, site=site)

    def _demand_active(self) -> Active:
        now = self.active()
        if now is None:
            raise ConfigurationError("configuration.none", "Nothing is in force here yet: the first start takes the site file it is given.")
        return now

    def _peak(self) -> int:
        rows = self._state.rows("SELECT revision FROM configuration_peak")
        return int(rows[0][0]) if rows else -1

    def _kept(self, sql: str, *bindings: str) -> Active | None:
        rows = self._state.rows(sql, bindings)
        if not rows:
            return None
        generation, of, revision, former, kept = rows[0]
        site = _read(kept)
        if digest(site) != of or site.policy.revision != revision:
            raise ConfigurationError(
                "configuration.changed", f"What is kept as configuration {of[:16]} was changed behind the gate's back. Restore a backup."
            )
        return Active(generation=generation, digest=of, revision=revision, former=former, site=site)


def settle(file: Path, configurations: Configurations) -> Settled:
    """What to run: what is in force; at a first start the site file, which comes into force by it.

    Raises SiteError where there is nothing in force and the file can't be used, ConfigurationError where what is kept was changed.
    """
    active = configurations.active()
    if active is None:
        return Settled(active=configurations.first(load(file).site), on_disk="")
    return Settled(active=active, on_disk=said_of(file, active.digest, active.revision))


def said_of(file: Path, in_force: str, revision: int) -> str:
    """What is to be said of the site file while another digest is in force; "" where it is the same."""
    try:
        found = load(file)
    except SiteError as error:
        return f"{file} has errors and is not used: {_first(error.problems)}"
    if found.digest == in_force:
        return ""
    what = f"{file} is not what is in force: {found.digest[:16]} on the disk, {in_force[:16]} (revision {revision}) in force"
    return f"{what}; `holdfast policy activate` puts it in force"


def _first(problems: tuple[Problem, ...]) -> str:
    return f"{problems[0].file}:{problems[0].line}: {problems[0].what}" if problems else "it can't be read"


def _read(kept: bytes) -> Site:
    try:
        return SITE.validate_json(kept)
    except ValidationError as error:
        raise ConfigurationError("configuration.unreadable", f"What is kept can't be read: {error.errors()[0]['msg']}.") from None
