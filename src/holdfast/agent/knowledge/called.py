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
TYPO_MIN = 6  # letters of a word that may be mistyped by one letter
DIGITS = dict(zip("零一二三四五六七八九", range(10), strict=True)) | {"两": 2, "〇": 0}
_LATIN = re.compile(r"[a-z]")
_WORD = re.compile(r"[a-z]+")


class Called(Word):
    """One thing that is named in a text, characters `start` to `end` of the folded text. `what`: a role, a part, or an equipment's name."""

    start: int
    end: int
    what: str


class Named(Word):
    """What a text names. `text` is as it was compared; `tags` are exact (a name or a tag number); `vague` says only the quantity;
    `strangers` are pieces of equipment that the site has not."""

    text: str
    quantities: tuple[Called, ...] = ()
    tags: tuple[Called, ...] = ()
    equipment: tuple[Called, ...] = ()
    vague: tuple[Called, ...] = ()
    strangers: tuple[Called, ...] = ()


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
        self._exact = {tag.name.lower(): tag.name for tag in site.tags} | numbered | of_loops  # a loop's number means its process value
        self._words = sorted({word for name in (*self._roles, *self._vague) for word in _WORD.findall(name) if len(word) >= TYPO_MIN})
        self._own = {one.name: _word_of(one.name) for one in site.equipment}

    def find(self, text: str) -> Named:
        """Everything in it that has a name here."""
        plain = self.mended(folded(text))
        free = _Free(plain)
        tags = tuple(free.take(self._exact))
        quantities = list(free.take(self._roles))
        equipment, strangers = self._equipment(plain)
        vague = tuple(free.take(self._vague))
        stems = {stem: stem for stem in _table()["stems"]} if vague and not quantities and not tags else {}
        for stem in tuple(free.take(stems)):
            roles_of: Any = _table()["stems"][stem.what]
            quantities += [
                Called(start=at, end=end, what=str(roles_of[one.what]))
                for one in vague
                if one.what in roles_of and roles_of[one.what] in self._roles.values()
                for at, end in ((stem.start, stem.end), (one.start, one.end))
            ]
        own = [one for one in equipment if not any(q.start <= one.start and one.end <= q.end for q in quantities)]
        return Named(text=plain, quantities=tuple(sorted(quantities, key=lambda q: q.start)), tags=tags, equipment=tuple(own), vague=vague,
                     strangers=strangers)  # fmt: skip

    def mended(self, plain: str) -> str:
        """Words of six letters and more that miss a known word by one letter, or by two that changed places, are read as it."""

        def mend(found: re.Match[str]) -> str:
            word = found[0]
            if len(word) < TYPO_MIN or word in self._words:
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
        return tuple(sorted(own, key=lambda o: o.start)), tuple(sorted(strangers, key=lambda o: o.start))


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
    for found in re.finditer(rf"(?:{number}\s?)?({words})(?:\s?[-#号]?\s?([0-9]{{1,3}}))?", plain):
        if found.start() < taken or not _whole(plain, found.start(2), found.end(2)):
            continue
        taken = found.end()
        digits = found[1] or found[3] or ""
        yield found.start(), found.end(), "".join(str(DIGITS.get(c, c)) for c in digits)


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
