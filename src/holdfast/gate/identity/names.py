"""Which names people and agents may bear: two that look or fold alike are one.

A second account under a name that nobody can tell from the first would make one person two, and four eyes two. So, after
Unicode's UTS #39 (security mechanisms):

- *scripts* (§5.2, Highly Restrictive, without its kana, Bopomofo and Hangul): Latin letters and Han ideographs, ASCII digits, and
  the few marks of `JOINS`. No letter of another alphabet, so no lookalike of another alphabet. Every passport has a Latin spelling of
  its holder's name (ICAO Doc 9303-3), so everybody can be enrolled.
- *skeleton* (§4): what is left to be confused within those two is compared by shape, as confusables.txt does it: `1`, `I`
  and `l`; `0` and `O`; `rn` and `m`; letters with and without their marks; ideographs that differ by the length of a stroke.
"""

import itertools
import unicodedata

NAME_CHARS_MAX = 64
JOINS = " -'._@+()·"
# Latin letters that don't fall apart into an ASCII letter and a mark, and what they are taken for.
BARRED = {"æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "þ": "p", "ł": "l", "ħ": "h", "ı": "i"}
# Ideographs that are one at a glance: the same strokes, one longer or shorter; then forms of one ideograph. Our own choice, not complete.
TWINS = (
    *("土士", "日曰", "末未", "己已巳", "戊戌戍", "口囗", "人入"),
    *("户戶戸", "黄黃", "吕呂", "吴吳呉", "内內", "真眞", "高髙", "温溫", "静靜"),
)
SHAPES = str.maketrans(
    {odd: plain for letter, plain in BARRED.items() for odd in (letter, letter.upper())}
    | {twin: group[0] for group in TWINS for twin in group}
    | {"I": "l", "1": "l", "0": "o", "一": "-", "丨": "l"}  # last: the capital of ı is I
)


class IdentityError(Exception):
    """A name, role or password that can't be taken, or one that is not known. `code` is for programs."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def folded(name: str) -> str:
    """The form under which names are kept and looked up: NFKC, case folded."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def skeleton(name: str) -> str:
    """A name's shape: of two names with one shape, one is refused."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c)).translate(SHAPES).casefold()
    words = ("".join(run) for joins, run in itertools.groupby(bare, key=lambda c: c in JOINS) if not joins)
    return "-".join(words).replace("rn", "m").replace("vv", "w")


def alike(one: str, other: str) -> bool:
    """Whether a person who reads both could take the one for the other."""
    return folded(one) == folded(other) or skeleton(one) == skeleton(other)


def checked(name: str, what: str) -> str:
    """The name in NFC. Raises IdentityError for one that can't be read aloud from a record, or told from others by its look."""
    name = unicodedata.normalize("NFC", name)
    if not name or len(name) > NAME_CHARS_MAX or name != name.strip() or not name.isprintable():
        raise IdentityError("identity.name", f"{what} {name!r}: 1 to {NAME_CHARS_MAX} printable characters, no space at either end.")
    odd = next((c for c in unicodedata.normalize("NFKC", name) if not _is_plain(c)), None)
    if odd is not None:
        raise IdentityError(
            "identity.script",
            f"{what} {name!r}: {odd!r} ({unicodedata.name(odd, f'U+{ord(odd):04X}')}) can look like another letter. "
            "Use Latin letters or Chinese characters, digits, a blank and - ' . _ @ + ( ), such as the spelling in the passport.",
        )
    if not skeleton(name):
        raise IdentityError("identity.name", f"{what} {name!r}: at least one letter or digit.")
    return name


def _is_plain(character: str) -> bool:
    """Of Latin or Han script, an ASCII digit or a join; a mark only where Unicode has a letter that bears it."""
    if character.isascii():
        return character.isalnum() or character in JOINS
    if character in JOINS or character in BARRED or character.lower() in BARRED or character == "ß":
        return True
    if unicodedata.name(character, "").startswith(("CJK UNIFIED IDEOGRAPH", "CJK COMPATIBILITY IDEOGRAPH")):
        return True
    apart = unicodedata.normalize("NFD", character)
    return len(apart) > 1 and apart[0].isascii() and apart[0].isalpha()
