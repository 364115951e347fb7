"""A data block's source (`.db`), which names members and no addresses: they follow from how S7 lays a block out.

With standard access every member has its place: bits side by side, what is wider than a byte on an even one, structures and arrays
from an even byte to an even one. With optimised access nothing has a place: it is read by name from the CPU's OPC UA server.

Source: Siemens, "STEP 7 – Statement List for S7-300 and S7-400" (A5E00706960) on data types in blocks with standard access;
lengths of the newer types from the S7-1200/1500 system manual.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from holdfast.site.exports.addresses import TIA_TYPES
from holdfast.site.exports.found import Export, NotUnderstood, Options, Sorting, Taken
from holdfast.site.exports.tia import address, protocol_of, unit_of

_BYTES = {
    "bool": 0, "byte": 1, "sint": 1, "usint": 1, "char": 1,
    "word": 2, "int": 2, "uint": 2, "date": 2, "s5time": 2, "wchar": 2,
    "dword": 4, "dint": 4, "udint": 4, "real": 4, "time": 4, "tod": 4, "time_of_day": 4,
    "lword": 8, "lint": 8, "ulint": 8, "lreal": 8, "ltime": 8, "ltod": 8, "ldt": 8, "dt": 8, "date_and_time": 8, "dtl": 12,
}  # fmt: skip
ELEMENTS_MAX = 1_000  # of one array, written out
MEMBERS_MAX = 40_000
DEPTH_MAX = 8  # of structures in structures: S7 allows no more
_TOKEN = re.compile(
    r"//(?P<comment>[^\n]*)|\(\*.*?\*\)|\{(?P<attributes>[^}]*)\}|\"(?P<quoted>[^\"]*)\"|(?P<text>'(?:\$.|[^'$])*')"
    r"|(?P<word>[\w#]+)|(?P<mark>:=|\.\.|[:;=\[\],.()-])",
    re.DOTALL,
)
_OPTIMISED = re.compile(r"S7_Optimized_Access\s*:=\s*'(\w+)'", re.IGNORECASE)


@dataclass
class Member:
    """One declaration. `members` for a structure, `bounds` for an array, `length` for a string, `kind` a type's name otherwise."""

    line: int
    name: str
    kind: str = ""
    bounds: tuple[int, int] | None = None
    length: int = 254
    members: list["Member"] = field(default_factory=list["Member"])
    comment: str = ""
    defined: bool = False  # a quoted type: one of the plant's own


def understand(text: str, options: Options) -> Export:
    """Raises NotUnderstood where it is no block's source, or no address can follow from it."""
    protocol, sorting = protocol_of(options), Sorting()
    types, blocks = _Reading(text).all()
    if not any(members for _, members, _ in blocks):
        raise NotUnderstood("there is no DATA_BLOCK with members of its own in it: generate the source of a global data block")
    for name, members, optimised in blocks:
        if not members:
            sorting.leave(0, name, "an instance block: its members are declared in its function block")
            continue
        if protocol == "s7" and optimised:
            raise NotUnderstood(f'"{name}" has optimised access, so nothing in it has an address: say --protocol opcua, to read it by name')
        if protocol == "s7" and (not options.db or len(blocks) > 1):
            raise NotUnderstood("the source doesn't say the block's number: generate one block's source, and say --db NUMBER")
        _Layout(name, options.db, protocol, types, sorting).block(members)
    return sorting.done("tia")


class _Layout:
    """Gives each member of one block its place."""

    def __init__(self, block: str, db: int, protocol: str, types: dict[str, list[Member]], sorting: Sorting) -> None:
        self._block, self._db, self._protocol, self._types, self._sorting = block, db, protocol, types, sorting
        self._byte, self._bit, self._count = 0, 0, 0
        self._lost = ""  # why nothing further has a place

    def block(self, members: list[Member]) -> None:
        self._all(members, self._block, f'"{self._block}"', 0)

    def _all(self, members: list[Member], name: str, quoted: str, depth: int) -> None:
        for member in members:
            self._one(member, f"{name}.{member.name}", f'{quoted}."{member.name}"', depth)

    def _one(self, member: Member, name: str, quoted: str, depth: int) -> None:
        self._count += 1
        if self._count > MEMBERS_MAX:
            raise NotUnderstood(f"more than {MEMBERS_MAX} members: generate the source of a smaller block")
        inside = self._types.get(member.kind) if member.defined else member.members or None
        if member.bounds is not None:
            self._array(member, name, quoted, depth)
        elif inside is not None and depth < DEPTH_MAX:
            self._even()
            self._all(inside, name, quoted, depth + 1)
            self._even()
        elif member.defined or member.kind.casefold() not in (*_BYTES, "string", "wstring"):
            self._lost = self._lost or f'how long "{member.name}" of type {member.kind} is, this file does not say'
            self._sorting.leave(
                member.line, name, f"its type {member.kind} is not in this file: generate the source with the types it depends on"
            )
        else:
            self._plain(member, name, quoted)

    def _array(self, member: Member, name: str, quoted: str, depth: int) -> None:
        low, high = member.bounds or (0, -1)
        if not 0 <= high - low < ELEMENTS_MAX:
            self._lost = self._lost or f'"{member.name}" was not laid out'
            return self._sorting.leave(
                member.line, name, f"an array of several dimensions, with named bounds, or of more than {ELEMENTS_MAX} elements"
            )
        self._even()
        for index in range(low, high + 1):
            element = Member(member.line, member.name, member.kind, None, member.length, member.members, member.comment, member.defined)
            self._one(element, f"{name}_{index}", f"{quoted}[{index}]", depth)
        self._even()
        return None

    def _plain(self, member: Member, name: str, quoted: str) -> None:
        kind = member.kind.casefold()
        length = 2 + member.length if kind == "string" else 4 + 2 * member.length if kind == "wstring" else _BYTES[kind]
        where = self._place(length, member)
        try:
            if kind not in TIA_TYPES:
                raise ValueError(f"{member.kind} is neither a number nor a truth value")
            if self._lost and self._protocol == "s7":
                raise ValueError(f"its place is not known: {self._lost}")
            at, of = address(quoted, member.kind, self._protocol, where)
            self._sorting.take(
                Taken(line=member.line, name=name, address=at, type=of, unit=unit_of(member.kind), description=member.comment)
            )
        except ValueError as why:
            self._sorting.leave(member.line, name, str(why))

    def _place(self, length: int, member: Member) -> str:
        """The address of the next member, as TIA Portal writes it; `length` 0 is one bit."""
        if length == 0:
            where = f"%DB{self._db}.DBX{self._byte}.{self._bit}"
            self._byte, self._bit = (self._byte + 1, 0) if self._bit == 7 else (self._byte, self._bit + 1)
            return where
        if self._bit:
            self._byte, self._bit = self._byte + 1, 0
        if length > 1:
            self._even()
        where, self._byte = self._byte, self._byte + length
        if length == 8 and member.kind.casefold() in TIA_TYPES:
            return f"%DB{self._db}.DBX{where}.0"  # as TIA writes 64 bits
        return f"%DB{self._db}.DB{ {1: 'B', 2: 'W'}.get(length, 'D') }{where}"

    def _even(self) -> None:
        if self._bit:
            self._byte, self._bit = self._byte + 1, 0
        self._byte += self._byte % 2


class _Reading:
    """The declarations of one source, read once from left to right."""

    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str, int]] = []  # kind, text, line
        line, last = 1, 0
        for found in _TOKEN.finditer(text):
            line, last = line + text.count("\n", last, found.start()), found.start()
            if found.lastgroup is not None:
                self._tokens.append((found.lastgroup, found[found.lastgroup], line))
        self._at = 0

    def all(self) -> tuple[dict[str, list[Member]], list[tuple[str, list[Member], bool]]]:
        """(types by name, (block, members, whether optimised))."""
        types: dict[str, list[Member]] = {}
        blocks: list[tuple[str, list[Member], bool]] = []
        while self._at < len(self._tokens):
            kind, word, _ = self._next()
            if kind != "word" or word.upper() not in ("TYPE", "DATA_BLOCK"):
                continue
            _, name, _ = self._next()
            # Without the attribute a source is of a time before optimised access, or of an S7-300 or 400.
            optimised, members = self._declared(f"END_{word.upper()}")
            if word.upper() == "TYPE":
                types[name] = members
            else:
                blocks.append((name, members, optimised))
        return types, blocks

    def _declared(self, end: str) -> tuple[bool, list[Member]]:
        optimised, members = False, list[Member]()
        while self._at < len(self._tokens):
            kind, word, _ = self._next()
            if kind == "attributes":
                told = _OPTIMISED.search(word)
                optimised = optimised if told is None else told[1].upper() == "TRUE"
            elif kind == "word" and word.upper() in ("STRUCT", "VAR"):
                members += self._members(f"END_{word.upper()}", 0)
            elif kind == "word" and word.upper() == end:
                break
        return optimised, members

    def _members(self, end: str, depth: int) -> Iterator[Member]:
        if depth > DEPTH_MAX:
            raise NotUnderstood(f"structures inside structures, more than {DEPTH_MAX} deep")
        while self._at < len(self._tokens):
            kind, word, line = self._next()
            if kind == "word" and word.upper() == end:
                return
            if kind in ("word", "quoted") and self._colon():
                yield self._member(word, line, depth)
        raise NotUnderstood(f"it ends before {end}: generate the source anew")

    def _member(self, name: str, line: int, depth: int) -> Member:
        member = Member(line, name)
        kind, word, _ = self._next()
        if kind == "word" and word.upper() == "ARRAY":
            member.bounds = self._bounds()
            kind, word, _ = self._next()
        if kind == "word" and word.upper() == "STRUCT":
            member.comment = self._comment()
            member.members = list(self._members("END_STRUCT", depth + 1))
        else:
            member.kind, member.defined = word, kind == "quoted"
            if word.upper() in ("STRING", "WSTRING") and self._peek() == "[":
                self._next()
                length = self._next()[1]
                member.length = int(length) if length.isdecimal() else member.length
        while self._at < len(self._tokens) and self._peek() != ";":  # the start value
            self._next()
        self._next()
        member.comment = member.comment or self._comment()
        return member

    def _bounds(self) -> tuple[int, int]:
        """`[1..3] of`; arrays of more dimensions, or with named bounds, are empty: they are left out."""
        found: list[str] = []
        while self._at < len(self._tokens):
            kind, word, _ = self._next()
            if kind == "word" and word.upper() == "OF":
                break
            found.append(word)
        told = re.fullmatch(r"\[(-?\d+)\.\.(-?\d+)\]", "".join(found))
        return (int(told[1]), int(told[2])) if told is not None else (0, -1)

    def _colon(self) -> bool:
        """Whether a declaration goes on; attributes between name and colon are passed over."""
        if self._at < len(self._tokens) and self._tokens[self._at][0] == "attributes":
            self._at += 1
        if self._peek() != ":":
            return False
        self._at += 1
        return True

    def _comment(self) -> str:
        if self._at < len(self._tokens) and self._tokens[self._at][0] == "comment":
            return self._next()[1].strip()
        return ""

    def _peek(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""

    def _next(self) -> tuple[str, str, int]:
        if self._at >= len(self._tokens):
            raise NotUnderstood("it ends in the middle of a declaration: generate the source anew")
        self._at += 1
        return self._tokens[self._at - 1]
