"""One learned state in one file: which detector, which tags, what it learned, its limit, and what that limit rests on.

A zip archive of `learned.json` and `state.bin`, byte for byte the same for the same state. Its digest is what a finding
names and what adoption binds; a file that does not match its own digest is refused.
"""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

from holdfast.terms import Word, canonical, digest

VERSION = 1
FILE_BYTES_MAX = 1 << 30


class Learned(Word):
    """What a detector knows, complete: another process scores alike from it."""

    detector: str  # name
    tags: tuple[str, ...]  # columns in order
    options: tuple[tuple[str, str | float | bool], ...] = ()  # as the site file gave them; the state holds the rest
    state: bytes  # Detector.save()
    limit: float  # of the score
    normal: float  # score that quiet rows mostly stay under
    rows: int  # of the quiet stretch
    calibration: str = ""  # in words: rows or hours, rate with its interval
    version: int = VERSION

    @property
    def digest(self) -> str:
        """SHA-256 over everything above."""
        return digest(self)

    @property
    def name(self) -> str:
        """name@digest, as findings carry it."""
        return f"{self.detector}@{self.digest[:12]}"

    def save(self, path: Path) -> None:
        """Write whole or not at all."""
        body = {key: value for key, value in _plain(self).items() if key != "state"}
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            header = canonical({**body, "digest": self.digest, "holdfast": "learned"})
            for name, content in (("learned.json", header), ("state.bin", self.state)):
                archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content)
        beside = path.with_name(path.name + ".part")
        beside.write_bytes(stream.getvalue())
        beside.replace(path)


def load(path: Path) -> Learned:
    """Raises ValueError, naming file and cause, for anything but an intact learned state of this version."""
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise ValueError(f"{path}: over {FILE_BYTES_MAX} bytes: no learned state is so large")
        with zipfile.ZipFile(path) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > FILE_BYTES_MAX:
                raise ValueError(f"{path}: unpacks to over {FILE_BYTES_MAX} bytes: no learned state is so large")
            header: dict[str, Any] = json.loads(archive.read("learned.json"))
            state = archive.read("state.bin")
    except (OSError, KeyError, UnicodeDecodeError, json.JSONDecodeError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: this is no learned state ({error}): give a file that holdfast saved") from error
    if header.get("version") != VERSION:
        raise ValueError(f"{path}: learned state of version {header.get('version')}, this Holdfast reads {VERSION}: relearn it")
    try:
        learned = Learned(
            detector=str(header["detector"]),
            tags=tuple(str(tag) for tag in header["tags"]),
            options=tuple((str(name), value) for name, value in header["options"]),
            state=state,
            limit=float(header["limit"]),
            normal=float(header["normal"]),
            rows=int(header["rows"]),
            calibration=str(header["calibration"]),
        )
        intact = learned.digest == header["digest"]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: damaged learned state ({error}): restore it from backup or relearn") from error
    if not intact:
        raise ValueError(f"{path}: contents do not match their digest: changed or damaged; restore it from backup or relearn")
    return learned


def _plain(learned: Learned) -> dict[str, Any]:
    return json.loads(canonical(learned))
