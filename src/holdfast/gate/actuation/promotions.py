"""Which model serves which role: put in force by a named person, on record, and put back by one.

The gate reads a model's card (site/modelcard.py), which is signed and small, never the model. Into force comes only what a key that
this site trusts vouches for, what has the skill, and what the suites say is at or above the model that serves now. Who may sign is who
the policy's rules ask for `adopt` of `model/ROLE`, else the site's default approvals. Table and record change in one transaction.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import TypeAdapter

from holdfast.clock import Clock
from holdfast.gate.actuation.debts import Debts
from holdfast.gate.approval.adopters import adopters
from holdfast.gate.approval.inbox import Inbox
from holdfast.gate.identity.people import People
from holdfast.gate.ledger.log import Log
from holdfast.site.model import Site
from holdfast.site.modelcard import BundleError, Evaluation
from holdfast.site.modellayout import Layout, bundles, read_layout, trusted_keys
from holdfast.site.modelroles import (
    FITS_MAX,
    RUNNING_MAX,
    ModelFit,
    ModelRunning,
    ModelStanding,
    ModelsTold,
    Shortfall,
    shortfall,
    well_formed,
)
from holdfast.terms import SECOND_NS, Word, canonical, plain

FORMER_MAX = 8  # kept of one role, the one in force among them; the oldest go first, and the record keeps them all
DIGEST_CHARS_MIN = 8
TEXT_MAX = 300
MINUTE_NS, TOLD_A_MINUTE = 60 * SECOND_NS, 2 * RUNNING_MAX  # of one agent: one that changes its mind floods no record
EVALUATIONS = TypeAdapter(tuple[Evaluation, ...])
TABLE = """
CREATE TABLE IF NOT EXISTS model_in_force (
  role TEXT NOT NULL, place INTEGER NOT NULL, digest TEXT NOT NULL, name TEXT NOT NULL, version TEXT NOT NULL, evaluations TEXT NOT NULL,
  person TEXT NOT NULL, since_ns INTEGER NOT NULL, PRIMARY KEY (role, place)
) STRICT;
"""


class Promoted(Word):
    """One model that is or was in force for a role."""

    digest: str
    name: str
    version: str
    person: str
    since_ns: int


class ModelKept(Word):
    """A bundle of this box, as its card has it. `trouble`: the code of why it can't be read, with everything else empty."""

    digest: str
    name: str = ""
    version: str = ""
    format: str = ""
    skills: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    clearance: str = ""
    licence: str = ""
    provenance: str = ""
    precision: str = ""
    memory_mib: int = 0
    bytes: int = 0
    shipped: bool = False
    vouching: str = ""
    signer: str = ""
    profiles: tuple[tuple[str, str], ...] = ()
    evaluations: tuple[Evaluation, ...] = ()
    trouble: str = ""
    fits: tuple[tuple[str, ModelFit], ...] = ()  # (agent, what it says)


class RoleNow(Word):
    """`in_force` is what people put there, the newest first, what was there before after it; () where the release's own serves."""

    role: str
    in_force: tuple[Promoted, ...]
    release: str  # digest of the model that this release ships for the role; "" for none
    running: tuple[tuple[str, ModelRunning], ...]  # (agent, what it says it runs)
    roles: tuple[str, ...]  # of people, one of which may promote


class ModelsNow(Word):
    roles: tuple[RoleNow, ...]
    models: tuple[ModelKept, ...]


class PromotionError(ValueError):
    """The act is not possible; the text says why and what to do. `code`, with `facts`, has words of its own."""

    def __init__(self, code: str, message: str, **facts: str) -> None:
        super().__init__(message)
        self.code = code
        self.facts = facts


class Promotions:
    """`home`: the folder with `models`. Reading it takes a thread's time: `known` is for one, everything else is quick."""

    def __init__(
        self,
        *,
        log: Log,
        clock: Clock,
        debts: Debts,
        inbox: Inbox,
        people: People,
        site: Callable[[], Site],
        home: Path,
    ) -> None:
        self._log, self._state, self._clock, self._debts = log, log.state, clock, debts
        self._inbox, self._people, self._site, self._home = inbox, people, site, home
        self._told: dict[str, ModelsTold] = {}  # by agent: bounded by those that have a token
        self._counted: dict[str, tuple[int, int]] = {}  # by agent: since when, and how many of its words are on record since
        self._state.ensure(TABLE)

    # ---- an agent (link.Models) ----------------------------------------------------------------------------------------

    def standing(self) -> Sequence[ModelStanding]:
        """Of each role that people put something in force for."""
        return tuple(ModelStanding(role=role, digest=stack[0].digest) for role, stack in self._stacks().items())

    def told(self, author: str, told: ModelsTold) -> None:
        """Kept in memory; that an agent loaded another model is on record once, at most TOLD_A_MINUTE of them."""
        if not well_formed(told):
            text = f"tell names, digests and codes, each role once, of at most {RUNNING_MAX} roles and {FITS_MAX} models"
            raise PromotionError("model.told", text)
        self._debts.demand_well()  # what people did is owed first, where the record can't be written
        before = {one.role: one for one in self._told.get(author, ModelsTold()).running}
        self._told[author] = told
        now_ns = self._clock.monotonic_ns()
        since_ns, count = self._counted.get(author, (now_ns, 0))
        if now_ns - since_ns >= MINUTE_NS:
            since_ns, count = now_ns, 0
        for one in told.running:
            if one != before.get(one.role) and count < TOLD_A_MINUTE:
                self._debts.owe("model.running", {"author": author, **plain(one)})
                count += 1
        self._counted[author] = since_ns, count

    # ---- people ----------------------------------------------------------------------------------------------------------

    def known(self) -> tuple[Layout | ModelKept, ...]:
        """The bundles of this box, read anew: for a thread beside the gate. One that can't be read says why."""
        unread: list[Path] = []
        try:
            keys = trusted_keys(self._home, unread)
        except BundleError as error:
            return (ModelKept(digest="", trouble=error.code),)
        found: list[Layout | ModelKept] = [ModelKept(digest=path.name[:64], trouble="model.key") for path in unread]
        for folder in bundles(self._home):
            try:
                layout = read_layout(folder, keys)
                if not layout.shipped and folder.name != layout.digest:
                    raise BundleError("model.changed", f"{folder} holds another model than its name says")
                found.append(layout)
            except BundleError as error:
                found.append(ModelKept(digest=folder.name[:64], trouble=error.code))
        return tuple(found)

    def now(self, known: Sequence[Layout | ModelKept]) -> ModelsNow:
        stacks = self._stacks()
        layouts = [one for one in known if isinstance(one, Layout)]
        skills = {skill for one in layouts for skill in one.vouched.statement.card.skills}
        running = {one.role for told in self._told.values() for one in told.running}
        return ModelsNow(
            roles=tuple(
                RoleNow(
                    role=role,
                    in_force=stacks.get(role, ()),
                    release=release.digest if (release := _release(role, layouts)) else "",
                    running=tuple((agent, one) for agent, told in self._told.items() for one in told.running if one.role == role),
                    roles=tuple(sorted(adopters(self._site(), f"model/{role}"))),
                )
                for role in sorted({*skills, *stacks, *running})
            ),
            models=tuple(one if isinstance(one, ModelKept) else self._kept(one) for one in known),
        )

    def promote(
        self, role: str, of: str, person: str, key: Ed25519PrivateKey, known: Sequence[Layout | ModelKept], *, reason: str = ""
    ) -> Promoted:
        """Put a model in force for a role. `of` may be the beginning of a digest that fits one alone. Raises PromotionError."""
        person = self._signer(person, role)
        layouts = [one for one in known if isinstance(one, Layout)]
        layout = _found(of, layouts)
        statement, stack = layout.vouched.statement, self._stack(role)
        who = f"{statement.name} {statement.version}"
        _demand_trusted(layout)
        if role not in statement.card.skills:
            raise PromotionError(
                "model.skill", f"{who} has not the skill {role[:64]!r}; its card says which it has", model=who, role=role[:64]
            )
        release = _release(role, layouts)
        former = stack[0].digest if stack else release.digest if release else ""
        if former == layout.digest:
            raise PromotionError("model.same", f"{who} is in force for {role} already", model=who, role=role)
        present = self._evaluations(role) if stack else None if release is None else release.vouched.statement.card.evaluations
        if why := shortfall(role, statement.card.evaluations, present):
            facts = {"suite": why.suite, "figure": why.figure, "has": repr(why.has), "wanted": repr(why.wanted)}
            raise PromotionError(why.code, _told(who, why), model=who, **facts)
        now_ns = self._clock.now_ns()
        told = {"role": role, "digest": layout.digest, "name": statement.name, "version": statement.version, "former": former}
        act = {"act": "promote", **told, "signer": layout.vouched.signer, "evaluations": plain(statement.card.evaluations)}
        promoted = Promoted(digest=layout.digest, name=statement.name, version=statement.version, person=person, since_ns=now_ns)
        self._sign({**act, "person": person, "reason": reason[:TEXT_MAX], "at_ns": now_ns}, key, lambda: self._put(role, promoted, act))
        return promoted

    def rollback(self, role: str, person: str, key: Ed25519PrivateKey, known: Sequence[Layout | ModelKept], *, reason: str = "") -> str:
        """Put back what served before the model in force; its digest, "" for none but the rules. Raises PromotionError."""
        person, stack = self._signer(person, role), self._stack(role)
        if not stack:
            raise PromotionError(
                "model.none", f"nobody put a model in force for {role[:64]!r}, so there is none to put back", role=role[:64]
            )
        top, *former = stack
        layouts = [one for one in known if isinstance(one, Layout)]
        release = _release(role, layouts)
        back = former[0].digest if former else release.digest if release else ""
        if former:
            _demand_trusted(_found(back, layouts))
        act = {"act": "rollback", "role": role, "digest": back, "former": top.digest, "person": person, "reason": reason[:TEXT_MAX]}
        self._sign({**act, "at_ns": self._clock.now_ns()}, key, lambda: self._drop(role))
        return back

    # ---- within ----------------------------------------------------------------------------------------------------------

    def _signer(self, person: str, role: str) -> str:
        """The person's name, where one of the roles that may say so is theirs. Raises PromotionError."""
        name, roles = self._inbox.named(person), adopters(self._site(), f"model/{role}")
        if not roles.intersection(self._people.roles(name)):
            wanted = ", ".join(sorted(roles))
            raise PromotionError("model.role", f"{name} has none of the roles that may do this: {wanted}", person=name, roles=wanted)
        return name

    def _sign(self, act: Mapping[str, Any], key: Ed25519PrivateKey, change: Callable[[], None]) -> None:
        signed = {**act, "signature": key.sign(canonical(act))}

        def both() -> None:
            with self._state.transaction():
                change()
                self._log.append("model", signed)

        self._debts.by_person(both)

    def _stacks(self) -> Mapping[str, tuple[Promoted, ...]]:
        """By role, the newest first."""
        rows = self._state.rows("SELECT role, digest, name, version, person, since_ns FROM model_in_force ORDER BY role, place DESC")
        found: dict[str, tuple[Promoted, ...]] = {}
        for role, of, name, version, person, since_ns in rows:
            one = Promoted(digest=of, name=name, version=version, person=person, since_ns=since_ns)
            found[role] = (*found.get(role, ()), one)
        return found

    def _stack(self, role: str) -> tuple[Promoted, ...]:
        return self._stacks().get(role, ())

    def _evaluations(self, role: str) -> tuple[Evaluation, ...]:
        """Of the model in force, as they were when it came there: a card that is exchanged later lowers no bar."""
        rows = self._state.rows("SELECT evaluations FROM model_in_force WHERE role = ? ORDER BY place DESC LIMIT 1", (role,))
        return EVALUATIONS.validate_json(str(rows[0][0])) if rows else ()

    def _put(self, role: str, one: Promoted, act: Mapping[str, Any]) -> None:
        rows = self._state.rows("SELECT coalesce(max(place), 0) FROM model_in_force WHERE role = ?", (role,))
        place = int(rows[0][0]) + 1
        row = (role, place, one.digest, one.name, one.version, json.dumps(act["evaluations"]), one.person, one.since_ns)
        self._state.db.execute("INSERT INTO model_in_force VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        self._state.db.execute("DELETE FROM model_in_force WHERE role = ? AND place <= ?", (role, place - FORMER_MAX))

    def _drop(self, role: str) -> None:
        newest = "SELECT max(place) FROM model_in_force WHERE role = ?"
        self._state.db.execute(f"DELETE FROM model_in_force WHERE role = ? AND place = ({newest})", (role, role))  # noqa: S608 - constants

    def _kept(self, layout: Layout) -> ModelKept:
        statement = layout.vouched.statement
        card = statement.card
        return ModelKept(
            digest=layout.digest,
            name=statement.name,
            version=statement.version,
            format=card.format,
            skills=card.skills,
            languages=card.languages,
            clearance=card.clearance,
            licence=card.licence,
            provenance=card.provenance,
            precision=card.precision,
            memory_mib=card.memory_mib,
            bytes=sum(file.bytes for file in statement.files),
            shipped=layout.shipped,
            vouching=layout.vouched.vouching,
            signer=layout.vouched.signer,
            profiles=tuple((profile.name, profile.state) for profile in card.profiles),
            evaluations=card.evaluations,
            fits=tuple((agent, fit) for agent, told in self._told.items() for fit in told.fits if fit.digest == layout.digest),
        )


def _told(who: str, why: Shortfall) -> str:
    match why.code:
        case "model.unevaluated":
            return (
                f"{who} was not put through the suite {why.suite}, so nobody knows how good it is; evaluate it, add the result to its card"
            )
        case "model.not_compared":
            return (
                f"{who} has no {why.figure} of the suite {why.suite} on the data that the model in force was tried on; evaluate it on that"
            )
        case _:
            worse = f"{why.figure} of the suite {why.suite} is {why.has:g}, at least as good as {why.wanted:g} is wanted"
            return f"{who} is worse than the model in force: {worse}"


def _release(role: str, layouts: Sequence[Layout]) -> Layout | None:
    """The model that this release ships for a role."""
    return next((one for one in layouts if one.shipped and role in one.vouched.statement.card.skills), None)


def _found(of: str, layouts: Sequence[Layout]) -> Layout:
    found = [one for one in layouts if one.digest.startswith(of)] if len(of) >= DIGEST_CHARS_MIN else []
    if len({one.digest for one in found}) != 1:
        raise PromotionError(
            "model.gone", f"no model {of[:16]!r} is kept here whole, or several begin so; import its bundle", digest=of[:16]
        )
    return found[0]


def _demand_trusted(layout: Layout) -> None:
    statement, vouched = layout.vouched.statement, layout.vouched
    who = f"{statement.name} {statement.version}"
    if vouched.vouching == "unsigned":
        raise PromotionError("model.unsigned", f"{who} is signed by nobody; have its maker sign it", model=who)
    if vouched.vouching == "unknown":
        cure = "put its maker's public key into models/trusted of the home, if you trust it"
        raise PromotionError("model.untrusted", f"{who}: signature: unknown key {vouched.signer}; {cure}", model=who, signer=vouched.signer)
