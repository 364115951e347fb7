"""Configurations that were laid before a running gate: their files and what these say, kept until they are signed for or crowded out."""

import base64
import binascii
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from holdfast.gate.configuration import SITE, ConfigurationError
from holdfast.gate.ledger.store import State
from holdfast.site.load import Loaded, load
from holdfast.site.model import Site
from holdfast.terms import Word, canonical, digest

KEPT_MAX = 32  # the oldest go first; those that were in force are no exception: the state file keeps what they say
FILES_MAX = 200
FILES_BYTES_MAX = 8 << 20
NAME_CHARS_MAX = 200
TABLE = """
CREATE TABLE IF NOT EXISTS configuration_proposed (
  digest TEXT PRIMARY KEY, main TEXT NOT NULL, files TEXT NOT NULL, site BLOB NOT NULL, person TEXT NOT NULL, at_ns INTEGER NOT NULL
) STRICT;
"""


class Laid(Word):
    """`files`: (name relative to the folder, content), text as it is; what is no UTF-8 begins with "base64:"."""

    digest: str
    main: str  # the site file's name
    files: tuple[tuple[str, str], ...]
    site: Site
    person: str
    at_ns: int


class Proposed:
    """Makes its table. Writes join the caller's transaction."""

    def __init__(self, state: State) -> None:
        self._state = state
        state.ensure(TABLE)

    def put(self, laid: Laid) -> None:
        files = json.dumps(dict(laid.files), ensure_ascii=False)
        row = (laid.digest, laid.main, files, canonical(laid.site), laid.person, laid.at_ns)
        self._state.db.execute("INSERT OR REPLACE INTO configuration_proposed VALUES (?, ?, ?, ?, ?, ?)", row)
        oldest = "SELECT digest FROM configuration_proposed ORDER BY at_ns DESC LIMIT -1 OFFSET ?"
        self._state.db.execute(f"DELETE FROM configuration_proposed WHERE digest IN ({oldest})", (KEPT_MAX,))  # noqa: S608 - constants

    def get(self, of: str) -> Laid | None:
        """Raises ConfigurationError where what is kept is not what was laid before the gate."""
        rows = self._state.rows("SELECT digest, main, files, site, person, at_ns FROM configuration_proposed WHERE digest = ?", (of,))
        return self._laid(rows[0]) if rows else None

    def listed(self) -> tuple[Laid, ...]:
        """The newest first."""
        rows = self._state.rows("SELECT digest, main, files, site, person, at_ns FROM configuration_proposed ORDER BY at_ns DESC")
        return tuple(self._laid(row) for row in rows)

    def _laid(self, row: tuple[str, str, str, bytes, str, int]) -> Laid:
        of, main, files, kept, person, at_ns = row
        site = SITE.validate_json(kept)
        if digest(site) != of:
            raise ConfigurationError(
                "configuration.changed", f"What is kept as {of[:16]} was changed behind the gate's back. Propose it anew."
            )
        return Laid(digest=of, main=main, files=tuple(json.loads(files).items()), site=site, person=person, at_ns=at_ns)


def refusal(main: str, files: Mapping[str, str]) -> str:
    """Why these files can't be looked at; "" where they can. Names stay inside a folder of their own."""
    if main not in files:
        return f"main: {main[:80]!r} is none of the files; name the site file"
    if len(files) > FILES_MAX:
        return f"files: {len(files)}; at most {FILES_MAX}"
    for name in files:
        path = PurePosixPath(name)
        plain = path.parts and not path.is_absolute() and ".." not in path.parts and "\x00" not in name and "\\" not in name
        if not plain or len(name) > NAME_CHARS_MAX or str(path) != name:
            return f"files: {name[:80]!r} is no plain name inside the configuration's folder"
    return ""


def spread(folder: Path, files: Mapping[str, str]) -> None:
    """Write the files out. Raises ValueError for content that is no base64 though it says so, OSError."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_bytes(name, text))


def loaded(main: str, files: Mapping[str, str]) -> Loaded:
    """Read a configuration from its files alone. Slow: for a thread. Raises SiteError, ValueError."""
    with tempfile.TemporaryDirectory(prefix="holdfast-review-") as folder:
        spread(Path(folder), files)
        return load(Path(folder) / main)


def collected(found: Loaded) -> tuple[str, Mapping[str, str]]:
    """(the site file's name, files) of a configuration on the disk, as it is sent to a gate. Raises ValueError, OSError."""
    folder = Path(found.file).parent
    files: dict[str, str] = {}
    for file in found.files:
        path = Path(file.path)
        if not path.is_relative_to(folder) or ".." in path.relative_to(folder).parts:
            raise ValueError(f"{path} lies outside the site file's folder; put it beside the site file")
        files[path.relative_to(folder).as_posix()] = _text(path.read_bytes())
    return Path(found.file).name, files


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:  # a tag list in GB18030: byte for byte
        return f"base64:{base64.b64encode(content).decode()}"


def _bytes(name: str, text: str) -> bytes:
    if not text.startswith("base64:"):
        return text.encode()
    try:
        return base64.b64decode(text.removeprefix("base64:"), validate=True)
    except binascii.Error as error:
        raise ValueError(f"{name}: no base64: {error}") from None
