"""A configuration put in force while the gate runs: between two decisions, in one transaction, with named signatures.

What only a restart can change (connections, tags, what agents were started with) is refused whole. Half a configuration in force
would be one that nobody signed for, and its digest would say what isn't so.
"""

import dataclasses
from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from holdfast.clock import Clock
from holdfast.gate.actuation.failpoints import committing
from holdfast.gate.actuation.parts import Parts
from holdfast.gate.actuation.proposed import Laid, Proposed
from holdfast.gate.configuration import Active, ConfigurationError, Configurations, How, Standing
from holdfast.gate.guard.compile import Compiled, compile_site
from holdfast.site.load import Loaded
from holdfast.site.model import Envelope, Site
from holdfast.terms import canonical

# What was opened, built or handed out at the start from these parts of the site file.
AT_START = ("name", "language", "timezone", "objective", "connections", "tags", "loops", "perception", "modes", "context", "outbox")
ON_ITS_WAY = ("intent", "sent", "verified", "retreat", "retreating")


def needs_restart(old: Site, new: Site) -> tuple[str, ...]:
    """The parts of the site file that differ and that a running gate can't change."""
    found = [name for name in AT_START if canonical(getattr(old, name)) != canonical(getattr(new, name))]
    agents = [[(a.name, a.diagnoser) for a in site.agents] for site in (old, new)]
    return (*found, *(("agents",) if agents[0] != agents[1] else ()))


class Activation:
    """`person` is whoever's password opened `key`. Every call raises ConfigurationError, SiteError, StateError."""

    def __init__(self, parts: Parts, clock: Clock) -> None:
        self._parts, self._clock = parts, clock
        self.configurations = Configurations(parts.state, parts.log, parts.people, clock)
        self.proposed = Proposed(parts.state)

    def propose(self, found: Loaded, main: str, files: Mapping[str, str], person: str) -> Standing:
        """Lay a configuration before the gate. It is refused here already where it could never come into force as it is."""
        self._demand_live(found.site)
        self.configurations.demand_next(found.site)
        person = self._parts.inbox.named(person)
        laid = Laid(digest=found.digest, main=main, files=tuple(files.items()), site=found.site, person=person, at_ns=self._clock.now_ns())
        revision = found.site.policy.revision

        def record() -> None:
            with self._parts.state.transaction():
                self._parts.log.append("configuration.proposed", {"digest": found.digest, "revision": revision, "person": person})
                self.proposed.put(laid)

        self._parts.debts.by_person(record)
        self._parts.hearers.tell()
        return self.configurations.standing(found.digest, revision)

    def sign(self, of: str, person: str, key: Ed25519PrivateKey, *, role: str = "") -> Standing:
        """One person's signature for a proposed configuration, which is not in force by it."""
        return self._signed(self._site(of), "activate", person, key, role, adopt=False)

    def activate(self, of: str, person: str, key: Ed25519PrivateKey, *, role: str = "") -> Standing:
        """The same, and where nobody else is asked for, it is in force when this returns."""
        return self._signed(self._site(of), "activate", person, key, role, adopt=True)

    def rollback(self, person: str, key: Ed25519PrivateKey, *, role: str = "") -> Standing:
        """One person's signature for what was in force before; with the last one it is."""
        former = self.configurations.former().site
        self._demand_live(former)
        return self._signed(former, "rollback", person, key, role, adopt=True)

    def _site(self, of: str) -> Site:
        laid = self.proposed.get(of)
        if laid is None:
            raise ConfigurationError("configuration.unknown", f"{of[:16]!r} was not proposed here, or too long ago: propose it first.")
        self.configurations.demand_next(laid.site)
        self._demand_live(laid.site)
        return laid.site

    def _demand_live(self, new: Site) -> None:
        if parts := needs_restart(self._parts.site, new):
            raise ConfigurationError(
                "configuration.restart",
                f"It changes {', '.join(parts)}, which a running gate can't, and half of it in force would be what nobody signed for."
                " Stop the gate, run `holdfast policy activate`, and start it again.",
                parts=", ".join(parts),
            )
        kept = {e.tag: e for e in new.envelopes}
        for job in self._parts.jobs.open():
            if job.state not in ON_ITS_WAY:
                continue
            for tag in job.tags:
                if (old := self._parts.site.envelope(tag)) is not None and _judged_by(old) != _judged_by(kept.get(tag)):
                    raise ConfigurationError(
                        "configuration.in_flight",
                        f"{job.proposal.id} is on its way to {tag}, whose new envelope judges it otherwise. Try again once it is done.",
                        tag=tag,
                    )

    def _signed(self, site: Site, how: How, person: str, key: Ed25519PrivateKey, role: str, *, adopt: bool) -> Standing:
        parts, old = self._parts, self._parts.compiled
        new = compile_site(site)
        parts.debts.demand_settled()  # what others did is judged by the configuration under which they did it

        def signed() -> Standing:
            try:
                return self.configurations.sign(
                    site, how, person, key.sign, role=role, adopt=adopt, then=lambda active: self._take_over(new, active)
                )
            except BaseException:
                if parts.compiled is not old:
                    parts.adopt(old)
                raise

        standing = parts.debts.by_person(signed)
        if standing.adopted:
            parts.alarms.adopt(site.alarms)
            parts.debts.settle(now=True)
            parts.changed()
        parts.hearers.tell()
        return standing

    def _take_over(self, new: Compiled, active: Active) -> None:
        """In the transaction that puts it in force: nothing that was decided or signed for under the old one goes on."""
        parts = self._parts
        with committing(parts.state, "activated"):
            parts.log.append("configuration", {"digest": active.digest, "site": dataclasses.replace(active.site, connections=())})
            for job in parts.jobs.open():
                if job.state in ("asked", "approved"):
                    parts.inbox.void(job.proposal.id, "configuration.changed")
                    parts.jobs.put(job.on("void"))
                    parts.log.append("voided", {"proposal": job.proposal.id, "author": job.author, "code": "configuration.changed"})
            parts.adopt(new)
            parts.commissioning.set_back_what_changed()


def _judged_by(envelope: Envelope | None) -> object:
    """What a write that is on its way is read back, judged and taken back by."""
    return None if envelope is None else (envelope.equipment, envelope.readback, envelope.settles, envelope.expect, envelope.restore)
