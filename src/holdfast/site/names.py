"""Names of equipment and tags: what one may look like, which two look alike, and what a reference means.

Inside a piece of equipment `tension.pv` means its own tag; with a slash (`line/state`) a reference is absolute.
"""

import fnmatch
import unicodedata
from collections.abc import Iterable, Mapping

from holdfast.site.log import Log, nearest
from holdfast.terms import Tag

LENGTH_MAX = 80
_FORBIDDEN = set("/*?[]{}\"'\\`|<>")
# Letters of other scripts that no font tells apart from Latin ones (from Unicode's confusables.txt, UTS #39).
_LOOKALIKES = str.maketrans("аеорсухіјѕһԁԛԝӏкмтвнοαινρκτυχ", "aeopcyxijshdqwlkmtbhoaivpktux")


def clean(name: str) -> str:
    """The canonical form (NFC) of a name or reference."""
    return unicodedata.normalize("NFC", name.strip())


def skeleton(name: str) -> str:
    """Two names with one skeleton can be taken for each other."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).translate(_LOOKALIKES).replace(" ", "")


def fault(name: str, *, dots: bool = False) -> str | None:
    """Why this can't be the name of something, or None. `dots`: a tag may have them, a loop and its part may not."""
    if not name:
        return "it is empty"
    if len(name) > LENGTH_MAX:
        return f"it is longer than {LENGTH_MAX} characters"
    for character in name:
        if character in _FORBIDDEN or (character == "." and not dots):
            return f'it has a "{character}"'
        if unicodedata.category(character)[0] == "C" or unicodedata.category(character) in ("Zl", "Zp"):
            return f"it has an invisible character (U+{ord(character):04X})"
    return None


def matches(pattern: str, tag: str) -> bool:
    """Whether a tag's name fits a name or glob; `*` and `?` are wild, and `*` also spans the slash."""
    return fnmatch.fnmatchcase(tag, clean(pattern).replace("[", "[[]"))


def is_glob(text: str) -> bool:
    return "*" in text or "?" in text


class Register:
    """The names given so far, to find doubles and lookalikes."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._names: dict[str, tuple[str, str, int]] = {}

    def take(self, name: str, file: str, line: int, log: Log, *, dots: bool = False) -> bool:
        """Tell if the name is unfit or can be taken for another one; True if it is fit."""
        why = fault(name.rpartition("/")[2], dots=dots)
        if why:
            log.error(file, line, f'"{name}" can\'t name a {self._what}: {why}', "use letters of any language, digits, - _ and blanks")
            return False
        other = self._names.setdefault(skeleton(name), (name, file, line))
        if other != (name, file, line):
            same = "is there twice" if other[0] == name else f'can be taken for "{other[0]}"'
            log.error(file, line, f'{self._what} "{name}" {same}', f"give one of them another name: the other is in {other[1]}:{other[2]}")
            return False
        return True


class Directory:
    """The tags of the site by name, for resolving references."""

    def __init__(self, tags: Iterable[Tag]) -> None:
        self.by_name: Mapping[str, Tag] = {t.name: t for t in tags}

    def find(self, reference: str, equipment: str) -> Tag | None:
        return self.by_name.get(absolute(reference, equipment))

    def resolve(self, reference: str, equipment: str, file: str, line: int, log: Log) -> Tag | None:
        """The tag that a reference means; tells if there is none."""
        tag = self.find(reference, equipment)
        if tag is None:
            wanted = clean(reference)
            prefix = "" if "/" in wanted else f"{equipment}/"
            shown = [n.removeprefix(prefix) if prefix else n for n in self.by_name]
            inside = f' in "{equipment}"' if prefix and equipment else ""
            cure = nearest(wanted, shown, "declare it under `equipment`, or write equipment/tag for one elsewhere")
            log.error(file, line, f'unknown tag "{wanted}"{inside}', cure)
        return tag


def absolute(reference: str, equipment: str) -> str:
    wanted = clean(reference)
    return wanted if "/" in wanted or not equipment else f"{equipment}/{wanted}"
