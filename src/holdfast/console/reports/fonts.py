"""A font with Chinese characters from this machine: a PDF carries the characters that it uses, so it looks alike everywhere.

No font is shipped. Names are of files that Debian, openEuler, Kylin, Windows and macOS have.
"""

from collections.abc import Sequence
from pathlib import Path

from fontTools.ttLib import TTCollection, TTFont, TTLibError

from holdfast.terms import Word

FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts", "C:/Windows/Fonts", "/System/Library/Fonts")
# Regular, and its bold where it is a file of its own; the first that is there is taken.
KNOWN = (
    ("NotoSansCJK-Regular.ttc", "NotoSansCJK-Bold.ttc"),
    ("NotoSansSC-Regular.otf", "NotoSansSC-Bold.otf"),
    ("SourceHanSansSC-Regular.otf", "SourceHanSansSC-Bold.otf"),
    ("SourceHanSansCN-Regular.otf", "SourceHanSansCN-Bold.otf"),
    ("wqy-microhei.ttc", ""),
    ("wqy-zenhei.ttc", ""),
    ("DroidSansFallbackFull.ttf", ""),
    ("msyh.ttc", "msyhbd.ttc"),
    ("simhei.ttf", ""),
    ("simsun.ttc", ""),
    ("PingFang.ttc", ""),
)
PROBE = "轧张执±→≥"  # characters that a font must have to be of use here
FILES_MAX = 20_000  # looked at while searching


class FontError(Exception):
    """No font that would do; the text says what to do."""


class Face(Word):
    """One font of a file: `number` is its place in a collection."""

    file: Path
    number: int
    characters: frozenset[int]


def found(given: Path | None, folders: Sequence[str] = FOLDERS) -> tuple[Face, Face | None]:
    """Regular and bold. Raises FontError."""
    if given is not None:
        return _face(given), None
    there = _files(folders)
    for regular, bold in KNOWN:
        if regular in there:
            try:
                return _face(there[regular]), _face(there[bold]) if bold in there else None
            except FontError:
                continue
    raise FontError(
        "no font with Chinese characters is on this machine; install one (Debian: apt install fonts-noto-cjk) or give one with --font"
    )


def _files(folders: Sequence[str]) -> dict[str, Path]:
    wanted = {name for pair in KNOWN for name in pair if name}
    there: dict[str, Path] = {}
    looked = 0
    for folder in (Path(f).expanduser() for f in folders):
        if not folder.is_dir():
            continue
        for path in folder.rglob("*"):
            looked += 1
            if looked > FILES_MAX:
                return there
            if path.name in wanted:
                there.setdefault(path.name, path)
    return there


def _face(file: Path) -> Face:
    """The simplified Chinese face of a collection, where it has several. Raises FontError."""
    try:
        with file.open("rb") as content:
            if file.suffix.lower() == ".ttc":
                fonts = TTCollection(content, lazy=True).fonts
                number = next((i for i, font in enumerate(fonts) if "SC" in str(font["name"].getDebugName(1)).split()), 0)
                font = fonts[number]
            else:
                number, font = 0, TTFont(content, lazy=True)
            characters = frozenset(font.getBestCmap() or ())
    except (OSError, TTLibError, KeyError, ValueError) as error:
        raise FontError(f"{file}: no font that can be read ({error}); give a TrueType or OpenType file with --font") from error
    if missing := [c for c in PROBE if ord(c) not in characters]:
        raise FontError(f"{file}: has no {' '.join(missing)}; give a font with Chinese characters with --font")
    return Face(file=file, number=number, characters=characters)
