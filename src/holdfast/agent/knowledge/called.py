"""What people call a plant's tags and equipment, in both languages, with typing errors: found in a text, never guessed.

A site's own words are the tag numbers, the names, the parts of names, and the words of the role (`called.toml`, roles.yaml). A number
beside an equipment's word must be its own: "stand 3" is a stranger where there is only stand-4.
"""

import functools
import re
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from holdfast.agent.knowledge.modes import roles
from holdfast.site.model import Loop, Site
from holdfast.terms import Tag, Word

FILE = Path(__file__).parent / "called.toml"
TEXT_MAX = 500  # characters that are looked at
NO_NAMES = frozenset(("m2", "m3", "h2", "o2", "n2"))  # units and gases, whatever equipment a site has
TYPO_MIN = 6  # letters of a word that may be mistyped by one letter
DIGITS = dict(zip("零一二三四五六七八九", range(10), strict=True)) | {"两": 2, "〇": 0}
_SPOKEN = {word: str(n) for n, word in enumerate(("one", "two", "three", "four", "five", "six", "seven", "eight", "nine"), start=1)}
SPOKEN = rf"(?:{'|'.join(_SPOKEN)})\b"
_LATIN = re.compile(r"[a-z]")
_WORD = re.compile(r"[a-z]+")


class Called(Word):
    """One thing that is named in a text, characters `start` to `end` of the folded text. `what`: a role, a part, or an equipment's name."""

    start: int
    end: int
    what: str


class Named(Word):
    """What a text names. `text` is as it was compared; `tags` are exact (a name or a tag number); `vague` says only the quantity;
    `strangers` are pieces of equipment that the site has not; `things` are parts without a value of their own, by the role that is
    measured there."""

    text: str
    quantities: tuple[Called, ...] = ()
    tags: tuple[Called, ...] = ()
    equipment: tuple[Called, ...] = ()
    vague: tuple[Called, ...] = ()
    strangers: tuple[Called, ...] = ()
    things: tuple[Called, ...] = ()


def folded(text: str) -> str:
    """Full-width as plain, small letters, no signs that are not shown, at most TEXT_MAX characters."""
    plain = unicodedata.normalize("NFKC", text)[:TEXT_MAX].lower()
    return "".join(c if unicodedata.category(c)[0] != "C" else " " for c in plain).strip()


@functools.cache
def _table() -> Mapping[str, Mapping[str, Sequence[str]]]:
    return tomllib.loads(FILE.read_text(encoding="utf-8"))


class Names:
    """Of one site."""

    def __init__(self, site: Site) -> None:
        self._site = site
        table = _table()
        here = {tag.role for tag in site.tags if tag.role}
        self._roles: dict[str, str] = {}  # name: role
        for role in roles():
            if role.id in here:
                self._roles |= {role.name.en.lower(): role.id, role.name.zh: role.id}
        self._roles |= {name: role for role, names in table["roles"].items() if role in here for name in names}
        parts = {tag.name.rpartition("/")[2] for tag in site.tags}
        self._roles |= {name: f"/{part}" for part, names in table["parts"].items() if part in parts for name in names}
        self._vague = {name: what for what, names in table["vague"].items() for name in names}
        numbered = {t.tag_no.lower(): t.name for t in reversed(site.tags) if t.tag_no}
        of_loops = {no: loop.pv for no, name in numbered.items() if (loop := self.loop_of_tag(name)) is not None and loop.pv}
        exact = numbered | of_loops  # a loop's number means its process value
        self._exact = {tag.name.lower(): tag.name for tag in site.tags} | shortened(exact) | exact
        self._bare = bare_numbers(exact)
        self._alone = {name: role for role, names in table["alone"].items() if role in here for name in names}
        self._things = {name: role for role, names in table["things"].items() if role in here for name in names}
        self._words = sorted({word for name in self._roles for word in _WORD.findall(name) if len(word) >= TYPO_MIN})
        self._kept = frozenset(table["kept"]["words"]) | frozenset(self._things) | frozenset(self._vague)
        self._own = {one.name: _word_of(one.name) for one in site.equipment}
        self._short = _initials(self._own)

    def find(self, text: str) -> Named:
        """Everything in it that has a name here."""
        plain = self.mended(folded(text))
        free = _Free(plain)
        tags = tuple(free.take(self._exact))
        quantities = list(free.take(self._roles))
        tags += tuple(self._by_number(plain, free, named=bool(tags or quantities)))
        equipment, strangers = self._equipment(plain)
        vague = tuple(free.take(self._vague))
        if vague:  # the emulsion's temperature is not its flow, though "emulsion" alone means the flow
            bare = [q for q in quantities if plain[q.start : q.end] in self._stems_of(vague)]
            free.give(bare)
            quantities = [q for q in quantities if q not in bare]
        quantities += [one for one in free.take(self._alone) if _LAST.match(plain, one.end) and not _PRESENT.search(plain[: one.start])]
        stems = {stem: stem for stem in self._stems_of(vague)} if not quantities and not tags else {}
        for stem in tuple(free.take(stems)):
            roles_of: Any = _table()["stems"][stem.what]
            quantities += [
                Called(start=at, end=end, what=str(roles_of[one.what]))
                for one in vague
                if one.what in roles_of and roles_of[one.what] in self._roles.values()
                for at, end in ((stem.start, stem.end), (one.start, one.end))
            ]
        own = [one for one in equipment if not any(q.start <= one.start and one.end <= q.end for q in quantities)]
        things = tuple(sorted(_Free(plain).take(self._things), key=lambda one: one.start))
        return Named(text=plain, quantities=tuple(sorted(quantities, key=lambda q: q.start)), tags=tags, equipment=tuple(own), vague=vague,
                     strangers=strangers, things=things)  # fmt: skip

    def _stems_of(self, vague: Sequence[Called]) -> Sequence[str]:
        """Words that make a role together with one of these."""
        stems: Any = _table()["stems"]
        return [stem for stem, of in stems.items() if any(str(of[v.what]) in self._roles.values() for v in vague if v.what in of)]

    def _by_number(self, plain: str, free: "_Free", *, named: bool) -> Iterator[Called]:
        """A loop by its number alone: "402那个流量", "loop 402", "402 to 330"; but 402 is a value in "emulsion to 402"."""
        for number, tag in self._bare.items():
            for found in re.finditer(rf"(?<![0-9a-z.-]){number}(?![0-9a-z]|\.\d)", plain):
                rest = plain[: found.start()] + plain[found.end() :]
                marked = _MARK_AFTER.match(plain, found.end()) or _MARK_BEFORE.search(plain[: found.start()])
                alone = not named and (re.search(r"\d", rest) or (found.start() == 0 and rest.strip(" ?？.。")))
                if (marked or alone) and free.one(found.start(), found.end()):
                    yield Called(start=found.start(), end=found.end(), what=tag)
                    return

    def mended(self, plain: str) -> str:
        """Words of six letters and more that miss a known word by one letter, or by two that changed places, are read as it."""

        def mend(found: re.Match[str]) -> str:
            word = found[0]
            if len(word) < TYPO_MIN or word in self._words or word in self._kept:
                return word
            return next((known for known in self._words if _one_off(word, known)), word)

        return _WORD.sub(mend, plain)

    def tag_of(self, what: str, equipment: str = "") -> Tag | None:
        """The tag of a role (or `/part`), at that equipment or alone on the site; None where there is none or more than one."""
        part = what[1:] if what.startswith("/") else ""
        having = [t for t in self._site.tags if (t.name.rpartition("/")[2] == part if part else t.role == what)]
        own = [t for t in having if t.name.split("/", 1)[0] == equipment] if equipment else having
        return own[0] if len(own) == 1 else None

    def loop_of(self, what: str, equipment: str = "") -> Loop | None:
        """The loop whose process value has the role."""
        tag = self.tag_of(what, equipment)
        return next((loop for loop in self._site.loops if tag is not None and loop.pv == tag.name), None)

    def loop_of_tag(self, tag: str) -> Loop | None:
        """The loop that has the tag as one of its parts."""
        return next((o for o in self._site.loops if tag in (o.sp, o.sp_now, o.pv, o.mode, o.permit, o.heartbeat)), None)

    def _equipment(self, plain: str) -> tuple[tuple[Called, ...], tuple[Called, ...]]:
        own: list[Called] = []
        strangers: list[Called] = []
        for kind, names in _table()["equipment"].items():
            for start, end, number in _places(plain, names):
                fits = [name for name, (word, digits) in self._own.items() if word == kind and (not number or digits == number)]
                if len(fits) == 1:
                    own.append(Called(start=start, end=end, what=fits[0]))
                elif number or not any(word == kind for word, _ in self._own.values()):
                    strangers.append(Called(start=start, end=end, what=plain[start:end].strip()))
        for name in self._own:
            at = plain.find(name.lower())
            if at >= 0 and not any(one.what == name for one in own):
                own.append(Called(start=at, end=at + len(name), what=name))
        taken = [*own, *strangers]
        for found in _ABBREVIATED.finditer(plain):  # S4, 4架, #4, 4号
            if any(found.start() < one.end and one.start < found.end() for one in taken):
                continue
            what, known = self._by_short(found)
            if what:
                called = Called(start=found.start(), end=found.end(), what=what)
                own += [called] if known and not any(one.what == what for one in own) else []
                strangers += [] if known else [called]
        return tuple(sorted(own, key=lambda o: o.start)), tuple(sorted(strangers, key=lambda o: o.start))

    def _by_short(self, found: re.Match[str]) -> tuple[str, bool]:
        """(the equipment, True) of S4, 4架, #4; (what was said, False) where there is no such; ("", False) where it is no equipment."""
        if found[0] in NO_NAMES:
            return "", False
        if found["letter"]:
            name = self._short.get(found["letter"] + found["after"], "")
            letters = {short[0] for short in self._short}
            return (name, True) if name else (found[0], False) if found["letter"] in letters else ("", False)
        number = "".join(str(DIGITS.get(c, c)) for c in found["zh"] or found["mark"])
        kinds = {kind for kind, words in _table()["numbered"].items() if found["word"] in words}
        numbered = [(name, word) for name, (word, digits) in self._own.items() if digits == number and (not kinds or word in kinds)]
        if not any(digits for _, digits in self._own.values()) or (kinds and not any(word in kinds for word, _ in self._own.values())):
            return "", False
        return (numbered[0][0], True) if len(numbered) == 1 else (found[0].strip(), False)


_MARK_AFTER = re.compile(r"\s?(?:那个|这个|那路|这路|那条|这条|那|的(?!时候)|号?回路|号阀|loop\b|controller\b)")
_MARK_BEFORE = re.compile(r"(?:回路|位号|\bloop|\btag|\bcontroller|\bnumber|\bno\.?)\s?#?$")
_LAST = re.compile(r"\s*(?:$|[,，、.。?？!！;]|and\b|now\b|is\b|was\b|at\b|reading\b|over\b|for\b|on\b)")
_PRESENT = re.compile(r"\b(?:what is|what's|whats|is|at)\s?$")  # "what is current" wants a noun
_ABBREVIATED = re.compile(
    r"(?<![a-z0-9])(?P<letter>[a-z])(?P<after>[0-9]{1,2})(?![a-z0-9.])"
    r"|(?:第)?(?P<zh>[0-9]{1,2}|[一二三四五六七八九十两])\s?(?:号|#)?(?P<word>架)"
    r"|(?P<mark>(?<=#)[0-9]{1,2}(?![0-9.])|(?<![0-9.])[0-9]{1,2}(?=#)"
    r"|(?<=\bon )[0-9](?!\.?[0-9])(?=\s*(?:$|[?!.,;]|please\b|pls\b|now\b|right now\b|today\b|at the\b)))"  # "tension on 4?"
)


def shortened(exact: Mapping[str, str]) -> dict[str, str]:
    """Tag numbers as people shorten them (fic-402, fic402, s4fic402), where that means one tag."""
    found: dict[str, set[str]] = {}
    for number, tag in exact.items():
        parts = [part for part in re.split(r"[-_. /]", number) if part]
        for of in (parts, parts[-2:] if len(parts) > 2 else []):
            for joint in ("-", " ", "", "_"):
                if len(of) > 1:
                    found.setdefault(joint.join(of), set()).add(tag)
    return {short: next(iter(tags)) for short, tags in found.items() if len(tags) == 1 and re.search(r"[a-z]", short)}


def bare_numbers(exact: Mapping[str, str]) -> Mapping[str, str]:
    """(402: tag) where one tag number alone ends in it; of fewer than three digits none."""
    found: dict[str, set[str]] = {}
    for number, tag in exact.items():
        ending = re.search(r"[0-9]{3,5}$", number)
        if ending:
            found.setdefault(ending[0], set()).add(tag)
    return {digits: next(iter(tags)) for digits, tags in found.items() if len(tags) == 1}


def _initials(own: Mapping[str, tuple[str, str]]) -> Mapping[str, str]:
    """(s4: stand-4) where that means one piece of equipment."""
    found: dict[str, list[str]] = {}
    for name, (word, digits) in own.items():
        if digits:
            found.setdefault(word[0] + digits, []).append(name)
    return {short: names[0] for short, names in found.items() if len(names) == 1}


class _Free:
    """A text of which each character belongs to one name at most, the longest names first."""

    def __init__(self, plain: str) -> None:
        self._plain = plain
        self._taken = [False] * len(plain)

    def take(self, names: Mapping[str, str]) -> Iterator[Called]:
        for name in sorted(names, key=len, reverse=True):
            at = self._plain.find(name)
            while at >= 0:
                end = at + len(name)
                if not any(self._taken[at:end]) and _whole(self._plain, at, end):
                    self._taken[at:end] = [True] * (end - at)
                    yield Called(start=at, end=end, what=names[name])
                at = self._plain.find(name, at + 1)

    def one(self, start: int, end: int) -> bool:
        """Take these characters, if nothing has them yet."""
        free = not any(self._taken[start:end])
        self._taken[start:end] = [True] * (end - start)
        return free

    def give(self, names: Sequence[Called]) -> None:
        """Give back what was taken for these."""
        for name in names:
            self._taken[name.start : name.end] = [False] * (name.end - name.start)


def _whole(plain: str, start: int, end: int) -> bool:
    """English words are whole words; Chinese ones have no ends."""
    before, after = plain[start - 1 : start], plain[end : end + 1]
    return not (_LATIN.match(plain[start]) and before and _LATIN.match(before)) and not (
        _LATIN.match(plain[end - 1]) and after and _LATIN.match(after) and plain[end : end + 2] not in ("s ", "s")
    )


def _word_of(name: str) -> tuple[str, str]:
    """("stand", "4") of stand-4; ("furnace", "") of furnace."""
    found = re.fullmatch(r"([a-z ]+?)[\s_-]*(\d*)", name.lower())
    return (found[1], found[2]) if found else (name.lower(), "")


def _places(plain: str, names: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """(start, end, number) of each mention; "" where no number stands beside the word."""
    taken = -1
    words = "|".join(sorted((re.escape(name) for name in names), key=len, reverse=True))
    number = r"(?:第)?([0-9]{1,3}|[零一二三四五六七八九两]{1,2})\s?(?:#|号|台|架)?"
    for found in re.finditer(rf"(?:{number}\s?)?({words})(?:\s?[-#号]?\s?([0-9]{{1,3}}(?![0-9.]|\s?(?:kn|l/|°|bar|mm))|{SPOKEN}))?", plain):
        if found.start() < taken or not _whole(plain, found.start(2), found.end(2)):
            continue
        taken = found.end()
        digits = found[1] or found[3] or ""
        yield found.start(), found.end(), _SPOKEN.get(digits, "") or "".join(str(DIGITS.get(c, c)) for c in digits)


def _one_off(word: str, known: str) -> bool:
    """One letter more, less or other, or two neighbours changed."""
    if abs(len(word) - len(known)) > 1 or word[0] != known[0]:
        return False
    start = 0
    while start < min(len(word), len(known)) and word[start] == known[start]:
        start += 1
    if len(word) == len(known):
        swapped = word[:start] + word[start + 1 : start + 2] + word[start : start + 1] + word[start + 2 :]
        return word[start + 1 :] == known[start + 1 :] or swapped == known
    longer, shorter = (word, known) if len(word) > len(known) else (known, word)
    return longer[start + 1 :] == shorter[start:]


def tags_of_loop(loop: Loop) -> Mapping[str, str]:
    """(part: tag)."""
    fields: Mapping[str, Any] = {"sp": loop.sp, "sp_now": loop.sp_now, "pv": loop.pv, "mode": loop.mode, "permit": loop.permit}
    return {part: str(tag) for part, tag in fields.items() if tag}
