"""One stretch of bytes that is read, and the numbers of all tags in it at once: the same bits as `addresses.decode` gives one by one."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from holdfast.gate.connectors.s7 import addresses, plan
from holdfast.gate.connectors.s7.addresses import Address
from holdfast.gate.connectors.s7.plan import Span

_Group = tuple[NDArray[np.intp], NDArray[np.intp], str]  # members; the places of their bytes (members, bytes); numpy's form


class Stretch:
    """`span`, and how the bytes that come for it are meant; `members` (n,) index the addresses that lie in it."""

    def __init__(self, span: Span, wanted: Sequence[Address]) -> None:
        self.span = span
        self.members = np.array(span.members, np.intp)
        self._wanted = wanted
        self._groups: list[_Group] | None = None  # made with the first answer: a stretch that is refused has none
        self._bits: tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.uint8]] | None = None  # members, bytes, bits

    def halves(self) -> tuple["Stretch", ...]:
        """The two with which a refused one is tried again; none where it has one member only."""
        return tuple(Stretch(half, self._wanted) for half in plan.halves(self.span, self._wanted))

    def into(self, data: bytes, raw: NDArray[np.float64]) -> None:
        """`data` of `span.count` bytes; fills `raw` at the members' places. A number there may be NaN or infinite."""
        if self._groups is None:
            self._groups = self._made()
        came = np.frombuffer(data, np.uint8)
        for members, at, form in self._groups:
            raw[members] = came[at].view(form)[:, 0]
        if self._bits is not None:
            members, at_byte, bits = self._bits
            raw[members] = came[at_byte] >> bits & 1

    def _made(self) -> list[_Group]:
        of_kind: dict[str, list[int]] = {}
        for member in self.span.members:
            of_kind.setdefault(self._wanted[member].kind, []).append(member)
        flags = of_kind.pop("BOOL", [])
        if flags:
            bits = np.array([self._wanted[m].bit or 0 for m in flags], np.uint8)
            self._bits = np.array(flags, np.intp), self._starts(flags), bits
        groups: list[_Group] = []
        for kind, members in of_kind.items():
            form = np.dtype(addresses.form(kind))
            groups.append((np.array(members, np.intp), self._starts(members)[:, None] + np.arange(form.itemsize), form.str))
        return groups

    def _starts(self, members: Sequence[int]) -> NDArray[np.intp]:
        return np.array([self._wanted[m].byte - self.span.start for m in members], np.intp)
