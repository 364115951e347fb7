"""Which model an agent uses for each role: what people put in force, else the one of this release; and what it really loaded is told.

A model in force that is gone, was changed, or that nobody here vouches for any more is trouble, said as such: the role then has no
model and the rung below serves. Another model in its place would be a promotion that nobody signed.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from holdfast.agent.models.bundles.bundle import Bundle, open_bundle
from holdfast.agent.models.bundles.fit import fit
from holdfast.agent.models.bundles.hardware.device import Probed
from holdfast.link import Link
from holdfast.site.modelcard import BundleError
from holdfast.site.modellayout import Layout, bundles, read_layout, trusted_keys
from holdfast.site.modelroles import FITS_MAX, RUNNING_MAX, ModelFit, ModelRunning, ModelStanding, ModelsTold
from holdfast.terms import SECOND_NS

LOOK_NS = 10 * SECOND_NS  # between looks at what is in force
WAIT_LOOKS_MAX = 32
UNFIT_MAX = 64
TELL_NS = 300 * SECOND_NS  # a gate that was started anew knows nothing of what is running; and the bundles may have changed


class InUse:
    """`home`: the folder with `models`, None where the agent is shown none. `probed`: what there is to run models on.

    A bundle is read whole when it comes into use, in a thread: it takes a large one some seconds.
    """

    def __init__(self, link: Link, home: Path | None, probed: Callable[[], Sequence[Probed]]) -> None:
        self._link, self._home, self._probe = link, home, probed
        self._used: dict[str, Bundle] = {}
        self._wanted: dict[str, str] = {}
        self._trouble: dict[str, str] = {}
        self._wait: dict[str, int] = {}
        self._passed: dict[str, int] = {}
        self._looked_ns = self._told_ns = -(10**18)
        self._told: ModelsTold | None = None
        self._unfit: dict[str, str] = {}

    def of(self, role: str) -> Bundle | None:
        """The model to use for a role, every byte of it checked; None where there is none: the rung below serves."""
        return self._used.get(role)

    def unfit(self, of: str, code: str) -> None:
        """A model, by its digest, turned out to be unusable though its bytes are right: told as the trouble of its role. For any thread."""
        self._unfit = {of: code, **dict(list(self._unfit.items())[: UNFIT_MAX - 1])}

    async def step(self, now_ns: int) -> None:
        """Follow what is in force, and tell what is loaded. Raises LinkError; what is lost by it is done again."""
        if now_ns - self._looked_ns >= LOOK_NS:
            await asyncio.to_thread(self._follow, await self._link.models())
            self._looked_ns = now_ns
        running = self._running()
        if self._told is None or self._told.running != running or now_ns - self._told_ns >= TELL_NS:
            told = ModelsTold(running=running, fits=await asyncio.to_thread(self._fits))
            await self._link.tell_models(told)
            self._told, self._told_ns = told, now_ns

    def _follow(self, standings: Sequence[ModelStanding]) -> None:
        released = self._released()
        wanted = {**{role: layout.digest for role, layout in released.items()}, **{one.role: one.digest for one in standings if one.digest}}
        for role in {*self._wanted, *wanted}:
            of = wanted.get(role, "")
            if of != self._wanted.get(role):
                self._wait[role] = 1
                self._use(role, of, released.get(role))
            elif role in self._trouble and self._due(role):
                self._use(role, of, released.get(role))
        self._wanted = dict(sorted(wanted.items())[:RUNNING_MAX])

    def _due(self, role: str) -> bool:
        """Whether what could not be loaded is tried again: after 1, 2, 4 … looks, for a large bundle is not read whole again at each."""
        self._passed[role] = self._passed.get(role, 0) + 1
        if self._passed[role] < self._wait[role]:
            return False
        self._passed[role], self._wait[role] = 0, min(2 * self._wait[role], WAIT_LOOKS_MAX)
        return True

    def _use(self, role: str, of: str, release: Layout | None) -> None:
        self._used.pop(role, None)
        self._trouble.pop(role, None)
        if not of:
            return
        folder = release.folder if release is not None and release.digest == of else self._folder(of)
        try:
            if folder is None:
                raise BundleError("model.gone", "no models are shown to this agent")
            found = open_bundle(folder, trusted_keys(self._home, []))
            if found.digest != of:
                raise BundleError("model.changed", f"{folder} holds another model than its name says")
            if found.vouching != "trusted":
                raise BundleError("model.untrusted", f"nobody here vouches for {found.name} {found.version} any more")
            self._used[role] = found
        except BundleError as error:
            self._trouble[role] = "model.gone" if error.code == "model.missing" else error.code

    def _folder(self, of: str) -> Path | None:
        return next((path for path in bundles(self._home) if path.name == of), None)

    def _released(self) -> Mapping[str, Layout]:
        """The models of this release, by role."""
        found: dict[str, Layout] = {}
        for layout in self._layouts():
            if layout.shipped:
                for skill in layout.vouched.statement.card.skills:
                    found.setdefault(skill, layout)
        return found

    def _layouts(self) -> tuple[Layout, ...]:
        """Those that can be read; what is wrong with another is for `holdfast models list` to say."""
        try:
            keys = trusted_keys(self._home, [])
        except BundleError:
            return ()
        found: list[Layout] = []
        for path in bundles(self._home):
            with contextlib.suppress(BundleError):
                found.append(read_layout(path, keys))
        return tuple(found)

    def _running(self) -> tuple[ModelRunning, ...]:
        told: list[ModelRunning] = []
        for role in self._wanted:
            used = self._used.get(role)
            trouble = self._trouble.get(role, "")
            if used is not None and used.digest in self._unfit:
                used, trouble = None, self._unfit[used.digest]
            told.append(
                ModelRunning(role=role, trouble=trouble)
                if used is None
                else ModelRunning(role=role, digest=used.digest, name=used.name, version=used.version)
            )
        return tuple(told)

    def _fits(self) -> tuple[ModelFit, ...]:
        probed, found = self._probe(), list[ModelFit]()
        for layout in self._layouts()[:FITS_MAX]:
            with contextlib.suppress(BundleError):
                one = fit(Bundle(layout=layout), probed)
                has = max((device.has_mib for device in one.devices), default=0)
                found.append(ModelFit(digest=one.digest, fits=one.fits, needs_mib=one.needs_mib, has_mib=has))
        return tuple(found)
